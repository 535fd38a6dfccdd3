"""Bundles: made from a commit, used without a network, and refused before anything starts."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.offline import machine as offline
from tests.provenance import keys

from airflow_deb import (
    bundle,
    bundling,
    companions,
    container,
    fetch,
    paths,
    provenance,
    settings,
    unbundle,
    versions,
)
from airflow_deb.bundle import Manifest
from airflow_deb.errors import HashError, IncompleteError, SignatureError, UsageError
from airflow_deb.paths import Paths

CACHE = paths.default().cache
MATRIX = versions.load(paths.default().versions_sh)
WANTED = settings.Settings(version="2.1.0", package="airflow-instances")


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of what is under test, committed."""
    return offline.checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def made(checkout: Path, keyring: Path) -> Path:
    """The bundle of airflow-instances 2.1.0."""
    wanted = replace(WANTED, signing_key=str(keyring))
    return bundling.bundle(Paths(checkout, CACHE), MATRIX, wanted)


@pytest.fixture
def manifest(made: Path) -> Manifest:
    return bundle.load(made)


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of the bundle, to be spoiled."""
    return Path(shutil.copy(made, tmp_path))


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory below the cache, on the host's own file system, gone after the test."""
    where = paths.default().run("tests/offline")
    container.remove(where)
    yield where
    container.remove(where)


def test_without_a_network_the_same_bytes(
    made: Path, built: Path, manifest: Manifest, keyring: Path, scratch: Path
) -> None:
    """On a machine that has neither the cache nor git's directory of the source."""
    dist = offline.build(made, keyring.with_suffix(".pub"), scratch, "FAST=1")
    deb = dist / "bullseye" / built.name
    assert companions.sha256(deb) == companions.sha256(built)
    statement = provenance.load(companions.beside(deb, companions.PROVENANCE))
    assert provenance.commit_of(statement) == manifest.commit
    here = provenance.load(companions.beside(built, companions.PROVENANCE))
    assert provenance.debian(statement) == provenance.debian(here)


