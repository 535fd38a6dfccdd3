"""What systemd says of units."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .instance import Instance
from .layout import Layout, unit
from .tree import Tree
from .versions import table

PROPERTIES = (
    "Id,ActiveState,SubState,Result,MainPID,NRestarts,MemoryCurrent,"
    "ActiveEnterTimestampMonotonic,ExecMainStartTimestampMonotonic"
)
_NOT_SET = 2**64 - 1


@dataclass(frozen=True)
class State:
    """A unit: its states and result as systemd calls them.

    ``restarts`` are those by systemd since somebody started it; ``memory`` is in
    bytes, 0 when it is not known; ``since`` is when it became active and ``started``
    when its process did, in seconds since 1970, 0.0 for never.
    """

    unit: str
    active: str = "inactive"
    sub: str = "dead"
    result: str = "success"
    pid: int = 0
    restarts: int = 0
    memory: int = 0
    since: float = 0.0
    started: float = 0.0

    @property
    def runs(self) -> bool:
        """Whether it is up as far as systemd can tell."""
        return self.active in ("active", "reloading")

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself, to be started again or not.

        systemd keeps the count of a unit that was stopped until its next start is at
        work: of one that is inactive, waiting for that, it is the count of a former life.
        """
        if self.killed:
            return False
        if self.active == "failed" or self.sub.startswith("auto-restart"):
            return True
        return self.restarts > 0 and self.active != "inactive"

    @property
    def killed(self) -> bool:
        """Whether somebody stopped it and it did not end in time.

        A start that takes too long is tried again, and fails of the limit to that.
        """
        return self.active == "failed" and self.result == "timeout"

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it is left, and nothing is about to happen."""
        return self.active in ("inactive", "failed")


def parse(text: str, monotonic: float, now: float) -> dict[str, State]:
    """The blocks that `systemctl show` prints, at both clocks' time."""
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in values:
            found[values["Id"]] = State(
                unit=values["Id"],
                active=values.get("ActiveState", ""),
                sub=values.get("SubState", ""),
                result=values.get("Result", ""),
                pid=_number(values, "MainPID"),
                restarts=_number(values, "NRestarts"),
                memory=_number(values, "MemoryCurrent"),
                since=_moment(values, "ActiveEnterTimestampMonotonic", monotonic, now),
                started=_moment(values, "ExecMainStartTimestampMonotonic", monotonic, now),
            )
    return found


def parse_now(text: str) -> dict[str, State]:
    """`parse` for what was printed a moment ago."""
    return parse(text, time.clock_gettime(time.CLOCK_MONOTONIC), time.time())


def parse_list(text: str) -> dict[str, State]:
    """The lines of `systemctl list-units --plain --no-legend`: unit, load, active, sub."""
    rows = [line.split(None, 4) for line in text.splitlines()]
    return {row[0]: State(row[0], row[2], row[3]) for row in rows if len(row) > 3}


def _number(values: Mapping[str, str], name: str) -> int:
    text = values.get(name, "")
    number = int(text) if text.isdigit() else 0
    return 0 if number == _NOT_SET else number


def _moment(values: Mapping[str, str], name: str, monotonic: float, now: float) -> float:
    stamp = _number(values, name) / 1e6
    return now - (monotonic - stamp) if stamp else 0.0


def of(instance: Instance) -> list[str]:
    """The units of an instance's daemons."""
    return [unit(daemon.name, instance.name) for daemon in instance.daemons]


def every(name: str) -> list[str]:
    """The units of all daemons that an instance of any version may have."""
    return [unit(daemon.name, name) for daemon in table().daemons]


def applied(tree: Tree, name: str) -> list[str]:
    """The units of the daemons that the instance was given when it was applied."""
    return [u for u in every(name) if tree.status(Layout.unit_drop_in(u)) is not None]


def successors(instance: Instance, ran: Collection[str], had: Collection[str]) -> list[str]:
    """The units of ``instance`` that do now what the units ``ran`` did, of all that it ``had``.

    All of them when all ran; else those that ran, and what is there in place of one that
    ran in another version.
    """
    if set(had) <= set(ran):
        return of(instance)
    did = {daemon_of(name) for name in ran}
    gone = {row.name for row in table().daemons} - {daemon.name for daemon in instance.daemons}
    # The other way round, too: an older Airflow may be back.
    before = {old for row in table().daemons if row.name in did & gone for old in row.replaces}
    found = []
    for daemon in instance.daemons:
        name = unit(daemon.name, instance.name)
        new = name not in had and bool(daemon.replaces & did)
        if name in ran or new or daemon.name in before:
            found.append(name)
    return found


def daemon_of(unit_name: str) -> str:
    """The name of the daemon in airflow-DAEMON@NAME.service."""
    return unit_name.partition("@")[0][len("airflow-") :]


def summary(states: Sequence[State]) -> str:
    """A word for the states of an instance's daemons: online, degraded or down."""
    up = [state for state in states if state.runs]
    return "down" if not up else "online" if len(up) == len(states) else "degraded"
