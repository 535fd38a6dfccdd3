"""The whole of a cell, sdists and all, from a bundle on a machine without a network.

It takes as long as a build: `make test-all` runs it. tests/provenance does the same with
the small package.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import artifact
from tests.offline import machine
from tests.provenance import keys

from airflow_deb import (
    bundle,
    bundling,
    companions,
    container,
    lockfile,
    paths,
    provenance,
    settings,
    versions,
)
from airflow_deb.paths import Paths


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory below the cache, on the host's own file system, gone after the test."""
    where = paths.default().run("tests/offline-cell")
    container.remove(where)
    yield where
    container.remove(where)


def test_the_package_in_dist_is_built_again(scratch: Path) -> None:
    """Byte for byte: from nothing but the bundle."""
    built = artifact.find(artifact.airflow())
    statement = provenance.load(companions.beside(built.deb, companions.PROVENANCE))
    compression = provenance.parameters(statement)["compression"]
    packed = "FAST=1" if compression == "none:0" else f"COMPRESS={compression}"
    places = Paths(machine.checkout(scratch / "checkout"), paths.default().cache)
    with keys.directory() as home:
        keys.generate(home, "builder <builder@example.org>")
        secret = keys.export(home)
        wanted = settings.Settings(
            version=built.cell.version.name,
            suite=built.cell.suite.name,
            security=built.cell.security,
            name=built.name,
            package="airflow",
            signing_key=str(secret),
        )
        made = bundling.bundle(places, versions.load(places.versions_sh), wanted)
        files = bundle.load(made).files
        own = places.requirements / built.cell.version.name
        for lock in (f"{built.cell.lock_name}.lock", f"{built.cell.suite.name}-build.lock"):
            for file in lockfile.load(own / lock).files:
                assert files[f"downloads/{file.sha256}/{file.filename}"][0] == file.sha256
        dist = machine.build(made, secret.with_suffix(".pub"), scratch, packed)
    again = dist / built.cell.suite.name / built.deb.name
    assert companions.sha256(again) == built.record.files[built.record.package][0]
