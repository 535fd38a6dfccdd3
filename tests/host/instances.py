"""Instances on a machine, used as an administrator and a team use them.

    host = Host(lab, lab.machine("mine", lab.result("instances")))
    team = host.create("analytics", "--db", "postgresql")
    team.add_dag("quick")
    team.tool("start")
    team.wait_for_web()
    assert team.run_dag("quick")["tasks"] == {"say": "success"}

What is asked here is asked past the tool where that is possible: systemd, the
database and the web server say how an instance is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from tests.host.lab import INSIDE, PYTHON, TEAM_DAGS, Lab
from tests.host.site import DEADLINE, PASSWORD
from tests.host.web import Reply, ask

from airflow_deb.machine import Machine
from airflow_deb.run import Result

TOOL = "airflow-instance"
BACK = 30.0  # seconds in which a daemon that was killed has to be there again
_LINES = 60


class Host:
    """A machine with airflow-instances; slow daemons are made small and patient."""

    def __init__(self, lab: Lab, machine: Machine, *, tuned: bool = True) -> None:
        self.machine = machine
        self.expected = lab.expected
        if tuned:
            self.defaults(airflow_config=lab.expected["instances"]["airflow_config"])

    def tool(self, *words: str, check: bool = True, user: str = "") -> Result:
        """Run ``airflow-instance WORDS``, as root or as ``user``."""
        return self.machine.call([TOOL, *words], user=user, check=check, timeout=DEADLINE)

    def defaults(self, **parameters: Any) -> None:
        """Replace the site's defaults; apply is the caller's."""
        self.machine.write("/etc/airflow/defaults.yaml", as_yaml(parameters))

    def declare(self, name: str, **parameters: Any) -> Instance:
        """Write the declaration of an instance, as Puppet would; apply is the caller's."""
        self.machine.write(f"/etc/airflow/instances.d/{name}.yaml", as_yaml(parameters))
        return Instance(self, name)

    def secrets(self, name: str, **parameters: Any) -> None:
        """Write the secrets of an instance; apply is the caller's."""
        path = f"/etc/airflow/secrets.d/{name}.yaml"
        self.machine.write(path, as_yaml(parameters), mode="600")

    def create(self, name: str, *words: str) -> Instance:
        """``airflow-instance create NAME WORDS``."""
        self.tool("create", name, *words)
        return Instance(self, name)

    def instance(self, name: str) -> Instance:
        """An instance that is declared already."""
        return Instance(self, name)

    def ls(self) -> dict[str, dict[str, Any]]:
        """What ``airflow-instance ls`` says, by instance."""
        rows = json.loads(self.tool("ls", "--json").stdout)
        return {row["name"]: row for row in rows}

    def systemctl(self, *words: str, check: bool = True) -> Result:
        """Run systemctl."""
        return self.machine.call(["systemctl", *words], check=check)

    def property(self, unit: str, name: str) -> str:
        """A property of a unit, as ``systemctl show`` prints it."""
        return self.systemctl("show", "--value", f"--property={name}", unit).stdout.strip()

    def wait(
        self,
        what: str,
        ready: Callable[[], bool],
        *,
        words: Callable[[], str] = lambda: "",
        seconds: float = DEADLINE,
    ) -> None:
        """Ask ``ready`` until it says yes; fails at the deadline with the text of ``words``."""
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds:.0f} s for {what}\n{words()}")
            time.sleep(1)


