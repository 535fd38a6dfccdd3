"""`check`: what is written down for it, how it judges, what it prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_instance.errors import HostError
from airflow_instance.health import report, rules, target, units
from airflow_instance.health.rules import CRITICAL, OK, UNKNOWN, WARNING, Finding, Limit, Measure
from airflow_instance.health.target import Target
from airflow_instance.site import Site

from .conftest import Run
from .health import PLUGIN, applied, bad, seen, states

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def found(site: Site, run: Run) -> Target:
    return applied(site, run)


def test_apply_writes_what_a_check_needs(site: Site, run: Run, root: Path) -> None:
    found = applied(site, run, "--installation", "/usr/lib/airflow-2.1")
    assert found.web == "http://127.0.0.1:8600/health"
    assert found.hostname == "socket.getfqdn"
    assert found.database == ("core", "sql_alchemy_conn")
    assert [(d.name, d.job, d.stale, d.web) for d in found.daemons] == [
        ("webserver", "", 0, True),
        ("scheduler", "SchedulerJob", 30.0, False),
    ]
    assert (root / found.installation.lstrip("/")).is_dir()
    run("drop", "a")
    assert not (root / "etc/airflow/check.d/a.conf").exists()


def test_newer_versions_have_more_and_elsewhere(site: Site, run: Run) -> None:
    found = applied(site, run, "--installation", "/usr/lib/airflow-3.3")
    assert found.web == "http://127.0.0.1:8600/api/v2/monitor/health"
    assert found.hostname == "airflow.utils.net.getfqdn"
    assert found.database == ("database", "sql_alchemy_conn")
    assert {d.name: d.job for d in found.daemons} == {
        "api-server": "",
        "scheduler": "SchedulerJob",
        "dag-processor": "DagProcessorJob",
        "triggerer": "TriggererJob",
    }


def test_settings_of_the_declaration_count(
    site: Site, run: Run, declare: Callable[..., Path]
) -> None:
    declare(
        "a",
        "create_user: true\nmonitoring_enabled: false\nstart: manual\n"
        "airflow_config:\n  scheduler: {scheduler_health_check_threshold: 75}\n"
        "  webserver: {web_server_host: '::', web_server_ssl_cert: /c.pem}\n"
        "environment_extra: {AIRFLOW__WEBSERVER__WEB_SERVER_PORT: 9999,"
        " AIRFLOW__WEBSERVER__BASE_URL: 'https://x.example.org/team/'}\n",
    )
    assert run("apply") == 0
    found = target.load(site.layout, "a")
    assert (found.monitored, found.start) == (False, "manual")
    assert found.web == "https://[::1]:9999/team/health"
    assert {d.job: d.stale for d in found.daemons}["SchedulerJob"] == 75


def test_nothing_secret_is_written_for_a_check(site: Site, run: Run, root: Path) -> None:
    run("create", "a", "--db", "postgresql")
    text = (root / "etc/airflow/check.d/a.conf").read_text()
    keys = (root / "etc/airflow/keys.d/a.yaml").read_text()
    assert all(value not in text for value in re.findall(r": (\S{20,})", keys))


def test_a_file_of_another_version_is_to_be_applied(site: Site, run: Run, root: Path) -> None:
    applied(site, run)
    path = root / "etc/airflow/check.d/a.conf"
    for text in ("", "{}", path.read_text().replace('"web":', '"wob":'), "\n[1, 2]"):
        path.write_text(text)
        with pytest.raises(HostError, match="sudo airflow-instance apply a"):
            target.load(site.layout, "a")


def test_all_is_well(found: Target) -> None:
    findings = rules.judge(found, seen(), states(found))
    assert bad(findings) == []
    measured = {report.label(m) for f in findings for m in f.measures}
    assert {"database_time", "web_time", "heartbeat_scheduler", "heartbeat_triggerer"} <= measured
    assert "disk_free_/srv/airflow-a" in measured


DATABASE = seen()["database"]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"database": None}, [("database", CRITICAL)]),
        ({"database": {"unreachable": "refused"}}, [("database", CRITICAL)]),
        ({"database": {"error": "KeyError"}}, [("database", CRITICAL)]),
        ({"database": {**DATABASE, "seconds": 6.0}}, [("database", WARNING)]),
        # Another host's heartbeats do not stand for this one's.
        (
            {"database": {**DATABASE, "beats": [["SchedulerJob", "there", 1.0]]}},
            [("heartbeat", CRITICAL), ("heartbeat", CRITICAL)],
        ),
        (
            {
                "database": {
                    **DATABASE,
                    "beats": [["SchedulerJob", "here", 31.0], ["TriggererJob", "here", 1.0]],
                }
            },
            [("heartbeat", CRITICAL)],
        ),
        ({"hostname": None}, [("heartbeat", UNKNOWN)]),
        ({"hostname": {"error": "x"}}, [("heartbeat", UNKNOWN)]),
        ({"web": None}, [("web", CRITICAL)]),
        ({"web": {"error": "refused"}}, [("web", CRITICAL)]),
        ({"web": {"seconds": 0.1, "status": 502, "parts": None}}, [("web", CRITICAL)]),
        ({"web": {"seconds": 0.1, "status": 200, "parts": None}}, [("web", CRITICAL)]),
        (
            {"web": {"seconds": 0.1, "status": 200, "parts": {"scheduler": "unhealthy"}}},
            [("web", CRITICAL)],
        ),
        (
            {"web": {"seconds": 0.1, "status": 200, "parts": {"triggerer": None}}},
            [],
        ),
        ({"web": {"seconds": 5.5, "status": 200, "parts": {}}}, [("web", WARNING)]),
        ({"disks": [{"path": "/x", "free": 9.0, "inodes": None}]}, [("disk", WARNING)]),
        ({"disks": [{"path": "/x", "free": 90.0, "inodes": 1.0}]}, [("disk", CRITICAL)]),
        ({"disks": [{"path": "/x", "error": "No such file"}]}, [("disk", CRITICAL)]),
    ],
)
def test_what_is_wrong(
    parts: dict[str, Any], expected: list[tuple[str, int]], found: Target
) -> None:
    assert bad(rules.judge(found, seen(**parts), states(found))) == expected


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([["x1"]], []), ([["older"]], [("migration", WARNING)]), ([], [("migration", CRITICAL)])],
)
def test_revisions(rows: list[list[str]], expected: list[Any], found: Target) -> None:
    found = found._replace(revisions={"alembic_version": ("x1",)})
    database = {**DATABASE, "rows": {"revisions alembic_version": rows}}
    assert bad(rules.judge(found, seen(database=database), states(found))) == expected


@pytest.mark.parametrize(
    ("ticket", "expected"),
    [
        ({"left": 3600.0, "age": 60.0}, []),
        ({"left": -5.0, "age": 60.0}, [("ticket", CRITICAL)]),
        ({"left": 99.0, "age": 60.0}, [("ticket", WARNING)]),
        ({"left": 3600.0, "age": 7300.0}, [("ticket", WARNING)]),
        ({"error": "there is no ticket"}, [("ticket", CRITICAL)]),
        ({"unknown": "KEYRING:x is no file"}, [("ticket", UNKNOWN)]),
        (None, [("ticket", CRITICAL)]),
    ],
)
def test_ticket(ticket: object, expected: list[Any], found: Target) -> None:
    found = found._replace(ccache="/cc", renewed=3600.0)
    limits = {**rules.LIMITS, "ticket_left": Limit(100, None, least=True)}
    assert bad(rules.judge(found, seen(ticket=ticket), states(found), limits)) == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"active": "failed", "result": "exit-code"}, [("units", CRITICAL)]),
        ({"active": "activating", "sub": "auto-restart"}, [("units", CRITICAL)]),
        ({"active": "activating", "sub": "start-pre"}, [("units", WARNING)]),
        ({"active": "deactivating"}, [("units", WARNING)]),
        ({"active": "inactive"}, [("units", CRITICAL)]),
        ({"active": "failed", "result": "timeout"}, [("units", CRITICAL)]),
    ],
)
def test_a_daemon_that_does_not_run_is_said_once(
    state: dict[str, Any], expected: list[Any], found: Target
) -> None:
    """Its heartbeat is stale and its web server silent: of course."""
    dead = seen(web={"error": "refused"}, database={**DATABASE, "beats": []})
    down = {daemon.name: state for daemon in found.daemons}
    findings = bad(rules.judge(found, dead, states(found, **down)))
    if state["active"] == "inactive" or state.get("result") == "timeout":
        assert findings == expected  # of the instance: all of it was stopped
    else:
        assert findings == expected * len(found.daemons)
    one = rules.judge(found, seen(web={"error": "refused"}), states(found, webserver=state))
    assert bad(one) == expected


def test_a_daemon_that_was_just_started_gets_its_time(found: Target) -> None:
    dead = seen(web={"error": "refused"}, database={**DATABASE, "beats": []})
    young = {daemon.name: {"age": 20.0} for daemon in found.daemons}
    findings = rules.judge(found, dead, states(found, **young))
    assert {f.status for f in findings} == {OK, WARNING}
    assert not any(finding.sick for finding in findings)
    findings = rules.judge(found, dead, states(found))
    assert {f.sick for f in findings if f.sick} == {"webserver", "scheduler", "triggerer"}


def test_without_systemd_heartbeat_and_web_are_looked_at(found: Target) -> None:
    assert bad(rules.judge(found, seen(), None)) == []
    dead = seen(web={"error": "refused"}, database={**DATABASE, "beats": []})
    assert {check for check, _ in bad(rules.judge(found, dead, None))} == {"heartbeat", "web"}


def test_limits_of_the_command_line(found: Target) -> None:
    limits = {**rules.LIMITS, "heartbeat": Limit(2, 90), "disk_free": Limit(60, 55, least=True)}
    findings = rules.judge(found, seen(), states(found), limits)
    assert bad(findings) == [("heartbeat", WARNING)] * 2 + [("disk", CRITICAL)]
    line = report.line("a", findings)
    assert "heartbeat_scheduler=3s;2;90;0" in line
    assert "'disk_free_/srv/airflow-a'=50%;60:;55:;0;100" in line


def test_line() -> None:
    findings = [
        Finding("one", WARNING, "a warning | with\na bar"),
        Finding("two", CRITICAL, "an error", (Measure("web_time", 0.00123, "s"),)),
        Finding("three", OK, "fine"),
    ]
    line = report.line("a", findings)
    assert line == "AIRFLOW CRITICAL: a: an error, a warning / with a bar | web_time=0.00123s;;;0"
    assert PLUGIN.fullmatch(line + "\n")
    assert report.line("a", findings[2:]) == "AIRFLOW OK: a: fine"
    assert rules.worst([]) == OK
    assert rules.worst([UNKNOWN, OK]) == UNKNOWN
    assert rules.worst([UNKNOWN, WARNING, OK]) == WARNING


def test_units_are_parsed() -> None:
    text = (
        "Id=airflow-scheduler@a.service\nActiveState=active\nSubState=running\n"
        "Result=success\nMainPID=12\nActiveEnterTimestampMonotonic=5000000\n\n"
        "Id=airflow-webserver@a.service\nActiveState=inactive\nSubState=dead\n"
        "Result=success\nMainPID=0\nActiveEnterTimestampMonotonic=0\n"
    )
    found = units.parse(text, 65.0)
    scheduler = found["airflow-scheduler@a.service"]
    assert (scheduler.runs, scheduler.age, scheduler.pid) == (True, 60.0, 12)
    assert found["airflow-webserver@a.service"].stopped
