"""What systemd says of an instance's daemons."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..layout import Layout
from ..run import ENVIRONMENT

_PROPERTIES = "Id,ActiveState,SubState,Result,MainPID,ActiveEnterTimestampMonotonic"


class State(NamedTuple):
    """A unit: its states and result as systemd calls them; ``age`` is the seconds it is active."""

    active: str
    sub: str = ""
    result: str = ""
    pid: int = 0
    age: float = 0

    @property
    def runs(self) -> bool:
        """Whether the daemon is there and through with its start."""
        return self.active in ("active", "reloading")

    @property
    def crashed(self) -> bool:
        """Whether it ended by itself and systemd has given it up, or is about to start it again."""
        return not self.stopped and (self.active == "failed" or self.sub.startswith("auto-restart"))

    @property
    def stopped(self) -> bool:
        """Whether it is as it was before anybody started it, or as a stop left it.

        One that does not end in time is killed, and failed with `timeout` from then on. A
        start that takes too long is tried again, and fails of the limit to that.
        """
        return self.active == "inactive" or (self.active, self.result) == ("failed", "timeout")


def ask(layout: Layout, units: Sequence[str]) -> Mapping[str, State] | None:
    """The state of each of ``units``; None when there is no systemd that could be asked."""
    if layout.alternate or not os.path.isdir("/run/systemd/system"):
        return None
    try:
        done = subprocess.run(
            ["systemctl", "show", f"--property={_PROPERTIES}", "--", *units],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = parse(done.stdout, time.clock_gettime(time.CLOCK_MONOTONIC))
    return found if set(units) <= set(found) else None


def parse(text: str, now: float) -> dict[str, State]:
    """The blocks that `systemctl show` prints; ``now`` is its monotonic clock, in seconds."""
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in values:
            since = int(values.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
            state = State(
                active=values.get("ActiveState", ""),
                sub=values.get("SubState", ""),
                result=values.get("Result", ""),
                pid=int(values.get("MainPID") or 0),
                age=max(0.0, now - since) if since else 0.0,
            )
            found[values["Id"]] = state
    return found
