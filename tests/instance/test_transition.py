"""From one Airflow to another: what is held, rendered, told, and started again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import backups, former, held, prestart
from airflow_instance.layout import Layout, unit
from airflow_instance.site import Site

from . import fakesystemd
from .conftest import Run, Swap, snapshot
from .fake_database import HEAD, OLD, UNKNOWN, FakeDatabases
from .fakesystemd import SCHEDULER, TRIGGERER, WEB, WHOLE, FakeHost, up

Capture = pytest.CaptureFixture[str]
API, DAGS = (unit(name, "a") for name in ("api-server", "dag-processor"))
DECLARED = ("core.dag_concurrency=7", "core.nonsense=1")


@pytest.fixture
def host(site: Site, run: Run) -> FakeHost:
    """That of an instance with options in their spelling of 2.1, which is applied."""
    found = FakeHost(site.layout)
    site.host = found
    words = [word for option in DECLARED for word in ("--set", f"airflow_config.{option}")]
    assert run("create", "a", "--no-migrate", "--db", "postgresql", *words) == 0
    found.told.clear()
    return found


@pytest.fixture
def fake(host: FakeHost, root: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDatabases:
    """Its database, in which a migration waits that each of the Airflows has."""
    fakesystemd.stop_time(monkeypatch)
    found = FakeDatabases(root, monkeypatch)
    found.revision["a"] = OLD
    found.content["a"] = b"rows"
    return found


def move(run: Run, installation: str) -> int:
    return run("set", "a", f"installation={installation}", "--apply")


def cfg(root: Path) -> str:
    return (root / "srv/airflow-a/airflow.cfg").read_text()


def drop_ins(root: Path) -> set[str]:
    place = root / "etc/systemd/system"
    found = {path.parent.name.partition("@")[0] for path in place.glob("*@a.service.d/10-*")}
    return found - {"airflow", "airflow-backup", "airflow-clean-logs", "airflow-watchdog"}


def test_what_ran_waits_rendered_for_a_migration(
    fake: FakeDatabases, host: FakeHost, run: Run, root: Path, swap: Swap, capsys: Capture
) -> None:
    up(host)
    swap("3.3")
    assert run("upgraded") == 0
    said = capsys.readouterr().out
    assert "a: rendered for Airflow 3.3.2, " in said
    assert "its database has to be migrated: airflow-instance migrate a" in said
    assert host.told[0] == ("stop", "--no-block", WEB, SCHEDULER, TRIGGERER)
    assert {words[0] for words in host.told[1:]} <= {"daemon-reload"}
    assert "[api_auth]\n" in cfg(root)
    names = {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert drop_ins(root) == {f"airflow-{name}" for name in names}
    assert fake.ran == []
    before = snapshot(root)
    assert run("upgraded") == 0
    assert snapshot(root) == before


def test_migrate_tells_what_moved_and_starts_what_does_the_work_now(
    fake: FakeDatabases,
    host: FakeHost,
    site: Site,
    run: Run,
    root: Path,
    swap: Swap,
    capsys: Capture,
) -> None:
    up(host)
    swap("3.3")
    assert run("upgraded") == 0
    (root / "run/airflow-instances").mkdir(exist_ok=True)
    (root / "run/airflow-instances/a.lock").touch(0o600)
    before = snapshot(root)
    capsys.readouterr()
    assert run("migrate", "a", "--dry-run") == 0
    preview = capsys.readouterr().out
    assert snapshot(root) == before
    host.told.clear()
    assert run("migrate", "a") == 0
    said = capsys.readouterr().out
    for line in (
        "a: what Airflow 3.3.2 has otherwise than Airflow 2.11.2:",
        "a:   [webserver] web_server_port is [api] port",
        "a:   [core] internal_api_secret_key is gone",
        "a:   [core] dag_concurrency is [core] max_active_tasks_per_dag",
        "a:   [core] nonsense, which is declared, is unknown to it",
        "a:   daemon api-server in place of webserver",
        "a:   daemon dag-processor is new",
        "a: to rename [core] dag_concurrency in the declaration, too: airflow-instance respell a",
        "a: to take it out there: airflow-instance set a --unset airflow_config.core.nonsense",
    ):
        assert f"{line}\n" in said
        assert f"{line}\n" in preview
    assert host.told == [("start", "--no-block", WHOLE, API, SCHEDULER, DAGS, TRIGGERER)]
    assert held.recall(site, "a") is None
    assert former.of_database(site.tree, "a") is None
    (backup,) = backups.listed(site.layout, "a")
    assert backup.airflow == "2.11.2"
    assert run("migrate", "a") == 2
    assert run("apply", "--detailed-exitcode") == 2


def test_without_its_trigger_migrate_renders_first(
    fake: FakeDatabases, host: FakeHost, run: Run, root: Path, swap: Swap, capsys: Capture
) -> None:
    up(host)
    swap("3.3")
    assert run("migrate", "a") == 6
    assert "airflow-instance migrate --stop a" in capsys.readouterr().err
    assert "[api_auth]\n" not in cfg(root)
    assert run("migrate", "a", "--stop", "--dry-run") == 0
    assert "a: would render it for Airflow 3.3.2\n" in capsys.readouterr().out
    assert "[api_auth]\n" not in cfg(root)
    host.told.clear()
    assert run("migrate", "a", "--stop") == 0
    assert "a: rendered for Airflow 3.3.2\n" in capsys.readouterr().out
    assert "[api_auth]\n" in cfg(root)
    assert [words for words in host.told if words[0] == "start"] == [
        ("start", WHOLE, API, SCHEDULER, DAGS, TRIGGERER),
        ("start", "--no-block", WHOLE, API, SCHEDULER, DAGS, TRIGGERER),
    ]


def test_nothing_starts_before_it_is_rendered(
    fake: FakeDatabases,
    host: FakeHost,
    site: Site,
    run: Run,
    root: Path,
    swap: Swap,
    capsys: Capture,
) -> None:
    fake.revision["a"] = HEAD
    swap("3.3")
    assert run("start", "a") == 6
    said = capsys.readouterr().err
    assert "rendered for Airflow 2.11.2, and Airflow 3.3.2 is installed" in said
    assert "airflow-instance migrate a" in said
    variables = {
        "AIRFLOW_HOME": str(root / "srv/airflow-a"),
        "PATH": f"{root}/usr/lib/airflow/bin",
    }
    gate = prestart.Gate(site, "a", variables)
    with pytest.raises(prestart.Refused, match="airflow-instance migrate a"):
        gate.version()
    assert run("migrate", "a") == 0
    gate.version()
    assert run("migrate", "a") == 2


def test_a_migration_that_is_not_needed_is_not_waited_for(
    fake: FakeDatabases, host: FakeHost, site: Site, run: Run, swap: Swap, capsys: Capture
) -> None:
    fake.revision["a"] = HEAD
    up(host)
    swap("3.3")
    assert run("upgraded") == 0
    assert host.told[-1] == ("start", "--no-block", WHOLE, API, SCHEDULER, DAGS, TRIGGERER)
    assert "started api-server, scheduler, dag-processor, triggerer" in capsys.readouterr().out
    assert former.of_database(site.tree, "a") is None
    assert run("upgraded") == 0


def test_apply_holds_what_has_to_be_migrated(
    fake: FakeDatabases, host: FakeHost, site: Site, run: Run, swap: Swap, capsys: Capture
) -> None:
    up(host)
    swap("3.3")
    assert run("apply", "a") == 0
    assert host.told[0] == ("stop", "--no-block", WEB, SCHEDULER, TRIGGERER)
    assert {words[0] for words in host.told[1:]} <= {"daemon-reload"}
    assert "airflow-instance migrate a" in capsys.readouterr().out
    assert held.recall(site, "a") is not None


def test_a_move_holds_what_has_to_be_migrated(
    fake: FakeDatabases, host: FakeHost, site: Site, run: Run, capsys: Capture
) -> None:
    up(host)
    assert move(run, "3.3") == 0
    assert host.told[0] == ("stop", WEB, SCHEDULER, TRIGGERER)
    assert {words[0] for words in host.told[1:]} <= {"daemon-reload"}
    assert "airflow-instance migrate a" in capsys.readouterr().out
    assert held.recall(site, "a") is not None
    assert str(former.of_database(site.tree, "a")) == "2.11.2"
    host.told.clear()
    assert run("migrate", "a") == 0
    assert "a:   daemon api-server in place of webserver\n" in capsys.readouterr().out
    assert host.told == [("start", "--no-block", WHOLE, API, SCHEDULER, DAGS, TRIGGERER)]
    assert former.of_database(site.tree, "a") is None
    (backup,) = backups.listed(site.layout, "a")
    assert backup.airflow == "2.11.2"


def test_a_move_remembers_whose_the_database_is_only_while_it_is_not_right(
    fake: FakeDatabases, host: FakeHost, site: Site, run: Run
) -> None:
    up(host)
    assert move(run, "3.3") == 0
    assert str(former.of_database(site.tree, "a")) == "2.11.2"
    fake.revision["a"] = HEAD
    assert move(run, "airflow") == 0
    assert former.of_database(site.tree, "a") is None
    assert run("apply", "--detailed-exitcode") == 2
    # The same of one that does not run, which nobody has to stop.
    for name in (WEB, SCHEDULER, TRIGGERER):
        del host.units[name]
    host.told.clear()
    assert move(run, "3.3") == 0
    assert former.of_database(site.tree, "a") is None
    assert {words[0] for words in host.told} == {"daemon-reload"}


def test_a_move_starts_what_does_the_work_of_what_ran(
    fake: FakeDatabases, host: FakeHost, run: Run
) -> None:
    fake.revision["a"] = HEAD
    up(host, WHOLE, WEB)
    assert move(run, "3.3") == 0
    assert host.told[0] == ("stop", WEB)
    assert host.told[-1] == ("start", "--no-block", WHOLE, API)


def test_an_upgrade_moves_no_instance_that_is_only_declared_so(
    fake: FakeDatabases, host: FakeHost, site: Site, run: Run, root: Path, swap: Swap
) -> None:
    up(host)
    assert run("set", "a", "installation=2.1") == 0
    swap("3.3")
    fake.revision["a"] = HEAD
    assert run("upgraded") == 0
    assert site.applied_prefix("a") == "/usr/lib/airflow"
    assert "[api_auth]\n" in cfg(root)
    assert host.told[-1] == ("start", "--no-block", WHOLE, API, SCHEDULER, DAGS, TRIGGERER)


def test_what_cannot_be_rendered_is_stopped_and_said(
    fake: FakeDatabases, host: FakeHost, run: Run, swap: Swap, root: Path, capsys: Capture
) -> None:
    up(host)
    (root / "etc/airflow/environment.d/a.env").unlink()
    (root / "etc/airflow/environment.d/a.env").mkdir()
    swap("3.3")
    assert run("upgraded") == 0
    said = capsys.readouterr().out
    assert "nothing runs, because it could not be rendered" in said
    assert "airflow-instance apply a" in said
    assert host.told == [("stop", "--no-block", WEB, SCHEDULER, TRIGGERER)]
    (root / "etc/airflow/environment.d/a.env").rmdir()
    fake.revision["a"] = HEAD
    assert run("apply", "a") == 0
    assert host.told[-1] == ("start", "--no-block", WHOLE, API, SCHEDULER, DAGS, TRIGGERER)


def newer(root: Path, other: str) -> None:
    """Give another installation a migration that the instance's has not."""
    place = next((root / f"usr/lib/airflow-{other}").glob("lib/*/site-packages/airflow/migrations"))
    (place / "versions/3.py").write_text(f"revision = '{UNKNOWN}'\ndown_revision = '{HEAD}'\n")


