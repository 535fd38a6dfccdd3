"""airflow-instance respell."""

from __future__ import annotations

import argparse

from .. import names, respelling
from ..changes import Change, WriteFile
from ..engine import Engine, locked
from ..errors import AlreadyError, InstanceError
from ..parameters import expand
from ..site import Site
from . import Command, always
from .common import add_name, add_preview, declared_paths, show_changes


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser)
    add_preview(parser)


def run(site: Site, args: argparse.Namespace) -> int:
    name = names.check(args.name)
    with locked(site.layout):
        changes = _edits(site, name)
        if not changes:
            raise AlreadyError(f"{name} is so already")
        engine = Engine(site.tree, site.host)
        try:
            engine.execute(changes)
            # It has to make sense before it is left there.
            expand(site.load(name), site.facts)
        except InstanceError:
            engine.take_back()
            raise
        if args.dry_run:
            engine.take_back()
        show_changes(name, changes, diff=args.diff, would=args.dry_run)
    return 0


def _edits(site: Site, name: str) -> list[Change]:
    texts = {}
    for path in declared_paths(site.layout, name):
        content = site.tree.read(path)
        if content is not None:
            texts[path] = content.decode("utf-8")
    changes: list[Change] = []
    for path, text in respelling.respell(site, name, texts).items():
        if text != texts[path]:
            found = site.tree.status(path)
            assert found is not None  # it was read a moment ago, and we hold the lock
            old = texts[path].encode()
            changes.append(WriteFile(path, text.encode(), old, found.mode, "root", "root"))
    return changes


COMMAND = Command(
    name="respell",
    help="write a declaration's options in the spelling of the installed Airflow",
    description="Between versions of Airflow options get other names, and go to other sections. "
    "Those that a declaration has in another version's spelling are rendered in the installed "
    "one's, with a warning; this writes them so into /etc/airflow/instances.d/NAME.yaml and "
    "secrets.d, and leaves everything else there as it is. What is rendered stays the same. "
    "Site-wide defaults are left alone: other instances may run another Airflow. Exit status 2: "
    "it was so already.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(("airflow-instance respell --dry-run analytics", "after an upgrade"),),
)
