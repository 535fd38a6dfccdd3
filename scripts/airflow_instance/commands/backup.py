"""airflow-instance backup."""

from __future__ import annotations

import argparse
import datetime
import json
import time

from .. import backups, declaration, names
from ..backups import Backup
from ..engine import locked
from ..errors import InstanceError, UsageError, raise_all
from ..site import Site
from . import Command, always


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="The instance.")
    parser.add_argument("--all", action="store_true", help="Every instance that is declared.")
    parser.add_argument(
        "--list", action="store_true", help="List the backups there are, and make none."
    )
    parser.add_argument("--json", action="store_true", help="With --list: print JSON for scripts.")
    parser.add_argument(
        "--expire",
        metavar="DAYS",
        type=int,
        help="Delete backups older than that, and make none; the newest of each instance stays.",
    )
    parser.add_argument(
        "--rotate",
        action="store_true",
        help="Afterwards delete those older than backup_keep_days, as the timer does.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )


def run(site: Site, args: argparse.Namespace) -> int:
    if bool(args.name) == args.all and not args.list:
        raise UsageError("give the NAME of an instance, or --all")
    if args.list and (args.expire is not None or args.rotate):
        raise UsageError("--list does nothing else")
    if args.expire is not None and args.expire < 1:
        raise UsageError(f"--expire {args.expire} would delete every backup but the newest")
    if args.name:
        names.check(args.name)
    if args.list:
        return _list(site, args)
    if args.expire is not None:
        for name in [args.name] if args.name else backups.names(site.layout):
            with locked(site.layout, name=name):
                _expire(site, name, args.expire, dry_run=args.dry_run)
        return 0
    return _make(site, args)


def _make(site: Site, args: argparse.Namespace) -> int:
    chosen = [args.name]
    if args.all:
        chosen, problems, _ = declaration.listed(site.layout)
        raise_all(problems)
    failures: list[InstanceError] = []
    for name in chosen:
        try:
            _back_up(site, name, args)
        except InstanceError as error:
            # One team's trouble must not cost another its backup.
            failures.append(error)
    raise_all(failures)
    return 0


def _back_up(site: Site, name: str, args: argparse.Namespace) -> None:
    declared = site.load(name)
    if declared.absent:
        return
    instance = site.view(site.as_applied(declared))
    if args.dry_run:
        print(f"{name}: would back it up to {site.layout.backups_dir(name)}")
        return
    with locked(site.layout, name=name):
        for path in backups.broken_off(site.layout, name):
            backups.remove(path)
            print(f"{name}: removed {path.name}, which was broken off")
        backup = backups.make(site, instance)
        print(f"{name}: backed up to {site.layout.seen(backup.path)} ({_size(backup.size)})")
        if args.rotate:
            days = int(str(instance.parameter("backup_keep_days")))
            _expire(site, name, days, dry_run=False)


def _expire(site: Site, name: str, days: int, *, dry_run: bool) -> None:
    known = backups.listed(site.layout, name)
    for backup in backups.expired(known, days, time.time()):
        if not dry_run:
            backups.remove(backup.path)
        print(f"{name}: {'would delete' if dry_run else 'deleted'} {backup.stamp}")


def _list(site: Site, args: argparse.Namespace) -> int:
    chosen = [args.name] if args.name else backups.names(site.layout)
    found = [backup for name in chosen for backup in backups.listed(site.layout, name)]
    if args.json:
        print(json.dumps([_row(backup) for backup in found], indent=2))
        return 0
    lines = [["NAME", "STAMP", "MADE", "AIRFLOW", "DATABASE", "SIZE"]]
    lines += [_cells(backup) for backup in found]
    widths = [max(map(len, cells)) for cells in zip(*lines)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    return 0


def _cells(backup: Backup) -> list[str]:
    kind = backup.kind if backup.dump else f"{backup.kind} (empty)"
    size = _size(backup.size)
    return [backup.name, backup.stamp, _when(backup), backup.airflow, kind, size]


def _row(backup: Backup) -> dict[str, object]:
    return {
        "name": backup.name,
        "stamp": backup.stamp,
        "made": backup.made,
        "airflow": backup.airflow,
        "database": backup.kind,
        "size": backup.size,
        "path": str(backup.path),
    }


def _when(backup: Backup) -> str:
    moment = datetime.datetime.fromtimestamp(backup.made, datetime.timezone.utc)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


COMMAND = Command(
    name="backup",
    help="back up an instance's database, configuration and keys as one",
    description="Writes /var/backups/airflow-instances/NAME/STAMP: a dump of the database, the "
    "declaration, secrets, keys and ports, and last a MANIFEST with sizes and hashes, without "
    "which it is no backup. The instance may run meanwhile. DAGs and logs are not in it. With "
    "backup_daily: true a timer does this every night and keeps backup_keep_days of them.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance backup analytics", ""),
        ("airflow-instance backup --list analytics", "what there is to restore"),
        ("airflow-instance backup --expire 30 --all", "delete what is older than a month"),
    ),
)
