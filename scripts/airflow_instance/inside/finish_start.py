"""ExecStop= of a scheduler that may wait for ever when it is told to end while it starts.

    finish_start.py PID

LocalExecutor of Airflow 2 puts a farewell into its workers' queue for each worker that it
is to have, and waits until all are read. SIGTERM between the first of them and the last
leaves it waiting for those that it never began, until systemd's patience ends
(airflow/executors/local_executor.py, end()). So SIGTERM waits here until they are there:
the scheduler handles SIGUSR2 from then on (jobs/scheduler_job*.py, register_signals()).
"""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from pathlib import Path

PATIENCE = 60.0  # seconds: more than a start takes, and no more than somebody waits for a stop
# What comes right after begins a process that must not be interrupted, either: SIGTERM then
# is "I refuse to kill myself", status 1.
_MORE = 1.0


def started(scheduler: int) -> bool:
    """Whether ``scheduler`` handles SIGUSR2. Raises OSError when it is gone."""
    lines = Path(f"/proc/{scheduler}/status").read_text("utf-8", "replace").splitlines()
    (caught,) = (line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) & 1 << (signal.SIGUSR2 - 1))


def main(scheduler: int) -> None:
    end = time.monotonic() + PATIENCE
    with contextlib.suppress(OSError):
        if started(scheduler):
            return
        print("waiting for its start to be over", flush=True)
        while not started(scheduler) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(_MORE)


if __name__ == "__main__" and len(sys.argv) == 2:
    main(int(sys.argv[1]))
