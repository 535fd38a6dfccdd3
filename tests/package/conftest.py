"""Fixtures of the package tests: each .deb, opened once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import artifact as artifacts
from tests import expected
from tests.artifact import Artifact
from tests.package.debfile import Deb, open_deb
from tests.package.dists import Distribution, distributions

from airflow_deb import busy, container, paths
from airflow_deb.binary import BINARIES, INSTANCES, Binary


@pytest.fixture(scope="session")
def artifact() -> Artifact:
    """The cell under test and where its package airflow is."""
    return artifacts.find(artifacts.airflow())


@pytest.fixture(scope="session")
def host_artifact() -> Artifact:
    """The same of airflow-instances."""
    return artifacts.find(INSTANCES)


@pytest.fixture(scope="session", params=BINARIES, ids=lambda binary: str(binary.role))
def built(request: pytest.FixtureRequest) -> Artifact:
    """One after the other, for what holds of both."""
    binary: Binary = request.param
    return artifacts.find(artifacts.airflow() if binary.is_airflow else binary)


@pytest.fixture(scope="session")
def package(request: pytest.FixtureRequest, built: Artifact, artifact: Artifact) -> Deb:
    """The opened .deb of `built`."""
    found: Deb = request.getfixturevalue("deb" if built.deb == artifact.deb else "host_deb")
    return found


@pytest.fixture(scope="session")
def expectations(artifact: Artifact) -> dict[str, Any]:
    """What is particular to the version."""
    return expected.load(Path(__file__).parent, artifact.cell.version.name)


@pytest.fixture(scope="session")
def deb(artifact: Artifact) -> Iterator[Deb]:
    """The package airflow, with every place of the build searched for in every file."""
    with _opened(artifact) as found:
        yield found


@pytest.fixture(scope="session")
def host_deb(host_artifact: Artifact) -> Iterator[Deb]:
    """The package airflow-instances, likewise."""
    with _opened(host_artifact) as found:
        yield found


@contextmanager
def _opened(artifact: Artifact) -> Iterator[Deb]:
    places = paths.default()
    name = f"{artifact.cell.name}/{artifact.name}"
    needles = (
        # Where the builder builds wheels and the package, and what both are below.
        f"/build/airflow-{artifact.cell.version.name}",
        "/airflow-deb/",
        "/build/wheelhouse",
        f"debian/{artifact.name}/usr",
        str(places.cache),
        str(places.project),
    )
    target = places.run(f"tests/{name}/package")
    lock = places.run(f"tests/{name}/package.lock")
    with busy.hold(lock, f"the package test of {name}", wait=True):
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
def inventory(deb: Deb, artifact: Artifact) -> list[dict[str, Any]]:
    """What the package itself says is inside."""
    text = deb.read(f"/usr/share/{artifact.name}/inventory.json")
    found: list[dict[str, Any]] = json.loads(text)["distributions"]
    return found
