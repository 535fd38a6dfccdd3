"""The files of an instance as text: pure functions of an `Instance`."""

from __future__ import annotations

MANAGED = "Rendered by airflow-instance from /etc/airflow/instances.d/{name}.yaml"


def header(name: str) -> str:
    """The comment that begins every rendered file."""
    return (
        f"# {MANAGED.format(name=name)}\n# and /etc/airflow/defaults.yaml: changes here are lost.\n"
    )


def is_managed(content: bytes) -> bool:
    """Whether a file begins as those do that we render."""
    return content.startswith(b"# " + MANAGED.split("{", 1)[0].encode())
