"""`make test-all`: in turn, to the end, and honest about it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests import all_cells
from tests.unit.checkout import checkout

from airflow_deb import paths, versions

ALL = [
    "test",
    "test-beside VERSION=2.1.0",
    "deb VERSION=2.1.0 SUITE=bullseye",
    "test-cell VERSION=2.1.0 SUITE=bullseye",
    "deb VERSION=2.1.0 SUITE=bullseye SECURITY=1",
    "test-cell VERSION=2.1.0 SUITE=bullseye SECURITY=1",
    "deb VERSION=3.3.2 SUITE=trixie",
    "test-cell VERSION=3.3.2 SUITE=trixie",
    "deb VERSION=2.1.4 NAME=airflow-2.1.4",
    "deb VERSION=2.11.2 NAME=airflow-2.11",
    "test-upgrade",
    "test-offline VERSION=2.1.0",
]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Where the calls of make are noted, in a checkout with two locked cells."""
    places = checkout(tmp_path)
    own = places.requirements / "2.1.0"
    for name in ("", "-build"):
        lock = (own / f"bullseye{name}.lock").read_text(encoding="utf-8")
        paths.write_text(places.requirements / "3.3.2" / f"trixie{name}.lock", lock)
    paths.write_text(own / "bullseye-security.lock", lock)
    monkeypatch.setattr(paths, "default", lambda: places)
    monkeypatch.setenv("VERSION", "2.1.0")
    monkeypatch.setenv("MAKEFLAGS", "VERSION=2.1.0")
    monkeypatch.setenv("FAST", "1")
    return []


def run(monkeypatch: pytest.MonkeyPatch, called: list[str], *broken: str) -> int:
    def make(words: Sequence[str], *, env: dict[str, str], **_: object) -> SimpleNamespace:
        assert words[0] == "make"
        assert not {"VERSION", "MAKEFLAGS"} & env.keys()
        assert env["FAST"] == "1"
        called.append(" ".join(words[1:]))
        return SimpleNamespace(returncode=2 if called[-1] in broken else 0)

    monkeypatch.setattr(subprocess, "run", make)
    return all_cells.main()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The summary, its words with single spaces."""
    said = capsys.readouterr().out.split("=== summary\n")[1]
    return [" ".join(line.split()) for line in said.splitlines()]


def test_every_locked_cell_is_built_and_tested_in_turn(
    monkeypatch: pytest.MonkeyPatch, called: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, called) == 0
    assert called == ALL
    said = lines(capsys)
    assert said[:2] == ["make test 0.0 s passed", "beside 0.0 s passed"]
    assert "2.1.0 bullseye 0.0 s passed" in said
    assert "3.3.2 bookworm - not locked" in said
    assert said[-1] == "nothing failed"


def test_a_cell_that_fails_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch, called: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that is not built is not tested; all else is."""
    assert run(monkeypatch, called, ALL[2], ALL[7]) == 1
    assert called == [*ALL[:3], *ALL[4:]]
    said = lines(capsys)
    assert "2.1.0 bullseye 0.0 s FAILED: make deb, status 2" in said
    assert "3.3.2 trixie 0.0 s FAILED: make test-cell, status 2" in said
    cells = versions.load(paths.PROJECT / "versions.sh").cells()
    assert said[-1] == f"2 of {len(cells) + 5} failed"


def test_nor_does_make_test(monkeypatch: pytest.MonkeyPatch, called: list[str]) -> None:
    assert run(monkeypatch, called, "test") == 1
    assert called == ALL
