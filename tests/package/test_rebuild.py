"""Built again, airflow-instances has the same bytes; airflow would take minutes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.artifact import Artifact

from airflow_deb import container, deb, log, make, paths, roots, settings, versions
from airflow_deb.binary import INSTANCES


@pytest.fixture
def scratch(host_artifact: Artifact) -> Iterator[Path]:
    """A directory to build in, gone after the test."""
    where = paths.default().run(f"tests/{host_artifact.cell.name}/rebuild")
    container.remove(where)
    yield where
    container.remove(where)


def test_same_bytes(host_artifact: Artifact, scratch: Path) -> None:
    """Another day, another directory of the builder's: the .deb is the one in dist/."""
    places = paths.default()
    cell = host_artifact.cell
    matrix = versions.load(places.versions_sh)
    chosen = {**os.environ, "VERSION": cell.version.name, "SUITE": cell.suite.name}
    recipes = [
        make.recipe(places, matrix, settings.read({**chosen, "FAST": fast})) for fast in "01"
    ]
    fits = [recipe for recipe in recipes if recipe.key(INSTANCES) == host_artifact.record.key]
    assert fits, "the package in dist/ is not that of this checkout: make deb"
    root = roots.ensure(places, roots.root(cell.suite, "buildd", fits[0].build_packages))
    spec = deb.specification(places, fits[0], INSTANCES, root, scratch / "uv")
    bind = replace(spec.binds[0], source=scratch / "deb" / "build")
    spec = replace(spec, name=f"{spec.name}-again", scratch=scratch / "deb", binds=(bind,))
    built = deb.build(fits[0], INSTANCES, spec, [], scratch / "uv", log.Step("deb"))
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built}
    package = host_artifact.record.package
    assert found[package] == host_artifact.record.files[package][0]
