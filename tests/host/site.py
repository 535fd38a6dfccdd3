"""An Airflow on a machine: a home, an environment, daemons under systemd.

Run as an administrator would run it by hand: the packaged `airflow` command,
as an ordinary user, configured by environment variables.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from tests.host.lab import DAGS, INSIDE, PYTHON, USER, Lab
from tests.host.web import Reply, ask

from airflow_deb.machine import Machine
from airflow_deb.run import Result

# How long something may take that is waited for. Only a hang reaches it.
DEADLINE = 900
PASSWORD = "open sesame"  # noqa: S105 - of a user in a container without a network
_URL = "http://127.0.0.1:8080"
_LINES = 60


class Site:
    """An Airflow with its own home and database on ``machine``."""

    def __init__(self, lab: Lab, machine: Machine, kind: str) -> None:
        self.machine = machine
        self.expected = lab.expected
        self.home = f"/home/{USER}/{kind}"
        values = {"home": self.home, "dags": DAGS, "user": USER, "password": "secret"}
        sites = lab.expected["sites"]
        environment = sites["every"]["environment"] | sites[kind]["environment"]
        self.env = {key: text.format(**values) for key, text in environment.items()}
        self.daemons: dict[str, list[str]] = sites[kind]["daemons"]
        self.database = next(v for k, v in self.env.items() if k.endswith("SQL_ALCHEMY_CONN"))

    def airflow(self, *words: str, check: bool = True) -> Result:
        """Run an airflow command to its end."""
        command = ["airflow", *words]
        return self.machine.call(command, user=USER, env=self.env, check=check, timeout=DEADLINE)

    def start(self) -> None:
        """Run the site's daemons as services, each a transient unit."""
        for name, words in self.daemons.items():
            command = ["systemd-run", "--quiet", f"--unit={name}", f"--uid={USER}", "--same-dir"]
            command += [f"--setenv={key}={value}" for key, value in self.env.items()]
            # Whoever does not stop in time is killed: the machine is about to vanish.
            command += ["--property=TimeoutStopSec=5", f"--setenv=HOME=/home/{USER}"]
            command += ["/usr/bin/airflow", *words]
            self.machine.call(command, workdir=f"/home/{USER}")

    def get(self, path: str, user: str = "", password: str = PASSWORD, body: Any = None) -> Reply:
        """Ask the web server for ``path``; with a body, post to it."""
        return ask(self.machine, _URL + path, user, password, body)

    def login(self, user: str, password: str) -> dict[str, Any]:
        """Log in to the web interface (see inside/login.py)."""
        paths = (self.expected["login"], self.expected["front_page"])
        command = [PYTHON, f"{INSIDE}/login.py", _URL, *paths, user, password]
        found: dict[str, Any] = json.loads(self.machine.call(command, user=USER).stdout)
        return found

    def states(self, dag: str) -> dict[str, Any]:
        """What the database knows of ``dag`` (see inside/states.py)."""
        command = [PYTHON, f"{INSIDE}/states.py", self.database, dag]
        found: dict[str, Any] = json.loads(self.machine.call(command, user=USER).stdout)
        return found

    def wait_for_run(self, dag: str) -> dict[str, Any]:
        """The states of ``dag`` once its run has ended, for better or worse."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.states(dag))
            return bool(found["runs"]) and set(found["runs"].values()) <= {"success", "failed"}

        self.wait(f"the run of {dag}", ended)
        return found

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Ask ``ready`` until it says yes.

        Fails with the daemons' last words when one of them has ended, or at
        the deadline.
        """
        end = time.monotonic() + DEADLINE
        while not ready():
            gone = [unit for unit in self.daemons if not self.active(unit)]
            if gone:
                raise AssertionError(f"{', '.join(gone)} ended before {what}\n{self.words()}")
            if time.monotonic() > end:
                raise AssertionError(f"waited {DEADLINE} s for {what}\n{self.words()}")
            time.sleep(1)

    def active(self, unit: str) -> bool:
        """Whether ``unit`` runs."""
        return self.machine.call(["systemctl", "is-active", unit], check=False).status == 0

    def journal(self, unit: str) -> str:
        """All that ``unit`` has said."""
        words = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"]
        return self.machine.call(words).stdout

    def words(self) -> str:
        """The end of what each daemon said, and of each task's log."""
        parts = [
            f"--- {unit}\n" + "\n".join(self.journal(unit).splitlines()[-_LINES:])
            for unit in self.daemons
        ]
        script = (
            f"find {self.home}/logs -name '*.log' ! -path '*/scheduler/*'"
            " ! -path '*/dag_processor_manager/*' -print0 | xargs -0r tail"
        )
        parts.append("--- task logs\n" + self.machine.shell(script, check=False).stdout[-8000:])
        return "\n".join(parts)
