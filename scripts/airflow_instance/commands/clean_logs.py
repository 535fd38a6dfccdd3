"""airflow-instance clean-logs."""

from __future__ import annotations

import argparse
import sys

from .. import launch, log_cleaning
from ..clean_logs.command import parse_days
from ..errors import AlreadyError
from ..layout import CLEAN_LOGS
from ..site import Site
from . import Command
from .common import add_name


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "--days",
        metavar="N",
        help="Keep what is younger than so many days; clean_logs_older_than_days by default.",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be deleted; change nothing."
    )
    parser.add_argument("--json", action="store_true", help="Print the result as JSON.")


def run(site: Site, args: argparse.Namespace) -> int:
    days = None if args.days is None else parse_days(args.days)
    # Without secrets: the timer's service may not read them, nor does it need them.
    declared = site.load(args.name, secrets=False)
    if declared.absent:
        raise AlreadyError(f"{args.name} is declared absent: its logs stay")
    instance = site.view(declared)
    words = [CLEAN_LOGS]
    words += [f"--{name}" for name in ("dry-run", "json") if getattr(args, name.replace("-", "_"))]
    words += [
        log_cleaning.folder(instance),
        str(days or instance.parameter("clean_logs_older_than_days")),
    ]
    typed = ["airflow-instance", *sys.argv[1:]]
    launch.go(site, launch.plan(site, args.name, words, typed))
    return 0


COMMAND = Command(
    name="clean-logs",
    help="delete an instance's old logs",
    description="Deletes the logs, and the directories without any, that are older than "
    "clean_logs_older_than_days, as the instance's user; clean_logs(1) says what it leaves "
    "alone. A timer, airflow-clean-logs@NAME.timer, does so every night. Exit status 9: the "
    "folder is being cleaned already; 10: something could not be read or deleted.",
    arguments=arguments,
    run=run,
    examples=(
        ("airflow-instance clean-logs analytics --dry-run", "what would go"),
        ("airflow-instance clean-logs analytics --days 7", "when the disk is full"),
    ),
)
