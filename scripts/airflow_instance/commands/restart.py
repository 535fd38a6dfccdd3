"""airflow-instance restart."""

from __future__ import annotations

import argparse
import contextlib

from .. import running
from ..errors import AlreadyError
from ..site import Site
from . import Command, always
from .control import add_targets, add_tasks, add_wait, each, targets
from .start import start, startable
from .stop import stop


def arguments(parser: argparse.ArgumentParser) -> None:
    add_targets(parser, "are neither disabled nor absent")
    add_tasks(parser)
    add_wait(parser)


def restart(site: Site, name: str, args: argparse.Namespace) -> None:
    """Stop the daemons of one instance, and start them."""
    # What would refuse the start is better known while it still runs.
    instance = running.view(site, name)
    running.chosen(instance, args.daemons)
    running.check_startable(site, instance)
    with contextlib.suppress(AlreadyError):
        stop(site, name, args, "restart")
    if args.dry_run:
        print(f"{name}: would start it again")
        return
    start(site, name, args)


def run(site: Site, args: argparse.Namespace) -> int:
    found = targets(site, args, lambda name: startable(site, name))
    return each(found, lambda name: restart(site, name, args))


COMMAND = Command(
    name="restart",
    help="stop an instance's daemons, and start them again",
    description="As stop, and then start: refuses when tasks run that would be ended by it, and "
    "waits until the daemons are at work. What does not run is started.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance restart analytics --drain", "once the tasks that run have ended"),
        ("airflow-instance restart analytics --daemon webserver", ""),
    ),
)
