"""Stopping an instance's daemons, and what becomes of the tasks that run in them.

LocalExecutor's tasks are processes of the scheduler's unit, and Celery's of the
worker's. SIGTERM lets both finish what runs and begin nothing new; the unit of a
SequentialExecutor's scheduler waits for the one task before it (inside/finish_task.py),
that of LocalExecutor waits for its start to be over in Airflow 2 (inside/finish_start.py),
and in Airflow 3 ends workers that were forgotten (inside/end_workers.py).
So stopping is draining, for as long as the unit's TimeoutStopSec= allows; what is still
there then is killed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from . import probe, quoting, units
from .changes import Change, Systemctl
from .errors import ConflictError, HostError, InstanceError
from .layout import unit
from .running import Clock
from .site import Site
from .units import State

RUNNERS = ("scheduler", "celery-worker")  # the daemons whose units tasks run in
GRACE = 60.0  # seconds that tasks have to end when they are told to
PATIENCE = 900.0  # longer than any unit takes to stop
_SHOWN = 5
_LINES = 2000  # of the journal, from the start of a stop to its end
_KILLED = "timed out. Killing"  # what systemd says of a unit whose TimeoutStopSec= is over
_STOPS = ("stop", "try-restart")
_RUNNING = "SELECT dag_id, task_id, pid FROM task_instance WHERE state = 'running'"


@dataclass(frozen=True)
class Task:
    """A task that runs in one of an instance's units on this host. ``pid`` 0: it begins."""

    name: str
    unit: str
    pid: int


def running_tasks(site: Site, name: str, states: Sequence[State]) -> list[Task]:
    """The tasks that would end with the units whose ``states`` these are.

    Raises HostError when the database cannot say, and what `Site.load` raises.
    """
    runners = [state for state in states if _is_runner(state) and not state.at_rest]
    if not runners:
        return []
    # airflow.cfg is written for that.
    installation = site.installation(site.as_applied(site.load(name, secrets=False)))
    answer = probe.ask(site, name, installation, {"tasks": _RUNNING})
    if answer.unreachable:
        raise HostError(f"the database does not answer: {answer.unreachable}")
    if "tasks" in answer.missing:
        return []
    if "tasks" in answer.errors:
        raise HostError(f"the database cannot be asked: {answer.errors['tasks']}")
    found = []
    for dag, task, number in answer.rows["tasks"]:
        pid = int(str(number)) if number else 0
        group = site.host.cgroup(pid) if pid else ""
        for state in runners:
            # One that has just begun has no number yet: better one too many than lost.
            if not pid or any(line.endswith(f"/{state.unit}") for line in group.splitlines()):
                found.append(Task(f"{dag}.{task}", state.unit, pid))
                break
    return found


def _is_runner(state: State) -> bool:
    return units.daemon_of(state.unit) in RUNNERS


def check_tasks(site: Site, name: str, states: Sequence[State], verb: str) -> None:
    """Raise ConflictError when tasks run, or nobody can tell whether they do.

    ``verb`` is the command that is about to end them.
    """
    hint = f"airflow-instance {verb} {name} --drain lets them finish, --force ends them"
    try:
        tasks = running_tasks(site, name, states)
    except InstanceError as error:
        raise ConflictError(
            f"{name}: nobody can tell what runs: {error.message}", hint=hint
        ) from error
    if tasks:
        raise ConflictError(f"{name}: tasks run: {listed(tasks)}", hint=hint)


def listed(tasks: Sequence[Task]) -> str:
    """How many, and the names of the first few."""
    names = sorted(quoting.plain(task.name) for task in tasks)
    more = " …" if len(names) > _SHOWN else ""
    return f"{len(names)} ({', '.join(names[:_SHOWN])}{more})"


@contextlib.contextmanager
def watched(site: Site, name: str, changes: Sequence[Change]) -> Iterator[None]:
    """Say which tasks the stops among ``changes`` wait for, and, behind them, what was killed."""
    told = [change.arguments for change in changes if isinstance(change, Systemctl)]
    named = [word for verb, *words in told if verb in _STOPS for word in words]
    runners = [word for word in named if units.daemon_of(word) in RUNNERS]
    if not runners:
        yield
        return
    waits = waited_for(site, name, runners)
    if waits:
        print(f"{name}: stops {', '.join(map(units.daemon_of, runners))}{waits}", flush=True)
    cursor = site.host.cursor()
    yield
    lines = {unit: site.host.journal(unit, cursor, _LINES) for unit in runners}
    warn_killed(name, [unit for unit in runners if any(_KILLED in line for line in lines[unit])])


