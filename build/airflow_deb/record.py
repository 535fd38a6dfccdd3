"""What a finished build left beside its package: ``dist/SUITE/PACKAGE.json``.

It says what was built from which inputs, so that a build with the same inputs
has nothing to do, and so that the state of a cell can be listed.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from .binary import Binary
from .paths import write_text
from .versions import Cell


@dataclass(frozen=True, kw_only=True)
class Record:
    """A finished build: the key of its inputs and what came out.

    ``files`` maps each artifact's name to its sha256 and its size in bytes;
    ``installed_kib`` is the package's Installed-Size; ``distributions`` how many
    Python distributions are inside; ``seconds`` the time of each stage that did
    something; ``date`` when it was finished (see `now`).
    """

    key: str
    package: str
    files: dict[str, tuple[str, int]]
    installed_kib: int
    distributions: int
    seconds: dict[str, float]
    date: str = ""


def now() -> str:
    """This moment in UTC as records have it: ``2026-03-18T09:30:00Z``."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def directory(dist: Path, cell: Cell) -> Path:
    """Where the packages of ``cell`` and their records are."""
    return dist / cell.suite.name


def stem(cell: Cell, binary: Binary) -> str:
    """How the files of ``cell``'s package ``binary`` are called, without .deb or .json."""
    return f"{binary.name}_{cell.deb_version}_{binary.architecture}"


def path(dist: Path, cell: Cell, binary: Binary) -> Path:
    """Where the record of ``cell``'s package ``binary`` is."""
    return directory(dist, cell) / f"{stem(cell, binary)}.json"


def load(where: Path) -> Record | None:
    """The record at ``where``; None when there is none, or not one of ours."""
    try:
        raw = json.loads(where.read_text(encoding="utf-8"))
        raw["files"] = {name: (str(s), int(n)) for name, (s, n) in raw["files"].items()}
        return Record(**raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def current(where: Path, key: str) -> Record | None:
    """The record at ``where`` if it is of ``key`` and its artifacts are all there."""
    found = load(where)
    if found is None or found.key != key:
        return None
    for name, (_, size) in found.files.items():
        artifact = where.parent / name
        if not artifact.is_file() or artifact.stat().st_size != size:
            return None
    return found


def save(where: Path, record: Record) -> None:
    """Write ``record``; it appears whole or not at all."""
    write_text(where, json.dumps(asdict(record), indent=1) + "\n")
