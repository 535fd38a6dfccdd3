"""CPU of `airflow-instance check` against that of Airflow's own two checks.

Run by root on a host that has an instance, whose scheduler should run:

    python3 check.py NAME

Each is run three times in turn, on the same machine; what counts is the CPU, user
and system, of the command and of all that it started, as the kernel adds it up. Airflow's
are run without our launcher. The middle of the three is compared.
"""

from __future__ import annotations

import os
import pwd
import resource
import shlex
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROUNDS = 3
WANTED = 20.0


def cpu(command: list[str], **options: Any) -> float:
    """The seconds of CPU that ``command`` takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        **options,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def environment(name: str) -> dict[str, str]:
    """What the daemons of the instance have."""
    lines = Path(f"/etc/airflow/environment.d/{name}.env").read_text("utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: shlex.split(value)[0] for key, _, value in pairs}


def main(name: str) -> int:
    variables = environment(name)
    home = Path(variables["AIRFLOW_HOME"])
    owner = pwd.getpwuid(home.stat().st_uid)
    service = {
        "env": {**variables, "HOME": str(home), "USER": owner.pw_name},
        "user": owner.pw_uid,
        "group": owner.pw_gid,
        "extra_groups": [],
        "cwd": "/",
    }
    airflow = next(
        f"{folder}/airflow"
        for folder in variables["PATH"].split(":")
        if os.path.exists(f"{folder}/airflow")
    )
    commands: dict[str, tuple[list[str], dict[str, Any]]] = {
        "airflow-instance check": (["airflow-instance", "check", name], {}),
        "airflow db check": ([airflow, "db", "check"], service),
        "airflow jobs check": ([airflow, "jobs", "check", "--job-type", "SchedulerJob"], service),
    }
    for what, (command, options) in commands.items():
        # One that breaks off is cheap.
        if subprocess.run(command, check=False, capture_output=True, **options).returncode != 0:
            print(f"{what} fails: {shlex.join(command)}")
            return 1
    taken: dict[str, list[float]] = {what: [] for what in commands}
    for _ in range(ROUNDS):
        for what, (command, options) in commands.items():
            taken[what].append(cpu(command, **options))
    middle = {what: statistics.median(seconds) for what, seconds in taken.items()}
    for what, seconds in taken.items():
        rounds = "  ".join(f"{number * 1000:6.0f}" for number in seconds)
        print(f"{what:24}{middle[what] * 1000:8.0f} ms CPU   ({rounds})")
    ours, *theirs = middle.values()
    ratio = sum(theirs) / ours
    print(f"{ratio:.1f} times cheaper; wanted are {WANTED:g}")
    return 0 if ratio >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