class Instance:
    """One instance of a host."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.machine = host.machine
        self.name = name

    @cached_property
    def shown(self) -> dict[str, Any]:
        """What ``airflow-instance show --json`` says."""
        found: dict[str, Any] = json.loads(self.tool("show", "--json").stdout)
        return found

    def setting(self, key: str) -> Any:
        """A parameter or option in force: ``airflow_home``, ``airflow_config.core.executor``."""
        return self.shown["settings"][key]["value"]

    @property
    def home(self) -> str:
        """AIRFLOW_HOME."""
        return str(self.setting("airflow_home"))

    @property
    def user(self) -> str:
        """The service user."""
        return str(self.setting("service_user"))

    @property
    def port(self) -> int:
        """The web server's port."""
        return int(self.setting("ports.web"))

    @property
    def daemons(self) -> list[str]:
        """The names of its daemons: webserver, scheduler, …"""
        return list(self.shown["daemons"])

    @property
    def units(self) -> list[str]:
        """The units of its daemons."""
        return [self.unit(daemon) for daemon in self.daemons]

    def unit(self, daemon: str = "") -> str:
        """The unit of a daemon, or the one that stands for the whole instance."""
        return f"airflow-{daemon}@{self.name}.service" if daemon else f"airflow@{self.name}.service"

    def tool(self, verb: str, *words: str, check: bool = True, user: str = "") -> Result:
        """``airflow-instance VERB NAME WORDS``."""
        return self.host.tool(verb, self.name, *words, check=check, user=user)

    def as_user(self, *command: str, check: bool = True) -> Result:
        """Run a command as the service user, in no particular environment."""
        words = ["runuser", "-u", self.user, "--", *command]
        return self.machine.call(words, check=check, timeout=DEADLINE)

    def airflow(self, *words: str, check: bool = True) -> Result:
        """Run Airflow's own command for the instance: the launcher, as the service user."""
        return self.as_user(f"airflow-{self.name}", *words, check=check)

    def add_dag(self, name: str, text: str = "") -> None:
        """Put a DAG of tests/host/team_dags, or ``text``, into the instance's dags folder."""
        text = text or self.machine.read(f"{TEAM_DAGS}/{name}.py")
        owner = f"{self.user}:{self.setting('service_group')}"
        self.machine.write(f"{self.home}/dags/{name}.py", text, owner=owner)

    def get(self, path: str, user: str = "", password: str = PASSWORD, body: Any = None) -> Reply:
        """Ask the instance's web server for ``path``; with a body, post to it."""
        return ask(self.machine, f"http://127.0.0.1:{self.port}{path}", user, password, body)

    def healthy(self) -> bool:
        """Whether the health page names every part healthy."""
        reply = self.get(self.host.expected["health"])
        if reply.status != 200:
            return False
        parts = reply.json()
        return all(parts[name]["status"] == "healthy" for name in self.host.expected["healthy"])

    def active(self, daemon: str = "") -> bool:
        """Whether the daemon, or without one every daemon, runs."""
        units = [self.unit(daemon)] if daemon else self.units
        return all(self.host.property(unit, "ActiveState") == "active" for unit in units)

    def pid(self, daemon: str) -> int:
        """The main process of a daemon; 0 when it does not run."""
        return int(self.host.property(self.unit(daemon), "MainPID"))

    def kill(self, daemon: str, victim: int = 0) -> float:
        """SIGKILL for the main process of a daemon, or for another, ``victim``, of it.

        Waits until systemd has started it anew; the seconds until then, by systemd's clock.
        """
        before = self.pid(daemon)
        began = time.monotonic()
        self.machine.call(["kill", "-KILL", str(victim or before)])

        def anew() -> bool:
            return self.active(daemon) and self.pid(daemon) not in (0, before)

        self.wait(f"{daemon} to be started anew", anew, may_fail=True)
        stamp = self.host.property(self.unit(daemon), "ActiveEnterTimestampMonotonic")
        return int(stamp) / 1e6 - began

    def journal(self, daemon: str = "") -> str:
        """All that a daemon, or every unit of the instance, has said."""
        unit = self.unit(daemon) if daemon else f"airflow*@{self.name}.service"
        words = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"]
        return self.machine.call(words).stdout

    def states(self, dag: str) -> dict[str, Any]:
        """What the instance's database knows of ``dag`` (see inside/states.py)."""
        command = (PYTHON, f"{INSIDE}/states.py", f"{self.home}/airflow.cfg", dag)
        found: dict[str, Any] = json.loads(self.as_user(*command).stdout)
        return found

    def trigger(self, dag: str, run: str = "") -> None:
        """Wait until the scheduler has found ``dag``, then ask for a run of it."""
        self.wait(f"the scheduler to find {dag}", lambda: bool(self.states(dag)["known"]))
        self.airflow("dags", "trigger", dag, *([f"--run-id={run}"] if run else []))

    def wait_for_run(self, dag: str, run: str = "") -> dict[str, Any]:
        """The states of ``dag`` once all its runs, or ``run``, have ended, as they may."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.states(dag))
            runs = found["runs"]
            asked = {run: runs[run]} if run in runs else {} if run else runs
            return bool(asked) and set(asked.values()) <= {"success", "failed"}

        self.wait(f"the run {run} of {dag}", ended)
        return found

    def run_dag(self, dag: str, run: str = "") -> dict[str, Any]:
        """`trigger`, then `wait_for_run`."""
        self.trigger(dag, run)
        return self.wait_for_run(dag, run)

    def wait_for_web(self) -> None:
        """Wait until the web server names every part healthy."""
        self.wait("the web server to call everything healthy", self.healthy)

    def wait(self, what: str, ready: Callable[[], bool], *, may_fail: bool = False) -> None:
        """Ask ``ready`` until it says yes.

        Fails with the daemons' last words at the deadline and, unless they
        ``may_fail``, when systemd has given one of them up.
        """

        def unless_failed() -> bool:
            if not may_fail:
                states = {unit: self.host.property(unit, "ActiveState") for unit in self.units}
                failed = [unit for unit, state in states.items() if state == "failed"]
                assert not failed, f"{', '.join(failed)} failed before {what}\n{self.words()}"
            return ready()

        self.host.wait(f"{what} ({self.name})", unless_failed, words=self.words)

    def words(self) -> str:
        """How the units are, the end of what each said, and of each task's log."""
        units = [self.unit(), *self.units]
        parts = [
            self.host.systemctl("--no-pager", "--lines=0", "status", *units, check=False).stdout
        ]
        parts += [
            f"--- {daemon}\n" + "\n".join(self.journal(daemon).splitlines()[-_LINES:])
            for daemon in self.daemons
        ]
        script = (
            f"find {self.home}/logs -name '*.log' ! -path '*/scheduler/*'"
            " ! -path '*/dag_processor_manager/*' -print0 | xargs -0r tail"
        )
        parts.append("--- task logs\n" + self.machine.shell(script, check=False).stdout[-8000:])
        return "\n".join(parts)


def as_yaml(value: Mapping[str, Any], indent: str = "") -> str:
    """Nested mappings, lists and scalars as the plain YAML that declarations are.

    >>> as_yaml({"db": "sqlite", "airflow_config": {"core": {"parallelism": 4}}})
    'db: "sqlite"\\nairflow_config:\\n  core:\\n    parallelism: 4\\n'
    """
    text = ""
    for key, part in value.items():
        if isinstance(part, Mapping):
            text += f"{indent}{key}:\n{as_yaml(part, indent + '  ')}"
        elif isinstance(part, list):
            items = "".join(f"{indent}  - {json.dumps(item)}\n" for item in part)
            text += f"{indent}{key}:\n{items}"
        else:
            text += f"{indent}{key}: {json.dumps(part, ensure_ascii=False)}\n"
    return text
