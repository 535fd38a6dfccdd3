"""Daemons that were stopped because they cannot run for now, and are to run again.

When an installation is upgraded, its daemons must not go on with half of the old
code: those that ran are restarted, unless the database has to be migrated first, which
is for a person to say, or there is no Airflow any more. Then they are stopped, and what
ran is written down; `resume` starts it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from . import declaration, heads, running, units
from .errors import InstallationError, InstanceError
from .instance import Instance
from .layout import Layout, unit
from .site import Site

_ANSWER_TIME = 3.0  # seconds that one database may take
_TIME = 60.0  # and all of them


@dataclass(frozen=True)
class Held:
    """What ran: the daemons' units, and whether these were all that the instance had."""

    units: tuple[str, ...]
    complete: bool


def recall(site: Site, name: str) -> Held | None:
    """What was stopped of the instance; None when nothing was."""
    written = site.tree.read(Layout.held_file(name))
    if written is None:
        return None
    try:
        data = json.loads(written)
        return Held(tuple(map(str, data["units"])), bool(data["complete"]))
    except (ValueError, KeyError, TypeError):
        return None


def remember(site: Site, name: str, held: Held) -> None:
    """Write down what is to be started again; what was written down before, too."""
    before = recall(site, name)
    if before:
        held = Held((*dict.fromkeys((*before.units, *held.units)),), before.complete)
    owner = os.geteuid(), os.getegid()
    site.tree.write(Layout.held_file(name), text(held), 0o600, *owner)


def text(held: Held) -> bytes:
    """What `remember` writes and `recall` reads."""
    return json.dumps({"units": held.units, "complete": held.complete}).encode()


def forget(site: Site, name: str) -> None:
    """Nothing is to be started any more: somebody has decided otherwise."""
    site.tree.remove(Layout.held_file(name))


def wanted(instance: Instance, held: Held) -> list[str]:
    """The units to start for what was stopped.

    A daemon that the installed version has in place of another is among them, too, when
    all of them ran.
    """
    return [name for name in units.of(instance) if held.complete or name in held.units]


def resume(site: Site, instance: Instance) -> list[str]:
    """Start what was stopped, without waiting for it; the units. Raises HostError."""
    held = recall(site, instance.name)
    if held is None:
        return []
    again = wanted(instance, held)
    if again:
        states = site.host.states(again).values()
        running.unstick(site, [state for state in states if not state.runs])
        site.host.systemctl("start", "--no-block", unit("", instance.name), *again)
    forget(site, instance.name)
    return again


def hold(site: Site, name: str, states: Sequence[units.State]) -> None:
    """Stop the daemons of ``states`` that run, without waiting, and write down which."""
    active = [state.unit for state in states if not state.at_rest]
    if active:
        remember(site, name, Held(tuple(active), len(active) == len(states)))
        site.host.systemctl("stop", "--no-block", *active)


def after_upgrade(site: Site) -> list[str]:
    """Bring every instance in line with the installation that it finds now.

    What there is to say, a line each. Migrates nothing, waits for no daemon, and asks
    databases for no more than a minute.
    """
    said = []
    end = time.monotonic() + _TIME
    names, _, _ = declaration.listed(site.layout)
    for name in names:
        try:
            line = _one(site, name, ask=time.monotonic() < end)
        except InstanceError as error:
            line = f"{error}"
        if line:
            said.append(f"{name}: {line}")
    return said


def before_removal(site: Site, prefix: str = "") -> list[str]:
    """Stop what runs of every instance, of those in ``prefix`` when there is one, and wait.

    Their files are about to vanish under them. What ran is written down. Returns what
    there is to say.
    """
    said = []
    stopping: list[str] = []
    names, _, _ = declaration.listed(site.layout)
    for name in names:
        try:
            states = list(site.host.states(units.applied(site.tree, name)).values())
            if all(state.at_rest for state in states) or not _runs_from(site, name, prefix):
                continue
            hold(site, name, states)
        except InstanceError as error:
            # The others are to be remembered all the same.
            said.append(f"{name}: {error}")
            continue
        stopping += [state.unit for state in states]
        said.append(f"{name}: stopped; started again when its Airflow is back")
    if stopping:
        # The same again, to wait for all of them at once.
        site.host.systemctl("stop", *stopping)
    return said


def _runs_from(site: Site, name: str, prefix: str) -> bool:
    """Whether the instance runs from ``prefix``; yes for one that cannot tell."""
    return prefix in ("", site.applied_prefix(name) or prefix)


def _one(site: Site, name: str, *, ask: bool) -> str:
    declared = site.load(name, secrets=False)
    if declared.absent:
        return ""
    states = list(site.host.states(units.applied(site.tree, name)).values())
    active = [state for state in states if not state.at_rest]
    try:
        # What runs is what was applied, whatever is declared since.
        instance = site.view(site.as_applied(declared))
    except InstallationError as error:
        hold(site, name, states)
        return f"stopped: {error.message}; started again when that is back" if active else ""
    changed = installed(instance)
    old = [state.unit for state in active if state.started < changed]
    if not old and recall(site, name) is None:
        return ""
    # Where a database is not asked, or does not answer, the daemon's start gate asks it.
    wrong = _wrong(site, instance) if ask else ""
    if wrong:
        hold(site, name, states)
        return wrong
    if old:
        site.host.systemctl("try-restart", "--no-block", *old)
    started = resume(site, instance)
    words = [("restarted", old), ("started", started)]
    return "; ".join(
        f"{verb} {', '.join(map(units.daemon_of, found))}" for verb, found in words if found
    )


def _wrong(site: Site, instance: Instance) -> str:
    """What its database lacks for the installation; "" when nothing is known to."""
    schema = heads.state(site, instance, _ANSWER_TIME)
    if schema.state in (heads.PENDING, heads.FRESH):
        return f"its database has to be migrated: airflow-instance migrate {instance.name}"
    if schema.state == heads.AHEAD:
        return "its database is newer than the Airflow that is installed now"
    return ""


def installed(instance: Instance) -> float:
    """When the installation was put where it is, in seconds since 1970.

    That is when its files got there, whatever their own dates are: dpkg gives them
    those of the package.
    """
    where = instance.installation
    times = [
        path.stat().st_ctime
        for path in where.packages.glob(f"apache_airflow*-{where.version}.dist-info/*")
    ]
    return max(times, default=0.0)
