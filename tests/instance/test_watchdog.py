"""The watchdog: when it acts, when not, and what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_instance import watchdog
from airflow_instance.errors import HostError
from airflow_instance.health import child, heal, target
from airflow_instance.health.heal import PAUSE, Memory, decide
from airflow_instance.health.rules import CRITICAL, OK, Finding
from airflow_instance.health.target import Target
from airflow_instance.health.units import State
from airflow_instance.inside import snapshot
from airflow_instance.site import Site

from .conftest import Run

Capture = pytest.CaptureFixture[str]

STALE = Finding("heartbeat", CRITICAL, "scheduler's heartbeat is 99 s old", sick="scheduler")
SILENT = Finding("web", CRITICAL, "webserver does not answer", sick="webserver")
AWAY = Finding("database", CRITICAL, "no database: refused")
WELL = Finding("database", OK, "database 0.001 s")
UP = State("active", "running", age=900.0, pid=7)


@pytest.fixture
def found(site: Site, run: Run) -> Target:
    run("create", "a", "--set", "watchdog_strikes=3")
    return target.load(site.layout, "a")


def rounds(
    found: Target,
    findings: Sequence[Sequence[Finding]],
    states: Mapping[str, State] | None = None,
    memory: Memory | None = None,
    step: float = 60,
) -> tuple[list[tuple[str, ...]], list[str], Memory]:
    """What is restarted in each of several rounds, what is said, what is remembered."""
    everywhere = {daemon.unit: UP for daemon in found.daemons}
    restarts: list[tuple[str, ...]] = []
    says: list[str] = []
    memory = memory or Memory()
    for number, of_round in enumerate(findings):
        now = 1000 + step * number
        decision = decide(found, of_round, {**everywhere, **(states or {})}, memory, now)
        restarts.append(decision.restart)
        says += decision.says
        memory = heal.loads(decision.memory.dumps())
    return restarts, says, memory


def test_acts_after_strikes_in_a_row(found: Target) -> None:
    restarts, says, _ = rounds(found, [[STALE]] * 3)
    assert restarts == [(), (), ("scheduler",)]
    assert says[0].endswith("strike 1 of 3")
    assert says[2].endswith("strike 3 of 3: restarting airflow-scheduler@a.service")


def test_one_good_round_forgives(found: Target) -> None:
    restarts, says, _ = rounds(found, [[STALE], [STALE], [WELL], [STALE], [STALE]])
    assert restarts == [()] * 5
    assert "scheduler lives again" in says


def test_strikes_are_each_daemons_own(found: Target) -> None:
    restarts, _, _ = rounds(found, [[STALE], [STALE, SILENT], [SILENT], [SILENT, STALE]])
    assert restarts == [(), (), (), ("webserver",)]


def test_not_while_the_database_is_away(found: Target) -> None:
    restarts, says, memory = rounds(found, [[STALE], [STALE], *[[AWAY, SILENT]] * 9])
    assert restarts == [()] * 11
    assert memory.strikes == {}
    assert [line for line in says if "nothing is counted" in line] == [
        "no database: refused: nothing is counted until it is back"
    ]
    restarts, _, _ = rounds(found, [[STALE]] * 2, memory=memory)
    assert restarts == [(), ()]


@pytest.mark.parametrize(
    "state",
    [State("inactive"), State("activating"), State("deactivating"), State("failed")],
)
def test_not_what_systemd_has_in_hand(state: State, found: Target) -> None:
    restarts, says, _ = rounds(found, [[STALE]] * 9, {"airflow-scheduler@a.service": state})
    assert restarts == [()] * 9
    assert says == []


def test_not_without_systemd(found: Target) -> None:
    assert decide(found, [STALE], None, Memory({"scheduler": 9}), 0).restart == ()


def test_at_most_once_in_a_while(found: Target) -> None:
    restarts, says, _ = rounds(found, [[STALE]] * 20)
    assert [number for number, names in enumerate(restarts) if names] == [2, 2 + int(PAUSE / 60)]
    assert any("it was restarted 3 min ago: left alone" in line for line in says)


def test_memory_that_cannot_be_read_is_none() -> None:
    for text in ("", "[]", "{}", '{"strikes": 1, "restarted": {}}', '{"strikes": {"a": "x"}}'):
        assert heal.loads(text) == Memory()


def test_apply_runs_the_timer(run: Run, root: Path) -> None:
    link = root / "etc/systemd/system/timers.target.wants/airflow-watchdog@a.timer"
    run("create", "a")
    assert link.is_symlink()
    assert run("set", "a", "watchdog_strikes=0", "--apply") == 0
    assert not link.is_symlink()
    run("set", "a", "watchdog_strikes=5", "monitoring_enabled=false", "--apply")
    assert not link.is_symlink()
    run("set", "a", "monitoring_enabled=true", "--apply")
    assert link.is_symlink()
    run("drop", "a")
    assert not link.is_symlink()


# The command.


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are run; none is."""
    commands: list[list[str]] = []
    monkeypatch.setattr(watchdog, "run", commands.append)
    monkeypatch.setattr(watchdog, "_snapshot", lambda layout, found, pid: [f"snapshot: {pid}"])
    return commands


