"""The one way to run a command.

Commands start from a small clean environment with stdin closed, so that a
build does not depend on the shell it was typed in. Every command line is
written, quoted, to the build log: it can be pasted into a terminal.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import log
from .errors import AirflowDebError, BuildError, MissingToolError

# What of the caller's environment reaches a command: where tools are, how the
# network is reached (proxies, certificates, index settings), nothing else.
_KEEP = ("PATH", "HOME", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CONFIG_HOME")
_KEEP_PREFIXES = ("PIP_", "UV_", "NETRC")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")

# The Debian package of every tool the builder calls.
PACKAGES = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "mount": "mount",
    "sudo": "sudo",
    "git": "git",
    "disorderfs": "disorderfs",
    "diffoscope": "diffoscope-minimal",
}


@dataclass(frozen=True)
class Result:
    """What a finished command gave: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The clean environment commands run in, plus ``extra``."""
    env = {
        key: value
        for key, value in os.environ.items()
        if key in _KEEP or key.startswith(_KEEP_PREFIXES) or key.lower() in _PROXIES
    }
    env.update(LANG="C.UTF-8", LC_ALL="C.UTF-8")
    env.update(extra or {})
    return env


def privileged(command: Sequence[str | Path], keep: Iterable[str] = ()) -> list[str]:
    """``command`` as root: as it is for root, through sudo for a user.

    ``keep`` names the variables that sudo lets through; their values stay out
    of the command line.
    """
    words = [str(word) for word in command]
    if os.geteuid() == 0:
        return words
    names = ",".join(sorted(keep))
    return ["sudo", "-n", *([f"--preserve-env={names}"] if names else []), *words]


def require(tool: str) -> str:
    """The path of ``tool``.

    Raises MissingToolError, which names the Debian package, when it is not there.
    """
    path = shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        package = PACKAGES.get(tool, tool)
        raise MissingToolError(
            f"the command {tool} is not installed", hint=f"apt install {package}"
        )
    return path


def run(
    command: Sequence[str | Path],
    *,
    root: bool = False,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
) -> Result:
    """Run ``command`` and wait for it; with ``root`` it runs as root.

    What it prints is in the result and in the build log. With ``on_line``
    standard error joins standard output and each line is also handed over as
    it comes. With ``check`` a failure raises BuildError, whose detail is the
    end of what was printed.
    """
    variables = environment(env)
    words = privileged(command, variables) if root else [str(word) for word in command]
    require(words[0])
    log.debug(f"$ {shlex.join(words)}")
    try:
        with subprocess.Popen(
            words,
            env=variables,
            cwd=cwd,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if on_line is None else subprocess.STDOUT,
        ) as process:
            if on_line is None:
                stdout, stderr = process.communicate()
                log.debug(stdout + stderr)
            else:
                stdout, stderr = _follow(process, on_line), ""
    except OSError as error:
        raise AirflowDebError(f"{words[0]}: {error.strerror}") from error
    if check and process.returncode != 0:
        raise BuildError(
            f"{shlex.join(words)[:200]} failed with status {process.returncode}",
            hint=log.where(),
            detail="\n".join((stderr or stdout).rstrip().splitlines()[-20:]),
        )
    return Result(process.returncode, stdout, stderr)


def _follow(process: subprocess.Popen[str], on_line: Callable[[str], None]) -> str:
    lines = []
    assert process.stdout is not None
    for line in process.stdout:
        log.debug(line.rstrip("\n"))
        on_line(line.rstrip("\n"))
        lines.append(line)
    return "".join(lines)
