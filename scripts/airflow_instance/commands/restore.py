"""airflow-instance restore."""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import replace

from .. import backups, dumps, former, heads, held, migration, names, restoring
from ..backups import Backup
from ..changes import Change
from ..engine import Engine, locked
from ..errors import ConflictError, InstallationError, InstanceError
from ..instance import Instance
from ..site import InstancePlan, Site
from ..standstill import require, standstill
from ..undo import take_back
from ..versions import parse
from . import Command, always
from .common import add_name, show_changes, warn
from .create import check_launcher


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "stamp", metavar="STAMP", nargs="?", default="", help="The backup; the newest by default."
    )
    parser.add_argument(
        "--as",
        dest="new",
        metavar="NEW",
        default="",
        help="Make a new instance of it, with a user, home, ports and database of its own.",
    )
    parser.add_argument(
        "--database-only",
        action="store_true",
        help="Leave declaration, secrets, keys and ports as they are.",
    )
    parser.add_argument(
        "--stop", action="store_true", help="Stop it first, and start again what ran."
    )
    parser.add_argument(
        "--no-backup", action="store_true", help="Make no backup of what is overwritten."
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def run(site: Site, args: argparse.Namespace) -> int:
    name = names.check(args.name)
    backup = backups.find(site.layout, name, args.stamp)
    backups.verify(backup)
    print(f"{name}: the backup {backup.stamp} of Airflow {backup.airflow} is whole", flush=True)
    if args.new:
        _as_new(site, backup, names.check(args.new), dry_run=args.dry_run)
    else:
        _in_place(site, backup, args)
    return 0


def _in_place(site: Site, backup: Backup, args: argparse.Namespace) -> None:
    """Make ``backup``'s instance what it was.

    Raises ConflictError when it is running, or the backup does not fit; HostError, what
    was there put back, when something fails.
    """
    name = backup.name
    with locked(site.layout, name=name):
        units = require(site, name, stop=args.stop, typed=f"airflow-instance restore --stop {name}")
        changes = [] if args.database_only else restoring.config(site, backup)
        if args.dry_run:
            show_changes(name, changes, diff=False, would=True)
            print(f"{name}: would replace the database by {backup.dump or 'nothing'}")
            return
        with standstill(site, name, units):
            safety = None if args.no_backup else _safety(site, name)
            _replace(site, backup, changes, safety)


def _safety(site: Site, name: str) -> Backup | None:
    """A backup of what is there; None when there is nothing."""
    if site.tree.status(site.layout.seen(site.layout.instance_file(name))) is None:
        return None
    instance = site.view(site.as_applied(site.load(name)))
    try:
        made = backups.make(site, instance)
    except InstanceError as error:
        error.hint = f"{error.hint}; --no-backup restores without saving what is there".lstrip("; ")
        raise
    print(f"{name}: what is there now is kept as {made.stamp}", flush=True)
    return made


def _replace(site: Site, backup: Backup, changes: list[Change], safety: Backup | None) -> None:
    name = backup.name
    engine = Engine(site.tree, site.host)
    begun = False
    try:
        with locked(site.layout):
            engine.execute(changes)
            plans, warnings = site.plan([name])
            warn([*warnings, *plans[0].warnings])
            instance = restoring.fitting(plans[0], backup)
            engine.execute([*plans[0].changes], lambda line: print(f"{name}: {line}"))
        begun = True
        _load(site, backup, instance)
    except BaseException as error:
        with locked(site.layout):
            failed = engine.take_back()
        if begun and safety:
            failed += _put_back(site, safety)
        if isinstance(error, InstanceError):
            error.message += "; what was there was put back"
            if failed:
                error.message += f", but for: {'; '.join(failed)}"
            if safety:
                error.hint = f"{error.hint}; {safety.stamp} has what was there".lstrip("; ")
        raise
    _report(site, backup, instance)


def _put_back(site: Site, safety: Backup) -> list[str]:
    """The database as it was; what of it failed."""
    try:
        if safety.dump:
            old = site.view(site.as_applied(site.load(safety.name)))
            dumps.restore(site, old, safety.path / safety.dump)
    except InstanceError as error:
        return [error.message]
    return []


def _load(site: Site, backup: Backup, instance: Instance) -> None:
    """Replace the database."""
    if backup.dump:
        print(f"{instance.name}: replacing the database …", flush=True)
        dumps.restore(site, instance, backup.path / backup.dump)


def _report(site: Site, backup: Backup, instance: Instance) -> None:
    schema = heads.state(site, instance)
    print(f"{instance.name}: restored from {backup.stamp}")
    if schema.state == heads.CURRENT:
        former.forget(site.tree, instance.name)
        resumed = held.resume(site, instance)
        if resumed:
            print(f"{instance.name}: starting what was stopped before: {' '.join(resumed)}")
    if schema.state == heads.PENDING:
        _remember(site, backup, instance)
    if schema.state == heads.PENDING or (schema.state == heads.FRESH and not backup.dump):
        print(f"next: airflow-instance migrate {instance.name}")


def _remember(site: Site, backup: Backup, instance: Instance) -> None:
    """Write down whose the database is that has come back."""
    with contextlib.suppress(InstallationError):
        item = former.item(instance.name, parse(backup.airflow))
        Engine(site.tree, site.host).execute(site.planner.plan([replace(item, once=False)]))


def _as_new(site: Site, backup: Backup, new: str, *, dry_run: bool) -> None:
    """Make the instance ``new`` of ``backup``.

    Raises ConflictError when there is one already; what `site.plan` and the engine
    raise, everything taken back.
    """
    layout = site.layout
    engine = Engine(site.tree, site.host)
    plan: InstancePlan | None = None
    with locked(layout, name=new):
        try:
            with locked(layout):
                check_launcher(site, new)
                writes = restoring.copies(site, backup, new)
                engine.execute(writes)
                plans, warnings = site.plan([new])
                plan = plans[0]
                warn([*warnings, *plan.warnings])
                instance = restoring.fitting(plan, backup)
                if dry_run:
                    engine.take_back()
                    show_changes(new, [*writes, *plan.changes], diff=False, would=True)
                    return
                engine.execute(plan.changes)
            schema = heads.state(site, instance)
            if schema.state == heads.UNREACHABLE:
                raise migration.explain(site, instance, schema)
            if schema.state != heads.FRESH:
                raise ConflictError(
                    f"there is something in the database of {new} already",
                    hint="empty it first, or choose another name",
                )
            _load(site, backup, instance)
        except BaseException as error:
            take_back(site, engine, new, plan, error)
            raise
        _report(site, backup, instance)


COMMAND = Command(
    name="restore",
    help="bring back an instance, or a copy of it, from a backup",
    description="Reads all of the backup and compares it with its hashes; then makes a backup of "
    "what is there now, puts declaration, secrets, keys and ports back, applies them, and "
    "replaces the database. When that fails, what was there is put back. --as makes another "
    "instance of it instead, which can read the connections in the database, because it has "
    "the same fernet key. DAGs and logs are in no backup.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance restore --stop analytics", "the newest backup"),
        ("airflow-instance restore analytics 20260301T030000Z --as analytics-test", ""),
    ),
)
