"""An instance with CeleryExecutor: its worker and Flower in their sandboxes, on a real broker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.host.instances import BACK, Host, Instance
from tests.host.lab import Lab
from tests.host.patience import begin, drain, there
from tests.host.registry import scenario
from tests.host.web import Reply, ask

from airflow_deb.run import Result

SETTINGS = {
    "airflow_config.core.executor": "CeleryExecutor",
    "airflow_config.celery.broker_url": "redis://127.0.0.1/0",
    "airflow_config.celery.worker_concurrency": "1",
    # The watchdog restarts, too; here only systemd is to.
    "monitoring_enabled": "false",
}


@dataclass
class Celery:
    """One instance on PostgreSQL and redis, and what was seen of it."""

    team: Instance
    first: dict[str, Any] = field(default_factory=dict)
    results: str = ""
    flower: Reply | None = None
    refused: Result | None = None
    drained: tuple[str, bool] = ("", True)
    back: dict[str, float] = field(default_factory=dict)  # seconds
    again: dict[str, Any] = field(default_factory=dict)


@scenario("instances")
def celery(lab: Lab) -> Celery:
    """A task, one that a restart waits for, and one after all daemons were killed."""
    machine = lab.machine("celery", lab.result("instances"))
    host = Host(lab, machine)
    host.systemctl("start", "postgresql", "redis-server")
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    team = host.create("analytics", "--db", "postgresql", *words)
    for name in ("quick", "patient"):
        team.add_dag(name)
    team.tool("start")
    team.wait_for_web()
    seen = Celery(team)
    seen.first = team.run_dag("quick", "first")
    psql = ["runuser", "-u", "postgres", "--", "psql", "-At", str(team.setting("db_name"))]
    sql = "SELECT status FROM celery_taskmeta"
    seen.results = machine.call([*psql, "-c", sql]).stdout
    seen.flower = ask(machine, f"http://127.0.0.1:{team.setting('ports.flower')}/", "")
    begin(team)
    seen.refused = team.tool("stop", check=False)
    said, _ = drain(team, "celery-worker")
    seen.drained = (said, there(team, "told"))
    team.wait_for_web()
    seen.back = {daemon: team.kill(daemon) for daemon in ("celery-worker", "flower")}
    seen.again = team.run_dag("quick", "again")
    return seen


def test_the_daemons_are_those_of_celery(celery: Celery) -> None:
    assert {"scheduler", "celery-worker", "flower"} <= set(celery.team.daemons)


def test_a_task_runs_in_the_worker(celery: Celery) -> None:
    """Its result comes back through the instance's own database, which nobody had to name."""
    assert celery.first["tasks"] == {"say": "success"}, celery.team.words()
    assert "SUCCESS" in celery.results


def test_flower_answers(celery: Celery) -> None:
    assert celery.flower is not None
    assert celery.flower.status == 200
    assert "Flower" in celery.flower.body


def test_a_stop_is_refused_and_a_drain_waits(celery: Celery) -> None:
    assert celery.refused is not None
    assert celery.refused.status == 6
    assert "tasks run: 1 (patient.wait)" in celery.refused.stderr
    said, told = celery.drained
    assert said.startswith("0\n"), said
    assert not told
    assert "success" in celery.team.states("patient")["runs"].values()


def test_killed_daemons_are_back_soon(celery: Celery) -> None:
    assert {name: seconds for name, seconds in celery.back.items() if seconds > BACK} == {}
    assert celery.again["tasks"] == {"say": "success"}, celery.team.words()
