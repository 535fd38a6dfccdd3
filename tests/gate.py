"""`make test`: every ring of tests, two rows of them side by side where both have to wait.

Making a root, lintian and much else keep one processor busy: the build ring and what needs
nothing of it take hardly longer than the build ring alone. What is said beside it is shown
when both have ended. Booted Debian needs all processors: those rings come one by one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from airflow_deb import paths

FIRST = ("lint",)
BESIDE = ("test-unit", "test-provenance", "deb-modern")
ROW = ("test-build", "deb", "test-package")
LAST = ("test-repo", "test-host", "test-modern")
# What a run of make hands down to the next.
NOT_HANDED_DOWN = ("MAKEFLAGS", "MFLAGS", "MAKEOVERRIDES", "MAKELEVEL")


def main() -> int:
    """Make all targets; the status of the first that failed, which ends its row."""
    sys.stdout.flush()
    return _make(FIRST) or _side_by_side() or _make(LAST)


def _side_by_side() -> int:
    with tempfile.TemporaryFile() as said:
        beside = _start(BESIDE, said.fileno())
        try:
            status = _make(ROW)
        finally:
            other = beside.wait()
        said.seek(0)
        shutil.copyfileobj(said, sys.stdout.buffer)
        sys.stdout.flush()
    return status or other


def _make(targets: tuple[str, ...]) -> int:
    return _start(targets).wait()


def _start(targets: tuple[str, ...], output: int | None = None) -> subprocess.Popen[bytes]:
    env = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_DOWN}
    error = subprocess.STDOUT if output is not None else None
    return subprocess.Popen(
        ["make", *targets], cwd=paths.PROJECT, env=env, stdout=output, stderr=error
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
