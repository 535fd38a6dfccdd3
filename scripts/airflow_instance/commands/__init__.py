"""The subcommands, one module each. A new one is a module and its name in MODULES.

A module has a `COMMAND`, whose ``arguments`` adds options to its parser and whose
``run`` does the work and returns the exit status. Man pages and completion are
made from the same parsers (see ../manual.py), so help texts are whole sentences.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ..errors import USAGE_STATUS

if TYPE_CHECKING:
    from ..layout import Layout
    from ..site import Site


def _never(args: argparse.Namespace) -> bool:
    return False


def always(args: argparse.Namespace) -> bool:
    """For commands that only root may use."""
    return True


class Command(NamedTuple):
    """A subcommand. ``root`` says of a command line whether it needs root.

    ``light`` is run in place of ``run``, with no more than the layout: for what runs
    every minute and is not to pay for importing what reads declarations.
    ``usage_status`` is for a command line that makes no sense.
    """

    name: str
    help: str
    description: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Site, argparse.Namespace], int]
    root: Callable[[argparse.Namespace], bool] = _never
    examples: tuple[tuple[str, str], ...] = ()
    light: Callable[[Layout, argparse.Namespace], int] | None = None
    usage_status: int = USAGE_STATUS


# In the order of the help; a command with a dash is a module with an underscore.
MODULES = (
    "create",
    "ls",
    "show",
    "set",
    "apply",
    "start",
    "stop",
    "restart",
    "enable",
    "disable",
    "status",
    "logs",
    "exec",
    "check",
    "watchdog",
    "doctor",
    "check_keytab",
    "rotate_keys",
    "migrate",
    "respell",
    "backup",
    "restore",
    "clean_logs",
    "rename",
    "drop",
    "upgraded",
)


def load(word: str = "") -> tuple[Command, ...]:
    """Every subcommand; only that called ``word`` when there is one.

    Importing all of them costs more than most commands do.
    """
    module = word.replace("-", "_")
    names = (module,) if module in MODULES else MODULES
    return tuple(import_module(f"{__name__}.{name}").COMMAND for name in names)
