"""`make verify REBUILD=1`: what a rebuild may take from the cache, and what it may not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import pytest
from tests.unit import checkout

from airflow_deb import lockfile, make, provenance, rebuild, settings, versions, wheels
from airflow_deb.binary import AIRFLOW
from airflow_deb.paths import Paths

SDIST = lockfile.Locked("crcmod", "1.7", "d" * 64, "crcmod-1.7.tar.gz", 89670)


class Reached(Exception):
    """The build would begin now, at these places."""

    def __init__(self, places: Paths) -> None:
        self.places = places


def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: Paths) -> Paths:
    """The places that a rebuild of airflow hands to the build."""

    def stop(there: Paths, *_: object) -> NoReturn:
        raise Reached(there)

    monkeypatch.setattr(make, "deb", stop)
    matrix = versions.load(places.versions_sh)
    recipe = make.recipe(places, matrix, settings.Settings(version="2.1.0"))
    made = provenance.Made(
        commit=None,
        builder="0" * 64,
        tools={},
        debian=(),
        started=checkout.DATE,
        finished=checkout.DATE,
    )
    statement = json.loads(provenance.statement(recipe, AIRFLOW, made, {"airflow.deb": "0" * 64}))
    with pytest.raises(Reached) as reached:
        rebuild.compare(places, matrix, tmp_path / "uv", statement, tmp_path / "airflow.deb", "")
    return reached.value.places


def test_a_wheel_or_bytecode_in_the_cache_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = checkout.checkout(tmp_path)
    uv = tmp_path / "uv"
    uv.write_bytes(b"uv")
    root = tmp_path / "root"
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text("Package: dpkg\nVersion: 1\n")
    tools = lockfile.parse(checkout.LOCK, Path("bullseye-build.lock"))
    usual = wheels.Builder(places, root, tools, uv)
    planted = places.wheels / usual.key(SDIST) / "crcmod-1.7-py3-none-any.whl"
    planted.parent.mkdir(parents=True)
    planted.write_bytes(b"tampered")
    (places.bytecode / "ab").mkdir(parents=True)
    (places.bytecode / "ab" / "abcd").write_bytes(b"tampered")
    assert usual.cached(SDIST) is not None
    again = begin(tmp_path, monkeypatch, places)
    assert wheels.Builder(again, root, tools, uv).cached(SDIST) is None
    assert not again.bytecode.exists()


def test_what_is_checked_by_its_hash_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = checkout.checkout(tmp_path)
    again = begin(tmp_path, monkeypatch, places)
    assert (again.downloads, again.roots) == (places.downloads, places.roots)