def test_a_downgrade_is_explained(
    fake: FakeDatabases, host: FakeHost, run: Run, root: Path, swap: Swap, capsys: Capture
) -> None:
    fake.revision["a"] = HEAD
    assert run("backup", "a") == 0
    newer(root, "3.3")
    swap("3.3")
    fake.head = UNKNOWN
    assert run("migrate", "a") == 0
    assert run("backup", "a") == 0
    up(host, WHOLE, API, SCHEDULER, DAGS, TRIGGERER)
    host.told.clear()
    capsys.readouterr()
    swap("3.3")
    assert run("upgraded") == 0
    said = capsys.readouterr().out
    _, old, new = backups.listed(Layout(root), "a")
    for part in (
        f"Airflow 2.11.2 does not know the database's revision {UNKNOWN}",
        "it is of Airflow 3.3.2",
        "install Airflow 3.3.2 again",
        f"airflow-instance restore a {old.stamp} (of Airflow 2.11.2;",
    ):
        assert part in said
    assert host.told[0] == ("stop", "--no-block", API, SCHEDULER, DAGS, TRIGGERER)
    assert "[webserver]" in cfg(root)
    assert run("migrate", "a") == 6
    assert "it is of Airflow 3.3.2" in capsys.readouterr().err
    assert run("start", "a") == 6
    # What a newer one has dumped it refuses; what it has dumped itself brings all of it back.
    assert run("restore", "a", new.stamp) == 6
    assert "install Airflow 3.3.2 or newer first" in capsys.readouterr().err
    host.told.clear()
    assert run("restore", "a", old.stamp) == 0
    assert fake.revision["a"] == HEAD
    assert host.told[-1] == ("start", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)
    # The database that was replaced is kept as what it was.
    assert [backup.airflow for backup in backups.listed(Layout(root), "a")][-1] == "3.3.2"


