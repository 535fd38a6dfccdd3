"""`check` as it is typed, and the child that looks for it."""

from __future__ import annotations

import datetime
import json
import os
import pwd
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

from airflow_instance.errors import HostError, PrivilegeError
from airflow_instance.health import ask, child, look, target, units
from airflow_instance.health.rules import UNKNOWN
from airflow_instance.health.target import Target
from airflow_instance.health.units import State
from airflow_instance.inside import ask_database, examine
from airflow_instance.site import Site

from .conftest import Run
from .health import PLUGIN, applied, seen

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def found(site: Site, run: Run) -> Target:
    return applied(site, run)


# The command.


def pretend(
    monkeypatch: pytest.MonkeyPatch,
    said: Callable[..., dict[str, Any]],
    unit_states: Callable[[list[str]], Mapping[str, State] | None] = lambda units: None,
) -> None:
    """Have no child look, and no systemd be asked."""
    monkeypatch.setattr(ask, "look", said)
    monkeypatch.setattr(units, "ask", lambda layout, names: unit_states(names))


def test_command(
    site: Site, run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    run("create", "a")
    capsys.readouterr()
    pretend(monkeypatch, lambda *_: seen())
    assert run("check", "a") == 0
    said = capsys.readouterr()
    assert PLUGIN.fullmatch(said.out)
    assert said.err == ""
    assert run("check", "a", "--critical", "heartbeat=1", "--json") == 2
    data = json.loads(capsys.readouterr().out)
    assert data["status"] == "CRITICAL"
    assert {c["status"] for c in data["checks"] if c["check"] == "heartbeat"} == {"CRITICAL"}
    (root / target.load(site.layout, "a").installation[1:]).rmdir()
    assert run("check", "a") == 1
    assert "airflow-instance apply a" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["check"], "which instance?"),
        (["check", "a", "--all"], "which instance?"),
        (["check", "nobody"], "there is no instance nobody; airflow-instance ls"),
        (["check", "Bad"], "cannot name an instance"),
        (["check", "raw"], "raw was never applied; sudo airflow-instance apply raw"),
    ],
)
def test_unknown(
    words: list[str], part: str, run: Run, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("raw", "ensure: present\n")
    assert run(*words) == UNKNOWN
    said = capsys.readouterr()
    assert said.err == ""
    assert part in said.out
    assert PLUGIN.fullmatch(said.out)


def test_a_check_that_breaks_says_so_on_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    run("create", "a")

    def fail(*_: object) -> NoReturn:
        raise RuntimeError("two\nlines")

    def refuse(*_: object) -> NoReturn:
        raise PrivilegeError(
            "a runs as airflow-a", hint="sudo -u airflow-a airflow-instance check a"
        )

    for look_, part in ((fail, "RuntimeError: two lines"), (refuse, "sudo -u airflow-a airflow")):
        pretend(monkeypatch, look_)
        capsys.readouterr()
        assert run("check", "a") == UNKNOWN
        said = capsys.readouterr()
        assert part in said.out
        assert PLUGIN.fullmatch(said.out)
        assert said.err == ""


def test_usage_errors_are_unknown(run: Run, capsys: Capture) -> None:
    for words in (["--nonsense"], ["a", "--warning", "x=1"], ["a", "--warning", "web_time=x"]):
        with pytest.raises(SystemExit) as caught:
            run("check", *words)
        assert caught.value.code == UNKNOWN


def test_who_is_stopped_on_purpose_is_well(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    pretend(
        monkeypatch,
        lambda *_: seen(web={"error": "refused"}),
        lambda names: dict.fromkeys(names, State("inactive")),
    )
    for start, status, words in (("auto", 2, "stopped, though"), ("manual", 0, "mode is manual")):
        run("create", start, "--set", f"start={start}")
        capsys.readouterr()
        assert run("check", start) == status
        assert words in capsys.readouterr().out
    run("create", "off", "--set", "monitoring_enabled=false")
    capsys.readouterr()
    assert run("check", "off") == 0
    assert "not monitored" in capsys.readouterr().out


def test_all_has_a_line_for_each(
    run: Run, declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run("check", "--all") == 0
    assert "there are no instances" in capsys.readouterr().out
    run("create", "a")
    run("create", "b")
    declare("gone", "ensure: absent\n")
    capsys.readouterr()

    def said(layout: object, found: Target, *_: object) -> dict[str, Any]:
        return seen(web={"error": "refused"}) if found.name == "b" else seen()

    pretend(monkeypatch, said)
    assert run("check", "--all") == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1:3] for line in lines] == [["OK:", "a:"], ["CRITICAL:", "b:"]]
    declare("raw", "ensure: present\n")
    assert run("check", "--all") == 2
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_look_asks_for_what_there_is(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def said(layout: object, found: Target, parts: list[str], *_: object) -> dict[str, Any]:
        asked.extend(parts)
        return seen()

    pretend(monkeypatch, said)
    found = applied(site, run)
    look.look(site.layout, found, "")
    assert "ticket" not in asked
    look.look(site.layout, found._replace(ccache="/c"), "")
    assert "ticket" in asked


# What the child does.


def test_web_reply() -> None:
    assert examine._parts(b'{"scheduler": {"status": "healthy", "x": 1}, "y": null}') == {
        "scheduler": "healthy"
    }
    for body in (b"", b"<html>", b"[]", b'{"a": 1}', b'{"a": {}}'):
        assert examine._parts(body) is None


def test_hostnames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda: "full.example.org")
    monkeypatch.setattr(socket, "gethostname", lambda: "short")
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_: [(0, 0, 0, "", ()), (0, 0, 0, "canon.example.org", ())]
    )
    monkeypatch.setattr(socket, "gethostbyname", lambda name: f"address of {name}")
    assert examine.hostname("socket.getfqdn") == {"name": "full.example.org"}
    assert examine.hostname("socket:gethostname") == {"name": "short"}
    assert examine.hostname("airflow.utils.net.getfqdn") == {"name": "canon.example.org"}
    assert examine.hostname("airflow.utils.net.get_host_ip_address") == {
        "name": "address of canon.example.org"
    }
    assert "needs Airflow" in examine.hostname("airflow.other")["error"]
    assert "nowhere" in examine.hostname("nowhere.function")["error"]


