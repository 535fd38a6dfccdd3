"""What start, stop and restart share: whom they mean, and how they report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .. import declaration, names, quoting
from ..errors import AlreadyError, InstanceError, UsageError
from ..running import StartError
from ..site import Site
from .common import warn

PATIENCE = 300


def add_targets(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="The instances.")
    parser.add_argument("--all", action="store_true", help=f"All instances that {what}.")
    parser.add_argument(
        "--daemon",
        dest="daemons",
        metavar="DAEMON",
        action="append",
        default=[],
        help="Only this one of its daemons, such as scheduler; repeatable.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=seconds,
        default=PATIENCE,
        help=f"How long to wait until the daemons are up; {PATIENCE} by default.",
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="Have systemd start them, and do not look."
    )


def add_tasks(parser: argparse.ArgumentParser) -> None:
    both = parser.add_mutually_exclusive_group()
    both.add_argument(
        "--drain",
        metavar="MINUTES",
        nargs="?",
        type=minutes,
        const=60,
        help="Begin no more tasks, and wait until those that run have ended, 60 minutes at most "
        "by default; then they are killed.",
    )
    both.add_argument(
        "--force",
        action="store_true",
        help="End the tasks that run, with SIGTERM, and after a minute with SIGKILL.",
    )


def seconds(text: str) -> int:
    """A number of seconds from a command line."""
    return _number(text, 86400)


def minutes(text: str) -> int:
    """A number of minutes from a command line."""
    return _number(text, 24 * 60 * 7)


def _number(text: str, most: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {most}")
    return int(text)


def targets(site: Site, args: argparse.Namespace, fits: Callable[[str], bool]) -> list[str]:
    """The instances that the command line means; with --all those that ``fits`` says yes to.

    Raises UsageError, DeclarationError.
    """
    if args.all and args.names:
        raise UsageError("NAME and --all exclude each other")
    if args.all:
        found, problems, warnings = declaration.listed(site.layout)
        warn([*warnings, *map(str, problems)])
        return [name for name in found if fits(name)]
    if not args.names:
        raise UsageError("which instance?", hint="NAME, or --all")
    return [names.check(name) for name in dict.fromkeys(args.names)]


def each(found: Sequence[str], work: Callable[[str], None]) -> int:
    """Do ``work`` for each instance, one's failure not the others' end; the exit status.

    0 when something was done, 2 when all of them were so already, else the first error's.
    """
    done, failed = False, 0
    for name in found:
        try:
            work(name)
            done = True
        except AlreadyError as error:
            print(f"airflow-instance: {error}", file=sys.stderr)
        except InstanceError as error:
            for line in error.lines():
                print(f"airflow-instance: error: {line}", file=sys.stderr)
            if isinstance(error, StartError):
                show_journal(error)
            failed = failed or error.status
    return failed or (0 if done else AlreadyError.status)


def show_journal(error: StartError) -> None:
    """What the daemons said that did not start."""
    for unit, lines in error.journal.items():
        print(f"    {unit}:", file=sys.stderr)
        for line in lines:
            print(f"        {quoting.plain(line)}", file=sys.stderr)


class Progress:
    """A line on a terminal that says what is waited for; nothing elsewhere."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = 0

    def __call__(self, text: str) -> None:
        if sys.stderr.isatty():
            line = f"{self.name}: waiting for {text} …"
            print(f"\r{line.ljust(self.shown)}", end="", file=sys.stderr, flush=True)
            self.shown = len(line)

    def end(self) -> None:
        """Take the line away."""
        if self.shown:
            print(f"\r{' ' * self.shown}\r", end="", file=sys.stderr, flush=True)
            self.shown = 0
