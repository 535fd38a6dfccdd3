"""What Prometheus is told of an instance, and what statsd's names become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from tests import statsd_mapping
from tests.statsd_mapping import mapped

from airflow_instance.health import report
from airflow_instance.health.rules import CRITICAL, OK, Finding, Measure

from .conftest import Run

PACKAGES = {
    "/usr/lib/airflow": "python3.11",
    "/usr/lib/airflow-2.1": "python3.9",
    "/usr/lib/airflow-3.3": "python3.13",
}


def add_exporter(root: Path, prefix: str) -> None:
    packages = root / prefix.lstrip("/") / "lib" / PACKAGES[prefix] / "site-packages"
    (packages / "airflow_exporter-1.5.1.dist-info").mkdir()


def targets(root: Path, name: str) -> Any:
    path = root / f"etc/airflow/prometheus.d/{name}.yaml"
    if not path.exists():
        return None
    assert path.stat().st_mode & 0o777 == 0o644
    return yaml.safe_load(path.read_text())


def test_target_file(run: Run, root: Path) -> None:
    add_exporter(root, "/usr/lib/airflow")
    run("create", "a")
    run("create", "a-b")
    assert targets(root, "a") == [
        {
            "targets": ["127.0.0.1:8600"],
            "labels": {
                "airflow_instance": "a",
                "__scheme__": "http",
                "__metrics_path__": "/admin/metrics/",
            },
        }
    ]
    (other,) = targets(root, "a-b")
    assert other["labels"]["airflow_instance"] == "a-b"
    assert other["targets"] == ["127.0.0.1:8610"]
    run(
        *("set", "a", "airflow_config.webserver.web_server_ssl_cert=/c.pem"),
        *("airflow_config.webserver.base_url=https://example.org/team", "--apply"),
    )
    (mine,) = targets(root, "a")
    assert mine["labels"]["__scheme__"] == "https"
    assert mine["labels"]["__metrics_path__"] == "/team/admin/metrics/"
    run("set", "a", "monitoring_enabled=false", "--apply")
    assert targets(root, "a") is None
    run("drop", "a-b")
    assert targets(root, "a-b") is None


def test_nothing_is_promised_that_is_not_there(run: Run, root: Path) -> None:
    run("create", "a")  # without the exporter
    assert targets(root, "a") is None


def test_airflow_3_has_its_metrics_at_the_same_place(run: Run, root: Path) -> None:
    add_exporter(root, "/usr/lib/airflow-3.3")
    run("create", "a", "--installation", "/usr/lib/airflow-3.3")
    (mine,) = targets(root, "a")
    assert mine["labels"]["__metrics_path__"] == "/admin/metrics/"


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "::"])
def test_metrics_are_not_shown_to_the_network(
    run: Run, root: Path, host: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is asked for a name there. Without the exporter there is nothing to see."""
    wanted = f"airflow_config.webserver.web_server_host={host}"
    assert run("create", "without", "--set", wanted) == 0
    add_exporter(root, "/usr/lib/airflow")
    assert run("create", "a", "--set", wanted) == 3
    said = capsys.readouterr().err
    assert f"a: a web server on {host} shows /admin/metrics/ to everyone" in said
    assert "allow_metrics_beyond_loopback: true" in said
    allowed = "allow_metrics_beyond_loopback=true"
    assert run("create", "a", "--set", wanted, "--set", allowed) == 0


def test_instances_may_send_to_the_same_statsd(run: Run) -> None:
    assert run("create", "a", "--set", "ports.statsd=9125") == 0
    assert run("create", "b", "--set", "ports.statsd=9125") == 0
    assert run("create", "c", "--set", "ports.web=8600") == 6


def test_checks_as_metrics() -> None:
    findings = [
        Finding("disk", OK, "", (Measure("disk_free", 50.0, "%", part="/srv/a"),)),
        Finding("disk", CRITICAL, "", (Measure("disk_free", 4.0, "%", part="/logs"),)),
        Finding("web", OK, "", (Measure("web_time", 0.5, "s"),)),
    ]
    lines = report.metrics("a-b", findings, 0.1, 1000.0).splitlines()
    samples = {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in lines if line[0] != "#"}
    assert samples == {
        'airflow_instance_check_timestamp_seconds{airflow_instance="a-b"}': "1000",
        'airflow_instance_check_duration_seconds{airflow_instance="a-b"}': "0.100",
        'airflow_instance_status{airflow_instance="a-b"}': "2",
        'airflow_instance_check_status{airflow_instance="a-b",check="disk"}': "2",
        'airflow_instance_check_status{airflow_instance="a-b",check="web"}': "0",
        'airflow_instance_disk_free_percent{airflow_instance="a-b",part="/srv/a"}': "50",
        'airflow_instance_disk_free_percent{airflow_instance="a-b",part="/logs"}': "4",
        'airflow_instance_web_time_seconds{airflow_instance="a-b"}': "0.5",
    }
    types = [line for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types)) == 6


