"""Keeping an instance still while its data is worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from .changes import Systemctl
from .errors import ConflictError, InstanceError
from .layout import unit as unit_of
from .site import Site
from .stopping import Stop, listed, running_tasks


def running(site: Site, name: str) -> tuple[str, ...]:
    """The units of the instance that are running.

    None when no daemon is among them: the unit of the instance as a whole stays active
    when the daemons were stopped for an upgrade, and stands for nothing then.
    """
    found = tuple(
        unit
        for change in site.planner.stops(name)
        if isinstance(change, Systemctl)
        for unit in change.arguments[1:]
    )
    return found if set(found) - {unit_of("", name)} else ()


def require(site: Site, name: str, *, stop: bool, typed: str) -> tuple[str, ...]:
    """What runs of the instance; ``typed`` is the command that would stop it first.

    Raises ConflictError when something does and may not be stopped.
    """
    found = running(site, name)
    if found and not stop:
        raise ConflictError(
            f"{name} is running", hint=f"stop it, or: {typed}, which starts it again afterwards"
        )
    return found


@contextlib.contextmanager
def standstill(site: Site, name: str, units: tuple[str, ...]) -> Iterator[None]:
    """Stop ``units``, as systemctl stop does; start them again when all went well.

    What runs of tasks gets the time that the units give it.

    Raises HostError when systemd refuses.
    """
    if units:
        print(f"{name}: stopping it{_tasks(site, name, units)} …", flush=True)
        Stop(site, name).gently(units)
    yield
    if units:
        site.host.systemctl("start", *units)
        print(f"{name}: started again")


def _tasks(site: Site, name: str, stopped: tuple[str, ...]) -> str:
    """What the stop waits for."""
    try:
        found = running_tasks(site, name, list(site.host.states(stopped).values()))
    except InstanceError:
        return ", and nobody can tell what runs"
    return f", once these have ended: {listed(found)}" if found else ""
