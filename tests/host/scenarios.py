"""The scenarios that several test modules look at (see registry.py).

Each brings a machine to the state that the tests look at, or reports what it saw
on the way.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.host.lab import DAGS, INSIDE, PYTHON, SERVICES, USER, Lab
from tests.host.managers import MANAGERS
from tests.host.registry import scenario
from tests.host.site import DEADLINE, PASSWORD, Site

from airflow_deb.machine import Machine

OWN_DAG = "integrations"


@dataclass(frozen=True)
class Finished:
    """A site, and the states of the DAGs that ran on it."""

    site: Site
    states: dict[str, dict[str, Any]]


@scenario()
def installed(lab: Lab) -> tuple[Path, ...]:
    """Clean Debian, and the package with what it depends on."""
    return lab.install("airflow", lab.base(), [lab.package])


@scenario("installed")
def plain(lab: Lab) -> Machine:
    """A machine with nothing but the package, for what changes no files there."""
    return lab.machine("plain", lab.result("installed"))


@scenario("plain")
def providers(lab: Lab) -> dict[str, Any]:
    """The report of inside/import_providers.py."""
    machine: Machine = lab.result("plain")
    done = machine.call([PYTHON, f"{INSIDE}/import_providers.py"], user=USER, timeout=DEADLINE)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@scenario("installed")
def sqlite(lab: Lab) -> Finished:
    """The example through the scheduler's SequentialExecutor, on SQLite."""
    example = lab.expected["example"]["dag"]
    site = Site(lab, lab.machine("sqlite", lab.result("installed")), "sqlite")
    _copy_example(lab, site.machine)
    site.airflow(*lab.expected["migrate"])
    site.start()
    site.wait(f"the scheduler to find {example}", lambda: bool(site.states(example)["known"]))
    site.airflow("dags", "trigger", example)
    return Finished(site, {example: site.wait_for_run(example)})


@scenario("installed")
def services(lab: Lab) -> tuple[Path, ...]:
    """The layers of `installed` with servers of all kinds on top, none of which runs."""
    return lab.install("services", lab.result("installed"), SERVICES, idle=True)


@scenario("installed")
def pair(lab: Lab) -> tuple[Path, ...]:
    """The layers of `installed` with the host tool on top, and no server."""
    return lab.install("pair", lab.result("installed"), [lab.instances_package])


@scenario("services")
def instances(lab: Lab) -> tuple[Path, ...]:
    """The layers of `services` with the host tool on top."""
    return lab.install("instances", lab.result("services"), [lab.instances_package])


@scenario("services")
def postgresql(lab: Lab) -> Finished:
    """All of Airflow on PostgreSQL: scheduler with LocalExecutor, web server, REST."""
    example = lab.expected["example"]["dag"]
    machine = lab.machine("postgresql", lab.result("services"))
    machine.call(["systemctl", "start", "postgresql"])
    _copy_example(lab, machine)
    sql = f"CREATE ROLE {USER} LOGIN PASSWORD 'secret'; CREATE DATABASE {USER} OWNER {USER};"
    machine.shell(f'echo "{sql}" | runuser -u postgres -- psql -v ON_ERROR_STOP=1')
    site = Site(lab, machine, "postgresql")
    site.airflow(*lab.expected["migrate"])
    name = ("--firstname=A", "--lastname=Tester", "--email=tester@localhost")
    site.airflow(
        *("users", "create", f"--username={USER}", "--role=Admin", f"--password={PASSWORD}", *name)
    )
    site.start()
    states = {}
    for dag in (example, OWN_DAG):
        site.wait(f"the scheduler to find {dag}", _known(site, dag))
    site.wait("the web server to answer", lambda: site.get(lab.expected["health"]).status == 200)
    for dag in (example, OWN_DAG):
        reply = site.get(f"{lab.expected['api']}/dags/{dag}/dagRuns", USER, body={"conf": {}})
        assert reply.status == 200, f"no run of {dag} was made: {reply}\n{site.words()}"
    for dag in (example, OWN_DAG):
        states[dag] = site.wait_for_run(dag)
    return Finished(site, states)


def _copy_example(lab: Lab, machine: Machine) -> None:
    """Put Airflow's own example where the scheduler looks for DAGs."""
    file = f"{lab.artifact.site_packages}/airflow/example_dags/{lab.expected['example']['dag']}.py"
    machine.call(["cp", file, DAGS])


def _known(site: Site, dag: str) -> Callable[[], bool]:
    return lambda: bool(site.states(dag)["known"])


@scenario("pair")
def managed_layer(lab: Lab) -> tuple[Path, ...]:
    """The layers of `pair` with both tools on top."""
    suite = lab.artifact.cell.suite.name
    wanted = [name for manager in MANAGERS.values() for name in manager.packages(suite)]
    return lab.install("managed", lab.result("pair"), wanted, idle=True)
