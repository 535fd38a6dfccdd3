"""airflow-instance migrate."""

from __future__ import annotations

import argparse
import time

from .. import backups, dumps, former, heads, held, migration, moved, moving, names, transition
from ..backups import Backup
from ..engine import locked
from ..errors import AlreadyError, HostError, InstanceError
from ..heads import Schema
from ..instance import Instance
from ..moved import Moves
from ..site import Site
from ..standstill import require, standstill
from ..versions import Version, table
from . import Command, always
from .common import add_name, warn


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "--stop", action="store_true", help="Stop it first, and start again what ran."
    )
    parser.add_argument(
        "--no-backup",
        action="store_true",
        help="Make no backup before; a migration that fails cannot be taken back then.",
    )
    parser.add_argument(
        "--if-empty",
        action="store_true",
        help="Only make the tables of a new database; one that has tables stays as it is, with "
        "exit status 2. For a configuration management.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def run(site: Site, args: argparse.Namespace) -> int:
    name = names.check(args.name)
    with locked(site.layout, name=name):
        instance = site.view(site.load(name))
        moving.require_applied(site, instance)
        # Whose files are there, and whose database: both may be of another Airflow.
        old = former.outdated(site.tree, name, instance.installation)
        moves = _moves(site, instance, old)
        schema = heads.state(site, instance)
        if args.if_empty and schema.state not in (heads.FRESH, heads.UNREACHABLE):
            raise AlreadyError(f"the database of {name} has its tables")
        if schema.state == heads.CURRENT:
            return _rendered(site, instance, moves, old, dry_run=args.dry_run)
        if schema.state not in (heads.FRESH, heads.PENDING):
            raise migration.explain(site, instance, schema)
        fresh = schema.state == heads.FRESH
        verb = migration.INIT if fresh else migration.UPGRADE
        save = not fresh and not args.no_backup
        if save:
            dumps.file_name(instance)  # or there is no way to
        units = require(site, name, stop=args.stop, typed=f"airflow-instance migrate --stop {name}")
        if args.dry_run:
            _preview(instance, schema, units, save=save, render=old is not None)
            _report(moves)
            return 0
        if old:
            # Should it fail, the former Airflow is to start it again.
            held.hold(site, name, transition.states(site, name))
        with standstill(site, name, units):
            if old:
                instance = _render(site, name)
            backup = _back_up(site, instance) if save else None
            _migrate(site, instance, verb, backup)
            former.forget(site.tree, name)
        _report(moves)
        resumed = held.resume(site, instance)
        if resumed:
            print(f"{name}: starting what was stopped before: {' '.join(resumed)}")
    return 0


def _moves(site: Site, instance: Instance, old: Version | None) -> Moves | None:
    """What is other than in the Airflow that the database is of."""
    was = former.of_database(site.tree, instance.name) or old
    return moved.of(site, instance, was) if was else None


def _report(moves: Moves | None) -> None:
    for line in moved.lines(moves) if moves else ():
        print(line)


def _rendered(
    site: Site, instance: Instance, moves: Moves | None, old: Version | None, *, dry_run: bool
) -> int:
    """For a database that needs nothing: render what another Airflow has left.

    Raises AlreadyError when that is done, too.
    """
    name = instance.name
    if old is None:
        former.forget(site.tree, name)
        raise AlreadyError(f"the database of {name} is as {_airflow(instance)} wants it")
    if dry_run:
        print(f"{name}: would render it for {_airflow(instance)}, and restart what runs")
    else:
        with locked(site.layout):
            plans, warnings = site.plan([name])
            warn([*warnings, *plans[0].warnings])
            for line in transition.carry_over(site, plans[0]):
                print(f"{name}: {line}")
            former.forget(site.tree, name)
    _report(moves)
    return 0


def _render(site: Site, name: str) -> Instance:
    """Have all files as the installed Airflow wants them; the instance as it is then."""
    with locked(site.layout):
        plans, warnings = site.plan([name])
        warn([*warnings, *plans[0].warnings])
        transition.render(site, plans[0])
    instance = plans[0].instance
    assert instance is not None  # it was there a moment ago
    print(f"{name}: rendered for {_airflow(instance)}")
    return instance


def _airflow(instance: Instance) -> str:
    return f"Airflow {instance.installation.version}"


def _command(instance: Instance, verb: str) -> str:
    return " ".join(("airflow", *table().database_commands(instance.installation.version)[verb]))


def _preview(
    instance: Instance, schema: Schema, units: tuple[str, ...], *, save: bool, render: bool
) -> None:
    name = instance.name
    verb = migration.INIT if schema.state == heads.FRESH else migration.UPGRADE
    if units:
        print(f"{name}: would stop {' '.join(units)}")
    if render:
        print(f"{name}: would render it for {_airflow(instance)}")
    if save:
        print(f"{name}: would back it up")
    before, after = ", ".join(schema.found) or "nothing", ", ".join(schema.wanted)
    print(f"{name}: would run {_command(instance, verb)}: from {before} to {after}")
    if units:
        print(f"{name}: would start again what ran")


def _back_up(site: Site, instance: Instance) -> Backup:
    print(f"{instance.name}: backing it up …", flush=True)
    backup = backups.make(site, instance)
    print(f"{instance.name}: backed up as {backup.stamp}")
    return backup


def _migrate(site: Site, instance: Instance, verb: str, backup: Backup | None) -> None:
    name, begin = instance.name, time.monotonic()
    print(f"{name}: {_command(instance, verb)}, which takes a while …", flush=True)
    try:
        migration.run(site, instance, verb)
    except (InstanceError, KeyboardInterrupt) as error:
        raise _taken_back(site, instance, verb, backup, error) from error
    seconds = time.monotonic() - begin
    print(f"{name}: the database is as {_airflow(instance)} wants it ({seconds:.0f} s)")


def _taken_back(
    site: Site,
    instance: Instance,
    verb: str,
    backup: Backup | None,
    error: BaseException,
) -> InstanceError:
    """Put back what was; what to say of it all."""
    name = instance.name
    why = error.message if isinstance(error, InstanceError) else f"{name}: it was interrupted"
    again = f"mend that, then: airflow-instance migrate {name}"
    if verb == migration.INIT:
        return HostError(
            f"{why}; there was nothing in the database before, and {name} is stopped",
            hint=f"see {site.layout.migrate_log(name)}; {again}",
        )
    if backup is None:
        return HostError(
            f"{why}; no backup was made, the database may be half migrated, and {name} is stopped",
            hint=f"see {site.layout.migrate_log(name)}; {again}",
        )
    typed = f"airflow-instance restore {name} {backup.stamp}"
    warn([why, f"{name}: putting the database back as it was …"])
    try:
        dumps.restore(site, instance, backup.path / backup.dump)
    except (InstanceError, KeyboardInterrupt) as second:
        words = second.message if isinstance(second, InstanceError) else "it was interrupted"
        return HostError(
            f"{why}; putting the database back failed, too: {words}; {name} is stopped",
            hint=f"once that is mended: {typed}; it is the database of Airflow {backup.airflow}, "
            f"for which it may be installed again",
        )
    return HostError(
        f"{why}; the database was put back as it was, and {name} is stopped",
        hint=f"see {site.layout.migrate_log(name)}; {again}; to go on with Airflow "
        f"{backup.airflow} instead, install its package again, or set --apply installation= to "
        f"where it still is, which starts what ran; "
        f"the backup stays: {typed}",
    )


COMMAND = Command(
    name="migrate",
    help="make the tables of an instance's database, or bring them up to its Airflow",
    description="Compares the database with the migrations of the installed Airflow. When some "
    "are pending, it renders the instance for that Airflow unless that is done, makes a backup, "
    "has Airflow run them, looks whether they were run, says which options and daemons are other "
    "ones now, and starts what was stopped before. When "
    "that fails, the old database is put back. A new database is initialised. What Airflow "
    "prints is in /var/log/airflow-instances/NAME-migrate.log. Nothing else runs a migration: "
    "no start, and no upgrade of a package. Exit status 2: it was so already.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance migrate --stop analytics", "after an upgrade of Airflow"),
        ("airflow-instance migrate --dry-run analytics", "whether there is anything to do"),
        ("airflow-instance migrate --if-empty analytics", "what makes a declared instance ready"),
    ),
)
