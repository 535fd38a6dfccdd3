"""Several Airflows on one host: instances go from one to another, each by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import heads, held, running, transition
from airflow_instance.engine import locked
from airflow_instance.held import Held
from airflow_instance.instance import Instance
from airflow_instance.layout import Layout
from airflow_instance.site import Site

from . import fakesystemd
from .conftest import Run
from .fake_database import HEAD, OLD, FakeDatabases
from .fakesystemd import SCHEDULER, TRIGGERER, WEB, WHOLE, Database, FakeHost, up

Capture = pytest.CaptureFixture[str]
DEFAULT, FORMER, NEXT = "/usr/lib/airflow", "/usr/lib/airflow-2.1", "/usr/lib/airflow-3.3"
RAN = (WEB, SCHEDULER, TRIGGERER)
STOP = ("stop", *RAN)
RELOAD = ("daemon-reload",)


@pytest.fixture
def host(site: Site, run: Run) -> FakeHost:
    return fakesystemd.install(site, run)


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    fakesystemd.stop_time(monkeypatch)
    return fakesystemd.connect(monkeypatch)


def move(run: Run, prefix: str) -> int:
    return run("set", "a", f"installation={prefix}", "--apply")


def contents(root: Path) -> dict[str, bytes]:
    """What files say, below /etc and in homes."""
    files = [path for top in ("etc", "srv") for path in (root / top).rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files}


# What a move does.


def test_what_runs_is_stopped_before_any_file_changes_and_started_last(
    run: Run, host: FakeHost, site: Site, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(*arguments: str) -> None:
        seen.append((arguments[0], site.applied_prefix("a"), held.recall(site, "a")))

    monkeypatch.setattr(host, "systemctl", look)
    up(host)
    assert move(run, FORMER) == 0
    ran = Held(RAN, complete=True, had=RAN)
    assert seen == [
        ("stop", DEFAULT, ran),
        ("daemon-reload", FORMER, ran),
        ("start", FORMER, ran),
    ]
    assert held.recall(site, "a") is None


def test_what_the_new_one_has_is_started(run: Run, host: FakeHost, database: Database) -> None:
    """2.1 has no triggerer; 3.3 has more daemons. All ran, so all of them run."""
    up(host)
    assert move(run, FORMER) == 0
    start = ("start", "--no-block", WHOLE)
    assert host.told == [STOP, RELOAD, (*start, WEB, SCHEDULER)]
    host.told.clear()
    assert move(run, NEXT) == 0
    daemons = [name.partition("@")[0] for name in host.told[-1][3:]]
    assert daemons[:2] == ["airflow-api-server", "airflow-scheduler"]
    assert "airflow-dag-processor" in daemons


def test_only_what_ran_is_started(run: Run, host: FakeHost, database: Database) -> None:
    up(host, WEB)
    assert move(run, FORMER) == 0
    assert host.told == [("stop", WEB), RELOAD, ("start", "--no-block", WHOLE, WEB)]


def test_what_does_not_run_is_left_so(
    run: Run, host: FakeHost, site: Site, database: Database
) -> None:
    database.state = heads.AHEAD
    assert move(run, FORMER) == 0
    assert host.told == [RELOAD]
    assert held.recall(site, "a") is None


def test_a_database_that_is_to_be_migrated_keeps_it_stopped(
    run: Run, host: FakeHost, site: Site, database: Database, capsys: Capture
) -> None:
    up(host)
    database.state = heads.PENDING
    capsys.readouterr()
    assert move(run, FORMER) == 0
    assert host.told == [STOP, RELOAD]
    assert capsys.readouterr().out.endswith("next: airflow-instance migrate a\n")
    assert held.recall(site, "a") == Held(RAN, complete=True, had=RAN)
    run("ls", "--no-header")
    assert capsys.readouterr().out.split()[4] == "down,held,migration_pending"
    # It thinks better of it, before anything is migrated.
    database.state = heads.CURRENT
    assert move(run, DEFAULT) == 0
    assert host.told[2:] == [RELOAD, ("start", "--no-block", WHOLE, *RAN)]
    assert held.recall(site, "a") is None


def test_nobody_can_tell_how_the_database_is(run: Run, host: FakeHost, database: Database) -> None:
    """Then the start gates wait for it and look."""
    up(host)
    database.unreachable = "refused"
    assert move(run, FORMER) == 0
    assert host.verbs() == ["stop", "daemon-reload", "start"]


def test_the_former_one_was_removed_already(
    run: Run, host: FakeHost, site: Site, root: Path, database: Database, capsys: Capture
) -> None:
    """Then start says whether the database has to be migrated, and migrate starts it."""
    up(host)
    assert run("upgraded", "--removing", DEFAULT) == 0
    shutil.rmtree(root / DEFAULT[1:])
    host.told.clear()
    database.state = heads.PENDING
    assert move(run, FORMER) == 0
    assert host.told == [RELOAD]
    assert capsys.readouterr().out.endswith("a: stopped; next: airflow-instance start a\n")
    assert held.recall(site, "a") == Held(RAN, complete=True, had=RAN)
    assert run("start", "a") == 6
    assert "airflow-instance migrate a" in capsys.readouterr().err


def test_a_running_one_does_not_go_where_its_database_is_too_new(
    run: Run, host: FakeHost, site: Site, root: Path, database: Database, capsys: Capture
) -> None:
    up(host)
    database.state = heads.AHEAD
    before = contents(root)
    assert move(run, FORMER) == 6
    said = capsys.readouterr().err
    assert "its database is newer than the Airflow 2.1.0 in /usr/lib/airflow-2.1" in said
    assert "airflow-instance stop a" in said
    assert host.told == []
    assert contents(root) == before


def test_it_does_not_move_while_somebody_works_on_its_data(
    run: Run, host: FakeHost, site: Site, root: Path, database: Database, capsys: Capture
) -> None:
    up(host)
    before = contents(root)
    with locked(site.layout, name="a"):
        assert move(run, FORMER) == 9
    assert "another airflow-instance is at work on a" in capsys.readouterr().err
    assert (host.told, contents(root)) == ([], before)


def test_a_dry_run_tells_all_of_it(
    run: Run, host: FakeHost, site: Site, database: Database, capsys: Capture
) -> None:
    up(host)
    database.state = heads.PENDING
    capsys.readouterr()
    words = ("set", "a", f"installation={FORMER}", "--apply", "--dry-run")
    assert run(*words) == 0
    said = capsys.readouterr().out
    assert f"a: would systemctl stop {' '.join(RAN)}\n" in said
    assert "next: airflow-instance migrate a" in said
    assert host.told == []
    assert held.recall(site, "a") is None


def test_a_declaration_that_was_written_by_hand(
    run: Run, host: FakeHost, declare: Callable[..., Path], database: Database
) -> None:
    up(host)
    declare("a", f"create_user: true\ninstallation: {FORMER}\n")
    assert run("apply") == 0
    assert host.verbs() == ["stop", "daemon-reload", "start"]
    assert run("apply", "--detailed-exitcode") == 2


def test_the_whole_way(
    run: Run, host: FakeHost, site: Site, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2.1 runs; moved, migrated, running: and nothing runs in between."""
    fake = FakeDatabases(root, monkeypatch)
    monkeypatch.setattr(running, "answers", lambda instance: True)
    for path in (root / FORMER[1:]).glob("lib/*/site-packages/airflow/migrations/versions/2_b.py"):
        path.unlink()  # what 2.11 brings
    fake.revision["a"] = OLD
    assert move(run, FORMER) == 0
    up(host, WHOLE, WEB, SCHEDULER)
    host.told.clear()
    assert move(run, DEFAULT) == 0
    assert host.active([WEB, SCHEDULER]) == []
    assert run("start", "a") == 6, "refused until it is migrated"
    assert run("migrate", "a") == 0
    assert fake.revision["a"] == HEAD
    assert fake.ran[-1] == ("a", "db", "migrate")
    assert host.told[-1] == ("start", "--no-block", WHOLE, *RAN)
    # And back, with what was saved: stopped first.
    assert move(run, FORMER) == 6
    assert run("stop", "a") == 0
    assert move(run, FORMER) == 0
    assert run("restore", "a", "--database-only", "--no-backup") == 0
    assert fake.revision["a"] == OLD
    host.told.clear()
    assert run("migrate", "a") == 2


