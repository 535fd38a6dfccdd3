"""Fixtures of the package tests: the .deb, opened once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import artifact as artifacts
from tests import expected
from tests.artifact import Artifact
from tests.package.debfile import Deb, open_deb
from tests.package.dists import Distribution, distributions

from airflow_deb import busy, container, paths


@pytest.fixture(scope="session")
def artifact() -> Artifact:
    """The cell under test and where its package is."""
    return artifacts.find()


@pytest.fixture(scope="session")
def expectations(artifact: Artifact) -> dict[str, Any]:
    """What is particular to the version."""
    return expected.load(Path(__file__).parent, artifact.cell.version.name)


@pytest.fixture(scope="session")
def deb(artifact: Artifact) -> Iterator[Deb]:
    """The package, with every place of the build searched for in every file."""
    places = paths.default()
    name = artifact.cell.name
    needles = (
        # Where the builder builds wheels and the package, and what both are below.
        f"/build/airflow-{artifact.cell.version.name}",
        "/airflow-deb/",
        "/build/wheelhouse",
        "debian/airflow/usr",
        str(places.cache),
        str(places.project),
    )
    target = places.run(f"tests/{name}/package")
    with busy.hold(
        places.run(f"tests/{name}-package.lock"), f"the package test of {name}", wait=True
    ):
        container.remove(target)
        try:
            yield open_deb(artifact.deb, target, needles)
        finally:
            container.remove(target)


@pytest.fixture(scope="session")
def dists(deb: Deb, artifact: Artifact) -> list[Distribution]:
    """The distributions inside, with their RECORDs."""
    return distributions(deb, artifact.site_packages)


@pytest.fixture(scope="session")
def inventory(deb: Deb) -> list[dict[str, Any]]:
    """What the package itself says is inside."""
    found: list[dict[str, Any]] = json.loads(deb.read("/usr/share/airflow/inventory.json"))[
        "distributions"
    ]
    return found
