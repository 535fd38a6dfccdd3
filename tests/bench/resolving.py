"""`make lock` with uv against pip-compile, on the same input.

pip-compile is given the time that is asked for and no more: when it has not come to its
end by then, that is all there is to know.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.bench.builds import Bench

from airflow_deb.errors import BuildError


def seconds(bench: Bench, most: float | None = None, **given: str) -> float | None:
    """The seconds of `make lock` with the settings ``given``; None when it took ``most``.

    Raises BuildError when it fails.
    """
    env = {
        **os.environ,
        "PYTHONPATH": str(bench.paths.project / "build"),
        "VERSION": bench.cell.version.name,
        "SUITE": bench.cell.suite.name,
        **given,
    }
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "airflow_deb", "lock"],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            status = process.wait(timeout=most)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    if status:
        raise BuildError(f"make lock failed with status {status}")
    return time.monotonic() - began
