"""What a build would do, seen without doing it."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from airflow_deb import log, make, planning, record, roots, settings, signing, wheels
from airflow_deb.binary import AIRFLOW, BINARIES, INSTANCES, Binary
from airflow_deb.errors import BuildError, DiskError
from airflow_deb.paths import Paths
from airflow_deb.record import Record
from airflow_deb.stage import Recipe


def plan(recipe: Recipe, tmp_path: Path, wanted: tuple[Binary, ...] = BINARIES) -> planning.Plan:
    uv = tmp_path / "uv"
    uv.write_bytes(b"uv")
    paths = Paths(tmp_path / "project", tmp_path / "cache")
    return planning.plan(paths, recipe, uv, wanted)


def pretend(recipe: Recipe, tmp_path: Path, binary: Binary) -> None:
    """Leave what a finished build of ``binary`` leaves."""
    where = record.path(Paths(tmp_path / "project", tmp_path).dist, recipe.cell, binary)
    found = Record(
        key=recipe.key(binary),
        package=f"{binary.name}.deb",
        files={f"{binary.name}.deb": ("0" * 64, 3)},
        installed_kib=1,
        distributions=0,
        seconds={},
    )
    record.save(where, found)
    (where.parent / found.package).write_bytes(b"deb")


def test_with_empty_caches_everything_is_to_do(recipe: Recipe, tmp_path: Path) -> None:
    found = plan(recipe, tmp_path)
    names = ["root", "deb", "verify", "fetch", "wheels", "deb", "verify"]
    assert [part.name for part in found.stages] == names
    assert all(part.to_do for part in found.stages)
    assert (found.todo, found.done) == (BINARIES, ())


def test_the_host_tool_alone_needs_no_download(recipe: Recipe, tmp_path: Path) -> None:
    found = plan(recipe, tmp_path, (INSTANCES,))
    assert [part.name for part in found.stages] == ["root", "deb", "verify"]
    assert found.fetch is None
    assert found.disk_bytes < plan(recipe, tmp_path).disk_bytes


def test_a_package_that_is_up_to_date_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    pretend(recipe, tmp_path, AIRFLOW)
    found = plan(recipe, tmp_path)
    assert found.todo == (INSTANCES,)
    assert [kept.package for kept in found.done] == ["airflow.deb"]
    pretend(recipe, tmp_path, INSTANCES)
    assert plan(recipe, tmp_path).todo == ()


def test_planning_touches_nothing(recipe: Recipe, tmp_path: Path) -> None:
    plan(recipe, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["uv"]


def test_the_plan_is_shown_with_what_is_to_be_downloaded(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planning.show(plan(recipe, tmp_path))
    said = capsys.readouterr().out
    assert "airflow 2.1.0-1~deb11u1" in said
    assert "airflow-instances 2.1.0-1~deb11u1" in said
    assert "2 of 2 files to download" in said
    assert "145 kB" in said
    assert "0 of 1 sdists built before" in said


def test_what_is_up_to_date_is_said(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend(recipe, tmp_path, INSTANCES)
    planning.show(plan(recipe, tmp_path, (INSTANCES,)))
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  nothing to do: airflow-instances.deb is up to date"
    ]


def test_nothing_is_done_when_both_packages_are_up_to_date(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for binary in BINARIES:
        pretend(recipe, tmp_path, binary)
    before = sorted(tmp_path.rglob("*"))
    paths = Paths(tmp_path / "project", tmp_path / "cache")
    make.deb(paths, recipe, tmp_path / "uv", settings.Settings(version="2.1.0"))
    assert [line.split()[4] for line in capsys.readouterr().out.splitlines()] == [
        str(record.directory(paths.dist, recipe.cell) / f"{binary.name}.deb") for binary in BINARIES
    ]
    assert sorted(tmp_path.rglob("*")) == before


def test_too_small_a_disk_is_said_before_anything_is_done(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    paths = Paths(tmp_path, tmp_path / "cache")
    with pytest.raises(DiskError, match=r"has 1.0 MB free, the build needs 1\d\d\d MB"):
        make.check_disk(paths, plan(recipe, tmp_path))


def test_what_disk_is_needed_is_said_before_anything_is_done(
    recipe: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By `make deb` itself, with the plan's own figure, and what is free."""

    def broken(*_: object) -> NoReturn:
        raise BuildError("the first stage")

    usage = shutil.disk_usage(tmp_path)._replace(free=8_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(roots, "ensure", broken)
    monkeypatch.setattr(log, "open_file", lambda _: None)
    key = signing.Key(None, "0" * 40)
    monkeypatch.setattr(signing, "key", lambda _: contextlib.nullcontext(key))
    paths = Paths(tmp_path / "project", tmp_path / "cache")
    work = plan(recipe, tmp_path)
    with pytest.raises(BuildError, match="the first stage"):
        make.deb(paths, recipe, tmp_path / "uv", settings.Settings(version="2.1.0"))
    line = f"  needs up to {log.size(work.disk_bytes)} of disk, 8000 MB are free"
    said = capsys.readouterr().out.splitlines()
    assert said.index(line) < next(n for n, text in enumerate(said) if text.startswith("  root"))


def test_what_is_not_compressed_needs_more_disk(recipe: Recipe, tmp_path: Path) -> None:
    """The tree, dpkg-deb's temporary file and the package are each as large as the tree."""
    fast = replace(recipe, compression=("none", 0))
    locked = sum(file.size for file in recipe.lock.files)
    more = plan(fast, tmp_path).disk_bytes - plan(recipe, tmp_path).disk_bytes
    assert more >= 6 * locked


def test_what_is_built_in_seconds_needs_some_disk_too(recipe: Recipe, tmp_path: Path) -> None:
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
    root.path(Paths(tmp_path / "project", tmp_path / "cache")).mkdir(parents=True)
    assert 0 < plan(recipe, tmp_path, (INSTANCES,)).disk_bytes < 100_000_000
    pretend(recipe, tmp_path, INSTANCES)
    assert plan(recipe, tmp_path, (INSTANCES,)).disk_bytes == 0


@pytest.mark.parametrize(
    ("said", "package"),
    [
        ("sasl/saslwrapper.h:22:10: fatal error: sasl/sasl.h: No such file", "libsasl2-dev"),
        ("Modules/common.h:15:10: fatal error: lber.h: No such file", "libldap2-dev"),
        ("OSError: mysql_config not found", "default-libmysqlclient-dev"),
        ("src/pyodbc.h:56:10: fatal error: sql.h: No such file or directory", "unixodbc-dev"),
        ("/bin/sh: 1: krb5-config: not found", "libkrb5-dev"),
        ("SyntaxError: invalid syntax", ""),
    ],
)
def test_a_missing_header_points_at_its_package(said: str, package: str) -> None:
    assert wheels.likely_package(said) == package
