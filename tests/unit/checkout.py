"""A small checkout for unit tests, and packages that look as if `make deb` had built them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from airflow_deb import make, paths, record, settings, versions
from airflow_deb.binary import BINARIES, Binary
from airflow_deb.paths import Paths
from airflow_deb.record import Record
from airflow_deb.versions import Cell

LOCK = (
    f"adal==1.2.7 \\\n    --hash=sha256:{'0' * 64}\n    # adal-1.2.7-py2.py3-none-any.whl 55457\n"
)
DATE = "2026-03-18T09:30:00Z"


def checkout(top: Path) -> Paths:
    """A checkout below ``top`` with the real versions.sh and debian/; 2.1.0 is locked."""
    for name in ("versions.sh", "debian", "build"):
        target = top / "project" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(paths.PROJECT / name)
    places = Paths(top / "project", top / "cache")
    (places.project / "scripts").mkdir()
    (places.project / "scripts" / "airflow-instance").write_text("#!/usr/bin/python3\n")
    for name in ("bullseye.lock", "bullseye-build.lock"):
        paths.write_text(places.requirements / "2.1.0" / name, LOCK)
    return places


def cell(places: Paths) -> Cell:
    """The one that is locked."""
    return versions.load(places.versions_sh).cell("2.1.0")


def build(
    places: Paths, *binaries: Binary, content: bytes = b"deb", security: bool = False
) -> None:
    """Leave what a finished build of ``binaries``, or of both, leaves."""
    matrix = versions.load(places.versions_sh)
    recipe = make.recipe(places, matrix, settings.Settings(version="2.1.0", security=security))
    for binary in binaries or BINARIES:
        where = record.path(places.dist, recipe.cell, binary)
        package = f"{record.stem(recipe.cell, binary)}.deb"
        found = Record(
            key=recipe.key(binary),
            package=package,
            files={package: (hashlib.sha256(content).hexdigest(), len(content))},
            installed_kib=1,
            distributions=0,
            seconds={},
            date=DATE,
        )
        record.save(where, found)
        (where.parent / package).write_bytes(content)
