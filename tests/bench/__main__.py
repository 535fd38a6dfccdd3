"""`make bench`: each figure beside that of what it is compared with, in one run.

clean_logs against find on a million files, on this machine; `airflow-instance check`
against Airflow's own checks, on a booted machine with the built packages and a
running instance. Exit status 1 when one of them is not as fast as it has to be.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests import artifact, expected
from tests.host import scenarios  # noqa: F401 - registers the layers
from tests.host.instances import Host
from tests.host.lab import Lab
from tests.host.registry import wanted

from airflow_deb import log, paths
from airflow_deb.errors import AirflowDebError

_HERE = Path(__file__).resolve().parent


def check() -> int:
    """Boot a machine with an instance, and run check.py there."""
    found, places = artifact.find(), paths.default()
    known = expected.load(_HERE.parent / "host", found.cell.version.name)
    lab = Lab(found, places, known, name="bench")
    try:
        lab.start(wanted(["pair"]))
        host = Host(lab, lab.machine("check", lab.result("pair")))
        team = host.create("analytics")
        team.tool("start")
        host.machine.write("/opt/check.py", (_HERE / "check.py").read_text(encoding="utf-8"))
        done = host.machine.call(["python3", "/opt/check.py", "analytics"], check=False)
        print(done.stdout + done.stderr, end="", flush=True)
        return done.status
    finally:
        lab.close()


def main() -> int:
    try:
        print("airflow-instance check, on a booted machine:", flush=True)
        statuses = [check()]
    except AirflowDebError as error:
        log.info(f"airflow-deb: error: {error}")
        return error.status
    print("clean_logs, on a million files:", flush=True)
    command = [sys.executable, str(_HERE / "clean_logs.py")]
    statuses.append(subprocess.run(command, check=False).returncode)
    return max(statuses)


sys.exit(main())
