"""What a new user types first, and the units that come of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from tests.host.instances import Host, Instance
from tests.host.lab import USER, Lab
from tests.host.registry import scenario

from airflow_deb.run import Result

EXPOSURE = 3.0
UNITS = "/lib/systemd/system"


@dataclass(frozen=True)
class Quick:
    """The machine on which the three lines were typed, and what each has said."""

    team: Instance
    created: str
    started: str
    health: str
    dags: str
    example: dict[str, Any]
    # Seen before `sequential_stop` stops what runs here.
    active: bool
    words: str
    status: Result
    listed: list[str]


@scenario("pair")
def quickstart(lab: Lab) -> Quick:
    """Nothing but the three lines; the example is there before the start, as a DAG would be."""
    example = lab.expected["example"]["dag"]
    machine = lab.machine("quickstart", lab.result("pair"))
    host = Host(lab, machine, tuned=False)
    created = machine.shell("airflow-instance create analytics", timeout=900).stdout
    team = host.instance("analytics")
    path = f"{lab.artifact.site_packages}/airflow/example_dags/{example}.py"
    team.add_dag(example, machine.read(path))
    started = machine.shell("airflow-instance start analytics", timeout=900).stdout
    health = team.get(lab.expected["health"]).body
    dags = machine.shell("airflow-analytics dags list", timeout=900).stdout
    team.airflow("dags", "unpause", example)
    ran = team.run_dag(example)
    status = team.tool("status", "--json", user=USER)
    listed = host.ls()["analytics"]["status"]
    return Quick(
        *(team, created, started, health, dags, ran),
        *(team.active(), team.words(), status, listed),
    )


def test_create_says_what_to_type_next(quickstart: Quick) -> None:
    assert "airflow-instance start analytics" in quickstart.created


def test_start_waits_until_it_answers(quickstart: Quick, lab: Lab) -> None:
    """The very next command gets an answer that calls everything healthy."""
    team = quickstart.team
    assert f"http://127.0.0.1:{team.port}" in quickstart.started
    parts = json.loads(quickstart.health)
    names = lab.expected["healthy"]
    assert [parts[name]["status"] for name in names] == ["healthy"] * len(names)


def test_the_launcher_lists_dags(quickstart: Quick, lab: Lab) -> None:
    assert lab.expected["example"]["dag"] in quickstart.dags


def test_the_example_succeeds(quickstart: Quick, lab: Lab) -> None:
    """Through the units' own scheduler, with SQLite and the SequentialExecutor."""
    example = lab.expected["example"]
    assert quickstart.example["tasks"] == dict.fromkeys(example["tasks"], "success")
    assert quickstart.active, quickstart.words


def test_no_pid_files_in_the_home(quickstart: Quick) -> None:
    team = quickstart.team
    found = team.machine.shell(f"find {team.home} -name '*.pid' -o -name '*.err' -o -name '*.out'")
    assert found.stdout == ""
    assert team.machine.read("/run/airflow-webserver@analytics/airflow.pid").strip().isdigit()


def test_it_is_started_with_the_host(quickstart: Quick) -> None:
    host = quickstart.team.host
    assert host.systemctl("is-enabled", "airflow@analytics.service").stdout.strip() == "enabled"


def test_units_are_valid(quickstart: Quick) -> None:
    """systemd has nothing to say about any of them, alone and with its drop-in."""
    machine = quickstart.team.machine
    units = machine.shell(f"ls {UNITS}/airflow*").stdout.split()
    assert len(units) > len(quickstart.team.units)
    for unit in units:
        for name in (unit, unit.rpartition("/")[2].replace("@.", "@analytics.")):
            done = machine.call(["systemd-analyze", "verify", "--man=no", name], check=False)
            assert (done.status, done.stdout, done.stderr) == (0, "", ""), name


def test_units_are_hardened(quickstart: Quick) -> None:
    """Those of the table that this version has not, too."""
    machine = quickstart.team.machine
    paths = machine.shell(f"ls {UNITS}/airflow*.service").stdout.split()
    figures = {}
    for path in paths:
        unit = path.rpartition("/")[2].replace("@.", "@analytics.")
        said = machine.call(["systemd-analyze", "--no-pager", "security", unit]).stdout
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
        assert found, said
        figures[unit] = float(found[1])
    daemons = {f"airflow-{name}@analytics.service" for name in ("scheduler", "kerberos")}
    assert {"airflow.service", "airflow@analytics.service"} | daemons <= set(figures)
    assert {unit: figure for unit, figure in figures.items() if figure > EXPOSURE} == {}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["airflow-instance", "start", "analytics"], "sudo airflow-instance start analytics"),
        (
            ["airflow-instance", "stop", "analytics", "--force"],
            "sudo airflow-instance stop analytics --force",
        ),
        (
            ["airflow-analytics", "dags", "list"],
            "sudo -u airflow-analytics airflow-analytics dags list",
        ),
    ],
)
def test_others_get_the_exact_command(quickstart: Quick, words: list[str], hint: str) -> None:
    done = quickstart.team.machine.call(words, user=USER, check=False)
    assert done.status == 4
    assert done.stderr.rstrip().endswith(f"; {hint}")


def test_anyone_sees_how_it_is(quickstart: Quick) -> None:
    said = json.loads(quickstart.status.stdout)
    assert said["status"] == "online"
    assert "only root and" in said["database"]["error"]
    assert quickstart.listed == ["online"]


@scenario("quickstart")
def sequential_stop(lab: Lab) -> Result:
    """The scheduler stopped by systemd itself under a task of the SequentialExecutor."""
    team: Instance = lab.result("quickstart").team
    team.add_dag("patient")
    # A DAG that is new is found at a start.
    team.tool("restart", "--daemon", "scheduler")
    team.wait("the scheduler to find it", lambda: bool(team.states("patient")["known"]))
    team.airflow("dags", "unpause", "patient")
    team.trigger("patient")
    team.wait("the task to begin", lambda: _there(team, "begun"))
    team.host.systemctl("stop", "--no-block", team.unit("scheduler"))
    waiting = "waiting for the task"
    team.wait("the scheduler to be held", lambda: waiting in team.journal("scheduler"))
    team.as_user("touch", f"{team.home}/go")

    def stopped() -> bool:
        return team.host.property(team.unit("scheduler"), "ActiveState") == "inactive"

    team.wait("the scheduler to stop", stopped)
    return team.as_user("ls", team.home)


def _there(team: Instance, name: str) -> bool:
    return team.as_user("test", "-e", f"{team.home}/{name}", check=False).status == 0


def test_systemctl_stop_loses_no_task(quickstart: Quick, sequential_stop: Result) -> None:
    team = quickstart.team
    assert team.states("patient")["tasks"] == {"wait": "success"}, team.words()
    assert "told" not in sequential_stop.stdout.split()
    team.tool("start")
    team.wait_for_web()
