"""Real GnuPG keys, made for a test and gone after it, and a package signed with one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.provenance import keys

from airflow_deb import make, paths, record, settings, versions
from airflow_deb.binary import INSTANCES


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for GnuPG."""
    with keys.directory() as home:
        yield home


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the development key of a test is, instead of the user's own."""
    with tempfile.TemporaryDirectory(prefix="data-") as name:
        monkeypatch.setenv("XDG_DATA_HOME", name)
        monkeypatch.delenv("SIGNING_KEY", raising=False)
        yield Path(name)


@pytest.fixture(scope="session")
def keyring() -> Iterator[Path]:
    """A key to sign with, as a file that has the secret key; the public one is in .pub."""
    with keys.directory() as home:
        keys.generate(home, "builder <builder@example.org>")
        yield keys.export(home)


@pytest.fixture(scope="session")
def built(keyring: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package airflow-instances of 2.1.0, built and signed."""
    places = paths.default()
    wanted = settings.Settings(
        version="2.1.0", package="airflow-instances", fast=True, signing_key=str(keyring)
    )
    recipe = make.recipe(places, versions.load(places.versions_sh), wanted)
    dist = tmp_path_factory.mktemp("dist")
    uv = Path(sys.executable).with_name("uv")
    make.deb(replace(places, published=dist), recipe, uv, wanted)
    return record.directory(dist, recipe.cell) / f"{record.stem(recipe.cell, INSTANCES)}.deb"
