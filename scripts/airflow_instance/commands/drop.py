"""airflow-instance drop."""

from __future__ import annotations

import argparse
import sys
import time

from .. import backups, names, removal, stopping
from ..changes import Change, MakeDirectory, Remove, WriteFile
from ..engine import Engine, locked
from ..errors import ConflictError, InstanceError, UnknownInstanceError, UsageError
from ..removal import Removal
from ..site import Site
from . import Command, always
from .common import add_name, show_changes


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("--stop", action="store_true", help="Stop it first if it is running.")
    parser.add_argument(
        "--delete-database",
        action="store_true",
        help="Delete the SQLite file, or database and user on this host's own server.",
    )
    parser.add_argument("--delete-logs", action="store_true", help="Delete the logs of tasks.")
    parser.add_argument(
        "--delete-home",
        action="store_true",
        help="Delete what is in the home, DAGs too, but for logs and an SQLite database.",
    )
    parser.add_argument(
        "--delete-user",
        action="store_true",
        help="Delete user and group; only with the whole home, and if create made them.",
    )
    parser.add_argument(
        "--no-backup", action="store_true", help="Make no backup of what is deleted."
    )
    parser.add_argument("--yes", action="store_true", help="Do not ask before deleting.")
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def archive(site: Site, name: str, *, keys: bool = False) -> tuple[str, list[Change]]:
    """Where the declarations of ``name`` go, and what moves them there."""
    layout, stamp = site.layout, time.strftime("%Y%m%dT%H%M%S")
    place, number = layout.dropped_dir(name, stamp), 1
    while site.tree.status(place) is not None:
        number += 1
        place = layout.dropped_dir(name, f"{stamp}-{number}")
    changes: list[Change] = [MakeDirectory(place, 0o700, "root", "root")]
    for path, copy in removal.archived(layout, name, keys=keys).items():
        content = site.tree.read(path)
        if content is not None:
            changes.append(WriteFile(f"{place}/{copy}", content, None, 0o600, "root", "root"))
            changes.append(Remove(path))
    changes.append(Remove(layout.seen(layout.ports_file(name))))
    return place, changes


def run(site: Site, args: argparse.Namespace) -> int:
    name, layout = names.check(args.name), site.layout
    with locked(layout, name=name):
        if not removal.declared(site, name):
            raise UnknownInstanceError(
                f"there is no instance {name}",
                hint="airflow-instance ls shows those that are declared",
            )
        stops = site.planner.stops(name)
        if stops and not args.stop:
            raise ConflictError(
                f"{name} is running", hint=f"airflow-instance drop --stop {name} stops it first"
            )
        wanted = _wanted(site, name, args)
        for line in wanted.describe() if wanted else ():
            print(f"{name}: {'would' if args.dry_run else 'will'} {line}")
        if args.dry_run:
            show_changes(name, site.retire(name), diff=False, would=True)
            show_changes(name, archive(site, name)[1], diff=False, would=True)
            return 0
        if wanted:
            _confirm(name, args)
            removal.check(site, wanted)
        engine = Engine(site.tree, site.host)
        with stopping.watched(site, name, stops):
            engine.execute(stops)
        stamp = _delete(site, engine, wanted, args) if wanted else ""
        with locked(layout):
            place = _retire(site, name, keys=bool(wanted and (wanted.server or wanted.sqlite)))
            if wanted:
                removal.delete_account(site, wanted)
    _report(name, place, wanted, stamp)
    return 0


def _wanted(site: Site, name: str, args: argparse.Namespace) -> Removal | None:
    """What is to be deleted; None when nothing is, so that any declaration can be dropped."""
    if args.delete_database or args.delete_logs or args.delete_home or args.delete_user:
        return removal.plan(site, site.view(site.load(name)), args)
    return None


def _confirm(name: str, args: argparse.Namespace) -> None:
    if args.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked whether to delete that", hint="add --yes")
    if input(f"Type {name} to do that: ") != name:
        raise InstanceError("nothing was done")


def _delete(site: Site, engine: Engine, wanted: Removal, args: argparse.Namespace) -> str:
    """Back up, then delete; the backup's stamp."""
    name, stamp = wanted.instance.name, ""
    if wanted.data and not args.no_backup:
        try:
            stamp = backups.make(site, wanted.instance).stamp
        except InstanceError as error:
            error.hint = f"{error.hint}; --no-backup deletes without".lstrip("; ")
            raise
        print(f"{name}: backed up as {stamp}", flush=True)
    removal.delete_data(site, engine, wanted)
    return stamp


def _retire(site: Site, name: str, *, keys: bool) -> str:
    place, moves = archive(site, name, keys=keys)
    changes = [*site.retire(name), *moves]
    engine = Engine(site.tree, site.host)
    try:
        engine.execute(changes)
    except BaseException:
        engine.take_back()
        raise
    show_changes(name, changes, diff=False, would=False)
    return place


def _report(name: str, place: str, wanted: Removal | None, stamp: str) -> None:
    print(f"dropped {name}. Its declaration is in {place};")
    if wanted is None:
        print("its home, keys, user and database were left as they are.")
        return
    for line in wanted.describe():
        print(f"{name}: {line}: done")
    if stamp:
        print(f"all of it comes back with: airflow-instance restore {name} {stamp}")


COMMAND = Command(
    name="drop",
    help="take an instance off the host; its data only when told so",
    description="Removes what was rendered outside of the home (the command airflow-NAME, the "
    "environment file, drop-ins) and moves the declaration to /var/lib/airflow-instances/dropped. "
    "Home, logs, database, keys and user stay: a new instance of the same name adopts them. With "
    "--delete-… they go, after a backup. What is in the home is deleted with the rights of the "
    "service user, and nothing of it is when something there is another user's, or on another "
    "file system.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance drop --stop analytics", ""),
        (
            "airflow-instance drop --delete-database --delete-logs --delete-home --delete-user "
            "analytics",
            "nothing is left but a backup",
        ),
    ),
)
