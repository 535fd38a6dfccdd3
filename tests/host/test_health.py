"""check, watchdog, doctor and metrics on a booted host, with real servers.

One scenario goes through an instance's good and bad times (health.py), the tests look at
what was seen on the way. Nothing is killed by time: where a daemon has to be sick for so
long, we wait until it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests import statsd_mapping
from tests.host.health import (
    CRITICAL,
    FAULTS,
    NAME,
    OK,
    OTHER,
    STRIKES,
    UNKNOWN,
    Seen,
    go_through,
)
from tests.host.instances import Host
from tests.host.lab import Lab
from tests.host.registry import scenario


@scenario("instances")
def health(lab: Lab) -> Seen:
    """An instance on PostgreSQL with another one beside it, until the test is through."""
    return go_through(Host(lab, lab.machine("health", lab.result("instances"))))


def findings(seen: Seen, moment: str) -> Iterator[tuple[str, str, str]]:
    for finding in seen.doctor[moment]:
        yield finding["check"], finding["text"], finding["mend"]


# Check.


@pytest.mark.parametrize(
    ("moment", "status", "part"),
    [
        ("stopped", CRITICAL, "stopped, though its start mode is auto"),
        ("good", OK, "2 daemons run"),
        ("user", OK, "2 daemons run"),
        ("stranger", UNKNOWN, f"sudo -u airflow-{NAME} airflow-instance check {NAME}"),
        ("nobody", UNKNOWN, "there is no instance nobody"),
        ("hung", CRITICAL, "scheduler's heartbeat is"),
        ("hung", CRITICAL, "webserver says unhealthy: scheduler"),
        ("hidden", CRITICAL, "another lives on elsewhere"),
        ("healed", OK, "scheduler beat"),
        ("silent", CRITICAL, "no answer in 3 s"),
        ("without web", CRITICAL, "webserver is stopped"),
        ("no database", CRITICAL, "no database: "),
    ],
)
def test_check(moment: str, status: int, part: str, health: Seen) -> None:
    result = health.checks[moment]
    assert (result.status, result.stderr) == (status, ""), result
    (line,) = result.stdout.splitlines()
    assert line.startswith(f"AIRFLOW {('OK', 'WARNING', 'CRITICAL', 'UNKNOWN')[status]}: ")
    assert part in line


def test_a_web_server_that_somebody_holds_still_ends_as_it_should(health: Seen) -> None:
    assert health.web_stop == "success"


def test_ls_says_that_the_scheduler_hangs(health: Seen) -> None:
    rows = {row["name"]: row["status"] for row in json.loads(health.listed)}
    assert rows[NAME] == ["online", "scheduler_stale"]


def test_check_measures(health: Seen) -> None:
    """What is well is measured, and nothing of it is what the limits are."""
    data = json.loads(health.checks["json"].stdout)
    measures = {key: value for check in data["checks"] for key, value in check["measures"].items()}
    for key in ("database_time", "web_time", "heartbeat_scheduler"):
        assert key in measures
        assert f"{key}=" in health.checks["good"].stdout
    assert any(key.startswith("disk_free_") and 0 < value <= 100 for key, value in measures.items())
    lines = health.checks["all"].stdout.splitlines()
    assert [line.split()[2] for line in lines] == [f"{NAME}:", f"{OTHER}:"]


def test_check_hides_no_password(health: Seen) -> None:
    for result in health.checks.values():
        assert "postgresql+psycopg2://" not in result.stdout


def test_check_imports_little(health: Seen) -> None:
    """Neither YAML nor what only looks cheap: that is how a check is."""
    assert not {"yaml", "dataclasses", "inspect"} & health.modules
    assert "airflow_instance.site" not in health.modules


# Watchdog.


def test_watchdog_restarts_after_the_last_strike(health: Seen) -> None:
    said = "\n".join(health.watchdog["hung"])
    for number in range(1, STRIKES + 1):
        assert f"strike {number} of {STRIKES}" in said
    assert said.count("restarting airflow-scheduler@") == 1
    assert health.pids["healed"] not in (0, health.pids["hung"])
    assert health.state == "600 root"


def test_watchdog_leaves_a_snapshot_in_the_journal(health: Seen) -> None:
    lines = [line for line in health.journal.splitlines() if line.startswith("snapshot: ")]
    assert f"snapshot: {health.pids['hung']} T (stopped)" in lines[0]
    assert lines[0].endswith("airflow scheduler") or "airflow scheduler" in lines[0]
    assert any(" descriptors: " in line for line in lines)


def test_watchdog_waits_for_the_database(health: Seen) -> None:
    assert "restarting" not in "\n".join(health.watchdog["no database"])


# Doctor.


def test_doctor_finds_nothing_where_nothing_is(health: Seen) -> None:
    assert health.doctor["good"] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_doctor_finds_faults_and_mends_them(fault: str, health: Seen) -> None:
    assert FAULTS[fault] in {check for check, _, _ in findings(health, fault)}
    assert health.doctor[f"mended {fault}"] == []


@pytest.mark.parametrize(
    ("moment", "check", "part"),
    [
        ("port", "ports", "(log_server) is taken by a process of root"),
        ("key", "fernet_key", "the fernet key does not open connection lost"),
        ("no database", "database", "the database cannot be reached"),
    ],
)
def test_doctor_finds(moment: str, check: str, part: str, health: Seen) -> None:
    assert [text for name, text, _ in findings(health, moment) if name == check and part in text]


# Metrics.


@pytest.mark.parametrize("command", ["check config", "check rules", "test rules"])
def test_promtool_takes_the_examples(command: str, health: Seen) -> None:
    assert health.promtool[command].status == 0, health.promtool[command]


def test_metrics_are_labelled_with_the_instance(health: Seen) -> None:
    found = {row["metric"]["airflow_instance"]: row["metric"] for row in health.series}
    assert set(found) == {NAME, OTHER}
    assert {metric["job"] for metric in found.values()} == {"airflow"}
    assert {metric["dag_id"] for metric in found.values()} == {"quick"}
    assert all(metric["instance"].startswith("this-host") for metric in found.values())


def test_checks_are_metrics(health: Seen) -> None:
    assert health.textfile is not None
    assert health.textfile.status == 0, health.textfile
    label = f'{{airflow_instance="{NAME}",check="heartbeat"}}'
    assert f"airflow_instance_check_status{label} 0" in health.textfile.stdout


def test_statsd_names_are_those_of_the_mapping(health: Seen) -> None:
    """Every name that was really sent is mapped or dropped, under its own instance."""
    kept: dict[str, set[str]] = {NAME: set(), OTHER: set()}
    for name in health.statsd:
        found = statsd_mapping.mapped(name)
        assert found is not None, name
        if found.name:
            kept[found.labels["airflow_instance"]].add(found.name)
    for names in kept.values():
        assert {
            "airflow_statsd_scheduler_heartbeat",
            "airflow_statsd_dagbag_size",
            "airflow_statsd_task_finish",
            "airflow_statsd_task_duration",
            "airflow_statsd_dagrun_duration",
            "airflow_statsd_operator",
            "airflow_statsd_pool_open_slots",
        } <= names
