"""A file that is being downloaded: FILE.part, until it is whole.

It is locked while it is written: of two processes that want the same file one
downloads and the other waits, and the kernel drops the lock of one that is
killed. What it leaves is what the next one goes on from.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def part_path(target: Path) -> Path:
    """Where ``target`` is while it is not whole."""
    return target.with_name(target.name + ".part")


@contextmanager
def unfinished(target: Path, size: int) -> Iterator[BinaryIO | None]:
    """Open and lock ``target``'s part; None when ``target`` is there with its ``size``.

    That is when somebody else finished it meanwhile. Whoever finishes it renames
    the part to ``target`` while it is open here. A part that is empty when the
    body fails is not kept.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    path = part_path(target)
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "r+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            if not _is_at(part, path):
                continue  # Who had the lock renamed or deleted what we opened.
            if target.exists() and target.stat().st_size == size:
                path.unlink()
                yield None
            else:
                try:
                    yield part
                except BaseException:
                    part.flush()
                    if os.fstat(part.fileno()).st_size == 0:
                        path.unlink()
                    raise
            return


def _is_at(part: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(part.fileno()), path.stat())
    except FileNotFoundError:
        return False