# Declared, and not applied yet: what runs is what counts.


@pytest.fixture
def halfway(run: Run, host: FakeHost, database: Database) -> None:
    up(host)
    assert run("set", "a", f"installation={FORMER}") == 0


def test_nothing_is_migrated_for_what_is_not_applied(
    run: Run, halfway: None, database: Database, capsys: Capture
) -> None:
    database.state = heads.PENDING
    assert run("migrate", "a") == 6
    assert "airflow-instance apply a" in capsys.readouterr().err


def test_what_is_said_is_of_what_runs(run: Run, halfway: None, capsys: Capture) -> None:
    capsys.readouterr()
    run("status", "a")
    assert "Airflow 2.11.2, user" in capsys.readouterr().out
    assert run("rotate-keys", "a", "--fernet", "--stop") == 6
    assert "airflow-instance apply a" in capsys.readouterr().err


def test_removing_stops_what_runs_from_there(run: Run, host: FakeHost, halfway: None) -> None:
    assert run("upgraded", "--removing", FORMER) == 0
    assert host.told == []
    assert run("upgraded", "--removing", DEFAULT) == 0
    assert host.told[-1] == STOP


def test_an_upgrade_restarts_the_instances_of_its_installation_only(
    run: Run,
    host: FakeHost,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    halfway: None,
) -> None:
    def installed(instance: Instance) -> float:
        return 2e9 if instance.installation.prefix == new else 0.0

    monkeypatch.setattr(transition, "installed", installed)
    new = FORMER
    assert run("upgraded") == 0
    assert host.told == []
    new = DEFAULT
    assert run("upgraded") == 0
    assert host.told == [("try-restart", "--no-block", *RAN)]


