"""airflow-instance stop."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import held, stopping, units
from ..errors import AlreadyError, HostError, InstanceError, UsageError
from ..layout import unit
from ..site import Site
from . import Command, always
from .common import warn
from .control import Progress, add_targets, add_tasks, each, targets


def arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser, "are declared")
    add_tasks(parser)


def stop(site: Site, name: str, args: argparse.Namespace, verb: str = "stop") -> None:
    """Stop the daemons of one instance. Raises AlreadyError, ConflictError, HostError."""
    if not site.host.can_start:
        raise HostError("there is no systemd here to stop units")
    wanted = [unit(word, name) for word in _known(args.daemons)] or stopping.own_units(name)
    states = [state for state in site.host.states(wanted).values() if not state.at_rest]
    if not states:
        held.forget(site, name)
        raise AlreadyError(f"{name} does not run")
    if not args.force and args.drain is None:
        stopping.check_tasks(site, name, states, verb)
    active = [state.unit for state in states]
    said = ", ".join(_said(name, active))
    if args.dry_run:
        print(f"{name}: would stop {said}")
        return
    progress = Progress(name)
    work = stopping.Stop(site, name, progress=progress)
    try:
        _work(work, name, active, args)
    finally:
        progress.end()
    held.forget(site, name)
    print(f"{name}: stopped {said}")


def _work(work: stopping.Stop, name: str, active: Sequence[str], args: argparse.Namespace) -> None:
    if args.force:
        ended = work.force(active)
        if ended:
            warn([f"{name}: tasks ended: {stopping.listed(ended)}"])
    elif args.drain is not None:
        killed = work.drain(active, args.drain)
        if killed:
            names = ", ".join(map(units.daemon_of, killed))
            raise InstanceError(
                f"{name}: tasks still ran after {args.drain} minutes, and were killed with {names}",
                hint="look for failed tasks in the web UI",
            )
    else:
        work.gently(active)


def _known(words: Sequence[str]) -> Sequence[str]:
    known = [units.daemon_of(name) for name in units.every("x")]
    for word in words:
        if word not in known:
            raise UsageError(f"there is no daemon {word}", hint=f"there are {', '.join(known)}")
    return words


def _said(name: str, active: Sequence[str]) -> list[str]:
    """The daemons among ``active``; the instance itself when it has none that runs."""
    daemons = [units.daemon_of(u) for u in active if u != unit("", name)]
    return daemons or ["the instance"]


def run(site: Site, args: argparse.Namespace) -> int:
    found = targets(site, args, lambda name: True)
    return each(found, lambda name: stop(site, name, args))


COMMAND = Command(
    name="stop",
    help="stop an instance's daemons, no running task silently with them",
    description="Refuses when tasks run in the units that are to be stopped, unless told what is "
    "to become of them: --drain lets them finish, --force ends them. systemctl stop lets them "
    "finish, too, for ten minutes. Exit status 2: nothing ran.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance stop analytics", ""),
        ("airflow-instance stop analytics --drain=120", "two hours for what runs"),
    ),
)
