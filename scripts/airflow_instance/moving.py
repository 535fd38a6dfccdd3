"""An instance that goes from one installation to another.

Its daemons neither see the files of the one mixed with those of the other, nor a
database that is not yet, or not any more, as their Airflow wants it. So what runs is
stopped before the first file changes, and written down. It is started again when the
database is fit for the new one; else by `migrate`, which has to be asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from . import heads, held, probe, units
from .changes import Change, Remove, Systemctl, WriteFile
from .engine import locked
from .errors import ConflictError, InstallationError, InstanceError, raise_all
from .heads import Schema
from .held import Held
from .installation import find
from .instance import Instance
from .layout import Layout, unit
from .site import InstancePlan, Site

_UNKNOWN = "unknown"  # to nobody before the files are written


def plan(site: Site, names: Sequence[str]) -> tuple[list[InstancePlan], list[str]]:
    """`Site.plan`, with what a move takes for those that are about to move.

    Raises what that raises; ConflictError for one that runs and cannot go on after the
    move, BusyError for one whose data somebody works on.
    """
    plans, warnings = site.plan(names)
    found: list[InstancePlan] = []
    problems: list[InstanceError] = []
    for each in plans:
        try:
            found.append(_moved(site, each))
        except InstanceError as error:
            problems.append(error)
    raise_all(problems)
    return found, warnings


def require_applied(site: Site, instance: Instance) -> None:
    """Raise ConflictError for one that is declared for another Airflow than it runs."""
    before, after = site.applied_prefix(instance.name), instance.installation.prefix
    if before not in ("", after):
        raise ConflictError(
            f"{instance.name} is declared for {after}, and still has {before}",
            hint=f"airflow-instance apply {instance.name}",
        )


def _moved(site: Site, planned: InstancePlan) -> InstancePlan:
    """``planned``, with what runs stopped first and started last when it moves."""
    name, instance = planned.name, planned.instance
    before = site.applied_prefix(name)
    if instance is None or before in ("", instance.installation.prefix):
        return planned
    states = list(site.host.states(units.applied(site.tree, name)).values())
    active = [state.unit for state in states if not state.at_rest]
    waiting = held.recall(site, name)
    if not active and waiting is None:
        return planned
    with locked(site.layout, 0, name=name):
        pass  # nobody migrates it, backs it up or restores it just now
    schema = _schema(site, instance, before)
    if schema.state == heads.AHEAD and active:
        raise ConflictError(
            f"{name} runs, and its database is newer than the Airflow "
            f"{instance.installation.version} in {instance.installation.prefix}",
            hint=f"airflow-instance stop {name}, do this again, then restore --database-only what "
            f"was saved before it was migrated: airflow-instance backup --list {name}",
        )
    kept = held.together(waiting, held.of(states))
    ready = schema.state in (heads.CURRENT, heads.UNREACHABLE)
    own = {unit("", name), *units.every(name)}
    others = [c for c in planned.changes if not (isinstance(c, Systemctl) and _are(c, own))]
    if schema.state == heads.CURRENT:
        others = _unremembered(site, name, others)
    return replace(
        planned,
        changes=(
            *(_stop(site, name, kept, active) if active else ()),
            *others,
            *(_start(instance, kept) if ready else ()),
        ),
        former=None,
        last="" if ready else _next(instance, schema),
    )


def _unremembered(site: Site, name: str, changes: Sequence[Change]) -> list[Change]:
    """``changes`` without a memory of whose the database was: it is as it is wanted."""
    path = Layout.former_file(name)
    found = [c for c in changes if not (isinstance(c, WriteFile) and c.path == path)]
    return [*found, Remove(path)] if site.tree.status(path) else found


def _are(change: Systemctl, own: set[str]) -> bool:
    """Whether it is about nothing but the daemons."""
    about = [word for word in change.arguments[1:] if not word.startswith("--")]
    return bool(about) and own.issuperset(about)


def _schema(site: Site, instance: Instance, before: str) -> Schema:
    """How the database is to what ``instance`` is about to have.

    The one before asks: airflow.cfg is still written for it. When that was removed,
    nobody can. A daemon's start gate asks again where the database does not answer.
    """
    try:
        old = find(site.layout, before)
    except InstallationError:
        return Schema(_UNKNOWN)
    try:
        answer = probe.ask(site, instance.name, old, heads.queries(instance))
        return heads.judge(instance, answer)
    except InstanceError as error:
        return Schema(heads.UNREACHABLE, reason=error.message)


def _stop(site: Site, name: str, kept: Held, active: Sequence[str]) -> list[Change]:
    path = Layout.held_file(name)
    return [
        WriteFile(path, held.text(kept), site.tree.read(path), 0o600, "root", "root"),
        Systemctl(("stop", *active)),
    ]


def _start(instance: Instance, kept: Held) -> list[Change]:
    wanted = held.wanted(instance, kept)
    gone = Remove(Layout.held_file(instance.name))
    if not wanted:
        return [gone]
    return [Systemctl(("start", "--no-block", unit("", instance.name), *wanted)), gone]


def _next(instance: Instance, schema: Schema) -> str:
    if schema.state == heads.AHEAD:
        return f"stopped: its database is newer than Airflow {instance.installation.version}"
    if schema.state == _UNKNOWN:
        return f"stopped; next: airflow-instance start {instance.name}"
    return f"stopped until it is migrated; next: airflow-instance migrate {instance.name}"
