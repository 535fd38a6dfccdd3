"""Migrations: checked, backed up, run, verified, and taken back when they fail."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from airflow_instance import backups, held
from airflow_instance.host import PaperHost
from airflow_instance.layout import Layout
from airflow_instance.site import Site

from .conftest import Run, snapshot
from .fake_database import HEAD, OLD, UNKNOWN, FakeDatabases

Capture = pytest.CaptureFixture[str]


class RunningHost(PaperHost):
    """A host whose scheduler runs until it is told to stop."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.running = ["airflow-scheduler@a.service"]
        self.told: list[tuple[str, ...]] = []

    def active(self, units: Sequence[str]) -> list[str]:
        return [unit for unit in units if unit in self.running]

    def systemctl(self, *arguments: str) -> None:
        self.told.append(arguments)


@pytest.fixture
def fake(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> FakeDatabases:
    """An instance `a` whose database waits for one migration."""
    found = FakeDatabases(root, monkeypatch)
    assert run("create", "a", "--db", "postgresql") == 0
    found.revision["a"] = OLD
    found.content["a"] = b"rows"
    return found


def test_pending_ones_are_run_after_a_backup(
    fake: FakeDatabases, run: Run, site: Site, root: Path, capsys: Capture
) -> None:
    assert run("migrate", "a") == 0
    assert fake.ran == [("a", "dump"), ("a", "db", "migrate")]
    assert fake.revision["a"] == HEAD
    (backup,) = backups.listed(site.layout, "a")
    assert backup.revisions == (OLD,)
    assert "as Airflow 2.11.2 wants it" in capsys.readouterr().out
    log = root / "var/log/airflow-instances/a-migrate.log"
    assert log.stat().st_mode & 0o777 == 0o600
    assert "airflow db migrate" in log.read_text()
    assert run("migrate", "a") == 2


def test_a_fresh_one_is_initialised_without_a_backup(fake: FakeDatabases, run: Run) -> None:
    fake.revision["a"] = None
    assert run("migrate", "a") == 0
    assert [words[1:] for words in fake.ran] == [("db", "migrate")]


def test_if_empty_makes_tables_and_changes_none(
    fake: FakeDatabases, run: Run, capsys: Capture
) -> None:
    """What Puppet may ask for at every run: a pending migration is a person's to begin."""
    assert run("migrate", "a", "--if-empty") == 2
    assert (fake.ran, fake.revision["a"]) == ([], OLD)
    assert "has its tables" in capsys.readouterr().err
    fake.revision["a"] = None
    assert run("migrate", "a", "--if-empty", "--dry-run") == 0
    assert fake.ran == []
    assert run("migrate", "a", "--if-empty") == 0
    assert fake.revision["a"] == HEAD
    assert run("migrate", "a", "--if-empty") == 2


def test_if_empty_of_a_database_that_is_away(
    fake: FakeDatabases, run: Run, capsys: Capture
) -> None:
    """Nobody can say that it has tables."""
    fake.unreachable = "the server is gone"
    assert run("migrate", "a", "--if-empty") == 7
    assert "cannot be reached" in capsys.readouterr().err


def test_dry_run(fake: FakeDatabases, run: Run, root: Path, capsys: Capture) -> None:
    run("ls")
    (root / "run/airflow-instances").mkdir(parents=True, exist_ok=True)
    (root / "run/airflow-instances/a.lock").touch(0o600)
    capsys.readouterr()
    before = snapshot(root)
    assert run("migrate", "a", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "would back it up" in said
    assert f"would run airflow db migrate: from {OLD} to {HEAD}" in said
    assert fake.ran == []
    assert snapshot(root) == before


def test_a_failing_one_is_taken_back(fake: FakeDatabases, run: Run, capsys: Capture) -> None:
    fake.fails = "Traceback\nKeyError: it is so"
    assert run("migrate", "a") == 7
    assert (fake.revision["a"], fake.content["a"]) == (OLD, b"rows")
    said = capsys.readouterr().err
    assert "airflow db migrate failed: KeyError: it is so;" in said
    assert "the database was put back as it was" in said
    assert "airflow-instance restore a 2" in said


def test_one_that_only_says_it_was_run_is_taken_back(
    fake: FakeDatabases, run: Run, capsys: Capture
) -> None:
    fake.lies = True
    assert run("migrate", "a") == 7
    assert "ended well, but the database is pending" in capsys.readouterr().err
    assert fake.ran[-1] == ("a", "restore")


def test_when_nothing_can_be_put_back_the_command_is_said(
    fake: FakeDatabases, run: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.fails = "no"
    original = fake._airflow

    def airflow(name: str, words: tuple[str, ...], log: int) -> object:
        fake.refuses = "the server is gone"
        return original(name, words, log)

    monkeypatch.setattr(fake, "_airflow", airflow)
    assert run("migrate", "a") == 7
    said = capsys.readouterr().err
    assert "putting the database back failed, too" in said
    assert "the server is gone" in said
    assert "airflow-instance restore a 2" in said


def test_without_a_backup_it_says_so(fake: FakeDatabases, run: Run, capsys: Capture) -> None:
    fake.fails = "no"
    assert run("migrate", "a", "--no-backup") == 7
    assert "no backup was made" in capsys.readouterr().err
    assert ("a", "dump") not in fake.ran


def test_a_backup_that_fails_stops_it(fake: FakeDatabases, run: Run, site: Site) -> None:
    fake.refuses = "disk full"
    assert run("migrate", "a") == 7
    assert fake.ran == [("a", "dump")]
    assert backups.stamps(site.layout, "a") == []


def test_what_it_does_not_know_is_explained(fake: FakeDatabases, run: Run, capsys: Capture) -> None:
    fake.revision["a"] = UNKNOWN
    assert run("migrate", "a") == 6
    said = capsys.readouterr().err
    assert f"Airflow 2.11.2 does not know the database's revision {UNKNOWN}" in said
    assert "airflow-instance backup --list a" in said


def test_the_installation_that_does_know_it_is_named(
    fake: FakeDatabases, run: Run, root: Path, capsys: Capture
) -> None:
    place = next((root / "usr/lib/airflow-3.3").glob("lib/*/site-packages/airflow/migrations"))
    (place / "versions/3.py").write_text(f"revision = '{UNKNOWN}'\ndown_revision = '{HEAD}'\n")
    fake.revision["a"] = UNKNOWN
    assert run("migrate", "a") == 6
    assert "installation: /usr/lib/airflow-3.3 has it" in capsys.readouterr().err


def test_one_that_cannot_be_reached(fake: FakeDatabases, run: Run, capsys: Capture) -> None:
    fake.unreachable = "no route"
    assert run("migrate", "a") == 7
    assert "cannot be reached: no route" in capsys.readouterr().err
    run("create", "b", "--db", "mysql", "--set", "db_host=db.example.org")
    capsys.readouterr()
    assert run("migrate", "b") == 7
    assert "CREATE DATABASE `b` CHARACTER SET utf8mb4" in capsys.readouterr().err


def test_it_stands_still_meanwhile(
    fake: FakeDatabases, run: Run, site: Site, capsys: Capture
) -> None:
    host = RunningHost(site.layout)
    site.host = host
    assert run("migrate", "a") == 6
    assert "airflow-instance migrate --stop a" in capsys.readouterr().err
    assert (host.told, fake.ran) == ([], [])
    assert run("migrate", "a", "--stop") == 0
    assert host.told == [("stop", "--no-block", *host.running), ("start", *host.running)]
    fake.revision["a"] = OLD
    fake.fails = "no"
    host.told.clear()
    assert run("migrate", "a", "--stop") == 7
    assert host.told == [("stop", "--no-block", *host.running)]


def test_create_initialises_what_is_fresh(
    root: Path, run: Run, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    if os.geteuid() != 0:
        pytest.skip("an alternate root has no users of its own without root")
    fake = FakeDatabases(root, monkeypatch)
    # As on the host itself: an alternate root initialises nothing.
    monkeypatch.setattr(Layout, "alternate", False)
    monkeypatch.setattr(Layout, "real", lambda self, path: root / path.lstrip("/"))
    monkeypatch.setattr(Layout, "seen", lambda self, path: "/" + str(path.relative_to(root)))
    assert run("create", "a") == 0
    assert fake.revision["a"] == HEAD
    assert "airflow-a users create" in capsys.readouterr().out
    assert run("create", "b", "--no-migrate") == 0
    assert "b" not in fake.revision
    fake.revision["c"] = OLD
    assert run("create", "c") == 0
    assert "migrations are pending; airflow-instance migrate c" in capsys.readouterr().err
    fake.fails = "no"
    assert run("create", "d") == 7
    assert ("d", "delete", "/srv/airflow-d") in {(w[0], w[-2], w[-1]) for w in fake.ran}
    assert not (root / "etc/airflow/instances.d/d.yaml").exists()
    assert site.host.user("airflow-d") is None


def test_what_an_upgrade_had_stopped_is_started(
    fake: FakeDatabases, run: Run, site: Site, capsys: Capture
) -> None:
    host = RunningHost(site.layout)
    host.running = []
    site.host = host
    units = ("airflow-scheduler@a.service",)
    (site.layout.root / "var/lib/airflow-instances/held").mkdir(parents=True)
    held.remember(site, "a", held.Held(units, complete=False))
    assert run("migrate", "a") == 0
    assert host.told == [("start", "--no-block", "airflow@a.service", *units)]
    assert held.recall(site, "a") is None
