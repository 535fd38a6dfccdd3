"""airflow-instance rename."""

from __future__ import annotations

import argparse
from dataclasses import replace

from .. import backups, edit, names, readfile
from ..changes import Change, MoveHome, Remove, WriteFile
from ..engine import Engine, locked
from ..errors import ConflictError, UnknownInstanceError
from ..parameters import expand
from ..site import Site
from . import Command, always
from .common import declared_paths, show_changes, warn
from .create import check_launcher

# What must not follow the name: data and accounts stay where and what they are.
_PINNED = ("service_user", "service_group", "airflow_home", "db_name", "db_user")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="OLD", help="The instance.")
    parser.add_argument("new", metavar="NEW", help="Its new name.")
    parser.add_argument(
        "--move-home",
        action="store_true",
        help="Move the home to where NEW's would be, such as /srv/airflow-NEW.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def run(site: Site, args: argparse.Namespace) -> int:
    old, new, layout = names.check(args.name), names.check(args.new), site.layout
    with locked(layout, name=old), locked(layout):
        _check(site, old, new)
        engine = Engine(site.tree, site.host)
        try:
            moves = _moves(site, old, new, move_home=args.move_home)
            retirement = site.retire(old)
            engine.execute(moves if args.dry_run else [*retirement, *moves])
            plans, warnings = site.plan([new])
            warn([*warnings, *plans[0].warnings])
            if args.dry_run:
                engine.take_back()
            else:
                engine.execute(plans[0].changes)
        except BaseException:
            engine.take_back()
            raise
    changes = [*retirement, *moves, *plans[0].changes]
    show_changes(new, changes, diff=False, would=args.dry_run)
    if not args.dry_run and backups.stamps(layout, old):
        print(f"{new}: its backups stay {old}'s: airflow-instance backup --list {old}")
    return 0


def _check(site: Site, old: str, new: str) -> None:
    layout = site.layout
    for name, wanted in ((old, True), (new, False)):
        path = layout.seen(layout.instance_file(name))
        if (site.tree.status(path) is not None) is not wanted:
            if wanted:
                raise UnknownInstanceError(f"there is no instance {name}")
            raise ConflictError(f"{name} is declared already, in {path}")
    if layout.keys_file(new).exists():
        raise ConflictError(
            f"{layout.seen(layout.keys_file(new))} holds the keys of another instance's data",
            hint="move that file away when its database is gone",
        )
    check_launcher(site, new)
    if site.planner.stops(old):
        raise ConflictError(f"{old} is running", hint=f"airflow-instance stop {old}")


def _moves(site: Site, old: str, new: str, *, move_home: bool) -> list[Change]:
    """The files of ``old`` under ``new``'s name, what hung on the name written out."""
    layout = site.layout
    declared = site.load(old)
    before, _ = expand(declared, site.facts)
    after, _ = expand(replace(declared, name=new), site.facts)
    where = layout.seen(layout.instance_file(old))
    source = readfile.read(layout.instance_file(old), where)
    assert source is not None  # it was there a moment ago, and we hold the lock
    text = source.text
    here, there = (str(leaves[("airflow_home",)].value) for leaves in (before, after))
    if move_home and here == there:
        raise ConflictError(
            f"the home {here} does not follow from the name",
            hint="leave out --move-home",
        )
    for key in _PINNED:
        value = str(before[(key,)].value)
        if value != after[(key,)].value and not (move_home and key == "airflow_home"):
            text = edit.set_value(text, (key,), value, where)
    changes: list[Change] = [
        WriteFile(
            layout.seen(layout.instance_file(new)), text.encode(), None, source.mode, "root", "root"
        )
    ]
    copies = [
        (layout.secrets_file, 0o600),
        (layout.keys_file, 0o600),
        (layout.ports_file, 0o644),
    ]
    removed = declared_paths(layout, old)[:1]
    for file, mode in copies:
        path = layout.seen(file(old))
        content = site.tree.read(path)
        if content is not None:
            changes.append(WriteFile(layout.seen(file(new)), content, None, mode, "root", "root"))
            removed.append(path)
    changes += [Remove(path) for path in removed]
    if move_home:
        changes.append(MoveHome(here, there, str(before[("service_user",)].value)))
    return changes


COMMAND = Command(
    name="rename",
    help="give a stopped instance another name",
    description="Renames the declaration, keys and ports, the command airflow-NAME and the units. "
    "User, home and database keep their names: what followed from the old name is written into "
    "the declaration; with --move-home the home does not. When anything fails, all of it is "
    "taken back.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(("airflow-instance rename analytics analytics-old", ""),),
)
