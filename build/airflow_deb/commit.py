"""Which commit the checkout is at, and what in it no commit has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .errors import AirflowDebError
from .run import run


@dataclass(frozen=True)
class Commit:
    """A commit's id, and the files (sorted) in which the checkout differs from it."""

    id: str
    changed: tuple[str, ...] = ()


def of(project: Path) -> Commit | None:
    """The commit of the checkout at ``project``; None for one without git's directory.

    What git ignores does not count as changed.
    """
    if not (project / ".git").exists():
        return None
    git = ["git", "-C", str(project)]
    try:
        head = run([*git, "rev-parse", "--verify", "HEAD"]).stdout.strip()
        status = run([*git, "status", "--porcelain=v1", "-z", "--no-renames"]).stdout
    except AirflowDebError as error:
        raise AirflowDebError(
            f"git does not tell the commit of {project}", hint=error.hint, detail=error.detail
        ) from error
    changed = sorted(entry[3:] for entry in status.split("\0") if entry)
    return Commit(head, tuple(changed))
