"""Real containers over a small root of bullseye, which the cache keeps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_deb import container, log, paths, roots, versions
from airflow_deb.paths import Paths

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def places() -> Paths:
    """The project's paths with the cache that `make` uses."""
    found = paths.default()
    log.open_file(found.cache / "logs" / f"tests-build-{os.getpid()}.log")
    return found


@pytest.fixture(scope="session")
def root(places: Paths) -> Path:
    """A root that can compile C and build wheels."""
    suite = versions.load(places.versions_sh).suites["bullseye"]
    return roots.ensure(places, roots.root(suite, "buildd", ["python3-dev", "python3-venv"]))


@pytest.fixture
def scratch(places: Paths, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A scratch directory for containers, gone after the test."""
    where = places.run(f"tests/{request.node.name.partition('[')[0]}")
    yield where
    container.remove(where)
