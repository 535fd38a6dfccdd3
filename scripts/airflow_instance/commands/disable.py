"""airflow-instance disable."""

from __future__ import annotations

import argparse

from .. import stopping
from ..site import Site
from . import Command, always
from .common import add_name, add_preview
from .enable import change


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    parser.add_argument(
        "--manual",
        action="store_true",
        help="Only not with the host any more; airflow-instance start still does it.",
    )
    add_preview(parser)


def run(site: Site, args: argparse.Namespace) -> int:
    status = change(site, args, "manual" if args.manual else "disabled")
    if site.host.active(stopping.own_units(args.name)):
        print(f"{args.name} still runs; next: airflow-instance stop {args.name}")
    return status


COMMAND = Command(
    name="disable",
    help="have an instance not started any more",
    description="Sets start: disabled, or with --manual start: manual, in the declaration and "
    "applies it. What runs is not stopped. Exit status 2: it was so already.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(("airflow-instance disable --manual analytics", ""),),
)
