"""start, stop and restart, on a host whose systemd is made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_instance import heads, probe, quoting, running
from airflow_instance.host import PaperHost
from airflow_instance.site import Site
from airflow_instance.units import State

from . import fakesystemd
from .conftest import Run
from .fakesystemd import SCHEDULER, TRIGGERER, WEB, WHOLE, Database, FakeHost, up

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def host(site: Site, run: Run) -> FakeHost:
    return fakesystemd.install(site, run)


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    return fakesystemd.connect(monkeypatch)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return fakesystemd.stop_time(monkeypatch)


# start


def test_start(run: Run, host: FakeHost, capsys: Capture) -> None:
    assert run("start", "a", "--dry-run") == 0
    assert host.told == []
    assert run("start", "a") == 0
    assert host.told == [("start", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)]
    assert "a: started webserver, scheduler, triggerer; the web UI is http://127.0.0.1:8600" in (
        capsys.readouterr().out
    )
    assert run("start", "a") == 2
    assert run("start", "--all") == 2
    assert len(host.told) == 1


def test_start_what_is_missing_only(run: Run, host: FakeHost) -> None:
    up(host, WHOLE, SCHEDULER)
    assert run("start", "a", "--daemon", "scheduler") == 2
    assert run("start", "a", "--daemon", "webserver") == 0
    assert host.told == [("start", "--no-block", WEB)]
    assert run("start", "a", "--daemon", "flower") == 64


def test_a_failed_start_says_what_is_new_in_the_journal(
    run: Run, host: FakeHost, capsys: Capture
) -> None:
    host.broken = {SCHEDULER}
    assert run("start", "a") == 1
    said = capsys.readouterr().err
    assert "a: scheduler did not start" in said
    assert f"journalctl --unit={SCHEDULER}" in said
    assert f"        {SCHEDULER} says why\n" in said
    assert WEB not in said


def test_a_count_of_a_former_life_is_no_crash(
    run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd forgets how often it restarted a unit when the next start is at work, not before."""
    begin, look = host.systemctl, host.states

    def systemctl(*arguments: str) -> None:
        begin(*arguments)
        # Its start waits for another unit's.
        host.units[SCHEDULER] = State(SCHEDULER, restarts=3)

    def states(names: Sequence[str]) -> dict[str, State]:
        found = look(names)
        if SCHEDULER in host.units:
            up(host, SCHEDULER)
        return found

    monkeypatch.setattr(host, "systemctl", systemctl)
    monkeypatch.setattr(host, "states", states)
    assert run("start", "a") == 0


