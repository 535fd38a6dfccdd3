"""One build of a package at a time.

The lock is the kernel's (flock), so that it is gone with its owner, however
that ended; the file only says who it was.
"""

from __future__ import annotations

import fcntl
import getpass
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import log
from .errors import BusyError


@contextmanager
def hold(path: Path, what: str, *, wait: bool) -> Iterator[None]:
    """Hold the lock at ``path`` while the body runs.

    When another run has it, say who that is and wait, or with ``wait`` unset
    raise BusyError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "another run"
            if not wait:
                raise BusyError(
                    f"{what} is being built by {owner}", hint="try again when that has ended"
                ) from None
            log.info(f"airflow-deb: {what} is being built by {owner}; waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(
            f"process {os.getpid()} of {getpass.getuser()} since {time.strftime('%H:%M:%S')}\n"
        )
        file.flush()
        yield