def waited_for(site: Site, name: str, stopped: Sequence[str]) -> str:
    """What a stop of the units ``stopped`` waits for, to be said behind it; "" for nothing."""
    try:
        tasks = running_tasks(site, name, list(site.host.states(stopped).values()))
    except InstanceError:
        return ", and nobody can tell what runs"
    return f", once these have ended: {listed(tasks)}" if tasks else ""


def warn_killed(name: str, killed: Sequence[str]) -> None:
    """Warn of units that did not stop in time, and of the tasks in them."""
    if killed:
        print(
            f"airflow-instance: warning: {name}: tasks still ran when the time to stop was over, "
            f"and were killed with {', '.join(map(units.daemon_of, killed))}; look for failed "
            "tasks in the web UI",
            file=sys.stderr,
        )


def forgive(site: Site, stopped: Sequence[str]) -> list[State]:
    """Have systemd forget that units which somebody has stopped failed; how those were.

    That a stop took too long is no failure, and neither is how a daemon ends that is told
    to before it is up: Airflow 2.1's scheduler with status 1, "I refuse to kill myself".
    """
    states = site.host.states(stopped).values() if stopped else ()
    failed = [state for state in states if state.active == "failed"]
    if failed:
        site.host.systemctl("reset-failed", *(state.unit for state in failed))
    return failed


class Stop:
    """One stop of units of one instance."""

    def __init__(
        self,
        site: Site,
        name: str,
        *,
        clock: Clock | None = None,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.site = site
        self.name = name
        self.clock = clock or Clock()
        self.progress = progress

    def gently(self, wanted: Sequence[str]) -> None:
        """Stop ``wanted`` as systemctl stop does; warn of those that were killed then.

        Raises HostError when it takes longer than it can.
        """
        self.site.host.systemctl("stop", "--no-block", *wanted)
        self._gone(wanted, PATIENCE)
        warn_killed(self.name, self._killed(wanted))

    def drain(self, wanted: Sequence[str], minutes: int) -> list[str]:
        """Stop ``wanted``, and let what runs take ``minutes``; the units that were killed then."""
        runners = [u for u in wanted if units.daemon_of(u) in RUNNERS]
        files = [f"/run/systemd/system/{u}.d/90-drain.conf" for u in runners]
        text = f"# airflow-instance stop --drain\n[Service]\nTimeoutStopSec={minutes}min\n"
        tree = self.site.tree
        try:
            for file in files:
                tree.write(file, text.encode(), 0o644, 0, 0)
            self.site.host.systemctl("daemon-reload")
            self.site.host.systemctl("stop", "--no-block", *wanted)
            self._gone(wanted, minutes * 60 + PATIENCE)
        finally:
            for file in files:
                tree.remove(file)
                tree.remove_directory(file.rpartition("/")[0])
            self.site.host.systemctl("daemon-reload")
        return self._killed(wanted)

    def force(self, wanted: Sequence[str]) -> list[Task]:
        """Stop ``wanted`` and end their tasks, first with SIGTERM; the tasks that were ended."""
        host = self.site.host
        states = list(host.states(wanted).values())
        # From here on no task is begun any more.
        host.systemctl("stop", "--no-block", *wanted)
        try:
            tasks = running_tasks(self.site, self.name, states)
        except InstanceError:
            tasks = []  # then they get no more than systemd's SIGKILL
        for task in tasks:
            if task.pid:
                host.terminate(task.pid, f"/{task.unit}")
        try:
            self._gone(wanted, GRACE)
        except HostError:
            left = [s.unit for s in host.states(wanted).values() if not s.at_rest]
            host.systemctl("kill", "--signal=SIGKILL", *left)
            self._gone(wanted, GRACE)
        forgive(self.site, wanted)
        return tasks

    def _killed(self, stopped: Sequence[str]) -> list[str]:
        """The runners among ``stopped`` that did not end in time; none has failed from now on."""
        return [s.unit for s in forgive(self.site, stopped) if s.killed and _is_runner(s)]

    def _gone(self, wanted: Sequence[str], patience: float) -> None:
        end = self.clock.now() + patience
        while True:
            left = [s for s in self.site.host.states(wanted).values() if not s.at_rest]
            if not left:
                return
            if self.clock.now() >= end:
                names = ", ".join(units.daemon_of(state.unit) for state in left)
                raise HostError(f"{self.name}: {names} did not stop in {patience:.0f} s")
            self.progress(", ".join(units.daemon_of(state.unit) or "it" for state in left))
            self.clock.sleep(0.5)


def own_units(name: str) -> list[str]:
    """Everything of an instance that can be stopped, itself first."""
    return [unit("", name), *units.every(name)]