def test_what_breaks_off_while_others_begin_is_no_start(
    run: Run, host: FakeHost, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def answers(instance: object) -> bool:
        host.units[SCHEDULER] = State(SCHEDULER, "activating", "auto-restart")
        return False

    monkeypatch.setattr(running, "answers", answers)
    assert run("start", "a") == 1
    assert "a: scheduler did not start" in capsys.readouterr().err


def test_start_waits_with_an_end(
    run: Run, host: FakeHost, clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(running, "answers", lambda instance: False)
    assert run("start", "a", "--timeout=30") == 1
    assert 30 <= clock[0] < 32
    assert "webserver not up after 30 s" in capsys.readouterr().err
    host.units.clear()
    assert run("start", "a", "--no-wait") == 0


def test_start_waits_for_the_first_heartbeat_after_the_start(
    run: Run, host: FakeHost, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = probe.Answer(rows={"jobs": [["SchedulerJob", "2020-01-01"]]})
    monkeypatch.setattr(probe, "ask", lambda *_, **__: old)
    monkeypatch.setattr(
        FakeHost,
        "states",
        lambda self, names: {
            name: replace(State(name), active="active", started=1.6e9)
            if name in self.units
            else State(name)
            for name in names
        },
    )
    assert run("start", "a", "--daemon", "scheduler", "--timeout=5") == 1
    host.units.clear()
    new = probe.Answer(rows={"jobs": [["SchedulerJob", "2020-09-13 12:26:41+00:00"]]})
    monkeypatch.setattr(probe, "ask", lambda *_, **__: new)
    assert run("start", "a", "--daemon", "scheduler", "--timeout=5") == 0


def test_what_fails_again_and_again_is_started_at_once(
    run: Run, host: FakeHost, root: Path
) -> None:
    failures = root / "run/airflow-webserver@a/failures"
    failures.parent.mkdir(parents=True)
    failures.write_text("1\n")
    host.units[WEB] = State(WEB, "activating", "start-pre")
    host.units[SCHEDULER] = State(SCHEDULER, "failed", "failed")
    assert run("start", "a") == 0
    assert host.told[:2] == [("stop", WEB, SCHEDULER), ("reset-failed", WEB, SCHEDULER)]
    assert not failures.exists()


@pytest.mark.parametrize(
    ("state", "status", "message"),
    [
        (heads.FRESH, 6, "the database of a is empty; airflow-instance migrate a"),
        (heads.PENDING, 6, "has to be migrated; airflow-instance migrate a"),
        (heads.AHEAD, 6, "is newer than Airflow 2.11.2"),
    ],
)
@pytest.mark.parametrize("verb", ["start", "restart"])
def test_a_schema_that_does_not_fit_refuses(
    verb: str,
    state: str,
    status: int,
    message: str,
    run: Run,
    host: FakeHost,
    database: Database,
    capsys: Capture,
) -> None:
    database.state = state
    if verb == "restart":
        up(host)
    assert run(verb, "a") == status
    assert message in capsys.readouterr().err
    assert host.told == []


def test_an_absent_database_is_a_warning(
    run: Run, host: FakeHost, database: Database, capsys: Capture
) -> None:
    database.unreachable = "refused"
    run("start", "a", "--no-wait")
    assert "warning: a: the database does not answer: refused" in capsys.readouterr().err
    assert host.verbs() == ["start"]


def test_refusals_name_the_remedy(
    run: Run, host: FakeHost, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("b", "create_user: true\n")
    declare("c", "ensure: absent\n")
    declare("d", "start: disabled\ncreate_user: true\n")
    assert run("apply", "d") == 0
    capsys.readouterr()
    host.told.clear()
    for name, status, message in (
        ("b", 7, "b was never applied; airflow-instance apply b"),
        ("c", 6, "c is declared absent; airflow-instance set c ensure=present"),
        ("d", 6, "d is disabled; airflow-instance enable d"),
        ("e", 5, "there is no instance e"),
    ):
        assert run("start", name) == status
        assert message in capsys.readouterr().err
    assert run("start") == 64
    assert run("start", "a", "--all") == 64
    # Others' failures do not keep a from its start.
    assert run("start", "--all") == 7
    assert host.told == [("start", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)]


def test_a_malformed_declaration_stops_no_other(
    run: Run, host: FakeHost, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("aa", "nonsense: [\n")
    assert run("start", "--all") == 3
    assert "aa.yaml" in capsys.readouterr().err
    assert host.verbs() == ["start"]


def test_without_systemd(run: Run, host: FakeHost, site: Site, capsys: Capture) -> None:
    site.host = PaperHost(site.layout)
    assert run("start", "a") == run("stop", "a") == 7
    assert "there is no systemd here" in capsys.readouterr().err


# stop


def test_stop(run: Run, host: FakeHost, capsys: Capture) -> None:
    assert run("stop", "a") == 2
    up(host)
    assert run("stop", "a", "--dry-run") == 0
    assert host.told == []
    assert run("stop", "a") == 0
    assert host.told == [("stop", "--no-block", WHOLE, WEB, SCHEDULER, TRIGGERER)]
    assert "a: stopped webserver, scheduler, triggerer" in capsys.readouterr().out
    assert run("stop", "a") == 2
    assert run("stop", "a", "--daemon", "nonsense") == 64


def test_stop_of_what_is_declared_no_more(
    run: Run, host: FakeHost, declare: Callable[..., Path]
) -> None:
    declare("a", "nonsense: [\n")
    up(host, WEB)
    assert run("stop", "a") == 0
    # What runs in a scheduler nobody can tell then.
    up(host, SCHEDULER)
    assert run("stop", "a") == 6
    assert run("stop", "a", "--force") == 0


@pytest.fixture
def tasks(host: FakeHost, database: Database) -> None:
    """One task in the scheduler's unit, one in somebody else's, one that just begins."""
    up(host)
    host.groups_of = {
        41: f"0::/system.slice/system-airflow\\x2dscheduler.slice/{SCHEDULER}\n",
        42: "0::/system.slice/airflow-scheduler@b.service\n",
    }
    database.tasks = [["dag", "ours", 41], ["dag", "theirs", 42], ["dag", "gone", 43]]


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_running_tasks_refuse(
    verb: str, run: Run, host: FakeHost, database: Database, capsys: Capture
) -> None:
    assert run(verb, "a") == 6
    assert capsys.readouterr().err == (
        "airflow-instance: error: a: tasks run: 1 (dag.ours); "
        f"airflow-instance {verb} a --drain lets them finish, --force ends them\n"
    )
    database.tasks.append(["dag", "begins", None])
    assert run(verb, "a") == 6
    assert "2 (dag.begins, dag.ours)" in capsys.readouterr().err
    database.unreachable = "refused"
    assert run(verb, "a") == 6
    assert "nobody can tell what runs: the database does not answer" in capsys.readouterr().err
    assert host.told == []
    # No task runs in a web server.
    assert run("stop", "a", "--daemon", "webserver") == 0


@pytest.mark.usefixtures("tasks")
def test_drain(run: Run, host: FakeHost, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = root / f"run/systemd/system/{SCHEDULER}.d/90-drain.conf"
    seen = []
    real = FakeHost.systemctl

    def systemctl(self: FakeHost, *arguments: str) -> None:
        seen.append((arguments[0], file.read_text() if file.exists() else ""))
        real(self, *arguments)

    monkeypatch.setattr(FakeHost, "systemctl", systemctl)
    assert run("stop", "a", "--drain=7") == 0
    assert [verb for verb, _ in seen] == ["daemon-reload", "stop", "daemon-reload"]
    assert "TimeoutStopSec=7min\n" in seen[0][1] == seen[1][1]
    assert not file.parent.exists()
    assert host.terminated == []
    with pytest.raises(SystemExit):
        run("stop", "a", "--drain=0")
    with pytest.raises(SystemExit):
        run("stop", "a", "--drain=1", "--force")


@pytest.mark.usefixtures("tasks")
def test_a_drain_that_is_too_short_says_so(run: Run, host: FakeHost, capsys: Capture) -> None:
    host.fails = {SCHEDULER: "timeout"}
    assert run("stop", "a", "--drain=7") == 1
    assert "after 7 minutes, and were killed with scheduler" in capsys.readouterr().err
    assert ("reset-failed", SCHEDULER) in host.told


@pytest.mark.parametrize("words", [(), ("--drain=7",), ("--force",)])
@pytest.mark.parametrize("result", ["timeout", "exit-code"])
def test_what_was_stopped_has_not_failed(
    run: Run, host: FakeHost, capsys: Capture, result: str, words: tuple[str, ...]
) -> None:
    up(host)
    host.fails = {WEB: result}
    assert run("stop", "a", *words) == 0
    assert "warning" not in capsys.readouterr().err
    assert host.told[-1] == ("reset-failed", WEB)
    assert host.units[WEB].active == "inactive"


@pytest.mark.usefixtures("tasks")
def test_force_ends_tasks_first_gently(run: Run, host: FakeHost, capsys: Capture) -> None:
    host.stubborn = {SCHEDULER}
    assert run("stop", "a", "--force") == 0
    assert host.terminated == [41]
    assert host.verbs() == ["stop", "kill"]
    assert host.told[1] == ("kill", "--signal=SIGKILL", SCHEDULER)
    assert "tasks ended: 1 (dag.ours)" in capsys.readouterr().err


def test_restart(run: Run, host: FakeHost) -> None:
    up(host)
    assert run("restart", "a") == 0
    assert host.verbs() == ["stop", "start"]
    host.units.clear()
    assert run("restart", "a", "--daemon", "webserver") == 0
    assert host.told[-1] == ("start", "--no-block", WEB)


# Planning elsewhere


def test_a_daemon_that_is_no_longer_wanted_stops(run: Run, host: FakeHost) -> None:
    flags = ("db=postgresql", "airflow_config.core.executor=CeleryExecutor")
    assert run("set", "a", *flags, "--apply") == 0
    worker = "airflow-celery-worker@a.service"
    up(host, worker)
    host.told.clear()
    assert run("set", "a", "airflow_config.core.executor=LocalExecutor", "--apply") == 0
    assert ("stop", worker) in host.told


def test_a_daemon_that_is_no_longer_wanted_is_not_failed_for_ever(run: Run, host: FakeHost) -> None:
    """Nobody can start it any more, and `systemctl --failed` would tell of it."""
    flags = ("db=postgresql", "airflow_config.core.executor=CeleryExecutor")
    assert run("set", "a", *flags, "--apply") == 0
    worker = "airflow-celery-worker@a.service"
    host.units[worker] = State(worker, active="failed")
    host.told.clear()
    assert run("set", "a", "airflow_config.core.executor=LocalExecutor", "--apply") == 0
    assert [words for words in host.told if worker in words] == [("reset-failed", worker)]


def test_plain_text_moves_no_terminal() -> None:
    assert quoting.plain("\033[31mred\033[0m \x07bell\r") == "red bell"
