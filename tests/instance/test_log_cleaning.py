"""Cleaning an instance's logs: as whom, where, and by which timer."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance.layout import CLEAN_LOGS

from .conftest import Run

TIMER = "airflow-clean-logs@a.timer"
DROP_IN = "etc/systemd/system/airflow-clean-logs@a.service.d/10-instance.conf"
LINK = f"etc/systemd/system/timers.target.wants/{TIMER}"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that would have taken our place."""
    found: list[list[str]] = []

    def execve(program: str, words: tuple[str, ...], environment: dict[str, str]) -> None:
        assert program == CLEAN_LOGS
        assert environment["AIRFLOW_HOME"].startswith("/srv/")
        found.append(list(words))

    monkeypatch.setattr(os, "execve", execve)
    return found


def test_it_runs_the_command(run: Run, ran: list[list[str]]) -> None:
    assert run("create", "a") == 0
    run("clean-logs", "a")
    run("clean-logs", "a", "--days", "7", "--dry-run", "--json")
    logs = "/srv/airflow-a/logs"
    assert ran == [
        [CLEAN_LOGS, logs, "90"],
        [CLEAN_LOGS, "--dry-run", "--json", logs, "7"],
    ]


def test_the_folder_is_where_airflow_logs_to(run: Run, ran: list[list[str]]) -> None:
    assert run("create", "a", "--set", "clean_logs_older_than_days=3") == 0
    option = "airflow_config.logging.base_log_folder=/data/%{name}"
    assert run("set", "a", option, "--apply") == 0
    run("clean-logs", "a")
    variable = "environment_extra.AIRFLOW__LOGGING__BASE_LOG_FOLDER=/elsewhere"
    assert run("set", "a", variable, "--apply") == 0
    run("clean-logs", "a")
    assert ran == [[CLEAN_LOGS, "/data/a", "3"], [CLEAN_LOGS, "/elsewhere", "3"]]


@pytest.mark.parametrize("days", ["0", "-1", "nan", "36501", "1.5", ""])
def test_days_that_are_none(days: str, run: Run, ran: list[list[str]]) -> None:
    assert run("create", "a") == 0
    assert run("clean-logs", "a", f"--days={days}") == 64
    assert ran == []


def test_a_folder_that_is_no_path(
    run: Run, ran: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "a") == 0
    variable = "environment_extra.AIRFLOW__LOGGING__BASE_LOG_FOLDER=logs"
    assert run("set", "a", variable) == 0
    assert run("clean-logs", "a") == 3
    assert "the log folder 'logs' is no absolute path" in capsys.readouterr().err
    assert ran == []


def test_unknown_and_absent(run: Run, ran: list[list[str]]) -> None:
    assert run("clean-logs", "nobody") == 5
    assert run("create", "a") == 0
    assert run("set", "a", "ensure=absent") == 0
    assert run("clean-logs", "a") == 2
    assert ran == []


def test_every_instance_has_the_timer_and_none_that_is_absent(
    run: Run, root: Path, declare: Callable[..., Path]
) -> None:
    assert run("create", "a") == 0
    assert os.readlink(root / LINK) == "/lib/systemd/system/airflow-clean-logs@.timer"
    text = (root / DROP_IN).read_text()
    assert "User=airflow-a\n" in text
    assert "Group=airflow-a\n" in text
    assert run("set", "a", "ensure=absent", "--apply") == 0
    assert not (root / LINK).is_symlink()
    assert not (root / DROP_IN).exists()


def test_the_declaration_cannot_turn_it_round(run: Run, declare: Callable[..., Path]) -> None:
    for days in ("0", "-5", "nan", "1e9", '"90"'):
        declare("a", f"create_user: true\nclean_logs_older_than_days: {days}\n")
        assert run("apply") == 3
