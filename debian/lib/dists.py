"""The installed distributions of a virtual environment and their RECORDs.

Each wheel that was installed has a ``*.dist-info`` directory whose RECORD
(PEP 376, PEP 427) lists every file that came with it, with hash and size.
It is how this package knows which file belongs to which distribution.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_NORMALISE = re.compile(r"[-_.]+")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)")


@dataclass(frozen=True)
class Row:
    """One line of a RECORD; ``path`` is relative to site-packages."""

    path: str
    digest: str = ""
    size: str = ""


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: normalised name, version, dist-info."""

    name: str
    version: str
    info: Path

    @property
    def record(self) -> Path:
        return self.info / "RECORD"

    @property
    def site(self) -> Path:
        return self.info.parent

    def locate(self, row: Row) -> Path:
        """Where the file of a row is, without following symbolic links."""
        return Path(os.path.normpath(self.site / row.path))

    def rows(self) -> list[Row]:
        with self.record.open(encoding="utf-8", newline="") as lines:
            return [Row(*fields[:3]) for fields in csv.reader(lines) if fields]

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Write RECORD in one order, so that equal contents are equal bytes."""
        with self.record.open("w", encoding="utf-8", newline="") as lines:
            writer = csv.writer(lines, lineterminator="\n")
            writer.writerows(
                (row.path, row.digest, row.size) for row in sorted(rows, key=lambda row: row.path)
            )


def normalise(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return _NORMALISE.sub("-", name).lower()


def site_packages(tree: Path) -> Path:
    """The one site-packages directory of a virtual environment."""
    found = sorted(tree.glob("lib/python3.*/site-packages"))
    if len(found) != 1:
        raise SystemExit(f"{tree}: expected one site-packages directory, found {len(found)}")
    return found[0]


def distributions(tree: Path) -> list[Distribution]:
    """All installed distributions, sorted by name."""
    result = []
    for info in sorted(site_packages(tree).glob("*.dist-info")):
        name, version = info.name[: -len(".dist-info")].rsplit("-", 1)
        result.append(Distribution(normalise(name), version, info))
    return sorted(result, key=lambda dist: dist.name)


def read_lock(lock: Path) -> dict[str, str]:
    """The pins of a lock: normalised name to version."""
    pins = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := _PIN.match(line):
            pins[normalise(match[1])] = match[2]
    if not pins:
        raise SystemExit(f"{lock}: no pinned distribution in it")
    return pins