def test_too_old_for_one_step_is_explained(
    fake: FakeDatabases, run: Run, swap: Swap, root: Path, capsys: Capture
) -> None:
    assert run("backup", "a") == 0
    place = next((root / "usr/lib/airflow-3.3").glob("lib/*/site-packages/airflow/migrations"))
    (place / "versions/1_a.py").unlink()
    (place / "versions/2_b.py").write_text(f"revision = '{HEAD}'\ndown_revision = None\n")
    fake.revision["a"] = OLD
    swap("3.3")
    assert run("upgraded") == 0
    assert run("migrate", "a") == 6
    said = capsys.readouterr().err
    assert "which is of Airflow 2.11.2: too old to be brought up at once" in said
    assert "install Airflow 2.11.2 again" in said
    assert run("restore", "a") == 6
    assert "or one between that can bring it up to 3.3.2" in capsys.readouterr().err


def test_a_failed_migration_names_what_brings_the_old_state_back(
    fake: FakeDatabases, host: FakeHost, run: Run, root: Path, swap: Swap, capsys: Capture
) -> None:
    up(host)
    swap("3.3")
    assert run("upgraded") == 0
    fake.fails = "no"
    assert run("migrate", "a") == 7
    said = capsys.readouterr().err
    (backup,) = backups.listed(Layout(root), "a")
    assert f"airflow-instance restore a {backup.stamp}" in said
    assert "to go on with Airflow 2.11.2 instead, install its package again" in said
    # The printed command works, with either Airflow.
    assert run("restore", "a", backup.stamp) == 0
    assert "next: airflow-instance migrate a" in capsys.readouterr().out
    host.told.clear()
    swap("3.3")
    fake.revision["a"] = HEAD
    assert run("upgraded") == 0
    assert host.told[-1] == ("start", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)
    assert run("restore", "a", backup.stamp, "--stop") == 0


