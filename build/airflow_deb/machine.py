"""A booted Debian: systemd and all, in a container, for tests and checks.

The same namespaces as container.py tie it to its owner's life. Commands enter
through nsenter (exact status and output); those that must live in a cgroup of
the container, or run as a user with a session, go through systemd-run.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from . import container, log
from .container import Spec
from .errors import BuildError
from .run import Result, environment, privileged, run

_BOOT_SECONDS = 90


class Machine:
    """A container that boots on entry and is powered off on exit.

    ``with Machine(spec) as machine: machine.call(["systemctl", …])``.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.leader = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._console = spec.scratch / "console.log"

    def __enter__(self) -> Machine:
        container.prepare(self.spec)
        try:
            self.boot()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        container.remove(self.spec.scratch)

    def boot(self) -> None:
        """Boot it and wait until systemd says that it is up.

        Raises BuildError with the failed units, or the console's end.
        """
        words = privileged(
            container.nspawn(self.spec, "--boot", "--console=read-only", "--kill-signal=SIGRTMIN+4")
        )
        log.debug(f"$ {shlex.join(words)}")
        with self._console.open("wb") as console:
            self._process = subprocess.Popen(
                words,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _BOOT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            self.leader = self.leader or _leader(self._process.pid)
            if self.leader:
                state = self.call(["systemctl", "is-system-running"], check=False).stdout.strip()
                if state == "running":
                    return
                if state == "degraded":
                    failed = self.call(["systemctl", "--failed", "--no-legend"]).stdout
                    raise BuildError(f"{self.spec.name} booted with failed units", detail=failed)
            time.sleep(0.1)
        text = self._console.read_text(encoding="utf-8", errors="replace")
        raise BuildError(
            f"{self.spec.name} did not boot in {_BOOT_SECONDS} s",
            detail="\n".join(text.splitlines()[-20:]),
        )

    def stop(self) -> None:
        """Power it off; kill it when that takes too long."""
        if self._process is None or self._process.poll() is not None:
            return
        leader, self.leader = self.leader, 0  # From here on no command gets in.
        if leader:
            _end_commands(leader)
            number = str(int(signal.SIGRTMIN) + 4)
            run(["kill", "-s", number, str(leader)], root=True, check=False)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            container.kill_leftovers(self.spec.scratch)
            if leader:
                _end_commands(leader)
                run(["kill", "-KILL", str(leader)], root=True, check=False)
            self._process.wait(timeout=30)
        self._process = None

    def call(
        self,
        command: Sequence[str],
        *,
        user: str = "",
        env: dict[str, str] | None = None,
        workdir: str = "/",
        check: bool = True,
        timeout: int = 300,
    ) -> Result:
        """Run ``command`` inside, as root or as ``user``; at most ``timeout`` seconds.

        Its status 124 means that the time was over. Raises BuildError when it
        fails and ``check`` is set.
        """
        inner = ["env", "-i", *(f"{k}={v}" for k, v in self._environment(user, env).items())]
        inner += ["timeout", str(timeout)]
        if user:
            inner += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        inner += ["sh", "-c", f'cd {shlex.quote(workdir)} && exec "$@"', "sh", *command]
        enter = ["nsenter", "--target", str(self.leader), "--all", "--root", "--wd", "--", *inner]
        return run(enter, root=True, check=check)

    def shell(
        self, script: str, *, user: str = "", check: bool = True, timeout: int = 300
    ) -> Result:
        """Run a shell ``script`` inside (``sh -eu``)."""
        return self.call(["sh", "-euc", script], user=user, check=check, timeout=timeout)

    def read(self, path: str) -> str:
        """The text of the file ``path`` inside."""
        return self.call(["cat", path]).stdout

    def write(self, path: str, text: str, *, mode: str = "644", owner: str = "root:root") -> None:
        """Write ``text`` to ``path`` inside."""
        script = (
            'mkdir -p "$(dirname "$1")"; printf %s "$2" > "$1"; chmod "$3" "$1"; chown "$4" "$1"'
        )
        self.call(["sh", "-euc", script, "sh", path, text, mode, owner])

    def _environment(self, user: str, env: dict[str, str] | None) -> dict[str, str]:
        home = f"/home/{user}" if user else "/root"
        base = {"PATH": container.PATH, "LANG": "C.UTF-8", "HOME": home, "TERM": "dumb"}
        return {**base, **(env or {})}


def _end_commands(leader: int) -> None:
    """End the commands that still run in the container of ``leader``.

    On its way down systemd stops all processes before it kills them, and
    nsenter stops itself with its child: neither would ever end.
    """
    run(["pkill", "-KILL", "-f", f"^nsenter --target {leader} "], root=True, check=False)


def _leader(pid: int) -> int:
    """The init of the container that ``pid`` (sudo, unshare or nspawn) leads to."""
    while True:
        try:
            command = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        except OSError:
            return 0
        if command == "systemd":
            return pid
        if not children:
            return 0
        pid = int(children[0])
