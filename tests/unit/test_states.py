"""`make matrix`: what is said of each cell."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.checkout import DATE, LOCK, build, cell, checkout

from airflow_deb import __main__, paths, record, states, tested, versions
from airflow_deb.binary import AIRFLOW, BINARIES, INSTANCES, Binary
from airflow_deb.errors import UsageError
from airflow_deb.paths import Paths
from airflow_deb.settings import Settings
from airflow_deb.states import State

DEB = "airflow_2.1.0-1~deb11u1_amd64.deb"


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return checkout(tmp_path)


def look(places: Paths, **wanted: str) -> list[State]:
    return states.look(places, versions.load(places.versions_sh), Settings(**wanted))  # type: ignore[arg-type]


def first(places: Paths) -> State:
    return look(places, version="2.1.0")[0]


def prove(places: Paths, *, security: bool = False) -> None:
    """Leave what a ring that passed leaves."""
    which = replace(cell(places), security=security)
    for binary in BINARIES:
        built = record.load(record.path(places.dist, which, binary))
        assert built is not None
        proof = replace(tested.passed(built, "host", 12), date="2026-03-19T10:00:00Z")
        tested.save(tested.path(places.dist, which, binary), proof)


def test_every_cell_is_listed_with_its_package(places: Paths) -> None:
    cells = versions.load(places.versions_sh).cells()
    found = look(places)
    assert [(s.version, s.suite) for s in found] == [(c.version.name, c.suite.name) for c in cells]
    assert (found[0].python, found[0].package) == ("3.9", DEB)


def test_nothing_is_there_at_first(places: Paths) -> None:
    found = first(places)
    assert (found.locked, found.built, found.tested) == ("yes", "no", "no")
    assert (found.size, found.date, found.problem) == (None, None, None)
    assert found.to_build == ("airflow-instances", "airflow")


def test_what_is_not_locked_is_no_problem(places: Paths) -> None:
    found = look(places, version="3.3.2", suite="trixie")[0]
    assert (found.locked, found.built, found.problem) == ("no", "no", None)


def test_a_lock_that_is_malformed_is_none_and_a_problem(places: Paths) -> None:
    lock = places.requirements / "2.1.0" / "bullseye.lock"
    lock.write_text(LOCK.replace("sha256", "md5"))
    found = first(places)
    assert found.locked == "no"
    assert "bullseye.lock:1" in str(found.problem)


def test_a_lock_is_one_without_the_tools_lock_but_not_enough_to_build(places: Paths) -> None:
    build(places)
    (places.requirements / "2.1.0" / "bullseye-build.lock").unlink()
    found = first(places)
    assert (found.locked, found.built) == ("yes", "stale")
    assert "make lock VERSION=2.1.0" in str(found.problem)


def test_a_build_of_these_inputs_is_built(places: Paths) -> None:
    build(places)
    found = first(places)
    assert (found.built, found.to_build, found.size, found.date) == ("yes", (), 3, DATE)


def test_a_build_of_other_inputs_is_stale(places: Paths) -> None:
    build(places)
    (places.project / "scripts" / "airflow-instance").write_text("#!/bin/sh\n")
    found = first(places)
    assert (found.built, found.to_build, found.size) == ("stale", ("airflow-instances",), 3)


def test_another_compression_is_another_build(places: Paths) -> None:
    build(places)
    assert look(places, version="2.1.0", compress="xz:6")[0].built == "stale"


def test_without_its_deb_it_is_not_built(places: Paths) -> None:
    build(places)
    (places.dist / "bullseye" / DEB).unlink()
    assert (first(places).built, first(places).size) == ("no", None)


def test_half_a_build_is_not_built(places: Paths) -> None:
    build(places, INSTANCES)
    assert first(places).built == "no"
    (places.dist / "bullseye").rename(places.dist / "away")
    build(places, AIRFLOW)
    assert (first(places).built, first(places).to_build) == ("stale", ("airflow-instances",))


def test_tested_is_the_package_that_passed(places: Paths) -> None:
    build(places)
    assert first(places).tested == "no"
    prove(places)
    found = first(places)
    assert (found.tested, found.tested_ring) == ("yes", "host")
    assert found.tested_date == "2026-03-19T10:00:00Z"


@pytest.mark.parametrize("binary", BINARIES)
def test_a_package_that_is_built_anew_is_not_tested(places: Paths, binary: Binary) -> None:
    build(places)
    prove(places)
    build(places, binary, content=b"new")
    found = first(places)
    assert (found.built, found.tested, found.tested_date) == ("yes", "no", None)


def test_what_is_stale_counts_as_untested(places: Paths) -> None:
    build(places)
    prove(places)
    (places.project / "scripts" / "airflow-instance").write_text("#!/bin/sh\n")
    assert first(places).tested == "no"


def test_a_damaged_proof_is_none(places: Paths) -> None:
    build(places)
    prove(places)
    for text in ("", "[]", '{"key": "x"}'):
        tested.path(places.dist, cell(places), AIRFLOW).write_text(text)
        assert first(places).tested == "no"


def test_the_security_lock_is_told_of_beside_its_cell(places: Paths) -> None:
    """As one word: it is no cell of its own, which a CI would build."""
    many = len(look(places))
    assert (first(places).security, look(places, version="2.1.4")[0].security) == ("no", None)
    paths.write_text(places.requirements / "2.1.0" / "bullseye-security.lock", LOCK)
    assert first(places).security == "locked"
    build(places, security=True)
    assert first(places).security == "built"
    prove(places, security=True)
    found = first(places)
    assert (found.security, found.built, found.tested, found.package) == ("tested", "no", "no", DEB)
    (places.project / "scripts" / "airflow-instance").write_text("#!/bin/sh\n")
    assert first(places).security == "stale"
    assert len(look(places)) == many


def test_what_is_wrong_with_a_security_lock_is_told(places: Paths) -> None:
    lock = places.requirements / "2.1.0" / "bullseye-security.lock"
    paths.write_text(lock, LOCK.replace("sha256", "md5"))
    found = first(places)
    assert (found.locked, found.security) == ("yes", "no")
    assert "bullseye-security.lock:1" in str(found.problem)


def test_the_columns_fit_what_is_in_them(places: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    build(places)
    prove(places)
    states.show(look(places), "text")
    out = capsys.readouterr()
    lines = out.out.splitlines()
    assert lines[0].split() == [name.upper() for name in states._COLUMNS]
    assert len(lines) == 1 + len(look(places))
    assert lines[1].split() == [
        *("2.1.0", "bullseye", "3.9", DEB, "yes", "yes"),
        *("yes", "2026-03-19", "no", "0", "kB", "2026-03-18", "09:30"),
    ]
    for word in ("PACKAGE", "LOCKED", "TESTED", "DATE"):
        column = lines[0].index(word)
        assert all(line[column - 1] == " " and line[column] != " " for line in lines)
    assert out.err == ""


def test_json_is_alone_on_stdout(
    places: Paths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even when there is something to complain of."""
    build(places)
    (places.requirements / "2.1.0" / "bullseye-build.lock").write_text("x\n")
    monkeypatch.setattr(paths, "default", lambda: places)
    monkeypatch.setenv("FORMAT", "json")
    monkeypatch.setattr("sys.argv", ["airflow-deb", "matrix"])
    assert __main__.main() == 0
    out = capsys.readouterr()
    found = json.loads(out.out)
    assert {"version", "suite", "python", "package", "locked", "built", "tested"} <= found[0].keys()
    assert (found[0]["package"], found[0]["built"], found[0]["size"]) == (DEB, "stale", 3)
    assert out.err.startswith("airflow-deb: 2.1.0-bullseye: requirements/2.1.0/bullseye-build.lock")


