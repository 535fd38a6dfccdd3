"""A child with no more rights than an instance's user, which says what it sees in JSON.

Two ways to get one. A copy of ourselves is there at once; a new Python has to start and
to import everything anew, which would be a third of what a check costs. The copy is good
only for code of packages, which root installed: what the team brings along must not run
in a process that has root's memory, with whatever was in root's environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from ..errors import HostError, PrivilegeError
from ..layout import Layout, package_of
from ..render import environment
from .target import Target

# As a module and not as a script, which Python compiles anew at every start. -S: what
# packages want to be done at each start of Python takes longer than all the rest.
_RUN = (
    "import sys; sys.path.append(sys.argv[1]); from airflow_instance.inside.{} import main; main()"
)
_OURS = str(Path(__file__).resolve().parents[2])
_KEEP = ("LANG", "TZ")


class User(NamedTuple):
    """Whom a child is to be, and in which environment. ``ids`` is None: it is us."""

    environment: Mapping[str, str]
    ids: tuple[int, int, tuple[int, ...]] | None  # user, group, all groups


def user(layout: Layout, target: Target, typed: str) -> User:
    """The user of ``target``; ``typed`` is the command, for the message to who may not.

    Raises PrivilegeError for anyone but root and that user, HostError when the user or
    the environment file is missing.
    """
    try:
        account = pwd.getpwnam(target.user)
    except KeyError as error:
        raise HostError(
            f"there is no user {target.user}", hint=f"sudo airflow-instance apply {target.name}"
        ) from error
    me = os.geteuid()
    if me not in (0, account.pw_uid):
        raise PrivilegeError(
            f"{target.name} runs as {target.user}", hint=f"sudo -u {target.user} {typed}"
        )
    variables = {name: text for name, text in os.environ.items() if name in _KEEP}
    variables.update(HOME=target.home, USER=target.user, LOGNAME=target.user, SHELL="/bin/sh")
    path = Layout.environment_file(target.name)
    try:
        variables.update(environment.parse(layout.real(path).read_text("utf-8")))
    except OSError as error:
        raise HostError(
            f"{path}: {error.strerror}", hint=f"sudo airflow-instance apply {target.name}"
        ) from error
    if me != 0:
        return User(variables, None)
    groups = tuple(os.getgrouplist(target.user, account.pw_gid))
    return User(variables, (account.pw_uid, account.pw_gid, groups))


def run(
    target: Target, whom: User, module: str, request: Mapping[str, Any], timeout: float
) -> dict[str, Any]:
    """What ``main`` of a module of inside/ printed within ``timeout`` seconds, on a new Python.

    Raises HostError when it printed nothing and failed.
    """
    options: dict[str, Any] = {}
    if whom.ids:
        uid, gid, groups = whom.ids
        options.update(user=uid, group=gid, extra_groups=groups)
    words = [target.python, "-I", "-S", "-c", _RUN.format(module), _OURS]
    try:
        process = subprocess.Popen(
            words,
            env=dict(whom.environment),
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
            umask=0o077,
            **options,
        )
    except OSError as error:
        hint = f"apt install {package_of(target.python.removesuffix('/bin/python'))}"
        raise HostError(f"{words[0]}: {error.strerror}", hint=hint) from error
    try:
        out, err = process.communicate(json.dumps(request), timeout)
    except subprocess.TimeoutExpired:
        _kill(process.pid)
        out, err = process.communicate()
    found = parse(out)
    if not found and process.returncode > 0:
        last = (err.strip() or f"status {process.returncode}").splitlines()[-1]
        raise HostError(f"the child that looks failed: {last}")
    return found


def copy(target: Target, whom: User, main: Callable[[], object], timeout: float) -> dict[str, Any]:
    """The same of ``main``, run by a copy of this process; see `fit`."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        _be(whom, theirs, target.packages, main)
    os.close(theirs)
    try:
        out = _read(ours, timeout)
    finally:
        os.close(ours)
        _kill(pid)
        os.waitpid(pid, 0)
    return parse(out.decode("utf-8", "replace"))


def fit(target: Target) -> bool:
    """Whether our own Python is the one that the installation's packages are for."""
    return f"/python{sys.version_info[0]}.{sys.version_info[1]}/" in target.packages


def parse(text: str) -> dict[str, Any]:
    """Lines of JSON objects as one; one that was cut off is left out."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, TypeError):
            found.update(json.loads(line))
    return found


def _be(whom: User, output: int, packages: str, main: Callable[[], object]) -> NoReturn:
    """Become the child: nothing of root's stays open, and there is no way back."""
    status = 1
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd, source in ((0, null), (1, output), (2, null)):
            os.dup2(source, fd)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2:
                with contextlib.suppress(OSError):
                    os.close(int(name))
        if whom.ids:
            uid, gid, groups = whom.ids
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        os.umask(0o077)
        os.chdir("/")
        os.environ.clear()
        os.environ.update(whom.environment)
        sys.path.append(packages)
        with open(1, "w", encoding="utf-8", closefd=False) as sys.stdout:
            main()
        status = 0
    finally:
        os._exit(status)


def _read(fd: int, timeout: float) -> bytes:
    """What comes from ``fd`` until its end or the end of the time."""
    end, found = time.monotonic() + timeout, b""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    while (left := end - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            part = os.read(fd, 65536)
            if not part:
                break
            found += part
    return found


def _kill(leader: int) -> None:
    """End a child, and whatever it has started; it may not have come to its setsid yet."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            end(leader, signal.SIGKILL)