def test_what_the_site_has_for_all_is_changed_there(
    fake: FakeDatabases, run: Run, swap: Swap, declare: Callable[..., Path], capsys: Capture
) -> None:
    text = "airflow_config:\n  core:\n    sql_alchemy_pool_size: 3\n    unheard_of: 1\n"
    declare("", text, "defaults")
    assert run("apply", "a") == 0
    swap("3.3")
    capsys.readouterr()
    assert run("migrate", "a", "--dry-run") == 0
    said = capsys.readouterr().out
    assert (
        "a: in /etc/airflow/defaults.yaml, for all instances: "
        "[core] sql_alchemy_pool_size, [core] unheard_of\n"
    ) in said
    assert "--unset airflow_config.core.unheard_of" not in said
    assert "to rename [core] dag_concurrency in the declaration" in said


def test_a_migration_that_was_cut_off_is_explained(
    fake: FakeDatabases, run: Run, root: Path, swap: Swap, capsys: Capture
) -> None:
    newer(root, "3.3")
    assert run("backup", "a") == 0
    swap("3.3")
    assert run("upgraded") == 0
    fake.revision["a"] = UNKNOWN
    swap("3.3")
    assert run("upgraded") == 0
    capsys.readouterr()
    assert run("migrate", "a") == 6
    said = capsys.readouterr().err
    assert "a newer Airflow has begun to migrate it; install the newer Airflow again" in said
    assert "or restore an older backup: airflow-instance restore a 2" in said
