"""A Debian host that uses the repository, and the `make serve` that it gets it from.

The server runs on this machine, but in the host's network: 127.0.0.1 is the host's own,
and no port of this machine is taken.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.host.lab import BASE
from tests.repo.workshop import Workshop

from airflow_deb import roots
from airflow_deb.container import Bind, Spec
from airflow_deb.machine import Machine
from airflow_deb.paths import Paths
from airflow_deb.run import Result, privileged, run
from airflow_deb.versions import Suite

SOURCES = "/etc/apt/sources.list.d/airflow.sources"
PREFERENCES = "/etc/apt/preferences.d/airflow"
_FORGET = f"""
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/keyrings {PREFERENCES}
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
dpkg-query -W -f '${{Package}}\\n' 'airflow*' 2>/dev/null | xargs -r dpkg --purge
"""


class Host:
    """A booted machine of ``suite``, and what is served to it."""

    def __init__(self, machine: Machine, suite: Suite) -> None:
        self.machine = machine
        self.suite = suite
        self._servers: list[subprocess.Popen[str]] = []

    @classmethod
    @contextmanager
    def boot(cls, places: Paths, suite: Suite, top: Path) -> Iterator[Host]:
        """A host that sees ``top``, where the workshops are, under the same path."""
        spec = Spec(
            name=f"airflow-repo-{suite.name}",
            layers=(roots.ensure(places, roots.root(suite, "minbase", BASE)),),
            scratch=places.run(f"tests/repo-{suite.name}"),
            binds=(Bind(top, str(top)),),
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )
        with Machine(spec) as machine:
            found = cls(machine, suite)
            try:
                yield found
            finally:
                found.stop_serving()

    def serve(self, shop: Workshop, repo: Path | None = None) -> str:
        """Serve ``repo``, else the workshop's own, to this host; what `make serve` prints."""
        words = [f"{key}={value}" for key, value in shop.environment.items()]
        words += ["make", "--silent", "-C", str(shop.path), "serve", f"SUITE={self.suite.name}"]
        words += [f"REPO={repo}"] if repo else []
        enter = ["nsenter", "--target", str(self.machine.leader), "--net", "env", "-i", *words]
        self.stop_serving()
        server = subprocess.Popen(privileged(enter), stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout is not None
        said = ""
        while "apt install" not in said:
            line = server.stdout.readline()
            assert line, f"make serve ended: {said}"
            said += line
        return said

    def stop_serving(self) -> None:
        """End the server."""
        while self._servers:
            server = self._servers.pop()
            run(["kill", "-s", str(int(signal.SIGTERM)), str(server.pid)], root=True, check=False)
            server.communicate(timeout=30)

    def obey(self, said: str) -> None:
        """Do what `make serve` says is to be done but the last line, apt's."""
        lines = said.splitlines()
        command = next(line for line in lines if line.startswith("    install "))
        start = lines.index("Types: deb")
        self.machine.shell(command.strip())
        self.machine.write(SOURCES, "\n".join(lines[start : lines.index("", start)]) + "\n")

    def forget(self) -> None:
        """Undo all that a test has done."""
        self.stop_serving()
        self.machine.shell(_FORGET)

    def apt(self, *words: str, check: bool = True) -> Result:
        """Run apt-get without questions."""
        command = f"apt-get --yes -o Dpkg::Use-Pty=0 {shlex.join(words)}"
        return self.machine.shell(command, check=check)

    def versions(self) -> dict[str, str]:
        """The version of each of our packages that is installed."""
        shown = self.machine.shell(
            "dpkg-query -W -f '${Package}|${Version}|${db:Status-Status}\\n' 'airflow*' || true"
        ).stdout
        rows = [line.split("|") for line in shown.splitlines()]
        return {name: version for name, version, state in rows if state == "installed"}

    def refusal(self, *words: str) -> str:
        """Run apt-get, which must fail; what it says."""
        done = self.apt(*words, check=False)
        assert done.status != 0, done.stdout + done.stderr
        return done.stdout + done.stderr
