"""Starting an instance's daemons, and waiting until they are really up.

systemd calls a daemon up when its process is there. Airflow takes seconds to import
itself, and may end then: so the web server is asked, and the database for the first
heartbeat of the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import former, heads, probe, units
from .errors import ConflictError, HostError, InstanceError, UsageError
from .health.declare import web_url
from .instance import Instance
from .layout import Layout, unit
from .site import Site
from .units import State
from .versions import Daemon, table

LINES = 20  # of the journal, for a daemon that does not start
_WIDTH = 300
_SETTLED = 10.0
_SKEW = 5.0  # seconds that the clocks of this host and a heartbeat may differ
_JOBS = "SELECT job_type, MAX(start_date) FROM job WHERE state = 'running' GROUP BY job_type"


@dataclass(frozen=True)
class Clock:
    """What time it is, and how to wait: replaced by tests."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class StartError(InstanceError):
    """Daemons did not start. ``journal`` is what each has said since."""

    def __init__(self, message: str, *, hint: str, journal: dict[str, list[str]]) -> None:
        super().__init__(message, hint=hint)
        self.journal = journal


def view(site: Site, name: str) -> Instance:
    """The instance ``name`` as its daemons are to know it.

    Raises what `Site.load` and `Site.view` raise, ConflictError for one that is to be
    absent, HostError when it was never applied or there is no systemd.
    """
    declared = site.load(name, secrets=False)
    if declared.absent:
        raise ConflictError(
            f"{name} is declared absent", hint=f"airflow-instance set {name} ensure=present"
        )
    instance = site.view(site.as_applied(declared))
    if site.tree.status(Layout.drop_in("", name)) is None:
        raise HostError(f"{name} was never applied", hint=f"airflow-instance apply {name}")
    return instance


def chosen(instance: Instance, only: Sequence[str]) -> list[Daemon]:
    """The daemons called ``only``; all of them when nothing is asked for.

    Raises UsageError for one that the instance does not have.
    """
    names = [daemon.name for daemon in instance.daemons]
    for word in only:
        if word not in names:
            raise UsageError(
                f"{instance.name} has no daemon {word}", hint=f"it has {', '.join(names)}"
            )
    return [daemon for daemon in instance.daemons if not only or daemon.name in only]


def check_startable(site: Site, instance: Instance) -> str:
    """Raise ConflictError or HostError, with the remedy, when starting makes no sense.

    Returns a warning, or "".
    """
    name = instance.name
    if not site.host.can_start:
        raise HostError("there is no systemd here to start units")
    if instance.parameter("start") == "disabled":
        raise ConflictError(f"{name} is disabled", hint=f"airflow-instance enable {name}")
    old = former.outdated(site.tree, name, instance.installation)
    if old:
        was = former.label(old, instance.installation)
        raise ConflictError(
            f"{name} is rendered for {was}, and Airflow {instance.installation.version} is "
            "installed",
            hint=f"airflow-instance migrate {name}",
        )
    schema = heads.state(site, instance)
    if schema.state == heads.FRESH:
        raise ConflictError(
            f"the database of {name} is empty", hint=f"airflow-instance migrate {name}"
        )
    if schema.state == heads.PENDING:
        raise ConflictError(
            f"the database of {name} has to be migrated", hint=f"airflow-instance migrate {name}"
        )
    if schema.state == heads.AHEAD:
        raise ConflictError(
            f"the database of {name} is newer than Airflow {instance.installation.version}",
            hint="install the newer one again, or restore a backup",
        )
    if schema.state == heads.UNREACHABLE:
        return f"{name}: the database does not answer: {schema.reason}"
    return ""


def begin(site: Site, instance: Instance, daemons: Sequence[Daemon], *, whole: bool) -> list[str]:
    """Tell systemd to start ``daemons``; ``whole`` is the instance itself, too.

    Returns the units that did not run. What is held back, or fails again and again, is
    started anew and at once.
    """
    wanted = [unit(daemon.name, instance.name) for daemon in daemons]
    states = site.host.states(wanted)
    missing = [name for name in wanted if not (name in states and states[name].runs)]
    unstick(site, [states.get(name, State(name)) for name in missing])
    own = [unit("", instance.name)] if whole else []
    if missing or own:
        site.host.systemctl("start", "--no-block", *own, *missing)
    return missing


