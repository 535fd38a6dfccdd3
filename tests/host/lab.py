"""The layers and machines of a session: each made once, several at a time.

A layer is what installing packages has written over a clean Debian; machines
boot from a stack of them and write to a scratch of their own, so that none
sees what another did.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Container, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import artifact as artifacts
from tests.artifact import Artifact

from airflow_deb import container, roots
from airflow_deb.binary import INSTANCES
from airflow_deb.container import Bind, Spec
from airflow_deb.errors import BuildError
from airflow_deb.machine import Machine
from airflow_deb.paths import Paths

# A Debian that boots, and nothing else.
BASE = ("dbus", "systemd")
# The servers and tools that some scenario needs beside Airflow. None runs before
# the scenario that needs it starts it.
SERVICES = (
    *("postgresql", "mariadb-server", "redis-server", "prometheus"),
    *("krb5-kdc", "krb5-admin-server", "krb5-user"),
    *("sudo", "nftables", "curl", "iproute2", "procps"),
)
# Where the package lies inside, and the tests' own scripts and DAGs.
PACKAGES = "/packages"
INSIDE = "/opt/inside"
DAGS = "/opt/dags"
TEAM_DAGS = "/opt/team-dags"
# The package's own Python.
PYTHON = "/usr/lib/airflow/bin/python"
# Everything runs as this user, who owns nothing but a home.
USER = "tester"

# Nobody needs what is written here after a power failure.
APT = (
    "apt-get --quiet --yes --no-install-recommends -o Dpkg::Use-Pty=0"
    " -o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io"
)
# Disables what the packages, which are arguments, have enabled.
_INSTALL_IDLE = f"""
enabled() {{
    systemctl --root=/ --state=enabled --no-legend --no-pager list-unit-files | cut -d" " -f1 | sort
}}
enabled > /tmp/before
{APT} install "$@"
enabled | comm -13 /tmp/before - | xargs --no-run-if-empty systemctl disable --quiet
rm /tmp/before
apt-get clean
"""
_HERE = Path(__file__).resolve().parent


class Lab:
    """All that is shared by the tests of a session."""

    def __init__(
        self, artifact: Artifact, places: Paths, expected: dict[str, Any], *, name: str = "test"
    ) -> None:
        self.artifact = artifact
        self.expected = expected
        self._places = places
        self._name = f"airflow-{name}-{artifact.cell.name}"
        self._packages = artifact.directory
        self._scratch = places.run(f"tests/{artifact.cell.name}/{name}")
        # A scenario that waits for another keeps its place; it was begun after that one.
        self._pool = ThreadPoolExecutor(_places())
        self._tasks: dict[str, Future[Any]] = {}
        self._machines: dict[str, ExitStack] = {}
        # Which task each thread is at, and the machines it has made.
        self._at = threading.local()
        self._made: dict[str, list[Machine]] = {}
        self._closing = False
        self._started = time.monotonic()
        self.timings: list[str] = []

    @property
    def package(self) -> str:
        """The .deb of airflow as it is named inside."""
        return f"{PACKAGES}/{self.artifact.deb.name}"

    @property
    def instances_package(self) -> str:
        """The .deb of airflow-instances as it is named inside."""
        cell = self.artifact.cell
        found = artifacts.find(INSTANCES, cell.version.name, cell.suite.name)
        return f"{PACKAGES}/{found.deb.name}"

    def start(self, tasks: dict[str, Callable[[Lab], Any]]) -> None:
        """Begin ``tasks``, in this order, as many at once as the machine is enough for.

        `result` waits for one. Each must come after those whose results it asks for.
        """
        for name, task in tasks.items():
            self._tasks[name] = self._pool.submit(self._timed, name, task)

    def result(self, name: str) -> Any:
        """What the task ``name`` gave; raises what it raised."""
        return self._tasks[name].result()

    def working(self) -> list[str]:
        """The tasks that have not ended."""
        return [name for name, task in self._tasks.items() if not task.done()]

    def wait(self) -> None:
        """Until another task has ended."""
        wait([self._tasks[name] for name in self.working()], return_when=FIRST_COMPLETED)

    def has_machine(self, task: str) -> bool:
        """Whether ``task`` has made a machine that may be running."""
        return task in self._made

    def retire_all_but(self, tasks: Container[str]) -> None:
        """Power off the machines of all that have ended and are not among ``tasks``."""
        for name in [name for name in self._tasks if name not in tasks]:
            if self._tasks[name].done():
                for machine in self._made.pop(name, ()):
                    self.retire(machine)

    def close(self) -> None:
        """Power all machines off and delete all layers, also under a running task.

        A task whose machine vanishes fails; one that installs comes to its end
        first, and gets no machine any more.
        """
        self._closing = True
        try:
            for task in self._tasks.values():
                task.cancel()
            self._power_off()
            wait(self._tasks.values())
            self._power_off()
        finally:
            self._pool.shutdown()
            container.remove(self._scratch)

    def base(self) -> tuple[Path, ...]:
        """The clean Debian, from the cache or made now."""
        root = roots.root(self.artifact.cell.suite, "minbase", BASE)
        return (roots.ensure(self._places, root),)

    def install(
        self, name: str, under: tuple[Path, ...], packages: Sequence[str], *, idle: bool = False
    ) -> tuple[Path, ...]:
        """Install ``packages`` over the layers ``under``; the new stack.

        They are fetched with the network and installed without: servers look
        for free ports when they are installed, and only a network of their own
        has all of them free. With ``idle`` nothing that they bring starts when a
        machine boots.
        """
        layers = self.download(name, under, packages)
        script = _INSTALL_IDLE if idle else f'{APT} install "$@"; apt-get clean'
        spec = self._spec(f"layer-{name}", under)
        container.again(spec, ["sh", "-euc", script, "install", *packages])
        return layers

    def download(
        self,
        name: str,
        under: tuple[Path, ...],
        packages: Sequence[str],
        *,
        recommends: bool = False,
    ) -> tuple[Path, ...]:
        """Layers in which apt has all that ``packages`` need, and has installed none of it."""
        spec = self._spec(f"layer-{name}", under)
        container.prepare(spec)
        options = "--install-recommends " if recommends else ""
        self._fetch(spec, f"{APT} install --download-only {options}{' '.join(packages)}")
        return (spec.upper, *under)

    def _fetch(self, spec: Spec, command: str) -> None:
        """Have apt update its lists, and run ``command``, with the network."""
        script = f"apt-get --quiet update; {command}"
        container.again(replace(spec, network=True), ["sh", "-euc", script])

    def machine(self, name: str, layers: tuple[Path, ...]) -> Machine:
        """A machine booted from ``layers``, with the user and the tests' files in it.

        It runs until the session ends, or `retire` ends it.
        """
        if self._closing:
            raise BuildError(f"no machine {name}: the tests are at their end")
        life = ExitStack()
        machine = life.enter_context(Machine(self._spec(name, layers)))
        self._machines[machine.spec.name] = life
        self._made.setdefault(getattr(self._at, "task", ""), []).append(machine)
        machine.call(["useradd", "--create-home", "--shell", "/bin/sh", USER])
        for source, target in (("inside", INSIDE), ("dags", DAGS), ("team_dags", TEAM_DAGS)):
            for path in sorted((_HERE / source).iterdir()):
                if path.is_file():
                    machine.write(f"{target}/{path.name}", path.read_text(encoding="utf-8"))
        return machine

    def retire(self, machine: Machine) -> None:
        """Power off a machine that no test asks any more, to make room for others."""
        life = self._machines.pop(machine.spec.name, None)
        if life is not None:
            life.close()

    def _power_off(self) -> None:
        """End all machines at once: each takes a while."""
        lives, self._machines = self._machines, {}
        for done in [self._pool.submit(life.close) for life in lives.values()]:
            done.result()

    def _timed(self, name: str, task: Callable[[Lab], Any]) -> Any:
        self._at.task = name
        try:
            return task(self)
        finally:
            self.timings.append(f"{time.monotonic() - self._started:6.1f} s  {name}")

    def _spec(self, name: str, layers: tuple[Path, ...]) -> Spec:
        return Spec(
            name=f"{self._name}-{name}",
            layers=layers,
            scratch=self._scratch / name,
            binds=(Bind(self._packages, PACKAGES),),
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )


def _places() -> int:
    """How many scenarios may be under way: each has an Airflow or two, of 1 GB or more.

    More than three for a processor wait for each other until their daemons give up:
    gunicorn's workers have two minutes to start.
    """
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**9
    processors = len(os.sched_getaffinity(0))
    return int(max(2, min(16, gigabytes // 3, 3 * processors)))
