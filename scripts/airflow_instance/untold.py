"""What systemd has yet to be told of an instance whose files were changed.

Written down before the first of the files is written, and forgotten when all is done: what
breaks off in between is made up for by the next apply. In /run, as a boot starts all anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

from .changes import Change, Remove, WriteFile
from .layout import Layout
from .tree import Tree


def kinds(changes: Sequence[Change]) -> set[str]:
    """The kinds of the files that ``changes`` are about, as in items.py."""
    return {c.kind for c in changes if isinstance(c, (WriteFile, Remove)) and c.kind}


def recall(tree: Tree, name: str) -> set[str]:
    """The kinds of files that were changed when an apply of ``name`` broke off."""
    return set((tree.read(Layout.untold_file(name)) or b"").decode("utf-8", "replace").split())


@contextlib.contextmanager
def remembered(tree: Tree, name: str, changes: Sequence[Change]) -> Iterator[None]:
    """Do ``changes``, at the end of which systemd is told."""
    path = Layout.untold_file(name)
    due = recall(tree, name) | kinds(changes)
    if due:
        text = "".join(f"{kind}\n" for kind in sorted(due))
        tree.write(path, text.encode(), 0o600, os.geteuid(), os.getegid())
    yield
    if due:
        tree.remove(path)
