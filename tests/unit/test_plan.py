"""What a build would do, seen without doing it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from airflow_deb import make, wheels
from airflow_deb.errors import DiskError
from airflow_deb.paths import Paths
from airflow_deb.stage import Recipe


def plan(recipe: Recipe, tmp_path: Path) -> make.Plan:
    uv = tmp_path / "uv"
    uv.write_bytes(b"uv")
    return make.plan(Paths(tmp_path / "project", tmp_path / "cache"), recipe, uv)


def test_with_empty_caches_everything_is_to_do(recipe: Recipe, tmp_path: Path) -> None:
    found = plan(recipe, tmp_path)
    assert [part.name for part in found.stages] == ["fetch", "root", "wheels", "deb", "verify"]
    assert all(part.to_do for part in found.stages)
    assert found.done is None


def test_planning_touches_nothing(recipe: Recipe, tmp_path: Path) -> None:
    plan(recipe, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["uv"]


def test_the_plan_is_shown_with_what_is_to_be_downloaded(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make.show(plan(recipe, tmp_path))
    said = capsys.readouterr().out
    assert "2 of 2 files to download" in said
    assert "145 kB" in said
    assert "0 of 1 sdists built before" in said


def test_too_small_a_disk_is_said_before_anything_is_done(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    paths = Paths(tmp_path, tmp_path / "cache")
    with pytest.raises(DiskError, match=r"has 1.0 MB free, the build needs 1\d\d\d MB"):
        make.check_disk(paths, plan(recipe, tmp_path))


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
