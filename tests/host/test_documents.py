"""Every command that README.md and docs/ have for a host, typed as it is printed."""

from __future__ import annotations

import pytest
from tests.documents import Command
from tests.host.instances import Host
from tests.host.lab import Lab
from tests.host.pages import MANAGED, OPERATIONS, PAGES, README
from tests.host.reader import Page, Reader, Typed
from tests.host.registry import scenario

Results = dict[tuple[str, int], Typed]


@scenario()
def newcomer(lab: Lab) -> Results:
    """The README on a clean Debian with nothing but a database's server."""
    clean = lab.install("newcomer", lab.base(), ["postgresql"], idle=True)
    packages = (lab.package, lab.instances_package)
    ready = lab.download("newcomer-packages", clean, packages, recommends=True)
    reader = Reader(lab, lab.machine("newcomer", ready))
    reader.follow(README)
    lab.retire(reader.machine)
    return reader.results


@scenario("instances")
def operator(lab: Lab) -> Results:
    """One page after the other on one host, which has a team all the time."""
    reader = Reader(lab, lab.machine("operator", lab.result("instances")))
    reader.host.defaults(airflow_config=lab.expected["instances"]["airflow_config"])
    for page in OPERATIONS:
        reader.follow(page)
    lab.retire(reader.machine)
    return reader.results


@scenario("managed_layer")
def manager(lab: Lab) -> Results:
    """Puppet's and Ansible's page; there is a team before."""
    reader = Reader(lab, lab.machine("manager", lab.result("managed_layer")))
    Host(lab, reader.machine).create("analytics")
    reader.follow(MANAGED)
    lab.retire(reader.machine)
    return reader.results


@pytest.mark.parametrize(
    ("page", "command"),
    [(page, command) for page in PAGES for command in page.commands],
    ids=lambda it: str(it) if isinstance(it, Command) else "",
)
def test_a_command_does_what_it_is_printed_for(
    page: Page, command: Command, newcomer: Results, operator: Results, manager: Results
) -> None:
    done = {**newcomer, **operator, **manager}[command.path, command.line]
    assert not done.trouble, f"{done.trouble}\n{done.said[-4000:]}"