def test_disks_and_tickets(tmp_path: Path) -> None:
    one, two = examine.disks([str(tmp_path), str(tmp_path), str(tmp_path / "nothing")])
    assert 0 <= one["free"] <= 100
    assert two["error"] == os.strerror(2)
    assert examine._per_cent(1, 0) is None
    assert examine.ticket(str(tmp_path / "nothing")) == {"error": "there is no ticket"}
    assert "KEYRING:x is no file" in examine.ticket("KEYRING:x")["unknown"]
    (tmp_path / "cache").write_bytes(b"nonsense")
    assert "credential cache" in examine.ticket(str(tmp_path / "cache"))["error"]


def test_heartbeats_are_aged_whatever_the_driver_gives() -> None:
    now = datetime.datetime(2021, 5, 21, 12, 0, 30, tzinfo=datetime.timezone.utc)
    naive = datetime.datetime(2021, 5, 21, 12, 0)
    for value in ("2021-05-21 12:00:00.000000", "2021-05-21 12:00:00+00:00", naive):
        assert examine._age(value, now) == 30
    assert examine._age(None, now) is None


def test_database_of_the_child(
    found: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = sqlite3.connect(tmp_path / "airflow.db")
    database.execute("CREATE TABLE job (job_type, hostname, latest_heartbeat, state)")
    database.executemany(
        "INSERT INTO job VALUES (?, ?, ?, ?)",
        [
            ("SchedulerJob", "here", "2021-05-21 12:00:00.000000", "running"),
            ("SchedulerJob", "here", "2021-05-21 13:00:00.000000", "running"),
            ("SchedulerJob", "here", "2021-05-21 14:00:00.000000", "success"),
            ("SchedulerJob", "there", "2021-05-21 15:00:00.000000", "running"),
            ("LocalTaskJob", "here", "2021-05-21 16:00:00.000000", "running"),
        ],
    )
    database.commit()
    (tmp_path / "airflow.cfg").write_text(
        f"[core]\nsql_alchemy_conn = sqlite:///{tmp_path}/airflow.db\n"
    )
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    wanted = found._replace(
        daemons=(target.Watched("scheduler", "u", "SchedulerJob", 30),),
        revisions={"alembic_version": ("x",)},
    )
    request = {"section": "core", "key": "sql_alchemy_conn", "timeout": 1}
    answer = examine.database({**request, "queries": ask.queries(wanted)})
    ages = {row[1]: row[2] for row in answer["beats"]}
    assert set(ages) == {"here", "there"}
    assert ages["here"] - ages["there"] == 7200
    assert answer["missing"] == ["revisions alembic_version"]
    monkeypatch.setattr(ask_database, "connect", lambda url, timeout: 1 / 0)
    assert examine.database({**request, "queries": {}}) == {"unreachable": "division by zero"}


# The child.


def whom(**variables: str) -> child.User:
    return child.User(variables, None)


def test_a_copy_says_what_it_sees_in_its_own_environment(
    found: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "root's own")

    def main() -> None:
        print(json.dumps({"env": dict(os.environ), "cwd": os.getcwd()}))
        print(json.dumps({"fds": sorted(map(int, os.listdir("/proc/self/fd")))[:-1]}))
        print(json.dumps({"leader": os.getsid(0) == os.getpid(), "path": sys.path[-1]}))

    mine = os.dup(1)
    said = child.copy(found, whom(A="b"), main, 60)
    os.close(mine)
    assert said == {
        "env": {"A": "b"},
        "cwd": "/",
        "fds": [0, 1, 2],
        "leader": True,
        "path": found.packages,
    }
    assert os.environ["SECRET"] == "root's own"


def test_a_copy_that_hangs_or_breaks_has_said_what_it_could(found: Target) -> None:
    def hang() -> None:
        print('{"one": 1}', flush=True)
        print('{"cut off', end="", flush=True)
        time.sleep(600)

    def fail() -> None:
        print('{"two": 2}', flush=True)
        raise RuntimeError

    assert child.copy(found, whom(), hang, 1) == {"one": 1}
    assert child.copy(found, whom(), fail, 60) == {"two": 2}


def test_a_copy_is_for_the_same_python_and_known_functions_only(
    found: Target, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[str] = []
    monkeypatch.setattr(child, "user", lambda *_: whom())

    def way(name: str) -> Callable[..., dict[str, Any]]:
        def go(*_: object) -> dict[str, Any]:
            ways.append(name)
            return {}

        return go

    for name in ("copy", "run"):
        monkeypatch.setattr(child, name, way(name))
    mine = f"/usr/lib/x/lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    for packages, hostname in (
        (mine, "socket.getfqdn"),
        (mine, "our.own.function"),
        ("/usr/lib/x/lib/python2.7/site-packages", "socket.getfqdn"),
    ):
        target_ = found._replace(packages=packages, hostname=hostname)
        ask.look(site.layout, target_, ["web"], 1, "")
    assert ways == ["copy", "run", "run"]


def test_only_root_and_the_service_user_may_look(
    found: Target, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HostError, match="there is no user airflow-a"):
        child.user(site.layout, found, "typed")
    me = pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setenv("SECRET", "x")
    mine = child.user(site.layout, found._replace(user=me), "typed")
    assert mine.environment["AIRFLOW_HOME"] == "/srv/airflow-a"
    assert "SECRET" not in mine.environment
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(PrivilegeError) as caught:
        child.user(site.layout, found._replace(user=me), "typed words")
    assert str(caught.value) == f"a runs as {me}; sudo -u {me} typed words"


def test_a_database_that_is_ahead_is_explained(
    site: Site, run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    versions = (
        next(root.glob("usr/lib/airflow/lib/*/site-packages/airflow")) / "migrations/versions"
    )
    versions.mkdir(parents=True)
    (versions / "1.py").write_text("revision = 'a1'\ndown_revision = None\n")
    (versions / "2.py").write_text("revision = 'b2'\ndown_revision = 'a1'\n")
    run("create", "a")
    for revision, status, words in (
        ("b2", 0, "OK"),
        ("a1", 1, "the database is of another version; airflow-instance migrate a"),
        ("c3", 2, "does not know its revision c3: install that again, or restore a backup"),
    ):
        found = seen()
        found["database"]["rows"] = {"revisions alembic_version": [[revision]]}
        pretend(monkeypatch, lambda *_, found=found: found)
        capsys.readouterr()
        assert run("check", "a") == status
        said = capsys.readouterr().out
        assert words in said
        assert PLUGIN.fullmatch(said)
