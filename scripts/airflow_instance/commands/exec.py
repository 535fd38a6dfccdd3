"""airflow-instance exec, and what the launcher airflow-NAME does."""

from __future__ import annotations

import argparse
import sys

from .. import launch
from ..site import Site
from . import Command
from .common import add_name


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--program",
        default="airflow",
        help="Another program than airflow, such as python, of the same environment.",
    )
    add_name(parser)
    parser.add_argument(
        "arguments",
        metavar="-- ARGS",
        nargs=argparse.REMAINDER,
        help="What airflow is called with.",
    )


def run(site: Site, args: argparse.Namespace) -> int:
    words = args.arguments[1:] if args.arguments[:1] == ["--"] else args.arguments
    typed = ["airflow-instance", *sys.argv[1:]]
    launch.go(site, launch.plan(site, args.name, [args.program, *words], typed))
    return 0


COMMAND = Command(
    name="exec",
    help="run airflow for an instance, as its user and in its environment",
    description="Replaces itself by airflow with the instance's environment and nothing of the "
    "caller's but the terminal's settings. Root becomes the service user; the service user may "
    "use it too; everyone else is told the sudo command. The command airflow-NAME does the same.",
    arguments=arguments,
    run=run,
    examples=(
        ("airflow-instance exec analytics -- dags list", "the same as airflow-analytics dags list"),
        ("airflow-instance exec --program python analytics -- -m site", ""),
    ),
)
