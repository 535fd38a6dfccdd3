"""What was seen of an instance, judged. Pure: no clock, no file, no process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .target import Target, Watched
from .units import State

# The statuses of monitoring plugins; a check's exit status, not the tool's own.
OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
_BADNESS = (OK, UNKNOWN, WARNING, CRITICAL)

# Seconds in which a daemon that was just started need not beat or answer yet.
STARTING = 120.0


class Limit(NamedTuple):
    """When a number is worth a warning, when it is critical; None: never.

    ``least``: it is the smaller numbers that are bad.
    """

    warning: float | None = None
    critical: float | None = None
    least: bool = False


# By measurement: seconds, or per cent that are free. A heartbeat's own limit is Airflow's.
LIMITS: Mapping[str, Limit] = {
    "database_time": Limit(5),
    "web_time": Limit(5),
    "heartbeat": Limit(),
    "ticket_left": Limit(least=True),
    "disk_free": Limit(10, 5, least=True),
    "inodes_free": Limit(10, 5, least=True),
}


class Measure(NamedTuple):
    """A number with its limits, for graphs; ``unit`` is "s" or "%".

    ``part`` is the daemon or the path it is of, where there may be several.
    """

    name: str
    value: float
    unit: str
    limit: Limit = Limit()
    part: str = ""


class Finding(NamedTuple):
    """One thing that was looked at. ``sick`` names the daemon that a restart may help."""

    check: str
    status: int
    text: str
    measures: tuple[Measure, ...] = ()
    sick: str = ""


def worst(statuses: Sequence[int]) -> int:
    """The worst of ``statuses``, as monitoring plugins have it; OK when there are none.

    >>> worst([OK, UNKNOWN, WARNING])
    1
    """
    return max(statuses, key=_BADNESS.index, default=OK)


def at_rest(target: Target, states: Mapping[str, State] | None) -> str:
    """Why nothing is expected to run; "" when something is.

    An instance that does not start at boot is stopped by whoever works with it, and
    nobody wants to be called for that. One that does, and is stopped, is missing.
    """
    if states is None or target.start == "auto":
        return ""
    if all(states[daemon.unit].stopped for daemon in target.daemons):
        return f"stopped, and its start mode is {target.start}"
    return ""


def judge(
    target: Target,
    seen: Mapping[str, Any],
    states: Mapping[str, State] | None,
    limits: Mapping[str, Limit] = LIMITS,
) -> list[Finding]:
    """All findings about ``target``. ``states`` is None where there is no systemd."""
    return [
        *_units(target, states),
        *_database(seen.get("database"), target, limits, seen.get("unknown", ())),
        *_beats(target, seen, states, limits),
        *_web(target, seen.get("web"), states, limits),
        *_ticket(target, seen.get("ticket"), limits),
        *_disks(seen.get("disks"), limits),
    ]


def _units(target: Target, states: Mapping[str, State] | None) -> Iterator[Finding]:
    if states is None:
        return
    if all(states[daemon.unit].stopped for daemon in target.daemons):
        yield Finding("units", CRITICAL, f"stopped, though its start mode is {target.start}")
        return
    running = []
    for daemon in target.daemons:
        state = states[daemon.unit]
        if state.crashed:
            again = "given up" if state.active == "failed" else "about to start again"
            text = f"{daemon.name} crashed ({state.result}), {again}"
            yield Finding("units", CRITICAL, text)
        elif state.stopped:
            yield Finding("units", CRITICAL, f"{daemon.name} is stopped")
        elif not state.runs:
            yield Finding("units", WARNING, f"{daemon.name} is {state.active}")
        else:
            running.append(daemon.name)
    if len(running) == len(target.daemons):
        yield Finding("units", OK, f"{len(running)} daemons run")


def _database(
    found: Mapping[str, Any] | None,
    target: Target,
    limits: Mapping[str, Limit],
    unknown: Sequence[str] = (),
) -> Iterator[Finding]:
    if found is None:
        yield Finding("database", CRITICAL, "the database does not answer")
        return
    reason = found.get("unreachable") or found.get("error")
    if reason:
        yield Finding("database", CRITICAL, f"no database: {reason}")
        return
    yield _measured("database", "database_time", found["seconds"], "database {} s", limits)
    have, pending = [], False
    for table, wanted in target.revisions.items():
        rows = found["rows"].get(f"revisions {table}", ())
        revisions = sorted(str(row[0]) for row in rows)
        have += revisions
        pending = pending or revisions != sorted(wanted)
    remedy = f"airflow-instance migrate {target.name}"
    if target.revisions and not have:
        yield Finding("migration", CRITICAL, f"the database is empty; {remedy}")
    elif unknown:
        text = (
            f"the database is of another Airflow than the one installed, which does not know its "
            f"revision {', '.join(unknown)}: install that again, or restore a backup; {remedy} "
            "says more"
        )
        yield Finding("migration", CRITICAL, text)
    elif pending:
        yield Finding("migration", WARNING, f"the database is of another version; {remedy}")


def _beats(
    target: Target,
    seen: Mapping[str, Any],
    states: Mapping[str, State] | None,
    limits: Mapping[str, Limit],
) -> Iterator[Finding]:
    beats, host = (seen.get("database") or {}).get("beats"), seen.get("hostname")
    if beats is None or "beats" in seen["database"].get("errors", ()):
        return  # said of the database already
    name = (host or {}).get("name")
    if name is None:
        why = (host or {}).get("error", "the resolver does not answer")
        yield Finding("heartbeat", UNKNOWN, f"whose heartbeat is this host's? {why}")
        return
    for daemon in target.daemons:
        state = states[daemon.unit] if states else None
        if not daemon.job or (state and not state.runs):
            continue  # no heartbeat, or its unit says enough
        ages = {str(row[1]): row[2] for row in beats if row[0] == daemon.job}
        yield _beat(daemon, ages.pop(name, None), state, ages, limits["heartbeat"])


def _beat(
    daemon: Watched,
    age: float | None,
    state: State | None,
    others: Mapping[str, float | None],
    limit: Limit,
) -> Finding:
    stale = daemon.stale if limit.critical is None else limit.critical
    young = state is not None and state.age < STARTING
    if age is None or age > stale:
        text = f"{daemon.name} has no heartbeat"
        if age is not None:
            text = f"{daemon.name}'s heartbeat is {age:.0f} s old (limit {stale:g})"
        if young:
            return Finding("heartbeat", WARNING, f"{text}, but was just started")
        living = sorted(host for host, other in others.items() if (other or stale) < stale)
        if living:
            text += f"; another lives on {', '.join(living)}"
        return Finding("heartbeat", CRITICAL, text, _beaten(daemon, age, limit), sick=daemon.name)
    status = WARNING if limit.warning is not None and age > limit.warning else OK
    text = f"{daemon.name} beat {max(age, 0):.0f} s ago"
    return Finding("heartbeat", status, text, _beaten(daemon, age, limit))


def _beaten(daemon: Watched, age: float | None, limit: Limit) -> tuple[Measure, ...]:
    if age is None:
        return ()
    critical = daemon.stale if limit.critical is None else limit.critical
    return (Measure("heartbeat", max(age, 0.0), "s", Limit(limit.warning, critical), daemon.name),)


def _web(
    target: Target,
    found: Mapping[str, Any] | None,
    states: Mapping[str, State] | None,
    limits: Mapping[str, Limit],
) -> Iterator[Finding]:
    daemon = next((daemon for daemon in target.daemons if daemon.web), None)
    state = states[daemon.unit] if states and daemon else None
    if daemon is None or (state and not state.runs):
        return
    reason = (found or {"error": "no answer"}).get("error", "")
    if found and not reason and found["status"] != 200:
        reason = f"status {found['status']}"
    if found and not reason and found["parts"] is None:
        reason = "the answer is not Airflow's"
    if reason:
        if state and state.age < STARTING:
            text = f"{daemon.name} was just started: {reason}"
            yield Finding("web", WARNING, text)
            return
        text = f"{daemon.name} does not answer at {target.web}: {reason}"
        yield Finding("web", CRITICAL, text, sick=daemon.name)
        return
    assert found is not None  # or there were a reason
    bad = sorted(part for part, status in found["parts"].items() if status == "unhealthy")
    if bad:
        young = any(states[d.unit].age < STARTING for d in target.daemons) if states else False
        text = f"{daemon.name} says unhealthy: {', '.join(bad)}"
        yield Finding("web", WARNING if young else CRITICAL, text)
    yield _measured("web", "web_time", found["seconds"], "web {} s", limits)


def _ticket(
    target: Target, found: Mapping[str, Any] | None, limits: Mapping[str, Limit]
) -> Iterator[Finding]:
    if not target.ccache:
        return
    if found and "unknown" in found:
        yield Finding("ticket", UNKNOWN, f"Kerberos: {found['unknown']}")
        return
    if found is None or "error" in found:
        why = (found or {}).get("error", "no answer")
        yield Finding("ticket", CRITICAL, f"Kerberos: {why}")
        return
    left, age = found["left"], found["age"]
    measure = Measure("ticket_left", left, "s", limits["ticket_left"])
    if left <= 0:
        yield Finding("ticket", CRITICAL, f"the ticket ended {-left:.0f} s ago", (measure,))
    elif (status := exceeded(left, limits["ticket_left"])) != OK:
        yield Finding("ticket", status, f"the ticket ends in {left:.0f} s", (measure,))
    elif age > 2 * target.renewed:
        text = f"the ticket was not renewed for {age:.0f} s"
        yield Finding("ticket", WARNING, text, (measure,))
    else:
        yield Finding("ticket", OK, f"ticket for {left:.0f} s", (measure,))


def _disks(
    found: Sequence[Mapping[str, Any]] | None, limits: Mapping[str, Limit]
) -> Iterator[Finding]:
    for disk in found or ():
        path = disk["path"]
        if "error" in disk:
            yield Finding("disk", CRITICAL, f"{path}: {disk['error']}")
            continue
        for key, name, what in (("free", "disk_free", ""), ("inodes", "inodes_free", " inodes")):
            if disk[key] is not None:
                measure = Measure(name, disk[key], "%", limits[name], path)
                status = exceeded(disk[key], limits[name])
                text = f"{path}: {disk[key]:g} %{what} free"
                yield Finding("disk", status, text, (measure,))


def exceeded(value: float, limit: Limit) -> int:
    """The status that ``value`` is worth."""
    for status, bound in ((CRITICAL, limit.critical), (WARNING, limit.warning)):
        if bound is not None and (value < bound if limit.least else value > bound):
            return status
    return OK


def _measured(
    check: str, name: str, seconds: float, text: str, limits: Mapping[str, Limit]
) -> Finding:
    measure = Measure(name, seconds, "s", limits[name])
    return Finding(
        check, exceeded(seconds, limits[name]), text.format(f"{seconds:.3f}"), (measure,)
    )