def test_a_wrong_format_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORMAT", "xml")
    monkeypatch.setattr("sys.argv", ["airflow-deb", "matrix"])
    assert __main__.main() == UsageError.status
    out = capsys.readouterr()
    assert out.err == "airflow-deb: error: FORMAT='xml' is not known; write text or json\n"
    assert out.out == ""


def test_version_and_suite_choose_cells(places: Paths) -> None:
    assert {state.version for state in look(places, version="3.3.2")} == {"3.3.2"}
    assert {state.suite for state in look(places, suite="bookworm")} == {"bookworm"}
    for wrong in ({"version": "3.3.1"}, {"suite": "bookwurm"}):
        with pytest.raises(UsageError) as caught:
            look(places, **wrong)
        assert caught.value.hint


def test_looking_changes_nothing(places: Paths) -> None:
    build(places)
    before = sorted(places.project.parent.rglob("*"))
    look(places)
    assert sorted(places.project.parent.rglob("*")) == before


def test_ten_cells_are_looked_at_in_no_time() -> None:
    """With the real checkout's trees and its lock of hundreds of distributions."""
    places = paths.default()
    matrix = versions.load(places.versions_sh)
    started = time.process_time()
    for _ in range(10):
        states.look(places, matrix, Settings(version="2.1.0"))
    assert time.process_time() - started < 1.5
