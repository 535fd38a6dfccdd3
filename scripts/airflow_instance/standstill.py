"""Keeping an instance still while its data is worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from . import units
from .changes import Systemctl
from .errors import ConflictError, InstanceError
from .layout import unit
from .site import Site
from .stopping import Stop, waited_for


def running(site: Site, name: str) -> tuple[str, ...]:
    """The units of the instance that are running.

    None when no daemon is among them: the unit of the instance as a whole stays active
    when the daemons were stopped for an upgrade, and stands for nothing then.
    """
    found = tuple(
        word
        for change in site.planner.stops(name)
        if isinstance(change, Systemctl)
        for word in change.arguments[1:]
    )
    return found if set(found) - {unit("", name)} else ()


def require(site: Site, name: str, *, stop: bool, typed: str) -> tuple[str, ...]:
    """What runs of the instance; ``typed`` is the command that would stop it first.

    Raises ConflictError when something does and may not be stopped.
    """
    found = running(site, name)
    # What waits in its start, or has ended and is to be tried again, does nothing.
    states = site.host.states(found)
    daemons = [word for word in found if word != unit("", name)]
    works = any(word not in states or states[word].runs for word in daemons)
    if works and not stop:
        raise ConflictError(
            f"{name} is running", hint=f"stop it, or: {typed}, which starts it again afterwards"
        )
    return found


@contextlib.contextmanager
def standstill(site: Site, name: str, ran: tuple[str, ...]) -> Iterator[None]:
    """Stop the units ``ran``, as systemctl stop does; start them again when all went well.

    What runs of tasks gets the time that the units give it. Where the instance has got
    another Airflow meanwhile, what does their work in that is started.

    Raises HostError when systemd refuses.
    """
    had = units.applied(site.tree, name)
    if ran:
        print(f"{name}: stopping it{waited_for(site, name, ran)} …", flush=True)
        Stop(site, name).gently(ran)
    yield
    if ran:
        site.host.systemctl("start", *_again(site, name, ran, had))
        print(f"{name}: started again")


def _again(site: Site, name: str, stopped: tuple[str, ...], had: Sequence[str]) -> Sequence[str]:
    """What does now the work of ``stopped``: another Airflow may have come meanwhile."""
    try:
        instance = site.view(site.as_applied(site.load(name, secrets=False)))
    except InstanceError:
        return stopped
    now = set(units.applied(site.tree, name))
    whole = [unit("", name)] if unit("", name) in stopped else []
    return [*whole, *(u for u in units.successors(instance, stopped, had) if u in now)]