# Which one.


@pytest.mark.parametrize("word", ["2.1", "airflow-2.1", FORMER])
def test_create_takes_a_short_name(run: Run, site: Site, word: str) -> None:
    assert run("create", "a", "--installation", word) == 0
    assert site.applied_prefix("a") == FORMER


def test_set_takes_a_short_name(run: Run, site: Site, root: Path) -> None:
    run("create", "a")
    assert run("set", "a", "installation=3.3", "--apply") == 0
    assert f"installation: {NEXT}\n" in Layout(root).instance_file("a").read_text()
    assert run("set", "a", "installation=airflow", "--apply") == 0
    assert site.applied_prefix("a") == DEFAULT


def test_the_only_one_is_taken(run: Run, root: Path, site: Site, capsys: Capture) -> None:
    shutil.rmtree(root / DEFAULT[1:])
    assert run("create", "a") == 8
    hint = f"set installation: to {FORMER} or {NEXT}; or: apt install airflow\n"
    assert capsys.readouterr().err.endswith(hint)
    shutil.rmtree(root / NEXT[1:])
    assert run("create", "a") == 0
    assert f"created a: Airflow 2.1.0 in {FORMER}, user" in capsys.readouterr().out
    assert f"installation: {FORMER}\n" in Layout(root).instance_file("a").read_text()


def test_what_the_site_says_is_not_overruled(
    run: Run, root: Path, declare: Callable[..., Path], capsys: Capture
) -> None:
    for prefix in (DEFAULT, NEXT):
        shutil.rmtree(root / prefix[1:])
    declare("", f"installation: {NEXT}\n", where="defaults")
    assert run("create", "a") == 8
    assert "apt install airflow-3.3" in capsys.readouterr().err


def test_status_says_which(run: Run, host: FakeHost, database: Database, capsys: Capture) -> None:
    run("status", "a")
    assert "Airflow 2.11.2, user" in capsys.readouterr().out
    assert move(run, FORMER) == 0
    capsys.readouterr()
    run("status", "a")
    assert f"Airflow 2.1.0 in {FORMER}, user" in capsys.readouterr().out
