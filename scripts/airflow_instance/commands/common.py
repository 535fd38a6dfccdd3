"""What several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence

from .. import stopping, transition, untold
from ..changes import Change, WriteFile
from ..engine import Engine
from ..layout import Layout
from ..site import InstancePlan, Site


def add_name(parser: argparse.ArgumentParser, help_text: str = "The instance.") -> None:
    parser.add_argument("name", metavar="NAME", help=help_text)


def add_preview(parser: argparse.ArgumentParser) -> None:
    """--dry-run and --diff."""
    parser.add_argument(
        "--dry-run", action="store_true", help="Only print what would be done; change nothing."
    )
    parser.add_argument(
        "--diff", action="store_true", help="Show how files change, secrets masked."
    )


def warn(warnings: Iterable[str]) -> None:
    """Print warnings, each once."""
    for warning in dict.fromkeys(warnings):
        print(f"airflow-instance: warning: {warning}", file=sys.stderr)


def show_changes(name: str, changes: Sequence[Change], *, diff: bool, would: bool) -> None:
    """Print a plan."""
    for change in changes:
        print(f"{name}: {'would ' if would else ''}{change.describe()}")
        if diff and isinstance(change, WriteFile):
            print("\n".join(f"    {line}" for line in change.diff()))


def carry_out(site: Site, plans: Sequence[InstancePlan], args: argparse.Namespace) -> None:
    """Do, or with --dry-run print, what was planned.

    Raises what the engine raises; changes before the failing one stay done, and the next
    apply tells systemd of them.
    """
    engine = Engine(site.tree, site.host)
    for plan in plans:
        if args.dry_run or args.diff:
            show_changes(plan.name, plan.changes, diff=args.diff, would=args.dry_run)
        told = _silent if args.diff else _teller(plan.name)
        if not args.dry_run and plan.former and plan.instance:
            for line in transition.carry_over(site, plan, told):
                print(f"{plan.name}: {line}")
        elif not args.dry_run:
            _execute(site, engine, plan, told)
        if plan.last:
            print(f"{plan.name}: {plan.last}")


def _execute(site: Site, engine: Engine, plan: InstancePlan, told: Callable[[str], None]) -> None:
    with stopping.watched(site, plan.name, plan.changes):
        if site.host.can_start:
            with untold.remembered(site.tree, plan.name, plan.changes):
                engine.execute(plan.changes, told)
        else:
            engine.execute(plan.changes, told)


def _silent(line: str) -> None:
    """For changes that were shown already."""


def _teller(name: str) -> Callable[[str], None]:
    return lambda line: print(f"{name}: {line}")


def declared_paths(layout: Layout, name: str) -> list[str]:
    """The files of an instance that administrators write."""
    return [layout.seen(layout.instance_file(name)), layout.seen(layout.secrets_file(name))]
