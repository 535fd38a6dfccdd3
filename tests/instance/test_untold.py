"""An apply that breaks off, and one that has to wait for tasks: daemons and people learn of it."""

from __future__ import annotations

import pytest

from airflow_instance.errors import HostError
from airflow_instance.layout import Layout
from airflow_instance.site import Site
from airflow_instance.tree import Tree

from . import fakesystemd
from .conftest import Run
from .fakesystemd import SCHEDULER, WEB, Database, FakeHost, up

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def host(site: Site, run: Run) -> FakeHost:
    return fakesystemd.install(site, run)


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return fakesystemd.connect(monkeypatch)


def restarted(host: FakeHost) -> set[str]:
    return {unit for verb, *units in host.told if verb == "try-restart" for unit in units}


@pytest.mark.parametrize("undone", [False, True])
def test_what_breaks_off_is_told_by_the_next_apply(
    undone: bool, site: Site, run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(host)
    assert run("set", "a", "airflow_config.core.parallelism=9", "monitoring_enabled=false") == 0
    write = Tree.write

    def breaks(tree: Tree, path: str, *rest: object) -> None:
        if path == Layout.target_file("a"):
            raise HostError("the disk is full")
        write(tree, path, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Tree, "write", breaks)
        assert run("apply", "a") == 7
    assert b"parallelism = 9" in (site.tree.read("/srv/airflow-a/airflow.cfg") or b"")
    assert restarted(host) == set()
    if undone:
        assert run("set", "a", "monitoring_enabled=true") == 0
    assert run("apply", "a") == 0
    assert SCHEDULER in restarted(host)
    host.told.clear()
    assert run("apply", "a", "--detailed-exitcode") == 2
    assert host.told == []


def test_apply_says_what_it_waits_for_and_what_was_killed(
    run: Run, host: FakeHost, database: Database, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    up(host)
    database.tasks = [["etl", "load", 77]]
    host.groups_of[77] = f"0::/system.slice/{SCHEDULER}"
    assert run("set", "a", "airflow_config.core.parallelism=9", "--apply") == 0
    said = capsys.readouterr()
    assert "a: stops scheduler, once these have ended: 1 (etl.load)" in said.out
    assert "killed" not in said.err

    def journal(unit: str, after: str, lines: int) -> list[str]:
        return [f"{unit}: State 'stop-sigterm' timed out. Killing."]

    monkeypatch.setattr(host, "journal", journal)
    assert run("set", "a", "airflow_config.core.parallelism=10", "--apply") == 0
    assert "were killed with scheduler" in capsys.readouterr().err
    # A web server has no tasks.
    host.units = {WEB: host.units[WEB]}
    assert run("set", "a", "airflow_config.webserver.workers=2", "--apply") == 0
    assert "once these" not in capsys.readouterr().out


@pytest.mark.parametrize("absent", [False, True])
def test_an_end_says_what_it_waits_for(
    absent: bool, run: Run, host: FakeHost, database: Database, capsys: Capture
) -> None:
    up(host)
    database.tasks = [["etl", "load", 77]]
    host.groups_of[77] = f"0::/system.slice/{SCHEDULER}"
    if absent:
        assert run("set", "a", "ensure=absent", "--apply") == 0
    else:
        assert run("drop", "--stop", "a") == 0
    assert "a: stops scheduler, once these have ended: 1 (etl.load)" in capsys.readouterr().out
