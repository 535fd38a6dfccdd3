"""airflow-instance set."""

from __future__ import annotations

import argparse
import getpass
import sys

from .. import edit, moving, names, readfile
from ..changes import Change, MakeDirectory, WriteFile
from ..engine import Engine, locked
from ..errors import AlreadyError, InstanceError, UnknownInstanceError, UsageError
from ..leaves import Path
from ..parameters import expand
from ..secrecy import exposed
from ..site import Site
from . import Command, always
from .common import add_name, add_preview, carry_out, show_changes, warn


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "values",
        metavar="KEY=VALUE",
        nargs="+",
        help="The parameter and its value, such as airflow_config.core.parallelism=64. "
        "KEY=- reads the value from standard input, as secrets have to be; "
        "with --unset, KEY alone.",
    )
    parser.add_argument("--unset", action="store_true", help="Take the parameters away.")
    parser.add_argument(
        "--secret", action="store_true", help="Write to secrets.d whatever the parameter is."
    )
    parser.add_argument("--apply", action="store_true", help="Apply the instance afterwards.")
    add_preview(parser)


def run(site: Site, args: argparse.Namespace) -> int:
    name = names.check(args.name)
    with locked(site.layout):
        if site.tree.status(site.layout.seen(site.layout.instance_file(name))) is None:
            raise UnknownInstanceError(
                f"there is no instance {name}", hint=f"airflow-instance create {name}"
            )
        changes = _edits(site, name, args)
        if not changes:
            raise AlreadyError(f"{name} is so already")
        engine = Engine(site.tree, site.host)
        try:
            engine.execute(changes)
            # What the file says now has to make sense before it is left there.
            expand(site.load(name), site.facts)
            plans, warnings = moving.plan(site, [name]) if args.apply else ([], [])
            warn([*warnings, *(w for plan in plans for w in plan.warnings)])
        except InstanceError:
            engine.take_back()
            raise
        if args.dry_run:
            engine.take_back()
        show_changes(name, changes, diff=args.diff, would=args.dry_run)
        carry_out(site, plans, args)
    if not args.apply and not args.dry_run:
        print(f"next: airflow-instance apply {name}")
    return 0


def _edits(site: Site, name: str, args: argparse.Namespace) -> list[Change]:
    """The files with the edits in them; only those that differ."""
    layout = site.layout
    public = layout.seen(layout.instance_file(name))
    private = layout.seen(layout.secrets_file(name))
    before = {
        public: _text(site, public, secret=False),
        private: _text(site, private, secret=True),
    }
    after = dict(before)
    for word in args.values:
        key, equals, value = word.partition("=")
        path = edit.path_of(key)
        if args.unset:
            if equals:
                raise UsageError(f"{word!r}: --unset takes KEY alone")
            # What is in secrets.d is on top, so that goes first.
            file = private if _is_set(after[private], path, private) else public
            after[file] = edit.unset(after[file], path, file)
            continue
        if not equals:
            raise UsageError(f"{word!r} is not KEY=VALUE")
        secret = args.secret or exposed(path, value)
        if secret and value != "-":
            raise UsageError(
                f"{key} is a secret: a command line can be seen by everyone",
                hint=f"airflow-instance set {name} {key}=- reads it from standard input",
            )
        if value == "-":
            value = _ask(key)
            secret = secret or exposed(path, value)
        file = private if secret else public
        after[file] = edit.set_value(after[file], path, edit.typed(path, value), file)
    modes = {public: 0o644, private: 0o600}
    directory = layout.seen(layout.secrets_dir)
    changes: list[Change] = []
    if after[private] and site.tree.status(directory) is None:
        changes.append(MakeDirectory(directory, 0o700, "root", "root"))
    return changes + [
        WriteFile(
            path=file,
            content=after[file].encode(),
            old=before[file].encode() if before[file] else None,
            mode=_mode(site, file, modes[file]),
            owner="root",
            group="root",
        )
        for file in (public, private)
        if after[file] != before[file]
    ]


def _text(site: Site, path: str, *, secret: bool) -> str:
    source = readfile.read(site.layout.real(path), path, secret=secret)
    return source.text if source else ""


def _mode(site: Site, path: str, default: int) -> int:
    found = site.tree.status(path)
    return found.mode if found else default


def _is_set(text: str, path: Path, where: str) -> bool:
    try:
        edit.unset(text, path, where)
    except InstanceError as error:
        return "is not set" not in error.message
    return True


def _ask(key: str) -> str:
    """One line of standard input; not echoed when a person types it."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{key}: ")
    return sys.stdin.readline().rstrip("\r\n")


COMMAND = Command(
    name="set",
    help="change a parameter in an instance's declaration",
    description="Edits /etc/airflow/instances.d/NAME.yaml, or secrets.d for secrets, and leaves "
    "everything else in the file as it is, comments too. A value that is written in a form that "
    "cannot be edited safely is refused. Exit status 2: it was so already.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance set analytics airflow_config.core.parallelism=64 --apply", ""),
        ("airflow-instance set analytics installation=2.11 --apply", "/usr/lib/airflow-2.11"),
        ("pass show analytics-db | airflow-instance set analytics db_password=-", ""),
    ),
)
