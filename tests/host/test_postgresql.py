"""PostgreSQL, LocalExecutor, web server and REST: Airflow as hosts run it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.host.lab import USER
from tests.host.scenarios import OWN_DAG, Finished
from tests.host.site import PASSWORD


def test_example_succeeds(postgresql: Finished, expectations: dict[str, Any]) -> None:
    """Airflow's own example, asked for over REST, run by LocalExecutor."""
    example = expectations["example"]
    found = postgresql.states[example["dag"]]
    assert set(found["runs"].values()) == {"success"}, postgresql.site.words()
    assert found["tasks"] == dict.fromkeys(example["tasks"], "success")


def test_own_dag_succeeds(postgresql: Finished) -> None:
    """A shell task and a notebook."""
    found = postgresql.states[OWN_DAG]
    assert found["tasks"] == {"shell": "success", "notebook": "success"}, postgresql.site.words()


def test_shell_task_ran_as_the_user(postgresql: Finished) -> None:
    """What the task wrote is there, and says whose it was."""
    run = next(iter(postgresql.states[OWN_DAG]["runs"]))
    site = postgresql.site
    assert site.machine.read(f"{site.home}/shell.txt") == f"run {run} as {USER}\n"


def test_papermill_notebook(postgresql: Finished) -> None:
    """The notebook was executed with its parameter, by the package's own kernel."""
    site = postgresql.site
    cells = json.loads(site.machine.read(f"{site.home}/notebook-done.ipynb"))["cells"]
    said = [output["text"] for cell in cells for output in cell["outputs"] if "text" in output]
    assert ["".join(text) for text in said] == ["sum 21\n"]


def test_health(postgresql: Finished, expectations: dict[str, Any]) -> None:
    """Database and scheduler are healthy; 200 alone would not say so."""
    reply = postgresql.site.get(expectations["health"])
    states = {name: part["status"] for name, part in reply.json().items()}
    assert states == dict.fromkeys(expectations["healthy"], "healthy")


def test_metrics(postgresql: Finished, expectations: dict[str, Any]) -> None:
    """The exporter counts the run that was made, and its tasks."""
    reply = postgresql.site.get(expectations["metrics"])
    assert reply.status == 200
    samples = [line for line in reply.body.splitlines() if line.startswith("airflow_")]
    dag = expectations["example"]["dag"]
    assert _value(samples, "airflow_dag_status{", dag, "success") == 1.0
    for task in expectations["example"]["tasks"]:
        assert _value(samples, "airflow_task_status{", dag, "success", task) == 1.0


def test_rest_answers_with_the_password(postgresql: Finished, expectations: dict[str, Any]) -> None:
    """The list of DAGs is the scheduler's."""
    reply = postgresql.site.get(f"{expectations['api']}/dags", USER, PASSWORD)
    assert reply.status == 200
    names = {dag["dag_id"] for dag in reply.json()["dags"]}
    assert names == {expectations["example"]["dag"], OWN_DAG}


@pytest.mark.parametrize(("user", "password"), [("", ""), (USER, "wrong"), ("nobody", PASSWORD)])
def test_rest_refuses(
    postgresql: Finished, expectations: dict[str, Any], user: str, password: str
) -> None:
    """No password, a wrong one, or an unknown user: 401."""
    assert postgresql.site.get(f"{expectations['api']}/dags", user, password).status == 401


def test_web_login(postgresql: Finished, expectations: dict[str, Any]) -> None:
    """A browser gets in and sees the DAGs."""
    shown = postgresql.site.login(USER, PASSWORD)
    assert shown["token"]
    assert expectations["example"]["dag"] in shown["page"]


def test_web_login_refuses(postgresql: Finished, expectations: dict[str, Any]) -> None:
    """With a wrong password the login page is all there is."""
    shown = postgresql.site.login(USER, "wrong")
    assert expectations["login"] in shown["where"]
    assert expectations["example"]["dag"] not in shown["page"]


def test_daemons_still_run(postgresql: Finished) -> None:
    """After all of that none has given up."""
    site = postgresql.site
    assert [unit for unit in site.daemons if not site.active(unit)] == [], site.words()


def _value(samples: list[str], metric: str, *labels: str) -> float:
    """The value of the one sample of ``metric`` that has all ``labels``."""
    fits = [
        line
        for line in samples
        if line.startswith(metric) and all(f'="{label}"' in line for label in labels)
    ]
    assert len(fits) == 1, f"{metric} {labels}: {fits}"
    return float(fits[0].rpartition(" ")[2])
