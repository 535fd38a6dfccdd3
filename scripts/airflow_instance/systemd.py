"""systemd and its journal, and what stands for them where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from typing import Protocol

from .errors import HostError
from .run import ENVIRONMENT, run
from .units import PROPERTIES, State, parse_list, parse_now

_LIST = ("--all", "--plain", "--no-legend", "--no-pager", "--full")


class Manager(Protocol):
    """What is asked of a service manager."""

    @property
    def can_start(self) -> bool:
        """Whether there is a systemd to start units; in a plain container there is none."""

    def active(self, units: Sequence[str]) -> list[str]:
        """Those of ``units`` that are running or starting."""

    def systemctl(self, *arguments: str) -> None:
        """Have systemd do something."""

    def states(self, units: Sequence[str]) -> dict[str, State]:
        """How each of ``units`` is; none of them where there is no systemd."""

    def listed(self, pattern: str) -> dict[str, State]:
        """Briefly, the units that systemd has in memory and whose names fit ``pattern``."""

    def cursor(self) -> str:
        """Where the journal ends now; "" when there is none."""

    def journal(self, unit: str, after: str, lines: int) -> list[str]:
        """The last ``lines`` of what ``unit``, and systemd of it, have said since a cursor."""

    def cgroup(self, pid: int) -> str:
        """The control group of a process, or of several kinds of them; "" when it is gone."""

    def terminate(self, pid: int, cgroup: str) -> bool:
        """Send SIGTERM to a process of the control group that ends in ``cgroup``."""


class Systemd:
    """This host's."""

    @property
    def can_start(self) -> bool:
        return os.path.isdir("/run/systemd/system")

    def active(self, units: Sequence[str]) -> list[str]:
        if not units or not self.can_start:
            return []
        done = subprocess.run(
            ["systemctl", "is-active", "--", *units],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        running = ("active", "activating", "reloading")
        return [u for u, state in zip(units, done.stdout.split()) if state in running]

    def systemctl(self, *arguments: str) -> None:
        # In a container without systemd there is nothing to tell.
        if self.can_start:
            run(["systemctl", *arguments])

    def states(self, units: Sequence[str]) -> dict[str, State]:
        if not units or not self.can_start:
            return {}
        return parse_now(run(["systemctl", "show", f"--property={PROPERTIES}", "--", *units]))

    def listed(self, pattern: str) -> dict[str, State]:
        if not self.can_start:
            return {}
        return parse_list(run(["systemctl", "list-units", *_LIST, pattern]))

    def cursor(self) -> str:
        try:
            text = run(["journalctl", "--quiet", "--lines=0", "--show-cursor"])
        except HostError:
            return ""
        return text.partition("-- cursor: ")[2].strip()

    def journal(self, unit: str, after: str, lines: int) -> list[str]:
        since = [f"--after-cursor={after}"] if after else ["--boot"]
        words = ["--quiet", "--no-pager", "--output=cat", f"--lines={lines}", f"--unit={unit}"]
        try:
            return run(["journalctl", *words, *since]).splitlines()
        except HostError:
            return []

    def cgroup(self, pid: int) -> str:
        try:
            with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def terminate(self, pid: int, cgroup: str) -> bool:
        try:
            # The descriptor stays this very process's, whoever gets its number later.
            process = os.pidfd_open(pid)
        except OSError:
            return False
        try:
            ours = any(line.endswith(cgroup) for line in self.cgroup(pid).splitlines())
            if ours:
                signal.pidfd_send_signal(process, signal.SIGTERM)
        except OSError:
            return False
        finally:
            os.close(process)
        return ours


class NoSystemd:
    """None: nothing runs, and nothing is told."""

    @property
    def can_start(self) -> bool:
        return False

    def active(self, units: Sequence[str]) -> list[str]:
        return []

    def systemctl(self, *arguments: str) -> None:
        pass

    def states(self, units: Sequence[str]) -> dict[str, State]:
        return {}

    def listed(self, pattern: str) -> dict[str, State]:
        return {}

    def cursor(self) -> str:
        return ""

    def journal(self, unit: str, after: str, lines: int) -> list[str]:
        return []

    def cgroup(self, pid: int) -> str:
        return ""

    def terminate(self, pid: int, cgroup: str) -> bool:
        return False
