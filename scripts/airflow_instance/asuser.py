"""Running a program to its end as an instance's user, and reading what it says.

What is the service user's (home, database, ticket) is looked at by a child that
has no more rights than that user: root itself never works inside that tree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass

from .errors import HostError
from .launch import UMASK, Launch
from .layout import Layout
from .site import Site

TIMED_OUT = 124  # the status of a program that was ended, as timeout(1) has it


@dataclass(frozen=True)
class Done:
    """How a program ended. ``status`` is negative for a signal, `TIMED_OUT` for its time."""

    status: int
    out: str
    err: str

    @property
    def last_words(self) -> str:
        """The last line that says something, for an error message."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1] if lines else f"status {self.status}"


def run(
    site: Site,
    launch: Launch,
    *,
    text: str = "",
    timeout: float | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
) -> Done:
    """Run ``launch`` (see `launch.plan`) with ``text`` on its standard input.

    ``stdin`` and ``stdout`` are descriptors to use instead, for what is too large to
    hold; ``timeout`` is in seconds. A program that runs longer is killed with all of
    its children.

    Raises HostError when it cannot be started.
    """
    return run_below(site.layout, launch, text=text, timeout=timeout, stdin=stdin, stdout=stdout)


def run_below(
    layout: Layout,
    launch: Launch,
    *,
    text: str = "",
    timeout: float | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
) -> Done:
    """`run`, for who has only a layout: below an alternate one, nobody else is become."""
    switch = os.geteuid() == 0 and not layout.alternate
    try:
        process = subprocess.Popen(
            launch.arguments,
            executable=launch.program,
            env=dict(launch.environment),
            cwd="/",
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            umask=UMASK,
            user=launch.uid if switch else None,
            group=launch.gid if switch else None,
            extra_groups=os.getgrouplist(launch.user, launch.gid) if switch else None,
        )
    except OSError as error:
        raise HostError(f"{launch.program}: {error.strerror}") from error
    try:
        out, err = process.communicate(text if stdin is None else None, timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        out, err = process.communicate()
        return Done(TIMED_OUT, out or "", f"{err or ''}\nended after {timeout:g} s".strip())
    except BaseException:
        _kill(process)
        process.wait()
        raise
    return Done(process.returncode, out or "", err or "")


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
