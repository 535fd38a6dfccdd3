"""What every cell must do: import all it brings, and run an instance to a DAG's success."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.host.instances import BACK, Host, Instance
from tests.host.lab import INSIDE, PYTHON, USER, Lab
from tests.host.registry import scenario
from tests.host.site import DEADLINE, PASSWORD
from tests.host.web import Reply

from airflow_deb.machine import Machine
from airflow_deb.run import Result

# Of Airflow 3: where a name and a password are given for a token, and what needs one.
TOKEN, DAGS = "/auth/token", "/api/v2/dags"
LOOPBACK = ("127.0.0.1:", "[::1]:", "[::ffff:127.0.0.1]:")


@dataclass
class Cell:
    """A machine with both packages and an instance, and what was seen of it."""

    machine: Machine
    team: Instance
    dag: dict[str, Any]
    check: Result
    listening: list[str]
    targets: str
    metrics: dict[str, Any] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)  # seconds
    other: Result | None = None
    # By auth manager: the status of an answer to a stranger, to who logs in, and the like.
    access: dict[str, dict[str, int]] = field(default_factory=dict)


@scenario()
def cell_packages(lab: Lab) -> tuple[Path, ...]:
    """Clean Debian with both packages, and PostgreSQL, which does not run yet.

    git is recommended: DAG bundles of that kind need it to be imported.
    """
    wanted = [lab.package, lab.instances_package, "postgresql", "iproute2", "git"]
    return lab.install("cell", lab.base(), wanted, idle=True)


@scenario("cell_packages")
def imports(lab: Lab) -> dict[str, Any]:
    """The report of inside/import_providers.py."""
    machine = lab.machine("imports", lab.result("cell_packages"))
    done = machine.call([PYTHON, f"{INSIDE}/import_providers.py"], user=USER, timeout=DEADLINE)
    report: dict[str, Any] = json.loads(done.stdout)
    print({key: report[key] for key in ("providers", "modules", "hooks")})
    times = f"find {Path(PYTHON).parents[1]} -type f -printf '%T@\\n' | sort -u"
    report["times"] = machine.shell(times).stdout.split()
    lab.retire(machine)
    return report


@scenario("cell_packages")
def cell(lab: Lab) -> Cell:
    """An instance with LocalExecutor on PostgreSQL, made and started as a new user would."""
    machine = lab.machine("cell", lab.result("cell_packages"))
    machine.call(["systemctl", "start", "postgresql"])
    host = Host(lab, machine)
    team = host.create("analytics", "--db", "postgresql")
    team.add_dag("quick")
    team.tool("start")
    team.wait_for_web()
    seen = Cell(
        machine,
        team,
        dag=team.run_dag("quick"),
        check=team.tool("check", check=False),
        listening=machine.call(["ss", "-Hltnp"]).stdout.splitlines(),
        targets=machine.shell("cat /etc/airflow/prometheus.d/analytics.yaml", check=False).stdout,
    )
    path = re.search(r'__metrics_path__: "?([^"\n]+)', seen.targets)
    if path:
        reply = team.get(path[1])
        seen.metrics = {"status": reply.status, "body": reply.body}
    seen.back = {daemon: team.kill(daemon) for daemon in team.daemons}
    team.wait_for_web()
    if lab.expected["auth"]:
        name = ("--firstname=A", "--lastname=L", "--email=ada@localhost", f"--password={PASSWORD}")
        team.airflow("users", "create", "--username=ada", "--role=Admin", *name)
        seen.access["fab"] = _logins(team, "ada", PASSWORD)
        team.tool("set", "--apply", f"airflow_config.core.auth_manager={lab.expected['auth']}")
        seen.other = team.tool("restart", check=False)
        team.wait_for_web()
        kept = f"{team.home}/simple_auth_manager_passwords.json.generated"
        seen.access["simple"] = _logins(team, "admin", json.loads(machine.read(kept))["admin"])
        team.tool("set", "--apply", "web_access=open")
        team.tool("restart")
        team.wait_for_web()
        seen.access["open"] = {"stranger": _with(team, team.get(TOKEN))}
    return seen


def _logins(team: Instance, user: str, password: str) -> dict[str, int]:
    """What a page of the REST API answers to whom; a token is what logging in gives."""
    wrong = team.get(TOKEN, body={"username": user, "password": "wrong"})
    right = team.get(TOKEN, body={"username": user, "password": password})
    return {
        "stranger": team.get(DAGS).status,
        "token for a stranger": team.get(TOKEN).status,
        "wrong password": wrong.status,
        "user": _with(team, right),
    }


def _with(team: Instance, given: Reply) -> int:
    """The status of an answer to who has the token that was ``given``, if one was."""
    if given.status != 201:
        return given.status
    return team.get(DAGS, "Bearer", given.json()["access_token"]).status


def test_every_module_of_every_provider_imports(imports: dict[str, Any], lab: Lab) -> None:
    """With all hooks, and for each provider that is locked; but for what is for later Airflows."""
    wrong = {
        name: said
        for name, said in imports["failures"].items()
        if not any(lack in said.splitlines()[-1] for lack in lab.expected["lacks"])
    }
    assert wrong == {}
    assert len(imports["failures"]) < imports["modules"] / 50
    locked = {file.name for file in lab.artifact.lock.files}
    wanted = {name for name in locked if name.startswith("apache-airflow-providers-")}
    assert imports["providers"] >= len(wanted) > 60
    assert imports["modules"] > 10 * imports["providers"]
    assert imports["hooks"] > 60


def test_all_files_are_of_one_time(imports: dict[str, Any]) -> None:
    """SOURCE_DATE_EPOCH: what keeps a time of its own is the copy of something."""
    assert len(imports["times"]) == 1, imports["times"]


def test_every_module_is_compiled(imports: dict[str, Any]) -> None:
    assert imports["uncompiled"] == []


def test_the_daemons_are_those_of_the_version(cell: Cell, lab: Lab) -> None:
    assert cell.team.daemons == lab.expected["daemons"]


def test_a_dag_succeeds(cell: Cell) -> None:
    """With LocalExecutor on PostgreSQL, as the instance's user."""
    assert cell.dag["tasks"] == {"say": "success"}, cell.team.words()
    said = cell.machine.read(f"{cell.team.home}/quick.txt").split()
    assert said == ["analytics", cell.team.user]
    assert cell.team.setting("airflow_config.core.executor") == "LocalExecutor"


