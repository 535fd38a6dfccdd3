"""airflow-instance start."""

from __future__ import annotations

import argparse

from .. import held, running, units
from ..errors import AlreadyError, InstanceError
from ..layout import unit
from ..parameters import expand
from ..site import Site
from . import Command, always
from .common import warn
from .control import Progress, add_targets, add_wait, each, targets


def arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser, "are neither disabled nor absent")
    add_wait(parser)


def startable(site: Site, name: str) -> bool:
    """Whether --all means ``name``; one that cannot be read is meant, and reported."""
    try:
        declared = site.load(name, secrets=False)
        parameters, _ = expand(declared, site.facts)
    except InstanceError:
        return True
    return not declared.absent and parameters[("start",)].value != "disabled"


def start(site: Site, name: str, args: argparse.Namespace) -> None:
    """Start the daemons of one instance. Raises AlreadyError, StartError and others."""
    instance = running.view(site, name)
    daemons = running.chosen(instance, args.daemons)
    wanted = [unit(daemon.name, name) for daemon in daemons]
    states = site.host.states(wanted)
    missing = [u for u in wanted if not (u in states and states[u].runs)]
    if not missing:
        raise AlreadyError(f"{name} runs already")
    warning = running.check_startable(site, instance)
    warn([warning] if warning else [])
    if args.dry_run:
        print(f"{name}: would start {', '.join(map(units.daemon_of, missing))}")
        return
    cursor = site.host.cursor()
    running.begin(site, instance, daemons, whole=not args.daemons)
    held.forget(site, name)
    if args.no_wait:
        print(f"{name}: starting {', '.join(map(units.daemon_of, missing))}")
        return
    progress = Progress(name)
    try:
        running.wait(site, instance, missing, cursor, patience=args.timeout, progress=progress)
    finally:
        progress.end()
    said = f"{name}: started {', '.join(map(units.daemon_of, missing))}"
    if any(daemon.port == "web" for daemon in daemons):
        said += f"; the web UI is {instance.option('base_url')}"
    print(said)


def run(site: Site, args: argparse.Namespace) -> int:
    found = targets(site, args, lambda name: startable(site, name))
    return each(found, lambda name: start(site, name, args))


COMMAND = Command(
    name="start",
    help="start an instance's daemons",
    description="Starts the daemons and waits until they are at work: the web server answers, "
    "the others have their first heartbeat. Says what a daemon that does not start has said. "
    "Exit status 2: they ran already.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance start analytics", ""),
        ("airflow-instance start analytics --daemon webserver", "one daemon only"),
    ),
)
