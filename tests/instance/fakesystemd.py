"""A systemd, a database and a clock that are made up, for tests of what starts and stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_instance import heads, migration, probe, running, stopping
from airflow_instance.host import PaperHost
from airflow_instance.layout import Layout
from airflow_instance.site import Site
from airflow_instance.units import State

from .conftest import Run

WEB, SCHEDULER, TRIGGERER = (
    f"airflow-{x}@a.service" for x in ("webserver", "scheduler", "triggerer")
)
WHOLE = "airflow@a.service"
UP = {"active": "active", "sub": "running"}


class FakeHost(PaperHost):
    """A host with a systemd of its own, which does at once what it is told."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.units: dict[str, State] = {}
        self.told: list[tuple[str, ...]] = []
        self.broken: set[str] = set()  # units that do not start
        self.stubborn: set[str] = set()  # and that only SIGKILL ends
        self.fails: dict[str, str] = {}  # with which result the stop of a unit that ran fails
        self.groups_of: dict[int, str] = {}
        self.terminated: list[int] = []

    @property
    def can_start(self) -> bool:
        return True

    def active(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.units and not self.units[name].at_rest]

    def states(self, names: Sequence[str]) -> dict[str, State]:
        return {name: self.units.get(name, State(name)) for name in names}

    def listed(self, pattern: str) -> dict[str, State]:
        return dict(self.units)

    def cursor(self) -> str:
        return "cursor"

    def journal(self, unit: str, after: str, lines: int) -> list[str]:
        assert after == "cursor"
        return [f"\033[31m{unit} says why\033[0m"]

    def cgroup(self, pid: int) -> str:
        return self.groups_of.get(pid, "")

    def terminate(self, pid: int, cgroup: str) -> bool:
        self.terminated.append(pid)
        return True

    def systemctl(self, *arguments: str) -> None:
        self.told.append(arguments)
        verb, *names = [word for word in arguments if not word.startswith("--")]
        for name in names:
            if verb == "start":
                crashed = {"active": "activating", "sub": "auto-restart", "restarts": 1}
                changes = crashed if name in self.broken else UP
                self.units[name] = replace(State(name), **changes)
            elif verb == "stop" and name in self.fails and name in self.units:
                if not self.units[name].at_rest:
                    result = self.fails[name]
                    self.units[name] = State(name, active="failed", sub="failed", result=result)
            elif verb in ("kill", "reset-failed") or (verb == "stop" and name not in self.stubborn):
                self.units[name] = State(name)

    def verbs(self) -> list[str]:
        return [words[0] for words in self.told]


def install(site: Site, run: Run) -> FakeHost:
    """The host of an instance ``a`` that is applied and does not run."""
    found = FakeHost(site.layout)
    site.host = found
    assert run("create", "a", "--no-migrate") == 0
    found.told.clear()
    return found


class Database:
    """What the database says to whoever asks."""

    def __init__(self) -> None:
        self.state = heads.CURRENT
        self.tasks: list[list[object]] = []
        self.unreachable = ""

    def ask(self, *_: object, **__: object) -> probe.Answer:
        if self.unreachable:
            return probe.Answer(unreachable=self.unreachable)
        return probe.Answer(
            rows={
                "tasks": self.tasks,
                "jobs": [["SchedulerJob", "2100-01-01"], ["TriggererJob", "2100-01-01"]],
            }
        )

    def schema(self, *_: object, **__: object) -> heads.Schema:
        if self.unreachable:
            return heads.Schema(heads.UNREACHABLE, reason=self.unreachable)
        return heads.Schema(self.state)


def connect(monkeypatch: pytest.MonkeyPatch) -> Database:
    """Have everyone ask a made-up database; web servers answer."""
    found = Database()
    monkeypatch.setattr(probe, "ask", found.ask)
    monkeypatch.setattr(heads, "state", found.schema)
    monkeypatch.setattr(heads, "judge", found.schema)
    # Only who explains a database that is ahead reads what migrations there are.
    monkeypatch.setattr(migration, "known_to", lambda instance: frozenset())
    monkeypatch.setattr(running, "answers", lambda instance: True)
    return found


def stop_time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only waiting moves; its time."""
    time = [0.0]

    def sleep(seconds: float) -> None:
        time[0] += seconds

    made = running.Clock(lambda: time[0], sleep)
    monkeypatch.setattr(running, "Clock", lambda: made)
    monkeypatch.setattr(stopping, "Clock", lambda: made)
    return time


def up(host: FakeHost, *names: str) -> None:
    for name in names or (WHOLE, WEB, SCHEDULER, TRIGGERER):
        host.units[name] = replace(State(name), active="active", sub="running", started=1e9)
