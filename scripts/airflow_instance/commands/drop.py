"""airflow-instance drop."""

from __future__ import annotations

import argparse
import time

from .. import names
from ..changes import Change, MakeDirectory, Remove, WriteFile
from ..engine import Engine, locked
from ..errors import ConflictError, UnknownInstanceError
from ..layout import Layout
from ..site import Site
from . import Command, always
from .common import add_name, declared_paths, show_changes


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument("--stop", action="store_true", help="Stop it first if it is running.")
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def archive(site: Site, name: str) -> tuple[str, list[Change]]:
    """Where the declarations of ``name`` go, and what moves them there."""
    layout: Layout = site.layout
    place = layout.dropped_dir(name, time.strftime("%Y%m%dT%H%M%S"))
    changes: list[Change] = [MakeDirectory(place, 0o700, "root", "root")]
    for path, copy in zip(declared_paths(layout, name), ("instance.yaml", "secrets.yaml")):
        content = site.tree.read(path)
        if content is not None:
            changes.append(WriteFile(f"{place}/{copy}", content, None, 0o600, "root", "root"))
            changes.append(Remove(path))
    changes.append(Remove(layout.seen(layout.ports_file(name))))
    return place, changes


def run(site: Site, args: argparse.Namespace) -> int:
    name, layout = names.check(args.name), site.layout
    with locked(layout):
        if site.tree.status(layout.seen(layout.instance_file(name))) is None:
            raise UnknownInstanceError(
                f"there is no instance {name}",
                hint="airflow-instance ls shows those that are declared",
            )
        stops = site.planner.stops(name)
        if stops and not args.stop:
            raise ConflictError(
                f"{name} is running", hint=f"airflow-instance drop --stop {name} stops it first"
            )
        place, moves = archive(site, name)
        changes = [*site.retire(name), *moves]
        show_changes(name, changes, diff=False, would=args.dry_run)
        if args.dry_run:
            return 0
        engine = Engine(site.tree, site.host)
        try:
            engine.execute(changes)
        except BaseException:
            engine.take_back()
            raise
    print(f"dropped {name}. Its declaration is in {place};")
    print("its home, keys, user and database were left as they are.")
    return 0


COMMAND = Command(
    name="drop",
    help="take an instance off the host, its data left alone",
    description="Removes what was rendered outside of the home (the command airflow-NAME, the "
    "environment file, drop-ins) and moves the declaration to /var/lib/airflow-instances/dropped. "
    "Home, logs, database, keys and user stay: a new instance of the same name adopts them.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(("airflow-instance drop --stop analytics", ""),),
)