def test_made_again_it_is_the_same(
    made: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the files' times are, and whether they were cached before."""
    before = companions.sha256(made)
    os.utime(checkout / "Makefile", (0, 0))
    cached = fetch.plan
    monkeypatch.setattr(
        fetch, "plan", lambda *args: replace((p := cached(*args)), cached=p.cached[::-1])
    )
    again = bundling.bundle(Paths(checkout, CACHE), MATRIX, WANTED)
    assert (again, companions.sha256(again)) == (made, before)


def test_it_has_everything(made: Path, manifest: Manifest, checkout: Path) -> None:
    """The commit's files, the root's packages, and the builder's tools for each Python."""
    with tarfile.open(made) as tar:
        names = tar.getnames()
    assert names[0] == "bundle.json" and sorted(names[1:]) == sorted(manifest.files)
    tracked = set(offline.git(checkout, "ls-files").splitlines())
    assert {n.removeprefix("source/") for n in names if n.startswith("source/")} == tracked
    assert any(n.startswith("root/archives/debhelper_") for n in names)
    rpds = {n for n in manifest.tool_files if "/rpds_py-" in n}
    assert all(any(f"-cp{v.replace('.', '')}-" in n for n in rpds) for v in manifest.tools)
    assert set(manifest.tool_files) <= set(names)


def test_changes_that_no_commit_has_are_not_bundled(tmp_path: Path) -> None:
    other = offline.checkout(tmp_path / "other")
    (other / "debian" / "new").write_text("x")
    with pytest.raises(UsageError, match=r"1 files are in no commit, the first: debian/new"):
        bundling.bundle(Paths(other, CACHE), MATRIX, WANTED)


def refused(copy: Path, checkout: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """`make deb BUNDLE=` as it is typed, with an empty cache; it must stay empty."""
    cache.mkdir(exist_ok=True)
    keep = {key: os.environ[key] for key in ("PATH", "HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        [sys.executable, checkout / "build" / "bootstrap.py", "deb"],
        env={**keep, "AIRFLOW_DEB_CACHE": str(cache), "BUNDLE": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert list(cache.iterdir()) == []
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done


def test_a_damaged_one(copy: Path, checkout: Path, tmp_path: Path) -> None:
    with copy.open("r+b") as file:
        file.seek(copy.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, io.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    done = refused(copy, checkout, tmp_path / "cache")
    assert done.returncode == HashError.status
    assert "is damaged" in done.stderr and "copy it again; nothing was done" in done.stderr


@pytest.mark.parametrize("part", [0.3, 0.9999])
def test_one_that_was_cut_off(copy: Path, checkout: Path, tmp_path: Path, part: float) -> None:
    with copy.open("r+b") as file:
        file.truncate(int(copy.stat().st_size * part))
    assert refused(copy, checkout, tmp_path / "cache").returncode == HashError.status


def test_one_with_a_file_too_many(copy: Path, checkout: Path) -> None:
    with tarfile.open(copy, "a") as tar:
        tar.addfile(tarfile.TarInfo("source/debian/extra"))
    with pytest.raises(HashError, match="'source/debian/extra' is not in its manifest"):
        bundle.check(copy, checkout)


def test_what_is_none(checkout: Path, tmp_path: Path) -> None:
    for name, content in (("text", b"no tar"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
    with tarfile.open(tmp_path / "other", "w") as tar:
        tar.addfile(tarfile.TarInfo("x"))
    for name in ("text", "empty", "other", "missing"):
        done = refused(tmp_path / name, checkout, tmp_path / "cache")
        assert (done.returncode, "is no bundle" in done.stderr) == (UsageError.status, True)


def test_one_of_another_commit(
    copy: Path, checkout: Path, manifest: Manifest, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(checkout, tmp_path / "other", symlinks=True))
    shutil.rmtree(other / "dist", ignore_errors=True)
    head = offline.commit(other)
    done = refused(copy, other, tmp_path / "cache")
    assert done.returncode == UsageError.status
    assert f"of the commit {manifest.commit}, the checkout is at {head}" in done.stderr


@pytest.mark.parametrize("has_git", [True, False])
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("scripts/airflow-instance", "has another scripts/airflow-instance"),
        ("debian/new", "has debian/new, which is in no commit"),
        ("versions.sh", "has another versions.sh"),
    ],
)
def test_a_checkout_with_changes(
    copy: Path, checkout: Path, tmp_path: Path, name: str, what: str, has_git: bool
) -> None:
    ignore = shutil.ignore_patterns("dist", *([] if has_git else [".git"]))
    other = Path(shutil.copytree(checkout, tmp_path / "other", ignore=ignore))
    bundle.check(copy, other)
    with (other / name).open("a") as file:
        file.write("\n# changed\n")
    with pytest.raises(UsageError, match=f"the checkout {what}"):
        bundle.check(copy, other)


def test_one_that_nobody_trusted_has_signed(
    made: Path, copy: Path, checkout: Path, home: Path, tmp_path: Path
) -> None:
    keys.generate(home, "somebody else")
    keyring = keys.export(home).with_suffix(".pub")
    wanted = settings.Settings(bundle=str(copy), keyring=str(keyring))
    places = Paths(checkout, tmp_path / "cache")
    with pytest.raises(IncompleteError, match="there is no"):
        unbundle.into_cache(places, MATRIX, wanted)
    shutil.copy(made.with_name(f"{made.name}.asc"), copy.parent)
    with pytest.raises(SignatureError, match="which is not trusted"):
        unbundle.into_cache(places, MATRIX, wanted)
    assert not places.cache.exists()


@pytest.mark.parametrize(
    "asked",
    [
        {"version": "2.1.4"},
        {"suite": "bookworm"},
        {"name": "airflow-2.1"},
        {"package": "airflow"},
        {"mirror": "http://mirror.example/debian"},
    ],
)
def test_something_else_than_it_is_for(
    made: Path, checkout: Path, tmp_path: Path, asked: dict[str, str]
) -> None:
    wanted = settings.Settings(bundle=str(made), **asked)  # type: ignore[arg-type]
    places = Paths(checkout, tmp_path / "cache")
    with pytest.raises(UsageError, match=f"{next(iter(asked)).upper()}="):
        unbundle.into_cache(places, MATRIX, wanted)
    assert not places.cache.exists()


def test_a_dry_run_changes_nothing(made: Path, checkout: Path, tmp_path: Path) -> None:
    wanted = settings.Settings(bundle=str(made), dry_run=True)
    places = Paths(checkout, tmp_path / "cache")
    found = unbundle.into_cache(places, MATRIX, wanted)
    assert (found.version, found.suite, found.package) == ("2.1.0", "bullseye", "airflow-instances")
    assert not places.cache.exists()


def test_another_format_is_said(manifest: Manifest, tmp_path: Path) -> None:
    text = json.dumps(json.loads(manifest.render()) | {"format": 99}).encode()
    with tarfile.open(tmp_path / "new", "w") as tar:
        header = tarfile.TarInfo("bundle.json")
        header.size = len(text)
        tar.addfile(header, io.BytesIO(text))
    with pytest.raises(UsageError, match="made by another airflow-deb"):
        bundle.load(tmp_path / "new")
