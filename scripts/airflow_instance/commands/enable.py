"""airflow-instance enable."""

from __future__ import annotations

import argparse

from .. import names
from ..errors import AlreadyError
from ..parameters import expand
from ..site import Site
from . import Command, always
from . import set as edit
from .common import add_name, add_preview


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    add_preview(parser)


def change(site: Site, args: argparse.Namespace, mode: str) -> int:
    """Declare how the instance is started, and apply that.

    Raises AlreadyError and what `set` raises.
    """
    name = names.check(args.name)
    parameters, _ = expand(site.load(name), site.facts)
    if parameters[("start",)].value == mode:
        raise AlreadyError(f"{name} is so already: start: {mode}")
    args.values, args.unset, args.secret, args.apply = [f"start={mode}"], False, False, True
    return edit.run(site, args)


def run(site: Site, args: argparse.Namespace) -> int:
    return change(site, args, "auto")


COMMAND = Command(
    name="enable",
    help="have an instance started with the host",
    description="Sets start: auto in the declaration and applies it. It is not started now. "
    "Exit status 2: it was so already.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(("airflow-instance enable analytics", ""),),
)
