"""The end of a scheduler that waits for workers which nobody told to end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from airflow_instance.inside import end_workers

# Waits for its workers when it is told to end, and tells none of them: as LocalExecutor
# does to one that was overlooked. Says who they are, and how each ended.
SCHEDULER = """
import signal, subprocess, sys
def worker(state, seconds):
    # A process with nothing but a title, as a worker has made itself; it reads until the
    # end of what another writes.
    other = subprocess.Popen(["sleep", seconds], stdout=subprocess.PIPE)
    title = f"airflow worker -- LocalExecutor: {state}"
    return subprocess.Popen([title], executable="/bin/cat", stdin=other.stdout)
workers = [worker("<idle>", "60"), worker("a_dag.a_task", sys.argv[1])]
def end(*_):
    print(*(each.wait() for each in workers), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print(*(each.pid for each in workers), flush=True)
while True:
    signal.pause()
"""


def begin(seconds: str) -> tuple[subprocess.Popen[str], list[int]]:
    scheduler = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, seconds], stdout=subprocess.PIPE, text=True
    )
    assert scheduler.stdout
    return scheduler, [int(word) for word in scheduler.stdout.readline().split()]


def title(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_an_idle_worker_is_ended_and_a_task_is_not() -> None:
    scheduler, (forgotten, busy) = begin("8")  # longer than an idle one is waited for
    while not (title(forgotten).startswith(b"airflow") and title(busy).startswith(b"airflow")):
        time.sleep(0.01)  # between fork and exec they have the scheduler's
    assert end_workers.idle(scheduler.pid) == [forgotten]
    ender = subprocess.Popen(
        [sys.executable, "-I", end_workers.__file__, str(scheduler.pid)], stdout=subprocess.PIPE
    )
    said, _ = scheduler.communicate()
    assert said.split() == ["-9", "0"]
    assert scheduler.returncode == 0
    told, _ = ender.communicate()
    assert told.decode() == f"ending worker {forgotten}, which got no farewell\n"


def test_a_scheduler_that_is_gone_is_no_error() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    end_workers.main(ended.pid)
