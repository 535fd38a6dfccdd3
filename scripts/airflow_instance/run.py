"""The one way to run a program as ourselves: in a small clean environment."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Sequence

from .errors import HostError

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def run(command: Sequence[str]) -> str:
    """Run a command in a small clean environment; what it printed.

    Raises HostError with the command's own last words.
    """
    try:
        done = subprocess.run(
            command,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise HostError(
            f"{shlex.join(command)} failed: {words[-1] if words else f'status {done.returncode}'}"
        )
    return done.stdout


def accepted(command: Sequence[str], content: bytes) -> str:
    """Why a program that reads ``content`` refuses it; "" when it does not, or is not there.

    Raises HostError when it cannot be started.
    """
    if shutil.which(command[0], path=ENVIRONMENT["PATH"]) is None:
        return ""
    try:
        done = subprocess.run(
            command, env=ENVIRONMENT, input=content, capture_output=True, check=False
        )
    except OSError as error:
        raise HostError(f"{command[0]}: {error.strerror}") from error
    words = (done.stderr + done.stdout).decode("utf-8", "replace").split("\n")
    return "" if done.returncode == 0 else words[0].strip() or f"status {done.returncode}"
