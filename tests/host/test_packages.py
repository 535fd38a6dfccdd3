"""Both packages under a running instance: upgraded, removed, installed again, purged."""

from __future__ import annotations

import re

import pytest
from tests.host.life import KEPT, NAME, RENDERED, Life

RUNNING = (
    "started",
    "airflow upgraded",
    "tool upgraded",
    "migrated",
    "airflow back",
    "tool back",
    "started again",
)
STOPPED = ("migration pending", "airflow removed", "tool removed", "both purged", "both back")


@pytest.mark.parametrize("step", RUNNING)
def test_what_ran_runs_again(packages: Life, step: str) -> None:
    """After upgrades and installations, without anybody's doing."""
    assert 0 not in packages[step].pids.values(), packages[step].said


@pytest.mark.parametrize("step", STOPPED)
def test_what_cannot_run_is_stopped(packages: Life, step: str) -> None:
    """Without its files or its tool, or before a migration, no daemon is left."""
    assert set(packages[step].pids.values()) == {0}, packages[step].said


@pytest.mark.parametrize("step", [*RUNNING[1:], *STOPPED])
def test_what_nobody_can_make_again_is_kept(packages: Life, step: str) -> None:
    """Declaration, secrets, keys, home, and what the administrator has beside."""
    first, now = packages["started"], packages[step]
    assert len(first.kept) == len(KEPT)
    assert now.kept == first.kept
    assert now.runs.items() >= first.runs.items()


@pytest.mark.parametrize("step", [*RUNNING[1:], *STOPPED])
def test_timers_run_while_there_is_the_tool(packages: Life, step: str) -> None:
    """They start what is in its package; a purge forgets them until the next apply."""
    first = packages["started"].timers
    assert first
    away = ("tool removed", "both purged", "both back")
    assert packages[step].timers == (() if step in away else first)


def test_an_upgrade_restarts_from_the_new_files(packages: Life) -> None:
    """Every daemon is another process than before."""
    before, after = packages["started"].pids, packages["airflow upgraded"].pids
    assert [daemon for daemon in before if before[daemon] == after[daemon]] == []


def test_upgrading_the_tool_restarts_nothing(packages: Life) -> None:
    """The daemons do not run from its files."""
    assert packages["tool upgraded"].pids == packages["airflow upgraded"].pids


def test_nothing_migrates_a_database(packages: Life) -> None:
    """The package says which command does, and leaves the database as it is."""
    state = packages["migration pending"]
    assert state.revision != packages["started"].revision
    assert f"airflow-instance migrate {NAME}" in state.said


@pytest.mark.parametrize("step", ["airflow removed", "tool removed"])
def test_a_removal_leaves_what_is_rendered(packages: Life, step: str) -> None:
    """It may come back."""
    assert packages[step].rendered == RENDERED


def test_a_purge_takes_what_is_rendered(packages: Life) -> None:
    """And says what it leaves."""
    state = packages["both purged"]
    assert state.rendered == ()
    assert re.search(r"airflow-instances: left, .*declarations, secrets, keys", state.said)
    assert "userdel" in state.said


def test_apply_renders_it_again(packages: Life) -> None:
    """From the declaration that was kept, with the keys and ports that were."""
    assert packages["both back"].rendered == ()
    assert packages["started again"].rendered == RENDERED
    assert packages["started again"].runs["last"] == "success"


@pytest.mark.parametrize("step", [*RUNNING, *STOPPED])
def test_apt_says_no_error(packages: Life, step: str) -> None:
    """No maintainer script complains, and systemd has no failed unit."""
    state = packages[step]
    assert not re.search(r"(?i)\berror\b|traceback|failed", state.said), state.said
    assert state.failed == ""
