"""Real containers over the root that 2.1.0 is built in, which the cache keeps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_deb import container, log, make, paths, roots, settings, versions
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
    """A root of bullseye that can compile C and build wheels; `make deb` needs it anyway."""
    matrix = versions.load(places.versions_sh)
    chosen = replace(settings.read(), version="2.1.0", suite="bullseye")
    recipe = make.recipe(places, matrix, chosen)
    return roots.ensure(places, roots.root(recipe.cell.suite, "buildd", recipe.build_packages))


@pytest.fixture
def scratch(places: Paths, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A scratch directory for containers, gone after the test."""
    where = places.run(f"tests/{request.node.name.partition('[')[0]}")
    yield where
    container.remove(where)
