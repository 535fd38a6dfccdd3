"""The subcommands, one module each. A new one is a module and a line in COMMANDS.

A module has a `COMMAND`, whose ``arguments`` adds options to its parser and whose
``run`` does the work and returns the exit status. Man pages and completion are
made from the same parsers (see ../manual.py), so help texts are whole sentences.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from ..site import Site


def _never(args: argparse.Namespace) -> bool:
    return False


def always(args: argparse.Namespace) -> bool:
    """For commands that only root may use."""
    return True


@dataclass(frozen=True)
class Command:
    """A subcommand. ``root`` says of a command line whether it needs root."""

    name: str
    help: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Site, argparse.Namespace], int]
    root: Callable[[argparse.Namespace], bool] = _never
    examples: tuple[tuple[str, str], ...] = ()


def load() -> tuple[Command, ...]:
    """Every subcommand, in the order of the help.

    Imported here and not above, so that a module may import this one.
    """
    from . import apply, create, drop, exec, ls, rename, set, show

    modules = (create, ls, show, set, apply, exec, rename, drop)
    return tuple(module.COMMAND for module in modules)
