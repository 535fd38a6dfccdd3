"""What systemd says of units."""

from __future__ import annotations

from dataclasses import replace

from airflow_instance import units


def test_states() -> None:
    text = (
        "Id=airflow-scheduler@a.service\nActiveState=active\nSubState=running\nResult=success\n"
        "MainPID=12\nNRestarts=0\nMemoryCurrent=18446744073709551615\n"
        "ActiveEnterTimestampMonotonic=4000000\nExecMainStartTimestampMonotonic=3000000\n\n"
        "Id=airflow-webserver@a.service\nActiveState=activating\nSubState=auto-restart\n"
        "Result=exit-code\nMainPID=0\nNRestarts=3\nMemoryCurrent=[not set]\n"
        "ActiveEnterTimestampMonotonic=0\nExecMainStartTimestampMonotonic=0\n"
    )
    one, two = units.parse(text, monotonic=10.0, now=1000.0).values()
    assert (one.runs, one.crashed, one.at_rest) == (True, False, False)
    assert (one.pid, one.memory, one.since, one.started) == (12, 0, 994.0, 993.0)
    assert (two.runs, two.crashed, two.at_rest, two.since) == (False, True, False, 0.0)
    stopped = replace(two, active="inactive", sub="dead")
    assert (stopped.crashed, stopped.at_rest) == (False, True)
    killed = replace(two, active="failed", sub="failed", result="timeout")
    assert (killed.crashed, killed.killed, killed.at_rest) == (False, True, True)
    assert replace(killed, result="exit-code").crashed
    assert units.summary([one, two]) == "degraded"
    assert units.summary([two]) == "down"
    assert units.summary([one]) == "online"


def test_list_of_units() -> None:
    text = (
        "airflow-scheduler@a.service loaded active   running Airflow scheduler of a\n"
        "airflow-webserver@a.service loaded inactive dead    Airflow web server of a\n"
    )
    found = units.parse_list(text)
    assert found["airflow-scheduler@a.service"].runs
    assert found["airflow-webserver@a.service"].at_rest
