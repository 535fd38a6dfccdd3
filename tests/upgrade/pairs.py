"""Which two Airflows are on one host in test_side_by_side_versions.py."""

from __future__ import annotations

import os
from dataclasses import dataclass

from tests import artifact as artifacts
from tests.artifact import Artifact

from airflow_deb import binary, paths, record, versions
from airflow_deb.binary import AIRFLOW
from airflow_deb.errors import UsageError


@dataclass(frozen=True)
class Pair:
    """A plain package and a named one of the same suite; without a suite the environment's."""

    suite: str = ""
    plain: str = ""
    version: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.name} beside {self.plain}" if self.suite else "chosen"

    def found(self) -> tuple[Artifact, Artifact]:
        """Both packages. Raises UsageError when one is not built."""
        if not self.suite:
            plain = artifacts.find(AIRFLOW)
            return plain, named_artifact(plain)
        return (
            artifacts.find(AIRFLOW, self.plain, self.suite),
            artifacts.find(binary.named(self.name), self.version, self.suite),
        )


# `make test-all` builds the named ones.
PAIRS = (
    Pair("bullseye", "2.1.0", "2.1.4", "airflow-2.1.4"),
    Pair("bookworm", "3.3.2", "2.11.2", "airflow-2.11"),
)


def named_artifact(plain: Artifact) -> Artifact:
    """A named package of the suite of ``plain``. Raises UsageError when none was built."""
    cells = [
        cell
        for cell in versions.load(paths.default().versions_sh).cells()
        if cell.suite.name == plain.cell.suite.name
    ]
    found = []
    for where in plain.directory.glob("airflow-*_amd64.json"):
        name, version, _ = where.stem.split("_")
        cell = next((cell for cell in cells if cell.deb_version == version), None)
        kept = record.load(where)
        if cell and kept and os.environ.get("NAME") in (None, "", name):
            found.append((cells.index(cell), name, Artifact(name, cell, where.parent, kept)))
    if not found:
        raise UsageError(
            f"there is no second Airflow in {plain.directory}",
            hint="build one: make deb VERSION=2.1.4 NAME=airflow-2.1.4",
        )
    return max(found, key=lambda entry: entry[:2])[2]
