"""What is particular to a version, read from ``expected/VERSION.toml`` beside the tests.

A ring that can say something of any version has it in ``expected/default.toml``.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from airflow_deb.errors import ConfigError


def load(ring: Path, version: str) -> dict[str, Any]:
    """The expectations of the tests in the directory ``ring`` for ``version``.

    Raises ConfigError when nobody has written them down yet.
    """
    path = ring / "expected" / f"{version}.toml"
    default = path.with_name("default.toml")
    if not path.is_file() and default.is_file():
        path = default
    if not path.is_file():
        known = ", ".join(sorted(other.stem for other in path.parent.glob("*.toml")))
        raise ConfigError(
            f"tests/{ring.name}/expected has nothing for {version}, only for {known}",
            hint=f"write {path.name} after the model of another version's",
        )
    return tomllib.loads(path.read_text(encoding="utf-8"))
