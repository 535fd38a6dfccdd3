"""airflow-instance logs."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import sys

from .. import names
from ..errors import HostError, PrivilegeError, UnknownInstanceError, UsageError
from ..layout import Layout, unit
from ..rights import HELPERS
from ..run import ENVIRONMENT
from ..site import Site
from ..suggest import did_you_mean
from ..versions import table
from . import Command
from .common import add_name

LINES = 100
# A date, a time, or both; or so long ago. journalctl knows more, but nothing that is needed.
_WHEN = re.compile(
    r"today|yesterday|-?\d{1,6} ?(?:s|min|h|d|days?|hours?|minutes?|weeks?)(?: ago)?"
    r"|(?:\d{4}-\d\d-\d\d)?(?: ?\d\d:\d\d(?::\d\d)?)?"
)
_JOURNALS = ("/var/log/journal", "/run/log/journal")
_TERMINAL = ("TERM", "COLUMNS", "LANG", "LC_ALL", "LC_TIME", "TZ", "NO_COLOR")


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "daemons",
        metavar="DAEMON",
        nargs="*",
        help="Only these, such as scheduler, clean-logs or watchdog, right behind NAME; all by "
        "default.",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="Wait for more, and show it.")
    parser.add_argument(
        "-n",
        "--lines",
        metavar="LINES",
        help=f"How many; {LINES} by default, or all of them with --since.",
    )
    parser.add_argument(
        "--since",
        metavar="WHEN",
        help="From then on: today, 2021-05-21, '2021-05-21 12:30', or '-2 hours'.",
    )


def units(name: str, daemons: list[str]) -> list[str]:
    """The units that are asked for. Raises UsageError for one that is none."""
    known = [*(daemon.name for daemon in table().daemons), *HELPERS]
    for daemon in daemons:
        if daemon not in known:
            hint = did_you_mean(daemon, known) or f"known are {', '.join(known)}"
            raise UsageError(f"no instance has a daemon {daemon!r}", hint=hint)
    return [unit(daemon, name) for daemon in daemons or ["", *known]]


def command(name: str, args: argparse.Namespace) -> list[str]:
    """The command line of journalctl. Raises UsageError for what is none of its own."""
    words = ["journalctl", "--no-pager", *(f"--unit={u}" for u in units(name, args.daemons))]
    if args.lines is not None:
        if not re.fullmatch(r"[0-9]{1,7}", args.lines):
            raise UsageError(f"{args.lines!r} is no number of lines")
        words.append(f"--lines={int(args.lines)}")
    elif args.since is None:
        words.append(f"--lines={LINES}")
    if args.since is not None:
        if not args.since.strip() or not _WHEN.fullmatch(args.since):
            raise UsageError(
                f"{args.since!r} is no time", hint="such as today or '2021-05-21 12:30'"
            )
        words.append(f"--since={args.since}")
    return [*words, *(["--follow"] if args.follow else [])]


def readable(layout: Layout) -> bool:
    """Whether the journal of the system may be read, or there is none yet."""
    found = [path for place in _JOURNALS for path in layout.real(place).glob("*/system.journal")]
    folders = [layout.real(place) for place in _JOURNALS if layout.real(place).is_dir()]
    return all(os.access(path, os.R_OK) for path in found or folders)


def run(site: Site, args: argparse.Namespace) -> int:
    name = names.check(args.name)
    if site.tree.status(site.layout.seen(site.layout.instance_file(name))) is None:
        raise UnknownInstanceError(f"there is no instance {name}", hint="airflow-instance ls")
    words = command(name, args)
    if not readable(site.layout):
        typed = shlex.join(["airflow-instance", *sys.argv[1:]])
        raise PrivilegeError("the journal cannot be read", hint=f"sudo {typed}")
    program = shutil.which(words[0], path=ENVIRONMENT["PATH"])
    if program is None:
        raise HostError("there is no journalctl", hint="apt install systemd")
    terminal = {key: os.environ[key] for key in _TERMINAL if key in os.environ}
    sys.stdout.flush()
    os.execve(program, words, {**ENVIRONMENT, **terminal})


COMMAND = Command(
    name="logs",
    help="show what an instance's daemons wrote to the journal",
    description="Prints the journal of the units of this instance and of no others, and no more "
    "than its last lines unless it is told otherwise. It runs no pager. For root, for who may "
    "read the journal, and with sudo for the instance's team_group.",
    arguments=arguments,
    run=run,
    examples=(
        ("airflow-instance logs analytics -f", ""),
        ("airflow-instance logs analytics scheduler --since today", ""),
    ),
)
