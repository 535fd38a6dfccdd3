"""status, ls and upgraded, on a host whose systemd is made up."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import heads, held, running, transition
from airflow_instance.commands import ls
from airflow_instance.health import rules
from airflow_instance.layout import Layout
from airflow_instance.site import Site
from airflow_instance.units import State

from . import fakesystemd
from .conftest import Run, snapshot
from .fakesystemd import SCHEDULER, TRIGGERER, WEB, WHOLE, Database, FakeHost, up

Capture = pytest.CaptureFixture[str]
ALL = (WEB, SCHEDULER, TRIGGERER)


@pytest.fixture
def host(site: Site, run: Run) -> FakeHost:
    return fakesystemd.install(site, run)


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return fakesystemd.connect(monkeypatch)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return fakesystemd.stop_time(monkeypatch)


# status and ls


def test_status(run: Run, host: FakeHost, database: Database, capsys: Capture) -> None:
    database.tasks = [[5]]
    assert run("status", "a", "--json") == 3
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "down"
    assert found["database"] == {
        "kind": "sqlite",
        "schema": "current",
        "running_tasks": 5,
        "error": None,
    }
    up(host, WHOLE, WEB, TRIGGERER)
    host.units[SCHEDULER] = State(
        SCHEDULER, "active", "running", pid=12, restarts=2, memory=3 << 20, since=86400.0
    )
    assert run("status", "a", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "online"
    row = next(row for row in found["daemons"] if row["daemon"] == "scheduler")
    assert (row["pid"], row["restarts"], row["memory"], row["port"]) == (12, 2, 3 << 20, None)
    assert row["since"].startswith("1970-01-0")
    assert run("status", "a") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a: online, start: auto, Airflow 2.11.2")
    assert lines[2].split() == ["DAEMON", "STATE", "SINCE", "PID", "MEMORY", "RESTARTS", "PORT"]
    database.unreachable = "refused"
    del host.units[WEB]
    assert run("status", "a") == 3
    assert "refused" in capsys.readouterr().out


def test_ls_says_how_each_is(
    run: Run, host: FakeHost, database: Database, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def words(*options: str) -> str:
        capsys.readouterr()
        assert run("ls", "--no-header", *options) == 0
        return capsys.readouterr().out.split()[4]

    assert words() == "down"
    up(host, WEB)
    assert words() == "degraded"
    up(host)
    assert words() == "online"
    database.state = heads.PENDING
    assert words() == "online"
    assert words("--check") == "online,migration_pending"
    finding = rules.Finding("heartbeat", rules.CRITICAL, "old", sick="dag-processor")
    with monkeypatch.context() as patch:
        patch.setattr(ls, "look", lambda *words, **options: ([finding], None))
        assert words("--check") == "online,migration_pending,dag_processor_stale"
    database.unreachable = "refused"
    assert words("--check") == "online,database_unreachable"
    assert run("disable", "a", "--manual") == 0
    assert words() == "online,manual"

    # However many there are, systemd is asked once.
    monkeypatch.setattr(FakeHost, "active", None)
    monkeypatch.setattr(FakeHost, "states", None)
    assert words() == "online,manual"


# upgraded


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Say when the installation came; what `up` starts began at 1e9."""

    def at(moment: float) -> None:
        monkeypatch.setattr(transition, "installed", lambda instance: moment)

    return at


def test_nothing_happens_while_nothing_changed(
    run: Run, host: FakeHost, installed: Callable[[float], None], root: Path
) -> None:
    up(host)
    installed(1e9 - 1)
    before = snapshot(root)
    assert run("upgraded") == run("upgraded") == 0
    assert host.told == []
    assert snapshot(root).keys() - before.keys() <= {
        str(root / "run"),
        str(root / "run/airflow-instances.lock"),
    }


def test_an_upgrade_restarts_what_ran(
    run: Run, host: FakeHost, installed: Callable[[float], None], capsys: Capture
) -> None:
    up(host, WHOLE, WEB)
    installed(1e9 + 1)
    assert run("upgraded") == 0
    assert host.told == [("try-restart", "--no-block", WEB)]
    assert "a: restarted webserver\n" in capsys.readouterr().out


