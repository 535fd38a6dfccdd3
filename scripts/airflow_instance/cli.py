"""The command line: parser, privileges, errors and exit status."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from .commands import Command, load
from .errors import USAGE_STATUS, InstanceError, PrivilegeError
from .layout import Layout

if TYPE_CHECKING:
    from .site import Site

PROGRAM = "airflow-instance"
INTERRUPTED = 130

EXIT_STATUS = (
    (0, "done"),
    (1, "an error that has no status of its own; doctor: there is a finding"),
    (2, "it was so already"),
    (3, "a declaration is malformed or not to be trusted; status: not all daemons run"),
    (4, "root, or the instance's own user, is needed; the message has the sudo command"),
    (5, "no such instance"),
    (6, "something else is in the way: an instance, a user, a port, a file"),
    (7, "the system refused: a full disk, a failed command"),
    (8, "there is no usable Airflow where the instance expects it"),
    (9, "another airflow-instance is at work"),
    (10, "clean-logs: something could not be read or deleted"),
    (USAGE_STATUS, "the command line makes no sense"),
)


class Parser(argparse.ArgumentParser):
    """argparse, but a usage error has a status of its own: 2 means "already"."""

    usage_status = USAGE_STATUS

    def error(self, message: str) -> NoReturn:
        self.exit(self.usage_status, f"{self.prog}: error: {message}; {self.prog} --help\n")


def build_parser(commands: Sequence[Command] | None = None) -> Parser:
    """The parser of all commands; man pages and completion are made from it, too."""
    parser = Parser(
        prog=PROGRAM,
        description="Runs as many isolated Airflow instances on this host as are declared in "
        "/etc/airflow/instances.d.",
        allow_abbrev=False,
    )
    below = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True, parser_class=Parser
    )
    loaded = load() if commands is None else commands
    if len(loaded) == 1:
        # What its own parser leaves over of a command line, this one complains about.
        parser.usage_status = loaded[0].usage_status
    for command in loaded:
        inner = below.add_parser(
            command.name,
            help=command.help,
            description=command.description,
            allow_abbrev=False,
        )
        inner.usage_status = command.usage_status
        command.arguments(inner)
        inner.set_defaults(selected=command)
    return parser


def main(argv: Sequence[str] | None = None, site: Site | None = None) -> int:
    """The exit status of a command line; errors are said, one line each."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Only the command that was typed is imported, and the heavy rest when it runs.
    args = build_parser(load(words[0] if words else "")).parse_args(words)
    command: Command = args.selected
    try:
        layout = site.layout if site else Layout.from_environment()
        _check_root(layout, command, args, words)
        # What is made is as readable as its mode says, whatever the caller's umask.
        os.umask(0o022)
        if command.light:
            return command.light(layout, args)
        return command.run(site or _here(), args)
    except InstanceError as error:
        return complain(PROGRAM, error)
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def complain(program: str, error: InstanceError) -> int:
    """Say what went wrong; the exit status for it."""
    for line in error.lines():
        print(f"{program}: error: {line}", file=sys.stderr)
    return error.status


def _here() -> Site:
    from .site import Site

    return Site.here()


def _check_root(
    layout: Layout, command: Command, args: argparse.Namespace, words: Sequence[str]
) -> None:
    if os.geteuid() != 0 and not layout.alternate and command.root(args):
        raise PrivilegeError(
            f"{command.name} needs root", hint=f"sudo {shlex.join([PROGRAM, *words])}"
        )


def launcher(argv: Sequence[str] | None = None, site: Site | None = None) -> int:
    """airflow-NAME: runs airflow for the instance that the command is called after."""
    from . import launch

    words = list(sys.argv if argv is None else argv)
    called = os.path.basename(words[0])
    name = called[len("airflow-") :] if called.startswith("airflow-") else ""
    try:
        site = site or _here()
        launch.go(site, launch.plan(site, name, ["airflow", *words[1:]], [called, *words[1:]]))
    except InstanceError as error:
        return complain(called, error)
    return 0
