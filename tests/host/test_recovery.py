"""Daemons that die, a database that goes away, and tasks that run when it is time to stop."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tests.host.instances import BACK, Host, Instance
from tests.host.lab import DAGS, Lab
from tests.host.patience import begin, drain, there
from tests.host.registry import scenario

from airflow_deb.run import Result

OUTAGE = 120  # seconds without a database
# A daemon that loses its database ends with a traceback of a few hundred lines, and the
# web server has one for each request: so much once, and next to nothing after that.
ONCE, LATER = 1024 * 1024, 16 * 1024
HOME_GROWTH = 2 * 1024 * 1024


@dataclass
class Recovery:
    """One instance on PostgreSQL with LocalExecutor, and what was seen on the way."""

    host: Host
    team: Instance
    everything: dict[str, Any] = field(default_factory=dict)
    notebook: dict[str, Any] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)  # seconds
    restarts: dict[str, int] = field(default_factory=dict)
    outage: dict[str, Any] = field(default_factory=dict)
    stops: dict[str, Result] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


@scenario("instances")
def recovery(lab: Lab) -> Recovery:
    """All of it, one thing after the other, on one machine."""
    machine = lab.machine("recovery", lab.result("instances"))
    host = Host(lab, machine)
    host.systemctl("start", "postgresql")
    # The watchdog restarts, too; here only systemd and the gate are to.
    team = host.create("analytics", "--db", "postgresql", "--set", "monitoring_enabled=false")
    seen = Recovery(host, team)
    machine.call(["install", "-d", "-o", team.user, "/srv/exchange"])
    for name in ("quick", "patient", "everything"):
        team.add_dag(name)
    owner = f"{team.user}:{team.user}"
    for name in ("integrations.py", "notebook.ipynb"):
        machine.write(f"{team.home}/dags/{name}", machine.read(f"{DAGS}/{name}"), owner=owner)
    team.tool("start")
    team.wait_for_web()
    seen.everything = team.run_dag("everything")
    seen.notebook = team.run_dag("integrations")
    _kill(seen)
    _outage(seen)
    _stops(seen)
    _upgrade(seen)
    _early(seen)
    return seen


def _kill(seen: Recovery) -> None:
    """SIGKILL for each main process, and for gunicorn's."""
    team = seen.team
    for daemon in team.daemons:
        seen.back[daemon] = team.kill(daemon)
        team.wait_for_web()
    gunicorn = team.machine.read(f"/run/airflow-webserver@{team.name}/airflow.pid")
    seen.back["gunicorn"] = team.kill("webserver", int(gunicorn))
    team.wait_for_web()
    seen.restarts = {
        daemon: int(team.host.property(team.unit(daemon), "NRestarts")) for daemon in team.daemons
    }
    # Only now it forgets that they failed.
    team.tool("restart")
    team.wait_for_web()


def _outage(seen: Recovery) -> None:
    """The database goes away for minutes, under running daemons, and comes back."""
    team, host = seen.team, seen.host
    home = _size(team)
    host.systemctl("stop", "postgresql")
    begun = time.time()
    waiting = "waiting for the database"
    team.wait("the gate", lambda: waiting in team.journal("scheduler"), may_fail=True)
    first = len(team.journal())
    while time.time() < begun + OUTAGE:
        team.get("/health")
        time.sleep(10)
    seen.outage = {
        "state": host.property(team.unit("scheduler"), "ActiveState"),
        "status": team.tool("status", check=False),
        "once": first,
        "later": len(team.journal("scheduler")),
        "home": _size(team) - home,
    }
    time.sleep(30)
    seen.outage["later"] = len(team.journal("scheduler")) - seen.outage["later"]
    host.systemctl("start", "postgresql")
    team.wait("everything to be healthy again", team.healthy, may_fail=True)
    seen.outage["dag"] = team.run_dag("quick")


def _size(team: Instance) -> int:
    return int(team.machine.call(["du", "-sb", team.home]).stdout.split()[0])


def _stops(seen: Recovery) -> None:
    """Stopping while a task runs: refused, forced, and drained."""
    team = seen.team
    begin(team)
    seen.stops["refused"] = team.tool("stop", check=False)
    seen.seen["still"] = team.active()
    seen.stops["forced"] = team.tool("stop", "--force", check=False)
    seen.seen["forced"] = (there(team, "told"), team.states("patient")["tasks"])
    team.as_user("rm", f"{team.home}/told", f"{team.home}/begun")
    team.tool("start")
    begin(team)
    # Told to stop while the task runs; it ends when it is told to.
    said, seen.seen["patience"] = drain(team, "scheduler")
    seen.seen["drained"] = (said, there(team, "told"))
    unit = team.unit("scheduler")
    seen.seen["patience after"] = team.host.property(unit, "TimeoutStopUSec")
    team.wait_for_web()