def test_check_finds_nothing(cell: Cell) -> None:
    assert (cell.check.status, cell.check.stdout[:10]) == (0, "AIRFLOW OK"), cell.check


def test_it_listens_on_loopback_only(cell: Cell) -> None:
    """Metrics and open pages of every kind are with the web server."""
    ours = [line.split()[3] for line in cell.listening if "postgres" not in line]
    assert any(address.endswith(f":{cell.team.port}") for address in ours)
    assert [address for address in ours if not address.startswith(LOOPBACK)] == []


def test_killed_daemons_are_back_soon(cell: Cell) -> None:
    assert set(cell.back) == set(cell.team.daemons)
    assert {name: seconds for name, seconds in cell.back.items() if seconds > BACK} == {}


def test_metrics_are_what_prometheus_is_told(cell: Cell) -> None:
    assert cell.metrics["status"] == 200, cell.metrics
    assert "airflow_dag_status{" in cell.metrics["body"]


def test_the_other_auth_manager_starts(cell: Cell, lab: Lab) -> None:
    """Where Airflow has one: FAB's is the default, the simple one is to work, too."""
    if lab.expected["auth"] is None:
        assert "auth_manager" not in cell.team.shown["settings"]
        return
    assert cell.other is not None
    assert cell.other.status == 0, cell.other


@pytest.mark.parametrize("manager", ["fab", "simple"])
def test_who_logs_in_is_let_in_and_nobody_else(cell: Cell, lab: Lab, manager: str) -> None:
    if lab.expected["auth"] is None:
        assert cell.access == {}
        return
    seen = dict(cell.access[manager])
    assert seen.pop("user") == 200
    assert all(400 <= status < 500 for status in seen.values()), seen


def test_open_access_lets_strangers_in(cell: Cell, lab: Lab) -> None:
    """The simple auth manager, told by web_access: open; on loopback only."""
    assert cell.access.get("open", {}) == ({"stranger": 200} if lab.expected["auth"] else {})


@pytest.mark.parametrize("daemon", ["airflow@", "airflow-scheduler@"])
def test_units_are_valid(cell: Cell, daemon: str) -> None:
    unit = f"{daemon}analytics.service"
    done = cell.machine.call(["systemd-analyze", "verify", "--man=no", unit], check=False)
    assert (done.status, done.stdout, done.stderr) == (0, "", "")