def unstick(site: Site, states: Sequence[State]) -> None:
    """Have units that do not run forget that they failed, so that a start is one at once."""
    stuck = [state.unit for state in states if state.active != "inactive"]
    if stuck:
        site.host.systemctl("stop", *stuck)
        site.host.systemctl("reset-failed", *stuck)
    for state in states:
        site.tree.remove(Layout.failures_file(state.unit))


def wait(
    site: Site,
    instance: Instance,
    wanted: Collection[str],
    cursor: str,
    *,
    patience: float,
    clock: Clock | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> None:
    """Wait until the units ``wanted`` are up, ``patience`` seconds at most.

    Raises StartError, with what they said since ``cursor``, when one of them breaks
    off or the time is over.
    """
    clock = clock or Clock()
    end = clock.now() + patience
    daemons = {unit(daemon.name, instance.name): daemon for daemon in instance.daemons}
    waiting = [name for name in daemons if name in wanted]
    while True:
        # Also those that were up a moment ago.
        states = site.host.states(list(wanted))
        broken = [name for name in wanted if name in states and states[name].crashed]
        if broken:
            raise _failure(site, instance, broken, cursor, "did not start", "tried again")
        if all(name in states and states[name].runs for name in waiting):
            waiting = _not_up(site, instance, [(daemons[n], states[n]) for n in waiting])
        if not waiting:
            return
        if clock.now() >= end:
            late = f"not up after {patience:.0f} s"
            raise _failure(site, instance, waiting, cursor, late, "waited for by systemd")
        progress(", ".join(units.daemon_of(name) for name in waiting))
        clock.sleep(1.0)


def _not_up(site: Site, instance: Instance, rows: Sequence[tuple[Daemon, State]]) -> list[str]:
    """The units of those daemons that run, but are not at work yet."""
    jobs: dict[str, float] | None = None
    found = []
    for daemon, state in rows:
        if daemon.port == "web":
            up = answers(instance)
        elif daemon.job:
            jobs = _jobs(site, instance) if jobs is None else jobs
            up = jobs.get(daemon.job, 0.0) >= state.started - _SKEW
        else:
            # They say nothing anywhere; those that break off do so soon.
            up = time.time() - state.since >= _SETTLED
        if not up:
            found.append(state.unit)
    return found


def _jobs(site: Site, instance: Instance) -> dict[str, float]:
    """When the last of each kind of job that runs was begun, in seconds since 1970."""
    answer = probe.ask(site, instance.name, instance.installation, {"jobs": _JOBS})
    return {
        str(kind): probe.moment(stamp).timestamp()
        for kind, stamp in answer.rows.get("jobs", ())
        if stamp is not None
    }


def answers(instance: Instance) -> bool:
    """Whether the web server speaks HTTP on its port, whatever it says."""
    # Imported here: no other command is to pay for them.
    import http.client
    import ssl

    where = urlsplit(web_url(instance))
    connection: http.client.HTTPConnection
    if where.scheme == "https":
        # Whether it answers is the question, not who it is.
        trusting = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(
            str(where.hostname), where.port, timeout=10, context=trusting
        )
    else:
        connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    try:
        path = where.path + table().health_path(instance.installation.version)
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _failure(
    site: Site, instance: Instance, failed: Sequence[str], cursor: str, what: str, still: str
) -> StartError:
    journal = {
        name: [line[:_WIDTH] for line in site.host.journal(name, cursor, LINES)] for name in failed
    }
    return StartError(
        f"{instance.name}: {', '.join(map(units.daemon_of, failed))} {what}, and will be {still}",
        hint=f"journalctl --unit={failed[0]}, or airflow-instance stop {instance.name}",
        journal=journal,
    )
