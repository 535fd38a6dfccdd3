"""Deleting in a tree of the service user's: a child with that user's rights does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import asuser, launch
from .errors import ConflictError, HostError
from .site import Site

_SCRIPT = Path(__file__).resolve().parent / "inside" / "remove_tree.py"
_PYTHON = "/usr/bin/python3"


def check(site: Site, name: str, directory: str, keep: Sequence[str] = ()) -> None:
    """Raise what `empty` would, and delete nothing."""
    _run(site, name, "check", directory, keep)


def empty(site: Site, name: str, directory: str, keep: Sequence[str] = ()) -> None:
    """Delete what is in ``directory`` of the instance ``name``, but for the names in ``keep``.

    Raises ConflictError, nothing deleted, when something in it is another user's or on
    another file system; HostError when the system refuses; what `launch.plan` raises.
    """
    _run(site, name, "delete", directory, keep)


def _run(site: Site, name: str, verb: str, directory: str, keep: Sequence[str]) -> None:
    command = [_PYTHON, "-I", str(_SCRIPT), verb, directory, *keep]
    planned = launch.plan(site, name, command, ["airflow-instance", "drop", name])
    done = asuser.run(site, planned)
    if done.status == 0:
        return
    found = done.out.splitlines()
    if done.status == 1 and found:
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise ConflictError(
            f"{directory} was left alone: {found[0]}{more}", hint="move what is not the instance's"
        )
    raise HostError(f"{directory} could not be emptied: {done.last_words}")
