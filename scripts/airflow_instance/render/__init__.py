"""The files of an instance as text: pure functions of an `Instance`."""

from __future__ import annotations

MANAGED = "Rendered by airflow-instance from /etc/airflow/instances.d/{name}.yaml"


def header(name: str, comment: str = "#") -> str:
    """The comment that begins every rendered file; ``comment`` is what begins a comment."""
    return (
        f"{comment} {MANAGED.format(name=name)}\n"
        f"{comment} and /etc/airflow/defaults.yaml: changes here are lost.\n"
    )


def is_managed(content: bytes) -> bool:
    """Whether a file begins as those do that we render."""
    _, space, rest = content.partition(b" ")
    ours = MANAGED.split("{", 1)[0].encode()
    return content[:2] in (b"# ", b"//") and bool(space) and rest.startswith(ours)
