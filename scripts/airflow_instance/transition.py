"""Bringing instances in line with the Airflow that is installed now.

Daemons must not go on with half of the old code: those that ran are restarted. When it is
another Airflow than their files were rendered for, these are rendered anew before anything
starts. When the database has to be migrated, which is for a person to say, or there is no
Airflow any more, they are stopped, and what ran is started once it can be (held.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from . import declaration, former, heads, held, migration, moved, units
from .changes import Change, Systemctl
from .engine import Engine
from .errors import InstallationError, InstanceError
from .heads import Schema
from .instance import Instance
from .layout import unit
from .site import InstancePlan, Site
from .units import State
from .versions import Version

_ANSWER_TIME = 3.0  # seconds that one database may take
_TIME = 60.0  # and all of them

Teller = Callable[[str], None]


def _silent(line: str) -> None:
    """For who does not want to know each change."""


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


def _one(site: Site, name: str, *, ask: bool) -> str:
    declared = site.load(name, secrets=False)
    if declared.absent:
        return ""
    found = states(site, name)
    active = [state for state in found if not state.at_rest]
    try:
        # What runs is what was applied, whatever is declared since.
        instance = site.view(site.as_applied(declared))
    except InstallationError as error:
        held.hold(site, name, found)
        return f"stopped: {error.message}; started again when that is back" if active else ""
    old = former.outdated(site.tree, name, instance.installation)
    if old:
        return _another(site, instance, found, ask=ask)
    changed = installed(instance)
    stale = [state.unit for state in active if state.started < changed]
    if not stale and held.recall(site, name) is None:
        return ""
    # Where a database is not asked, or does not answer, the daemon's start gate asks it.
    wrong = _wrong(site, instance, _schema(site, instance)) if ask else ""
    if wrong:
        held.hold(site, name, found)
        return wrong
    if stale:
        site.host.systemctl("try-restart", "--no-block", *stale)
    return _started([("restarted", stale), ("started", held.resume(site, instance))])


def _another(site: Site, instance: Instance, found: Sequence[State], *, ask: bool) -> str:
    """The same of an instance whose files are another Airflow's."""
    name = instance.name
    held.hold(site, name, found)
    try:
        # During an upgrade of Debian its database servers may be away.
        plans, _ = site.plan([name], servers=False, applied=True)
        return "; ".join(carry_over(site, plans[0], ask=ask))
    except InstanceError as error:
        error.message = f"nothing runs, because it could not be rendered: {error.message}"
        error.hint = f"{error.hint}; then: airflow-instance apply {name}".lstrip("; ")
        raise


def carry_over(
    site: Site, plan: InstancePlan, told: Teller = _silent, *, ask: bool = True
) -> list[str]:
    """Carry out the ``plan`` of an instance that gets another Airflow than it had.

    What runs of it is stopped. It is started again when the database is fit for that, else
    by `migrate`. Returns what there is to say. Raises what the engine raises; then nothing
    runs, and what ran is remembered.
    """
    instance, old = plan.instance, plan.former
    assert instance is not None and old is not None
    held.hold(site, plan.name, states(site, plan.name))
    render(site, plan, told)
    said = [f"rendered for Airflow {instance.installation.version}{_count(site, instance, old)}"]
    # Where nothing can be started, nobody has to know.
    ask = ask and site.host.can_start
    schema = _schema(site, instance) if ask else Schema(heads.UNREACHABLE)
    wrong = _wrong(site, instance, schema)
    if wrong:
        return [*said, wrong]
    if schema.state == heads.CURRENT:
        former.forget(site.tree, plan.name)
    started = _started([("started", held.resume(site, instance))])
    return [*said, started] if started else said


def render(site: Site, plan: InstancePlan, told: Teller = _silent) -> None:
    """Carry out ``plan``, but start and stop no daemon. Raises what the engine raises."""
    own = {unit("", plan.name), *units.every(plan.name)}
    Engine(site.tree, site.host).execute(
        [change for change in plan.changes if not _moves_daemons(change, own)], told
    )


def _moves_daemons(change: Change, own: set[str]) -> bool:
    return isinstance(change, Systemctl) and bool(own & set(change.arguments))


def installed(instance: Instance) -> float:
    """When the installation, or a plugin of it, was put where it is, in seconds since 1970.

    That is when files got there, whatever their own dates are: dpkg gives them those of
    the package. The directory tells of a plugin that was taken away.
    """
    where = instance.installation
    found = list(where.packages.glob(f"apache_airflow*-{where.version}.dist-info/*"))
    found += where.packages.glob("*.dist-info/RECORD")
    found.append(where.packages)
    return max(path.stat().st_ctime for path in found)


def states(site: Site, name: str) -> list[State]:
    """Of all daemons that the instance was given when it was applied."""
    return list(site.host.states(units.applied(site.tree, name)).values())


def _schema(site: Site, instance: Instance) -> Schema:
    return heads.state(site, instance, _ANSWER_TIME)


def _wrong(site: Site, instance: Instance, schema: Schema) -> str:
    """What a database lacks for the installation; "" when nothing is known to."""
    if schema.state in (heads.PENDING, heads.FRESH):
        return f"its database has to be migrated: airflow-instance migrate {instance.name}"
    if schema.state == heads.AHEAD:
        return "; ".join(migration.unfit(site, instance, schema))
    return ""


def _count(site: Site, instance: Instance, old: Version) -> str:
    found = moved.of(site, instance, old)
    number = len(found.options) + len(found.gone) + len(found.new)
    return f", {number} names of options and daemons are other ones" if number else ""


def _started(words: Sequence[tuple[str, Sequence[str]]]) -> str:
    return "; ".join(
        f"{verb} {', '.join(map(units.daemon_of, found))}" for verb, found in words if found
    )
