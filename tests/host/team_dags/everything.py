"""A DAG that does in a task what a sandbox for daemons could forbid it."""

from __future__ import annotations

import datetime
import inspect
import mmap
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile

from airflow import DAG  # type: ignore[import-not-found]
from airflow.operators.bash import BashOperator  # type: ignore[import-not-found]
from airflow.operators.python import PythonOperator  # type: ignore[import-not-found]

# The parameter's name changed in Airflow 2.4.
_SCHEDULE = "schedule" if "schedule" in inspect.signature(DAG).parameters else "schedule_interval"

POOL = """\
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2) as pool:
    assert list(pool.map(abs, [-1, -2])) == [1, 2]
"""


def compile_at_run_time() -> None:
    """Memory that is written and then run, as JITs have it."""
    protection = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    with mmap.mmap(-1, 4096, prot=protection) as memory:
        memory.write(b"\xc3")


def share() -> None:
    """Semaphores and files in shared memory, and a pool of processes."""
    multiprocessing.Semaphore(1).acquire()
    with open("/dev/shm/probe", "w", encoding="ascii") as file:
        file.write("x")
    os.unlink("/dev/shm/probe")
    # Not in this process: Airflow's own is one that may have no children of this kind.
    subprocess.run([sys.executable, "-c", POOL], check=True)


def files() -> None:
    """Groups, modes, and places beside the home that the user may write to."""
    with tempfile.TemporaryDirectory() as place:
        os.chown(place, -1, os.getgid())
        os.chmod(place, 0o2770)  # noqa: S103 - what teams share looks like this
        assert os.stat(place).st_mode & 0o2000
    with open("/srv/exchange/from-task", "w", encoding="ascii") as file:
        file.write("x")


def network() -> None:
    """Names, and connections of both kinds."""
    assert socket.getaddrinfo("localhost", 80)
    for family in (socket.AF_UNIX, socket.AF_INET):
        socket.socket(family, socket.SOCK_STREAM).close()


with DAG("everything", start_date=datetime.datetime(2021, 1, 1), **{_SCHEDULE: None}) as dag:
    for work in (compile_at_run_time, share, files, network):
        PythonOperator(task_id=work.__name__, python_callable=work)
    BashOperator(task_id="shell", bash_command="ulimit -n; nproc; head -1 /proc/meminfo; id; ps")