def test_a_pending_migration_stops_and_remembers(
    run: Run,
    host: FakeHost,
    site: Site,
    root: Path,
    database: Database,
    installed: Callable[[float], None],
    capsys: Capture,
) -> None:
    up(host)
    installed(1e9 + 1)
    database.state = heads.PENDING
    assert run("upgraded") == 0
    assert host.told == [("stop", "--no-block", WEB, SCHEDULER, TRIGGERER)]
    assert "a: its database has to be migrated: airflow-instance migrate a" in (
        capsys.readouterr().out
    )
    file = root / "var/lib/airflow-instances/held/a.json"
    assert file.stat().st_mode & 0o777 == 0o600
    # Once more: what is remembered stays.
    assert run("upgraded") == 0
    assert len(host.told) == 1
    capsys.readouterr()
    run("ls", "--no-header")
    assert capsys.readouterr().out.split()[4] == "down,held"
    # Migrated, and resumed.
    assert held.resume(site, running.view(site, "a")) == [WEB, SCHEDULER, TRIGGERER]
    assert host.told[-1] == ("start", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)
    assert not file.exists()
    assert held.resume(site, running.view(site, "a")) == []


def test_only_what_ran_is_resumed(
    run: Run, host: FakeHost, site: Site, database: Database, installed: Callable[[float], None]
) -> None:
    up(host, WEB)
    installed(1e9 + 1)
    database.state = heads.PENDING
    run("upgraded")
    assert held.resume(site, running.view(site, "a")) == [WEB]
    # And nothing that somebody has stopped since.
    up(host, WEB)
    run("upgraded")
    assert run("stop", "a") == 0
    assert held.resume(site, running.view(site, "a")) == []


def test_an_installation_that_goes_and_comes_back(
    run: Run, host: FakeHost, root: Path, capsys: Capture
) -> None:
    up(host)
    place = root / "usr/lib/airflow"
    place.rename(root / "usr/lib/away")
    assert run("upgraded") == 0
    assert host.told == [("stop", "--no-block", WEB, SCHEDULER, TRIGGERER)]
    assert "a: stopped: there is no Airflow in /usr/lib/airflow" in capsys.readouterr().out
    assert run("upgraded") == 0
    assert len(host.told) == 1
    (root / "usr/lib/away").rename(place)
    assert run("upgraded") == 0
    assert host.told[1:] == [("start", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)]
    assert "a: started webserver, scheduler, triggerer" in capsys.readouterr().out


def test_before_a_removal_everything_of_it_stops(
    run: Run, host: FakeHost, site: Site, capsys: Capture
) -> None:
    up(host)
    assert run("upgraded", "--removing", "/usr/lib/airflow-2.1") == 0
    assert host.told == []
    assert run("upgraded", "--removing") == 0
    assert host.told[-1] == ("stop", WEB, SCHEDULER, TRIGGERER)
    assert "a: stopped" in capsys.readouterr().out
    assert held.recall(site, "a") == held.Held(ALL, complete=True, had=ALL)
    # Once more, as dpkg may: what is remembered stays.
    assert run("upgraded", "--removing") == 0
    assert held.recall(site, "a") is not None


def test_what_a_removal_stopped_has_not_failed(run: Run, host: FakeHost) -> None:
    """Airflow's scheduler has status 1 when it is told to end while it starts."""
    up(host)
    host.fails = {SCHEDULER: "exit-code"}
    assert run("upgraded", "--removing") == 0
    assert host.told[-1] == ("reset-failed", SCHEDULER)
    assert host.units[SCHEDULER].active == "inactive"


def test_upgraded_never_fails_for_one_instance(
    run: Run, host: FakeHost, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("b", "create_user: [\n")
    up(host)
    assert run("upgraded") == 0


def test_a_damaged_memory_is_none(site: Site, host: FakeHost) -> None:
    path = Layout.held_file("a")
    site.tree.write(path, b'{"units": 1}', 0o600, os.geteuid(), os.getegid())
    assert held.recall(site, "a") is None


def test_installed_is_when_files_came_not_what_they_say(
    run: Run, host: FakeHost, site: Site, root: Path
) -> None:
    packages = root / "usr/lib/airflow/lib/python3.11/site-packages"
    record = packages / "apache_airflow-2.11.2.dist-info/RECORD"
    record.write_text("")
    os.utime(record, (1, 1))
    assert transition.installed(running.view(site, "a")) == record.stat().st_ctime


def test_a_plugin_that_came_or_went_counts(
    run: Run, host: FakeHost, site: Site, root: Path
) -> None:
    packages = root / "usr/lib/airflow/lib/python3.11/site-packages"
    instance = running.view(site, "a")
    plugin = packages / "team_operators-1.0.dist-info"
    plugin.mkdir()
    record = plugin / "RECORD"
    record.write_text("")
    os.utime(record, (1, 1))
    # Whichever of both was last: their clock is a coarse one.
    last = max(record.stat().st_ctime, packages.stat().st_ctime)
    assert transition.installed(instance) == last
    record.unlink()
    plugin.rmdir()
    assert transition.installed(instance) == packages.stat().st_ctime
