"""airflow-instance watchdog: what the timer runs every minute."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .. import watchdog
from ..layout import Layout
from . import Command, always

if TYPE_CHECKING:
    from ..site import Site


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="The instance.")
    parser.add_argument(
        "--dry-run", action="store_true", help="Only say what would be done; change nothing."
    )


def light(layout: Layout, args: argparse.Namespace) -> int:
    for line in watchdog.watch(layout, args.name, dry_run=args.dry_run):
        print(line, flush=True)
    return 0


def run(site: Site, args: argparse.Namespace) -> int:
    return light(site.layout, args)


COMMAND = Command(
    name="watchdog",
    help="look at an instance once, and restart what only looks alive",
    description="Run every minute by airflow-watchdog@NAME.timer. A daemon whose unit runs, but "
    "whose heartbeat is stale or whose web server does not answer, gets a strike; after "
    "watchdog_strikes in a row what it was doing is written to the journal, and it is restarted. "
    "Not while the database is away, not in the first two minutes after a start, and at most "
    "once in 15 minutes. What was measured is left for a node exporter in "
    "/run/airflow-instances/metrics.",
    arguments=arguments,
    run=run,
    root=always,
    light=light,
    examples=(("airflow-instance watchdog analytics --dry-run", "what it thinks now"),),
)
