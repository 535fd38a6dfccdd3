"""What a team's group may do: the rules, read as sudo and polkit read them."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from airflow_instance import cli
from airflow_instance.commands import logs
from airflow_instance.host import PaperHost
from airflow_instance.layout import Layout
from airflow_instance.site import Site

from .conftest import Run, snapshot

TEAM = "create_user: true\nteam_group: {}\n"


@pytest.fixture
def teams(root: Path, declare: Callable[..., Path], run: Run) -> None:
    """Two instances, one's name the beginning of the other's, of two teams."""
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/group").write_text("data:x:701:\nqa-team:x:702:\n")
    for name, group in (("analytics", "data"), ("analytics-test", "qa-team")):
        declare(name, TEAM.format(group))
        assert run("apply", name) == 0


def sudo_allows(text: str, group: str, typed: Sequence[str]) -> bool:
    """As sudoers(5) has it: the arguments as one text, against patterns of fnmatch."""
    rule = re.search(rf"^%{group} ALL = \(root\) NOPASSWD: (\w+)$", text, re.MULTILINE)
    if not rule:
        return False
    alias = re.search(rf"^Cmnd_Alias {rule[1]} = \\\n(.*?[^\\])$", text, re.MULTILINE | re.DOTALL)
    assert alias
    for line in alias[1].replace("\\\n", " ").split(","):
        program, _, arguments = " ".join(line.split()).partition(" ")
        if typed[0] == program and fnmatch.fnmatchcase(" ".join(typed[1:]), arguments):
            return True
    return False


ALLOWED = [
    "airflow-instance start NAME",
    "airflow-instance stop NAME",
    "airflow-instance restart NAME",
    "airflow-instance restart NAME --drain",
    "airflow-instance stop NAME --force",
    "airflow-instance status NAME",
    "airflow-instance check NAME",
    "airflow-instance logs NAME",
    "airflow-instance logs NAME -f",
    "airflow-instance logs NAME scheduler -n 500",
    "airflow-instance logs NAME --since 2021-05-21",
    "airflow-instance logs NAME clean-logs",
    "systemctl restart airflow@NAME.service",
    "systemctl start airflow@NAME",
    "systemctl stop airflow-scheduler@NAME.service",
]
REFUSED = [
    "airflow-instance",
    "airflow-instance start",
    "airflow-instance start --all",
    "airflow-instance start NAME OTHER",
    "airflow-instance start NAME NAME",
    "airflow-instance restart NAME --daemon scheduler",
    "airflow-instance set NAME service_user=root",
    "airflow-instance apply NAME",
    "airflow-instance drop NAME",
    "airflow-instance exec NAME",
    "airflow-instance enable NAME",
    "airflow-instance clean-logs NAME",
    "airflow-instance logs NAME --since",
    "airflow-instance logs NAME --file /etc/shadow",
    "airflow-instance logs NAME -n 5 --directory=/",
    "airflow-instance logs NAME sshd",
    "airflow-instance logs NAME -u ssh",
    "airflow-instance logs NAMEx",
    "systemctl",
    "systemctl restart",
    "systemctl restart airflow.service",
    "systemctl restart airflow@NAME.service ssh.service",
    "systemctl restart airflow@*",
    "systemctl restart airflow@NAMEx.service",
    "systemctl status airflow@NAME.service",
    "systemctl edit airflow@NAME.service",
    "systemctl enable airflow@NAME.service",
    "systemctl kill airflow@NAME.service",
    "systemctl isolate airflow@NAME.service",
    "systemctl --no-pager restart airflow@NAME.service",
    "systemctl restart ssh.service",
    "journalctl",
    "sh",
]


def words(line: str, name: str, other: str) -> list[str]:
    return shlex.split("/usr/bin/" + line.replace("NAME", name).replace("OTHER", other))


@pytest.mark.usefixtures("teams")
def test_each_team_may_use_its_own_and_nothing_else(root: Path) -> None:
    pairs = [("data", "analytics", "analytics-test"), ("qa-team", "analytics-test", "analytics")]
    texts = [(root / f"etc/sudoers.d/airflow-{name}").read_text() for _, name, _ in pairs]
    for group, own, other in pairs:
        for line in ALLOWED:
            mine, theirs = words(line, own, other), words(line, other, own)
            assert any(sudo_allows(text, group, mine) for text in texts), mine
            assert not any(sudo_allows(text, group, theirs) for text in texts), theirs
        for line in REFUSED:
            typed = words(line, own, other)
            assert not any(sudo_allows(text, group, typed) for text in texts), typed


@pytest.mark.usefixtures("teams")
def test_no_pattern_takes_in_another_word(root: Path) -> None:
    """Nothing but one digit stands for something else."""
    text = (root / "etc/sudoers.d/airflow-analytics").read_text()
    assert set(re.findall(r"[*?\[\]!]+[^,\s\[]*", text.replace("[0-9]", ""))) == {
        "!AIRFLOW_ANALYTICS",
        "!setenv",
    }
    assert (root / "etc/sudoers.d/airflow-analytics").stat().st_mode & 0o7777 == 0o440


@pytest.mark.usefixtures("teams")
def test_polkit_knows_the_units_by_their_whole_names(root: Path) -> None:
    text = (root / "etc/polkit-1/rules.d/50-airflow-analytics.rules").read_text()
    units = json.loads(re.search(r"var units = (\[.*\]);", text)[1])  # type: ignore[index]
    assert "airflow@analytics.service" in units
    assert {unit.partition("@")[2] for unit in units} == {"analytics.service"}
    assert json.loads(re.search(r"var verbs = (\[.*\]);", text)[1]) == ["start", "stop", "restart"]  # type: ignore[index]
    assert 'subject.isInGroup("data")' in text
    assert text.startswith("// Rendered by airflow-instance")


def test_what_goes_when_the_team_does(
    teams: None, root: Path, run: Run, declare: Callable[..., Path]
) -> None:
    files = [
        root / "etc/sudoers.d/airflow-analytics",
        root / "etc/polkit-1/rules.d/50-airflow-analytics.rules",
    ]
    assert all(path.exists() for path in files)
    declare("analytics", "create_user: true\n")
    assert run("apply", "analytics") == 0
    assert not any(path.exists() for path in files)
    declare("analytics-test", TEAM.format("qa-team") + "ensure: absent\n")
    assert run("apply", "analytics-test") == 0
    assert list((root / "etc/sudoers.d").iterdir()) == []


def test_a_group_that_is_not_there_is_a_conflict(
    run: Run, declare: Callable[..., Path], root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    declare("a", TEAM.format("nobody-made-it"))
    assert run("apply") == 6
    assert "there is no group nobody-made-it; create it first" in capsys.readouterr().err
    assert not (root / "etc/sudoers.d").exists()


@pytest.mark.parametrize("group", ["ALL", "a b", "a,ALL", "%root", "#0", "a\\nALL", "-a", "a=b"])
def test_no_group_s_name_is_more_than_a_name(
    group: str, run: Run, declare: Callable[..., Path], root: Path
) -> None:
    declare("a", f'create_user: true\nteam_group: "{group}"\n')
    assert run("apply") == 3
    assert not (root / "etc/sudoers.d").exists()


class StrictHost(PaperHost):
    """A host with a visudo that accepts nothing."""

    def check(self, command: Sequence[str], content: bytes) -> str:
        assert command[0] == "visudo"
        assert content.startswith(b"# Rendered by")
        return "syntax error"


def test_what_visudo_refuses_is_not_put_in_place(
    site: Site, run: Run, root: Path, teams: None, capsys: pytest.CaptureFixture[str]
) -> None:
    site.host = StrictHost(site.layout)
    assert run("set", "analytics", "team_group=qa-team", "--apply") == 7
    assert "airflow-analytics: visudo refuses it: syntax error" in capsys.readouterr().err
    assert "%data ALL" in (root / "etc/sudoers.d/airflow-analytics").read_text()


# What sudo lets through, logs has to make sense of; and of nothing else.


@pytest.fixture
def journalctl(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[list[str]]]:
    ran: list[list[str]] = []

    def execve(program: str, words: list[str], environment: dict[str, str]) -> None:
        assert program.endswith("/journalctl")
        assert "SYSTEMD_PAGER" not in environment
        ran.append(words)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(shutil, "which", lambda name, path: f"/usr/bin/{name}")
    monkeypatch.setenv("SYSTEMD_PAGER", "/bin/sh")
    yield ran


def show(site: Site, *words: str) -> int:
    try:
        return cli.main(["logs", *words], site)
    except SystemExit as error:
        return int(str(error.code))


def test_logs_are_those_of_the_instance(
    teams: None, site: Site, journalctl: list[list[str]]
) -> None:
    show(site, "analytics")
    (ran,) = journalctl
    assert ran[:2] == ["journalctl", "--no-pager"]
    assert ran[-1] == "--lines=100"
    units = [word[len("--unit=") :] for word in ran[2:-1]]
    assert {"airflow@analytics.service", "airflow-scheduler@analytics.service"} <= set(units)
    assert "airflow-clean-logs@analytics.service" in units
    assert all(unit.endswith("@analytics.service") for unit in units)
    show(site, "analytics", "scheduler", "-f", "-n", "5", "--since", "-2 hours")
    assert journalctl[1] == [
        *("journalctl", "--no-pager", "--unit=airflow-scheduler@analytics.service"),
        *("--lines=5", "--since=-2 hours", "--follow"),
    ]
    show(site, "analytics", "--since", "2021-05-21 12:30")
    assert "--since=2021-05-21 12:30" in journalctl[2]
    assert not any(word.startswith("--lines") for word in journalctl[2])


@pytest.mark.parametrize(
    "words",
    [
        ["analytics", "ssh"],
        ["analytics", "scheduler@analytics-test"],
        ["analytics", "*"],
        ["analytics", ""],
        ["analytics", "../x"],
        ["analytics", "--unit=ssh"],
        ["analytics", "-u", "ssh"],
        ["analytics", "--file=/etc/shadow"],
        ["analytics", "--", "--file=/etc/shadow"],
        ["analytics", "-n", "5 --merge"],
        ["analytics", "-n", "-5"],
        ["analytics", "-n", "all"],
        ["analytics", "-n", "5\n"],
        ["analytics", "--since", ""],
        ["analytics", "--since", "today\n"],
        ["analytics", "--since", "today --merge"],
        ["analytics", "--since=--merge"],
        ["analytics", "--pager"],
        ["*"],
        ["analytics*"],
        ["analytics.service"],
        ["analytics --merge"],
        ["../analytics"],
        ["nobody"],
        [],
    ],
)
def test_logs_pass_nothing_on_to_journalctl(
    words: list[str], teams: None, site: Site, journalctl: list[list[str]]
) -> None:
    assert show(site, *words) in (3, 5, 64)
    assert journalctl == []


def test_logs_of_a_journal_that_may_not_be_read(
    teams: None,
    site: Site,
    journalctl: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(logs, "readable", lambda layout: False)
    monkeypatch.setattr(sys, "argv", ["airflow-instance", "logs", "analytics", "-f"])
    assert show(site, "analytics", "-f") == 4
    assert "sudo airflow-instance logs analytics -f" in capsys.readouterr().err
    assert journalctl == []


def test_who_may_read_the_journal(root: Path) -> None:
    assert logs.readable(Layout(root))
    journal = root / "var/log/journal/0123/system.journal"
    journal.parent.mkdir(parents=True)
    journal.touch(0o640)
    assert logs.readable(Layout(root))
    if os.geteuid() != 0:
        journal.chmod(0)
        assert not logs.readable(Layout(root))


@pytest.mark.usefixtures("teams")
def test_a_second_apply_changes_nothing(root: Path, run: Run) -> None:
    before = snapshot(root)
    assert run("apply", "--detailed-exitcode") == 2
    assert snapshot(root) == before
