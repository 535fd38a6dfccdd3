"""The Puppet module and the Ansible role with the tools of the cell's own Debian.

tests/host has more of them, with those of Debian 11.
"""

from __future__ import annotations

import pytest
from tests.host.instances import Host, Instance
from tests.host.lab import Lab
from tests.host.managers import MANAGERS, Run
from tests.host.registry import scenario

TEAMS = {"puppet": "sales", "ansible": "stock"}


@scenario("cell_packages")
def managed(lab: Lab) -> dict[str, tuple[Instance, list[Run]]]:
    """An instance of each, after two runs."""
    suite = lab.artifact.cell.suite.name
    packages = [name for manager in MANAGERS.values() for name in manager.packages(suite)]
    layers = lab.install("managed", lab.result("cell_packages"), packages, idle=True)
    machine = lab.machine("managed", layers)
    found = {}
    for name, manager in MANAGERS.items():
        team = Host(lab, machine, tuned=False).instance(TEAMS[name])
        this = manager(machine)
        secret = {"environment_extra": {"TEAM_TOKEN": f"of {name}, 100%"}}
        this.declare(
            {team.name: {"create_user": True}}, {team.name: secret}, lab.expected["instances"]
        )
        found[name] = (team, [this.run(), this.run()])
    return found


@pytest.mark.parametrize("manager", list(MANAGERS))
def test_it_makes_an_instance_that_runs_and_then_changes_nothing(
    managed: dict[str, tuple[Instance, list[Run]]], manager: str
) -> None:
    team, (first, second) = managed[manager]
    assert (first.changed, first.failed) == (True, False), first.said
    assert (second.changed, second.failed) == (False, False), second.said
    team.wait_for_web()
    environment = team.machine.read(f"/etc/airflow/environment.d/{team.name}.env")
    assert f"of {manager}, 100%" in environment
    assert f"of {manager}" not in first.said + second.said
