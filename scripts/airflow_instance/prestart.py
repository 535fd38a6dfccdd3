"""The start gate of a daemon: starts wait here for what Airflow would die without.

Airflow that finds no database ends with a long traceback, and systemd starts it anew:
a database that is away for an hour fills the journal, and one that starts a minute
late leaves a unit that has given up. The gate asks for the database itself, with
growing pauses and a line now and then. It also makes crash loops slow, the longer
they last the more: systemd can do that from version 254 on only.

It looks at what was rendered, not at what is declared, which may be half written.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import former, heads, installation, probe
from .errors import InstallationError, InstanceError
from .layout import CONFIG_FILE, package_of
from .site import Site

NOT_NOW, NOT_SO = 75, 78  # of sysexits.h: try again later; something is to be set right

# How long a start is held back by how many times the daemon failed lately.
PAUSES = (0, 0, 5, 10, 20, 40, 80, 160, 300)
LATELY = 1800
# How long the database is waited for: at first as long as a person may wait for
# systemctl start; after a failure nobody does.
FIRST_WAIT, NEXT_WAIT = 60, 1800

FAILURES = "failures"  # the time of each, a line; ExecStopPost= writes them
WAITED = "waited"  # the last failure was that the database did not come

_ANSWER_TIME = 10.0


@dataclass(frozen=True)
class Clock:
    """What time is it, and how to wait: replaced by tests."""

    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep


class Refused(Exception):
    """The daemon is not to be started. ``status`` is the gate's."""

    def __init__(self, message: str, status: int = NOT_SO) -> None:
        super().__init__(message)
        self.status = status


def pause(failures: Sequence[float], now: float) -> int:
    """The seconds to hold a start back after ``failures``, times since 1970 in seconds."""
    recent = [stamp for stamp in failures if now - LATELY < stamp <= now]
    return PAUSES[min(len(recent), len(PAUSES) - 1)]


def configuration(home: Path, bin_dir: Path) -> None:
    """Raise Refused unless configuration and installation can be used."""
    config = home / CONFIG_FILE
    try:
        empty = not config.read_bytes().strip()
    except OSError as error:
        raise Refused(f"{config}: {error.strerror}") from error
    if empty:
        raise Refused(f"{config} is empty")
    for program in ("airflow", "python"):
        if not os.access(bin_dir / program, os.X_OK):
            package = package_of(str(bin_dir.parent))
            raise Refused(f"there is no Airflow in {bin_dir.parent}; apt install {package}")


def wait_for(
    ask: Callable[[], str], say: Callable[[str], None], clock: Clock, limit: float
) -> None:
    """Wait until ``ask``, which returns what is wrong, has nothing to say.

    Raises Refused after ``limit`` seconds.
    """
    start, step, told = clock.now(), 1.0, 0.0
    while wrong := ask():
        gone = clock.now() - start
        if gone >= limit:
            raise Refused(f"gave up waiting for the database: {wrong}", NOT_NOW)
        if gone >= told:
            say(f"waiting for the database: {wrong}")
            told = max(60.0, 2 * gone)
        clock.sleep(min(step, max(limit - gone, 0.1)))
        step = min(step * 2, 15.0)