def pretend(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    def look(layout: object, found: Target, typed: str) -> Any:
        return list(findings), {daemon.unit: UP for daemon in found.daemons}

    monkeypatch.setattr(watchdog, "look", look)


def test_command(
    found: Target,
    run: Run,
    root: Path,
    told: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    pretend(monkeypatch, STALE)
    capsys.readouterr()
    for _ in range(2):
        assert run("watchdog", "a") == 0
        assert run("watchdog", "a", "--dry-run") == 0  # counts for nothing
    assert told == []
    state = root / "run/airflow-instances/a.json"
    assert json.loads(state.read_text())["strikes"] == {"scheduler": 2}
    assert state.stat().st_mode & 0o777 == 0o600
    capsys.readouterr()
    assert run("watchdog", "a") == 0
    assert told == [["systemctl", "--no-block", "try-restart", "airflow-scheduler@a.service"]]
    assert capsys.readouterr().out.splitlines() == [
        "scheduler's heartbeat is 99 s old: strike 3 of 3: restarting airflow-scheduler@a.service",
        "snapshot: 7",
    ]
    text = (root / "run/airflow-instances/metrics/airflow-a.prom").read_text()
    assert 'airflow_instance_check_status{airflow_instance="a",check="heartbeat"} 2\n' in text


def test_a_restart_that_fails_is_not_tried_every_minute(
    found: Target, run: Run, root: Path, told: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, STALE)
    tries: list[object] = []

    def fail(command: object) -> NoReturn:
        tries.append(command)
        raise HostError("no")

    monkeypatch.setattr(watchdog, "run", fail)
    assert [run("watchdog", "a") for _ in range(6)] == [0, 0, 7, 0, 0, 0]
    assert len(tries) == 1


def test_off_is_off(
    run: Run, told: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    pretend(monkeypatch, STALE)
    for name, setting in (("a", "watchdog_strikes=0"), ("b", "monitoring_enabled=false")):
        run("create", name, "--set", setting)
        capsys.readouterr()
        assert run("watchdog", name) == 0
        assert capsys.readouterr().out == f"{name}: the watchdog is off\n"
    assert told == []
    assert run("watchdog", "nobody") == 5


def test_without_airflow_there_is_nothing_to_watch(
    found: Target,
    run: Run,
    root: Path,
    told: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    pretend(monkeypatch, STALE)
    (root / found.installation.lstrip("/")).rename(root / "gone")
    capsys.readouterr()
    assert [run("watchdog", "a") for _ in range(5)] == [0] * 5
    assert capsys.readouterr() == ("", "")
    assert told == []


def test_a_snapshot_that_fails_is_said(
    site: Site, found: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise HostError("there is no user")

    monkeypatch.setattr(child, "user", fail)
    assert watchdog._snapshot(site.layout, found, 1) == ["snapshot: there is no user"]


def test_snapshot_shows_the_tree_and_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def process(pid: int, parent: int, name: str, command: str) -> None:
        place = tmp_path / str(pid)
        (place / "fd").mkdir(parents=True)
        (place / "fd/0").touch()
        (place / "status").write_text(
            f"Name:\t{name}\nState:\tT (stopped)\nPPid:\t{parent}\nVmRSS:\t  10 kB\nThreads:\t2\n"
        )
        (place / "cmdline").write_text(command.replace(" ", "\0"))
        (place / "wchan").write_text("do_signal_stop")

    process(10, 1, "airflow", "/usr/lib/airflow/bin/python /usr/lib/airflow/bin/airflow scheduler")
    process(11, 10, "bash", "bash -c mysql -phunter2")
    process(12, 11, "mysql", "mysql -phunter2")
    process(13, 1, "other", "other")
    monkeypatch.setattr(snapshot, "_PROC", tmp_path)
    lines = snapshot.tree(10)
    assert [line.split()[0] for line in lines] == ["10", "11", "12"]
    assert lines[0].endswith("1 descriptors: /usr/lib/airflow/bin/airflow scheduler")
    assert "T (stopped), waits in do_signal_stop" in lines[0]
    assert lines[2].startswith("    12 ")
    assert "hunter2" not in "\n".join(lines)
    assert snapshot.tree(99)[0].startswith("99 gone")
