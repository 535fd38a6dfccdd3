"""Running a command in an instance's environment, as its user.

The launcher airflow-NAME and `airflow-instance exec` end here. The process is
replaced, so that exit status and signals are the command's own.
"""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .errors import HostError, InstallationError, InstanceError, PrivilegeError
from .layout import Layout, package_of
from .parameters import expand
from .render import environment
from .site import Site

# What of the caller's environment reaches the command: how the terminal speaks.
# Everything else is the instance's, the same for people and daemons.
_KEEP = ("TERM", "COLUMNS", "LINES", "LANG", "LANGUAGE", "TZ", "COLORTERM", "NO_COLOR")
UMASK = 0o027  # the units have the same


@dataclass(frozen=True)
class Launch:
    """What is to be run: ``program`` as the user with these ids, in ``environment``."""

    program: str
    arguments: tuple[str, ...]
    user: str
    uid: int
    gid: int
    home: str
    environment: Mapping[str, str]


def plan(site: Site, name: str, command: Sequence[str], typed: Sequence[str]) -> Launch:
    """Look up everything that `go` needs; ``typed`` is the command line as it was typed.

    Raises PrivilegeError, with the exact sudo command, for anyone but root and the
    service user; what `Site.load` raises; HostError when the instance was never applied.
    """
    declared = site.load(name, secrets=False)
    parameters, _ = expand(declared, site.facts)
    user, home = (str(parameters[(key,)].value) for key in ("service_user", "airflow_home"))
    prefix = str(parameters[("installation",)].value)
    account = site.host.user(user)
    if account is None:
        raise HostError(f"there is no user {user}", hint=f"sudo airflow-instance apply {name}")
    if os.geteuid() not in (0, account.uid):
        raise PrivilegeError(
            f"{name} runs as {user}, not as {_me()}", hint=f"sudo -u {user} {shlex.join(typed)}"
        )
    path = Layout.environment_file(name)
    text = site.tree.read(path)
    if text is None:
        raise HostError(f"{path} cannot be read", hint=f"sudo airflow-instance apply {name}")
    variables = {
        key: value for key, value in os.environ.items() if key in _KEEP or key.startswith("LC_")
    }
    variables.update(HOME=home, USER=user, LOGNAME=user, SHELL="/bin/sh")
    variables.update(environment.parse(text.decode("utf-8")))
    program = command[0]
    if "/" not in program:
        program = _find(site.layout, program, variables["PATH"], prefix)
    return Launch(program, tuple(command), user, account.uid, account.gid, home, variables)


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _find(layout: Layout, program: str, path: str, prefix: str) -> str:
    for directory in path.split(":"):
        candidate = layout.real(f"{directory}/{program}")
        if os.access(candidate, os.X_OK) and candidate.is_file():
            return str(candidate)
    if program == "airflow":
        hint = f"apt install {package_of(prefix)}"
        raise InstallationError(f"there is no Airflow in {prefix}", hint=hint)
    raise InstanceError(f"there is no command {program} on {path}")


def go(site: Site, launch: Launch) -> None:
    """Become the user, and the command. Returns only by raising HostError."""
    os.umask(UMASK)
    try:
        if os.geteuid() == 0 and not site.layout.alternate:
            # What setpriv --reuid --regid --init-groups does; all three ids, so that
            # there is no way back.
            os.initgroups(launch.user, launch.gid)
            os.setresgid(launch.gid, launch.gid, launch.gid)
            os.setresuid(launch.uid, launch.uid, launch.uid)
        if not os.access(".", os.R_OK | os.X_OK):
            os.chdir(launch.home)
        os.execve(launch.program, launch.arguments, dict(launch.environment))
    except OSError as error:
        raise HostError(f"{launch.program}: {error.strerror}") from error
