"""The cell under test and the packages that `make deb` left for it in dist/.

VERSION and SUITE choose the cell, as they do for make; without them it is
2.1.0 on its first suite. NAME says what the package with Airflow inside is called.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from airflow_deb import lockfile, paths, record, settings, versions
from airflow_deb.binary import AIRFLOW, Binary, named
from airflow_deb.errors import UsageError
from airflow_deb.lockfile import Lock
from airflow_deb.record import Record
from airflow_deb.versions import Cell

_DEFAULT_VERSION = "2.1.0"


@dataclass(frozen=True)
class Artifact:
    """A built package: its name, its cell, where the files are, and the build's record."""

    name: str
    cell: Cell
    directory: Path
    record: Record

    @property
    def deb(self) -> Path:
        """The .deb itself."""
        return self.directory / self.record.package

    @property
    def lock(self) -> Lock:
        """What must be inside."""
        own = paths.default().requirements / self.cell.version.name
        return lockfile.load(own / f"{self.cell.lock_name}.lock")

    @property
    def prefix(self) -> str:
        """Where Airflow is once it is installed."""
        return f"/usr/lib/{self.name}"

    @property
    def site_packages(self) -> str:
        """Where Python's modules are once it is installed."""
        return f"{self.prefix}/lib/python{self.cell.suite.python}/site-packages"


def airflow() -> Binary:
    """The package with Airflow inside, by the name that the environment gives it."""
    return named(settings.read().name)


def find(binary: Binary = AIRFLOW, version: str = "", suite: str = "") -> Artifact:
    """The package ``binary`` of ``version`` on ``suite``, or of what the environment names.

    Raises UsageError when it is not built, or not completely there.
    """
    places = paths.default()
    if not version:
        version = os.environ.get("VERSION") or _DEFAULT_VERSION
        suite = os.environ.get("SUITE", "")
    security = settings.read().security
    cell = versions.load(places.versions_sh).cell(version, suite, security=security)
    where = record.path(places.dist, cell, binary)
    found = record.load(where)
    if found is None or record.current(where, found.key) is None:
        raise UsageError(
            f"there is no package {binary.name} of {cell.name} in {where.parent}",
            hint=f"build it: make deb VERSION={cell.version.name} SUITE={cell.suite.name}"
            + (f" NAME={binary.name}" if binary.name != binary.role else ""),
        )
    return Artifact(binary.name, cell, where.parent, found)
