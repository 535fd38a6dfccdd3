"""What tests that passed left beside a package: ``dist/SUITE/PACKAGE.tested.json``.

It is about the bytes of one .deb: another one, even of the same version, has
not been tested.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from . import record
from .binary import Binary
from .paths import write_text
from .record import Record
from .versions import Cell


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A ring of tests that a package has passed.

    ``key``, ``package`` and ``sha256`` are its build's; ``ring`` is the directory
    of the tests, ``passed`` how many they were, ``date`` when they ended (UTC).
    """

    key: str
    package: str
    sha256: str
    ring: str
    passed: int
    date: str


def path(dist: Path, cell: Cell, binary: Binary) -> Path:
    """Where it is written down that ``cell``'s package ``binary`` passed."""
    return record.directory(dist, cell) / f"{record.stem(cell, binary)}.tested.json"


def passed(built: Record, ring: str, count: int) -> Tested:
    """That the package of ``built`` passed the ``count`` tests of ``ring`` just now."""
    return Tested(
        key=built.key,
        package=built.package,
        sha256=built.files[built.package][0],
        ring=ring,
        passed=count,
        date=record.now(),
    )


def current(where: Path, built: Record) -> Tested | None:
    """What is written at ``where``, if it is about the very .deb of ``built``."""
    try:
        found = Tested(**json.loads(where.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return found if found.sha256 == built.files[built.package][0] else None


def save(where: Path, tested: Tested) -> None:
    """Write ``tested``; it appears whole or not at all."""
    write_text(where, json.dumps(asdict(tested), indent=1) + "\n")
