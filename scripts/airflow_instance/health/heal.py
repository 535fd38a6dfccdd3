"""What the watchdog does about findings, and what it remembers. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from .rules import Finding
from .target import Target
from .units import State

# At most one restart of a daemon in so many seconds: what one did not help, a second
# will not, and somebody has to be able to look.
PAUSE = 900.0


@dataclass(frozen=True)
class Memory:
    """By daemon: checks in a row in which it was sick, and when it was last restarted.

    Times are of the monotonic clock, like the file's life: until the next boot.
    """

    strikes: Mapping[str, int] = field(default_factory=dict)
    restarted: Mapping[str, float] = field(default_factory=dict)

    def dumps(self) -> str:
        return json.dumps(asdict(self))


def loads(text: str) -> Memory:
    """What `Memory.dumps` wrote; nothing is remembered of what cannot be read."""
    try:
        data = json.loads(text)
        return Memory(
            {str(name): int(count) for name, count in data["strikes"].items()},
            {str(name): float(when) for name, when in data["restarted"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Memory()


@dataclass(frozen=True)
class Decision:
    """What to say, one line each; which daemons to restart; what to remember."""

    says: tuple[str, ...]
    restart: tuple[str, ...]
    memory: Memory


def decide(
    target: Target,
    findings: Sequence[Finding],
    states: Mapping[str, State] | None,
    memory: Memory,
    now: float,
) -> Decision:
    """What follows from ``findings``; ``now`` is the monotonic clock.

    A restart is for a daemon whose unit runs, and which is sick that often in a row.
    While the database is away nothing is counted: no restart brings it back, and a
    daemon that has just lost it needs its time afterwards.
    """
    away = next((f.text for f in findings if f.check == "database" and f.status >= 2), "")
    sick = {finding.sick: finding.text for finding in findings if finding.sick}
    says: list[str] = []
    restart: list[str] = []
    strikes: dict[str, int] = {}
    restarted = dict(memory.restarted)
    if away and any(memory.strikes.values()):
        says.append(f"{away}: nothing is counted until it is back")
    for daemon in target.daemons:
        state = states.get(daemon.unit) if states else None
        before = memory.strikes.get(daemon.name, 0)
        if away or state is None or not state.runs:
            continue
        if daemon.name not in sick:
            if before:
                says.append(f"{daemon.name} lives again")
            continue
        count = before + 1
        strikes[daemon.name] = count
        text = f"{sick[daemon.name]}: strike {count} of {target.strikes}"
        last = restarted.get(daemon.name)
        if count < target.strikes:
            says.append(text)
        elif last is not None and 0 <= now - last < PAUSE:
            says.append(f"{text}, but it was restarted {(now - last) / 60:.0f} min ago: left alone")
        else:
            says.append(f"{text}: restarting {daemon.unit}")
            restart.append(daemon.name)
            restarted[daemon.name] = now
            del strikes[daemon.name]
    return Decision(tuple(says), tuple(restart), Memory(strikes, restarted))