class Gate:
    """The gate of one daemon's start."""

    def __init__(
        self, site: Site, name: str, environment: Mapping[str, str], clock: Clock | None = None
    ) -> None:
        self.site = site
        self.name = name
        self.clock = clock or Clock()
        self.home = Path(environment["AIRFLOW_HOME"])
        # The environment file begins PATH with the installation.
        self.bin_dir = Path(environment["PATH"].partition(":")[0])
        runtime = environment.get("RUNTIME_DIRECTORY", "")
        self.runtime = Path(runtime) if runtime else None

    def run(self, *, database: bool) -> None:
        """Return when the daemon may start. Raises Refused, InstanceError."""
        failures = self.recall()
        seconds = pause(failures, self.clock.now())
        if seconds:
            self.say(f"failed {len(failures)} times lately: starting again in {seconds} s")
            self.clock.sleep(seconds)
        configuration(self.home, self.bin_dir)
        self.version()
        if not database:
            return
        answers: list[probe.Answer] = []

        def ask() -> str:
            answers[:] = [self.ask({})]
            return answers[0].unreachable

        try:
            wait_for(ask, self.say, self.clock, NEXT_WAIT if failures else FIRST_WAIT)
        except Refused:
            self.remember_waiting()
            raise
        self.schema()

    def version(self) -> None:
        """Raise Refused unless what was rendered is for the Airflow that is there."""
        path = former.rendered_for(self.site.tree, self.name)
        if path and not self.site.layout.real(path).is_dir():
            raise Refused(
                f"its files were rendered for another Airflow than the one that is installed; "
                f"sudo airflow-instance migrate {self.name}"
            )

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def recall(self) -> list[float]:
        """The failures that count. Takes away what else an earlier run has left."""
        if self.runtime is None:
            return []
        place = self.runtime / FAILURES
        waited = (self.runtime / WAITED).exists()
        with contextlib.suppress(OSError):
            for path in self.runtime.iterdir():
                if path != place:
                    path.unlink()
        now = self.clock.now()
        try:
            stamps = [float(line) for line in place.read_text("ascii").split()]
            kept = [stamp for stamp in stamps if max(now - LATELY, self.mended()) < stamp <= now]
            # Waiting in vain was slow already.
            kept = kept[:-1] if waited else kept
            place.write_text("".join(f"{stamp:.0f}\n" for stamp in kept), "ascii")
        except (OSError, ValueError):
            return [now] if waited else []
        return kept

    def mended(self) -> float:
        """When the configuration was last written: what failed before may not any more."""
        try:
            return (self.home / CONFIG_FILE).stat().st_mtime
        except OSError:
            return 0.0

    def remember_waiting(self) -> None:
        if self.runtime is not None:
            with contextlib.suppress(OSError):
                (self.runtime / WAITED).touch()

    def ask(self, queries: Mapping[str, str]) -> probe.Answer:
        """What the database says; the environment is the instance's already.

        Raises Refused, InstallationError.
        """
        found = installation.find(self.site.layout, str(self.bin_dir.parent))
        command, text = probe.question(found, queries, _ANSWER_TIME)
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                text=True,
                timeout=2 * _ANSWER_TIME,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return probe.Answer(unreachable=f"no answer in {2 * _ANSWER_TIME:.0f} s")
        except OSError as error:
            raise Refused(f"{self.bin_dir}/python: {error.strerror}") from error
        if done.returncode != 0:
            words = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
            raise Refused(f"the database could not be asked: {words[-1]}")
        return probe.answer(done.stdout)

    def schema(self) -> None:
        """Raise Refused unless the database is as the installation wants it."""
        try:
            # What starts here was applied; another may be declared since.
            declared = self.site.load(self.name, secrets=False)
            instance = self.site.view(declared.with_installation(str(self.bin_dir.parent)))
            found = heads.judge(instance, self.ask(heads.queries(instance)))
        except InstallationError:
            raise
        except InstanceError:
            return  # apply says what is wrong with the declaration
        if found.state == heads.FRESH:
            raise Refused(f"its database is empty; sudo airflow-instance migrate {self.name}")
        if found.state == heads.PENDING:
            raise Refused(
                f"its database has to be migrated; sudo airflow-instance migrate {self.name}"
            )
        if found.state == heads.AHEAD:
            raise Refused(
                f"its database is newer than Airflow {instance.installation.version}; install "
                f"the newer one again, or restore a backup"
            )


def main(arguments: Sequence[str]) -> int:
    """Exit status of the gate: 0 lets the daemon start."""
    name, *options = arguments
    if "AIRFLOW_HOME" not in os.environ:
        print("AIRFLOW_HOME is not set: not started by its unit", file=sys.stderr)
        return NOT_SO
    try:
        Gate(Site.here(), name, os.environ).run(database="--no-database" not in options)
    except Refused as error:
        print(error, file=sys.stderr)
        return error.status
    except InstanceError as error:
        print(error, file=sys.stderr)
        return NOT_SO
    return 0
