"""The command line: what it refuses, what it says, its exit status."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance.clean_logs import command, folder

from .conftest import IS_ROOT, NOBODY

Clean = Callable[..., int]
LONG_AGO = (1, 1)


@pytest.fixture
def logs(place: Path) -> Path:
    """A folder with one old log in an old directory, and a new one."""
    found = place / "logs"
    (found / "old").mkdir(parents=True)
    (found / "old/1.log").write_text("old")
    (found / "new.log").write_text("new")
    os.utime(found / "old/1.log", LONG_AGO)
    os.utime(found / "old", LONG_AGO)
    return found


def names(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


def test_it_cleans(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(logs), "90"]) == 0
    assert names(logs) == ["new.log"]
    said = capsys.readouterr().out
    assert said.startswith(f"{logs}: deleted 1 file and 1 directory older than 90 days, ")
    assert "kept 1 file; " in said
    assert command.main([str(logs), "90"]) == 0
    assert "deleted 0 files and 0 directories" in capsys.readouterr().out


def test_a_dry_run_names_what_would_go(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(logs)
    assert command.main([str(logs), "90", "--dry-run"]) == 0
    assert names(logs) == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"would delete {logs}/old/1.log", f"would delete {logs}/old"]
    assert "would delete 1 file and 1 directory" in lines[2]


def test_json(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = (logs / "old/1.log").stat().st_blocks * 512
    assert command.main(["--json", str(logs), "90"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said.pop("seconds") >= 0
    numbers = {"files": 1, "links": 0, "directories": 1, "bytes": size, "kept": 1}
    numbers |= {"mounts": 0, "failed": 0}
    assert said == {"folder": str(logs), "days": 90, "dry_run": False, **numbers}


@pytest.mark.parametrize(
    "days",
    [
        *("0", "-1", "-90", "+90", "nan", "inf", "1e3", "90.5", "0x5a", " 90", "90 ", "09", ""),
        *("٩٠", "36501", "99999999999999999999", "1\n", "1_0"),
    ],
)
def test_days_that_are_none(days: str, logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(logs)
    assert command.main([str(logs), days]) == 64
    assert names(logs) == before
    assert "is no number of days; DAYS is a whole number, 1 to 36500" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["logs"], ["logs", "1", "2"], ["--force", "logs", "1"]])
def test_a_wrong_command_line(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 64


def test_the_oldest_cutoff_is_still_one(logs: Path) -> None:
    """36500 days are before 1970: nothing is that old."""
    before = names(logs)
    assert command.main([str(logs), "36500"]) == 0
    assert names(logs) == before


def test_root_is_refused_with_the_command(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names(logs)
    owner = logs.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert command.main([str(logs), "90", "--dry-run"]) == 4
    said = capsys.readouterr().err
    if owner:
        assert f"clean_logs --dry-run {logs} 90\n" in said
        assert "setpriv --reuid=" in said
    assert names(logs) == before
    assert command.main(["/", "90"]) == 4


@pytest.mark.parametrize(
    "path", ["/", "/etc", "/usr/lib", "/var/log", "/tmp", "/proc/self", "/srv"]
)
def test_folders_of_the_system(path: str, capsys: pytest.CaptureFixture[str], place: Path) -> None:
    assert command.main([path, "36500", "--dry-run"]) == 6
    assert "is the system's" in capsys.readouterr().err
    link = place / "link"
    link.symlink_to(path)
    assert command.main([str(link), "36500", "--dry-run"]) == 6


def test_homes_are_refused(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(logs / "old"))
    assert command.main([str(logs), "90"]) == 6
    assert "is a home, or holds one" in capsys.readouterr().err
    monkeypatch.delenv("AIRFLOW_HOME")
    monkeypatch.setattr(folder, "_home", lambda uid: str(logs))
    assert command.main([str(logs), "90"]) == 6
    # Logs below a home are what it is for.
    assert command.main([str(logs / "old"), "90"]) == 0
    monkeypatch.undo()
    (logs / "airflow.cfg").touch()
    assert command.main([str(logs), "90"]) == 6
    assert "is an AIRFLOW_HOME" in capsys.readouterr().err


def test_no_folder(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([f"{logs}/nowhere", "90"]) == 7
    assert command.main([f"{logs}/new.log", "90"]) == 6
    said = capsys.readouterr().err.splitlines()
    assert said[0].endswith(f"{logs}/nowhere: No such file or directory")
    assert said[1].endswith(f"{logs}/new.log is no directory; give one")


def test_a_folder_that_is_a_link_is_cleaned_and_said(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = logs.parent / "link"
    link.symlink_to(logs)
    assert command.main([str(link), "90"]) == 0
    said = capsys.readouterr()
    assert said.err == f"clean_logs: {link} leads to {logs}\n"
    assert said.out.startswith(f"{logs}: deleted 1 file")
    assert names(logs) == ["new.log"]


def test_only_one_at_a_time(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fd = os.open(logs, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert command.main([str(logs), "90"]) == 9
    assert "another clean_logs is at work" in capsys.readouterr().err
    assert (logs / "old").exists()
    os.close(fd)
    assert command.main([str(logs), "90"]) == 0


def test_what_cannot_be_deleted_has_a_status(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (logs / "old").chmod(0o500)
    assert command.main([str(logs), "90"]) == 10
    said = capsys.readouterr()
    assert said.err == f"clean_logs: warning: {logs}/old/1.log: Permission denied\n"
    assert "failed 1 time" in said.out


def test_many_problems_are_not_all_said(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(50):
        (logs / "old" / str(number)).touch()
        os.utime(logs / "old" / str(number), LONG_AGO)
    (logs / "old").chmod(0o500)
    assert command.main([str(logs), "90"]) == 10
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 21
    assert lines[-1] == "clean_logs: warning: and 31 more like these"


def test_names_do_no_harm_to_a_terminal(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = logs / "\x1b]0;x\a\n\udcff"
    evil.touch()
    os.utime(evil, LONG_AGO)
    assert command.main([str(logs), "90", "--dry-run"]) == 0
    assert f"would delete {logs}/\\x1b]0;x\\x07\\n\\udcff\n" in capsys.readouterr().out


def run(tools: str, *words: str, **streams: int) -> subprocess.CompletedProcess[str]:
    become, user = [], os.geteuid()
    if IS_ROOT:
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        os.seteuid(0)
    # -S: without the directories of Debian's packages, python3-yaml's among them.
    words = (*become, sys.executable, "-I", "-S", f"{tools}/clean_logs", *words)
    try:
        return subprocess.run(
            words,
            stdout=streams.get("stdout", subprocess.PIPE),
            stderr=streams.get("stderr", subprocess.PIPE),
            env={"LC_ALL": "C"},
            text=True,
            check=False,
        )
    finally:
        if IS_ROOT:
            os.seteuid(user)


def test_the_command_needs_nothing_but_python(logs: Path, tools: str) -> None:
    done = run(tools, str(logs), "90")
    assert (done.returncode, done.stderr) == (0, "")
    assert names(logs) == ["new.log"]


def test_help_has_the_exit_statuses(tools: str) -> None:
    done = run(tools, "--help")
    assert done.returncode == 0
    for number, text in command.EXIT_STATUS:
        assert f"  {number:<4}{text}\n" in done.stdout


def test_progress_is_for_terminals(logs: Path, tools: str) -> None:
    for number in range(5000):
        (logs / str(number)).touch()
    ours, its = pty.openpty()
    try:
        assert run(tools, str(logs), "90", stderr=its).returncode == 0
        assert b"files deleted, " in os.read(ours, 4096)
    finally:
        os.close(ours)
        os.close(its)
    assert run(tools, str(logs), "90").stderr == ""
