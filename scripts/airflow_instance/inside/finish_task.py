"""ExecStop= of a scheduler whose executor runs one task at a time, as its own child.

    finish_task.py PID

SIGTERM would have the scheduler kill the task and, on its way out, start those that
wait behind it. So it is held where it is until the task has ended, and then ended
itself: what it had queued is taken up again by the next one.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def tasks(scheduler: int) -> list[int]:
    """The children of ``scheduler`` that run a task; those that have ended are none."""
    found = []
    for child in _children(scheduler):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # A process that has ended, and that nobody has asked for, has no command line.
        if b"tasks" in words and b"run" in words:
            found.append(child)
    return found


def _children(pid: int) -> list[int]:
    try:
        names = os.listdir(f"/proc/{pid}/task")
        texts = [Path(f"/proc/{pid}/task/{name}/children").read_text() for name in names]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]


def main(scheduler: int) -> None:
    try:
        os.kill(scheduler, signal.SIGSTOP)
        said = False
        while running := tasks(scheduler):
            if not said:
                print(f"waiting for the task of process {running[0]} to end", flush=True)
                said = True
            time.sleep(0.2)
        os.kill(scheduler, signal.SIGKILL)
    except ProcessLookupError:
        pass


if __name__ == "__main__" and len(sys.argv) == 2:
    main(int(sys.argv[1]))