def _upgrade(seen: Recovery) -> None:
    """An installation that is newer than what runs, one that vanishes and comes back."""
    team, machine = seen.team, seen.team.machine
    seen.stops["unchanged"] = seen.host.tool("upgraded")
    before = team.pid("scheduler")
    machine.shell("touch /usr/lib/airflow/lib/python3*/site-packages/apache_airflow-*.dist-info/*")
    seen.stops["changed"] = seen.host.tool("upgraded")

    def anew() -> bool:
        return team.pid("scheduler") not in (0, before) and team.active()

    team.wait("the scheduler to be restarted", anew)
    seen.stops["removing"] = seen.host.tool("upgraded", "--removing", "/usr/lib/airflow")
    seen.seen["removed"] = [team.host.property(unit, "ActiveState") for unit in team.units]
    seen.stops["back"] = seen.host.tool("upgraded")
    team.wait("it to be back", team.active)


def _early(seen: Recovery) -> None:
    """A stop while the scheduler begins its workers, 32 of them, one after the other."""
    team = seen.team
    team.tool("stop")
    unit = team.unit("scheduler")
    before = len(team.journal("scheduler"))
    seen.host.systemctl("start", unit)
    pid = team.pid("scheduler")
    team.machine.shell(f"until pgrep --parent {pid} >/dev/null; do :; done; systemctl stop {unit}")
    seen.seen["early"] = [seen.host.property(unit, name) for name in ("ActiveState", "Result")]
    seen.seen["early journal"] = team.journal("scheduler")[before:]


def test_killed_daemons_are_back_soon(recovery: Recovery) -> None:
    """Those of another version, and of Celery and Kerberos, in their own tests."""
    assert set(recovery.back) == {*recovery.team.daemons, "gunicorn"}
    assert {name: seconds for name, seconds in recovery.back.items() if seconds > BACK} == {}


def test_the_sandbox_lets_tasks_work(recovery: Recovery) -> None:
    """JITs, shared memory, process pools, groups, name look-ups, and a notebook's kernel."""
    assert set(recovery.everything["tasks"].values()) == {"success"}, recovery.everything
    assert len(recovery.everything["tasks"]) == 5
    assert recovery.notebook["tasks"] == {"shell": "success", "notebook": "success"}


def test_killed_daemons_come_back(recovery: Recovery) -> None:
    """Each once, and the web server once more, when gunicorn's master was killed."""
    expected = dict.fromkeys(recovery.team.daemons, 1)
    assert recovery.restarts == expected | {"webserver": 2}


def test_an_outage_is_waited_for(recovery: Recovery) -> None:
    """Neither failed nor crashing, and said so to who asks."""
    assert recovery.outage["state"] == "activating"
    assert recovery.outage["status"].status == 3
    assert "Connection refused" in recovery.outage["status"].stdout


def test_an_outage_fills_no_disk(recovery: Recovery) -> None:
    assert recovery.outage["once"] < ONCE
    assert recovery.outage["later"] < LATER
    assert recovery.outage["home"] < HOME_GROWTH


def test_services_recover_by_themselves(recovery: Recovery) -> None:
    assert recovery.outage["dag"]["tasks"] == {"say": "success"}


def test_a_running_task_refuses_a_stop(recovery: Recovery) -> None:
    done = recovery.stops["refused"]
    assert done.status == 6
    assert "tasks run: 1 (patient.wait)" in done.stderr
    assert "--drain lets them finish" in done.stderr
    assert recovery.seen["still"]


def test_force_tells_tasks_to_end(recovery: Recovery) -> None:
    """Their own handlers run, and Airflow knows that they failed."""
    assert recovery.stops["forced"].status == 0, recovery.stops["forced"]
    assert "tasks ended: 1 (patient.wait)" in recovery.stops["forced"].stderr
    told, tasks = recovery.seen["forced"]
    assert told
    assert tasks == {"wait": "failed"}


def test_a_drain_finishes_the_task(recovery: Recovery) -> None:
    said, told = recovery.seen["drained"]
    assert said.startswith("0\n"), said
    assert not told
    assert "success" in recovery.team.states("patient")["runs"].values()
    assert recovery.seen["patience"] == "30min"
    assert recovery.seen["patience after"] == "10min"


def test_upgrades_restart_what_runs(recovery: Recovery) -> None:
    assert recovery.stops["unchanged"].stdout == ""
    assert "analytics: restarted webserver, scheduler" in recovery.stops["changed"].stdout
    assert "analytics: stopped" in recovery.stops["removing"].stdout
    assert set(recovery.seen["removed"]) <= {"inactive"}
    assert "analytics: started webserver, scheduler" in recovery.stops["back"].stdout


def test_a_stop_waits_for_a_start(recovery: Recovery) -> None:
    """LocalExecutor would wait for workers that it never began: 10 minutes, and be killed."""
    assert recovery.seen["early"] == ["inactive", "success"]
    assert "waiting for its start to be over" in recovery.seen["early journal"]
