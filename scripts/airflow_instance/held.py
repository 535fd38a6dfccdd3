"""Daemons that were stopped because they cannot run for now, and are to run again.

What ran is written down when they are stopped; `resume` starts it, or what does its work
in the Airflow that is installed then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from . import declaration, running, stopping, units
from .errors import InstanceError
from .instance import Instance
from .layout import Layout, unit
from .site import Site


@dataclass(frozen=True)
class Held:
    """What ran: the daemons' units, and whether these were all that the instance had.

    ``had`` are the units of all its daemons, running or not.
    """

    units: tuple[str, ...]
    complete: bool
    had: tuple[str, ...] = ()


def recall(site: Site, name: str) -> Held | None:
    """What was stopped of the instance; None when nothing was."""
    written = site.tree.read(Layout.held_file(name))
    if written is None:
        return None
    try:
        data = json.loads(written)
        names = [tuple(map(str, data.get(key, ()))) for key in ("units", "had")]
        return Held(names[0], bool(data["complete"]), names[1]) if names[0] else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(site: Site, name: str, held: Held) -> None:
    """Write down what is to be started again; what was written down before, too."""
    owner = os.geteuid(), os.getegid()
    site.tree.write(Layout.held_file(name), text(together(recall(site, name), held)), 0o600, *owner)


def together(before: Held | None, held: Held) -> Held:
    """What is to be started again of what was stopped ``before``, and of what is now."""
    if before is None:
        return held
    names = (*dict.fromkeys((*before.units, *held.units)),)
    return Held(names, before.complete, before.had or held.had)


def text(held: Held) -> bytes:
    """What `remember` writes and `recall` reads."""
    return json.dumps(asdict(held)).encode()


def forget(site: Site, name: str) -> None:
    """Nothing is to be started any more: somebody has decided otherwise."""
    site.tree.remove(Layout.held_file(name))


def wanted(instance: Instance, held: Held) -> list[str]:
    """The units to start for what was stopped.

    See `units.successors` for what that is in another version.
    """
    had = held.units if held.complete else held.had or units.of(instance)
    return units.successors(instance, held.units, had)


def resume(site: Site, instance: Instance) -> list[str]:
    """Start what was stopped, without waiting for it; the units. Raises HostError."""
    held = recall(site, instance.name)
    if held is None:
        return []
    again = wanted(instance, held)
    if again:
        states = site.host.states(again).values()
        # Of one that is still being stopped systemd knows that it is to be started then.
        stuck = [state for state in states if not state.runs and state.active != "deactivating"]
        running.unstick(site, stuck)
        site.host.systemctl("start", "--no-block", unit("", instance.name), *again)
    forget(site, instance.name)
    return again


def of(states: Sequence[units.State]) -> Held:
    """What runs of all daemons of an instance, ``states``."""
    active = tuple(state.unit for state in states if not state.at_rest)
    had = tuple(state.unit for state in states)
    return Held(active, len(active) == len(had), had)


def hold(site: Site, name: str, states: Sequence[units.State]) -> None:
    """Stop the daemons of ``states`` that run, without waiting, and write down which."""
    now = of(states)
    if now.units:
        remember(site, name, now)
        site.host.systemctl("stop", "--no-block", *now.units)


def before_removal(site: Site, prefix: str = "") -> list[str]:
    """Stop what runs of every instance, of those in ``prefix`` when there is one, and wait.

    Their files are about to vanish under them. What ran is written down. Returns what
    there is to say.
    """
    said = []
    stopped: list[str] = []
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
        stopped += [state.unit for state in states]
        said.append(f"{name}: stopped; started again when its Airflow is back")
    if stopped:
        # The same again, to wait for all of them at once.
        site.host.systemctl("stop", *stopped)
        stopping.forgive(site, stopped)
    return said


def _runs_from(site: Site, name: str, prefix: str) -> bool:
    """Whether the instance runs from ``prefix``; yes for one that cannot tell."""
    return prefix in ("", site.applied_prefix(name) or prefix)
