"""connections.yaml, for Airflow's LocalFilesystemBackend."""

from __future__ import annotations

import json
from collections.abc import Mapping

from .. import quoting
from ..instance import Instance
from . import header


def render(instance: Instance) -> str:
    """The file: a URI or a mapping by connection id, sorted."""
    connections = instance.group_of("connections")
    lines = [header(instance.name).rstrip("\n")]
    if not connections:
        lines.append("{}")
    for name, value in sorted(connections.items()):
        if isinstance(value, Mapping):
            lines.append(f"{quoting.yaml(name)}:")
            lines += [f"  {key}: {_part(part)}" for key, part in sorted(value.items())]
        else:
            lines.append(f"{quoting.yaml(name)}: {quoting.yaml(str(value))}")
    return "\n".join(lines) + "\n"


def _part(value: object) -> str:
    if isinstance(value, (Mapping, list)):
        # `extra` is JSON to Airflow: as text in one scalar, whatever it holds.
        value = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return str(value) if isinstance(value, int) else quoting.yaml(str(value))
