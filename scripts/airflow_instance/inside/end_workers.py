"""ExecStop= of a scheduler whose executor may wait for ever for a worker of its own.

    end_workers.py PID

LocalExecutor of Airflow 3 puts a farewell into its workers' queue for each worker that
lives, looking at one after the other. An idle worker that ends before its turn has
taken somebody else's: the last one then waits for a farewell and the scheduler for it,
until systemd's patience ends (airflow/executors/local_executor.py, end()). So it gets
its SIGTERM here, and workers that stay idle while it ends are ended: who is idle has
no task, and after the SIGTERM none is given out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

PATIENCE = 5.0  # seconds of idleness: far longer than it takes to read from the queue
_TITLE, _IDLE = b"airflow worker -- LocalExecutor", b"<idle>"


def idle(scheduler: int) -> list[int]:
    """The workers of ``scheduler`` that have no task; it is by their titles that they say so."""
    found = []
    for child in _children(scheduler):
        try:
            title = Path(f"/proc/{child}/cmdline").read_bytes().strip(b"\0")
        except OSError:
            continue
        if title.startswith(_TITLE) and title.endswith(_IDLE):
            found.append(child)
    return found


def _children(pid: int) -> list[int]:
    try:
        names = os.listdir(f"/proc/{pid}/task")
        texts = [Path(f"/proc/{pid}/task/{name}/children").read_text() for name in names]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]


def main(scheduler: int, patience: float = PATIENCE) -> None:
    since: dict[int, float] = {}
    try:
        os.kill(scheduler, signal.SIGTERM)
        while True:
            os.kill(scheduler, 0)
            now = time.monotonic()
            since = {worker: since.get(worker, now) for worker in idle(scheduler)}
            for worker, begun in since.items():
                if now - begun >= patience:
                    print(f"ending worker {worker}, which got no farewell", flush=True)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
            time.sleep(0.2)
    except ProcessLookupError:
        pass


if __name__ == "__main__" and len(sys.argv) == 2:
    main(int(sys.argv[1]))