# statsd: names as Airflow 2.1.0 sent them.
@pytest.mark.parametrize(
    ("name", "metric", "labels"),
    [
        ("scheduler_heartbeat", "scheduler_heartbeat", {}),
        ("scheduler.critical_section_duration", "scheduler_critical_section_duration", {}),
        ("scheduler.scheduler_loop_duration", "scheduler_loop_duration", {}),
        ("scheduler.tasks.running", "scheduler_tasks", {"state": "running"}),
        ("scheduler.orphaned_tasks.adopted", "scheduler_orphaned_tasks", {"what": "adopted"}),
        ("executor.open_slots", "executor", {"what": "open_slots"}),
        ("pool.open_slots.default_pool", "pool_open_slots", {"pool": "default_pool"}),
        ("pool.starving_tasks.my.pool", "pool_starving_tasks", {"pool": "my.pool"}),
        (
            "operator_failures_BashOperator",
            "operator",
            {"state": "failures", "operator": "BashOperator"},
        ),
        ("ti_successes", "task_instances", {"state": "successes"}),
        (
            "ti.finish.quick.say.success",
            "task_finish",
            {"dag_id": "quick", "task_id": "say", "state": "success"},
        ),
        (
            "ti.finish.quick.grp.inner-x.failed",
            "task_finish",
            {"dag_id": "quick", "task_id": "grp.inner-x", "state": "failed"},
        ),
        ("dag.quick.grp.say.duration", "task_duration", {"dag_id": "quick", "task_id": "grp.say"}),
        (
            "dagrun.duration.failed.quick.one",
            "dagrun_duration",
            {"state": "failed", "dag_id": "quick.one"},
        ),
        ("dagrun.schedule_delay.quick", "dagrun_schedule_delay", {"dag_id": "quick"}),
        ("dagbag_size", "dagbag_size", {}),
        ("dag_processing.import_errors", "dag_processing_import_errors", {}),
        ("dag_processing.total_parse_time", "dag_processing_total_parse_time", {}),
    ],
)
def test_statsd_names_become_labels(name: str, metric: str, labels: dict[str, str]) -> None:
    found = mapped(f"airflow.analytics-test.{name}")
    assert found is not None
    assert found.name == f"airflow_statsd_{metric}"
    assert found.labels == {"airflow_instance": "analytics-test", **labels}


@pytest.mark.parametrize(
    "name",
    [
        "dag_processing.last_run.seconds_ago.quick",
        "dag_processing.last_duration.quick",
        "dag_processing.processes",
        "dagrun.dependency-check.quick",
        "dagrun.quick.first_task_scheduling_delay",
        "localtaskjob_end",
        "schedulerjob_start",
        "task_instance_created-BashOperator",
        "ti.start.quick.say",
    ],
)
def test_noise_is_dropped(name: str) -> None:
    found = mapped(f"airflow.a.{name}")
    assert found is not None
    assert found.name == ""


def test_mapping_is_one_that_the_exporter_takes() -> None:
    assert mapped("somebody.elses.metric") is None
    for mapping in statsd_mapping.load():
        assert set(mapping) <= {"match", "match_type", "name", "labels", "action"}
        if mapping.get("match_type") == "regex":
            assert mapping["match"].startswith(r"^airflow\."), mapping
        else:
            assert statsd_mapping.GLOB.fullmatch(mapping["match"]), mapping
        assert statsd_mapping.NAME.fullmatch(mapping["name"].replace("${2}", "x")), mapping
        if "action" not in mapping:
            assert mapping["labels"]["airflow_instance"] == "$1", mapping
        assert all(statsd_mapping.NAME.fullmatch(label) for label in mapping.get("labels", {}))


def test_alerts_are_on_metrics_that_there_are() -> None:
    """Each statsd metric of an alert is one that the mapping makes."""
    rules = yaml.safe_load((statsd_mapping.FILE.parent / "airflow-alerts.yml").read_text())
    made = {mapping["name"].replace("${2}", "starving_tasks") for mapping in statsd_mapping.load()}
    used = {
        word
        for group in rules["groups"]
        for rule in group["rules"]
        for word in statsd_mapping.NAME.findall(rule["expr"])
        if word.startswith("airflow_statsd_")
    }
    assert used
    assert used <= made
