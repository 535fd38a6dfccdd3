"""Rotation of keys: wherever it is cut off, everything stays readable and it can go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_instance import asuser, keys
from airflow_instance.asuser import Done
from airflow_instance.changes import Change, Systemctl, WriteFile
from airflow_instance.engine import Engine
from airflow_instance.host import PaperHost
from airflow_instance.launch import Launch
from airflow_instance.plan import Planner
from airflow_instance.site import Site

from .conftest import Run, snapshot

KEYS = "/etc/airflow/keys.d/team.yaml"


class CutOffError(BaseException):
    """As if the power had gone: nothing catches it."""


class Database:
    """Stands for an instance's database: each value is the key it is encrypted with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.values: dict[str, str] = {}
        self.answer = Done(0, "", "")
        self.asked: list[dict[str, Any]] = []
        self.launches: list[Launch] = []
        self.meanwhile: Callable[[], None] = lambda: None
        monkeypatch.setattr(asuser, "run", self.run)

    def run(self, site: Site, launch: Launch, *, text: str = "", **_: Any) -> Done:
        """What inside/reencrypt.py does."""
        request = json.loads(text)
        self.asked.append(request)
        self.launches.append(launch)
        if self.answer.status or self.answer.out:
            return self.answer
        newest, known = request["keys"][0], request["keys"]
        old = [name for name, key in self.values.items() if key in known and key != newest]
        lost = [name for name, key in self.values.items() if key not in known]
        if request["write"]:
            self.values.update(dict.fromkeys(old, newest))
            self.meanwhile()
        said = {"rows": len(self.values), "changed": len(old), "unreadable": lost}
        return Done(0, json.dumps(said), "")


@pytest.fixture
def database(run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> Database:
    """An instance with three values in its database."""
    assert run("create", "team", "--installation", "/usr/lib/airflow-2.1") == 0
    found = Database(monkeypatch)
    found.values = dict.fromkeys(["connection a", "variable b", "trigger 3"], kept(site)[0])
    return found


def kept(site: Site) -> list[str]:
    """The fernet keys in keys.d."""
    return keys.load(site.layout, "team")[1]["fernet_key"].split(",")


def rendered(site: Site, option: str = "fernet_key") -> str:
    text = site.layout.real("/srv/airflow-team/airflow.cfg").read_text("utf-8")
    (found,) = re.findall(rf"^{option} = (.*)$", text, re.M)
    return str(found)


def test_the_fernet_key(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = kept(site)
    text = site.layout.real(KEYS).read_text("utf-8")
    capsys.readouterr()
    assert run("rotate-keys", "team", "--fernet") == 0
    said = capsys.readouterr().out
    (new,) = kept(site)
    assert new != old
    assert len(new) == 44
    assert set(database.values.values()) == {new}
    assert rendered(site) == new
    # Looked at with the old one, written with both, looked at with the new one alone.
    asked = [(request["keys"], request["write"]) for request in database.asked]
    assert asked == [([old], False), ([new, old], True), ([new], False)]
    assert ["trigger", "kwargs", ""] not in database.asked[0]["columns"]
    assert ["variable", "val", "is_encrypted"] in database.asked[0]["columns"]
    # All else in keys.d is as it was, and what was is kept, for root only.
    assert site.layout.real(KEYS).read_text("utf-8") == text.replace(old, new)
    assert site.layout.real(KEYS).stat().st_mode & 0o777 == 0o600
    (copy,) = site.layout.real("/var/lib/airflow-instances/rotated").glob("team-*/keys.yaml")
    assert copy.read_text("utf-8") == text
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert "encrypted 3 of 3 values anew" in said
    # No key is in an argument or in what is printed.
    words = " ".join(word for launch in database.launches for word in launch.arguments)
    assert old not in words + said
    assert new not in words + said
    assert run("apply", "team", "--detailed-exitcode") == 2


def test_columns_of_later_versions(run: Run, database: Database) -> None:
    assert run("set", "team", "installation=/usr/lib/airflow", "--apply") == 0
    assert run("rotate-keys", "team", "--fernet") == 0
    assert ["trigger", "kwargs", ""] in database.asked[0]["columns"]
    assert database.asked[0]["section"] == "database"


def steps(monkeypatch: pytest.MonkeyPatch, allowed: int) -> Callable[[], int]:
    """Cut off before the change or question number ``allowed``; how many there were."""
    count = 0
    do, ask = Engine._do, asuser.run

    def step() -> None:
        nonlocal count
        if count == allowed:
            raise CutOffError
        count += 1

    def change(engine: Engine, change: Change) -> None:
        step()
        do(engine, change)

    def question(*args: Any, **options: Any) -> Done:
        step()
        done = ask(*args, **options)
        step()  # the database has it, but nobody was told
        return done

    monkeypatch.setattr(Engine, "_do", change)
    monkeypatch.setattr(asuser, "run", question)
    return lambda: count


def test_cut_off_anywhere_it_can_be_run_again(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    text = site.layout.real(KEYS).read_text("utf-8")
    (first,) = kept(site)
    points = 0
    while True:
        site.layout.real(KEYS).write_text(text, "utf-8")
        assert run("apply", "team") == 0
        database.values = dict.fromkeys(database.values, first)
        with pytest.MonkeyPatch.context() as patch:
            done = steps(patch, points)
            try:
                assert run("rotate-keys", "team", "--fernet") == 0
            except CutOffError:
                pass
            else:
                assert done() == points
                break
        # A daemon that starts now reads everything, before and after an apply.
        assert set(database.values.values()) <= set(rendered(site).split(","))
        assert run("apply", "team") == 0
        assert set(database.values.values()) <= set(rendered(site).split(","))
        assert run("rotate-keys", "team", "--fernet") == 0
        (new,) = kept(site)
        assert rendered(site) == new
        assert set(database.values.values()) == {new}
        points += 1
    assert points >= 10


def test_it_goes_on_with_the_same_new_key(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    new = keys.fernet()
    path = site.layout.real(KEYS)
    path.write_text(path.read_text().replace(kept(site)[0], f"{new},{kept(site)[0]}"))
    database.values["variable b"] = new
    assert run("rotate-keys", "team", "--fernet") == 0
    assert kept(site) == [new]
    said = capsys.readouterr()
    assert "a rotation that was cut off goes on" in said.err
    assert "encrypted 2 of 3 values anew" in said.out


def test_what_nobody_can_read_stops_it_before_anything_is_changed(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    database.values["connection lost"] = keys.fernet()
    before = snapshot(site.layout.root)
    assert run("rotate-keys", "team", "--fernet") == 6
    said = capsys.readouterr().err
    assert "no key in keys.d can read connection lost" in said
    assert "connections delete" in said
    assert snapshot(site.layout.root) == before


def test_what_is_written_meanwhile_keeps_the_old_key(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    (old,) = kept(site)
    database.meanwhile = lambda: database.values.update({"variable late": old})
    assert run("rotate-keys", "team", "--fernet") == 6
    assert "variable late was written with the old key" in capsys.readouterr().err
    assert kept(site)[1] == old
    assert rendered(site).endswith(f",{old}")
    database.meanwhile = lambda: None
    assert run("rotate-keys", "team", "--fernet") == 0
    assert set(database.values.values()) == set(kept(site))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Done(0, '{"unreachable": "no route"}', ""), "the database does not answer: no route"),
        (Done(1, "", "Traceback\nOperationalError: locked\n"), "OperationalError: locked"),
    ],
)
def test_a_database_that_does_not_answer(
    answer: Done,
    message: str,
    site: Site,
    run: Run,
    database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    database.answer = answer
    before = snapshot(site.layout.root)
    assert run("rotate-keys", "team", "--fernet") == 7
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert snapshot(site.layout.root) == before


def test_signing_keys(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    old = keys.load(site.layout, "team")[1]
    assert run("rotate-keys", "team", "--secret") == 0
    new = keys.load(site.layout, "team")[1]
    assert new["secret_key"] not in (old["secret_key"], "")
    assert new["fernet_key"] == old["fernet_key"]
    assert rendered(site, "secret_key") == new["secret_key"]
    assert database.asked == []
    assert "everyone is logged out" in capsys.readouterr().out


def test_all_signing_keys_of_a_version(site: Site, run: Run) -> None:
    assert run("create", "team", "--installation", "/usr/lib/airflow-3.3") == 0
    old = keys.load(site.layout, "team")[1]
    assert run("rotate-keys", "team", "--secret") == 0
    new = keys.load(site.layout, "team")[1]
    assert {key for key in old if old[key] != new[key]} == {"secret_key", "jwt_secret"}


def test_a_dry_run_changes_nothing(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    before = snapshot(site.layout.root)
    capsys.readouterr()
    assert run("rotate-keys", "team", "--fernet", "--secret", "--dry-run") == 0
    said = capsys.readouterr().out
    assert snapshot(site.layout.root) == before
    assert "would replace fernet_key, and encrypt 3 values anew" in said
    assert "everyone would be logged out" in said


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"fernet_key: {'A' * 43}=\n", "secrets"),
        (f"airflow_config:\n  core:\n    fernet_key: {'A' * 43}=\n", "secrets"),
        ("environment_extra:\n  AIRFLOW__CORE__FERNET_KEY_CMD: cat /x\n", "instances"),
    ],
)
def test_what_a_declaration_says_is_changed_there(
    text: str,
    where: str,
    site: Site,
    run: Run,
    database: Database,
    declare: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    if where == "instances":
        text = site.layout.instance_file("team").read_text() + text
    path = declare("team", text, where)
    before = snapshot(site.layout.root)
    assert run("rotate-keys", "team", "--fernet") == 3
    said = capsys.readouterr().err
    assert re.search(rf"{site.layout.seen(path)}:\d+: fernet_key is set there", said), said
    assert "change it there and apply" in said
    assert snapshot(site.layout.root) == before


def test_command_lines_that_make_no_sense(
    run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("rotate-keys", "team") == 64
    assert "--fernet, --secret or both" in capsys.readouterr().err
    assert run("rotate-keys", "nobody", "--fernet") == 5


def test_one_that_was_never_applied(site: Site, run: Run, declare: Callable[..., Path]) -> None:
    declare("team", "create_user: true\n")
    assert run("rotate-keys", "team", "--secret") == 1


def test_a_running_instance_is_stopped_and_started(
    site: Site,
    run: Run,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    units = ("airflow@team.service", "airflow-scheduler@team.service")
    told: list[tuple[str, ...] | str] = []
    monkeypatch.setattr(PaperHost, "systemctl", lambda host, *words: told.append(words))
    monkeypatch.setattr(Planner, "stops", lambda planner, name: [Systemctl(("stop", *units))])
    before = snapshot(site.layout.root)
    assert run("rotate-keys", "team", "--fernet") == 6
    assert "--stop" in capsys.readouterr().err
    assert snapshot(site.layout.root) == before

    write, ask = Engine._write, database.run

    def change(engine: Engine, change: WriteFile) -> None:
        told.append(change.path)
        write(engine, change)

    def question(*args: Any, **options: Any) -> Done:
        told.append("database")
        return ask(*args, **options)

    monkeypatch.setattr(Engine, "_write", change)
    monkeypatch.setattr(asuser, "run", question)
    assert run("rotate-keys", "team", "--fernet", "--stop") == 0
    copy = told.pop(1)
    assert str(copy).startswith("/var/lib/airflow-instances/rotated/team-")
    files = (KEYS, "/srv/airflow-team/airflow.cfg")
    # Nothing is written while a daemon runs.
    assert told == [
        *("database", ("stop", *units)),
        *(*files, "database", "database", *files),
        ("start", *units),
    ]
    # What was stopped is started whatever happens.
    told.clear()
    database.meanwhile = lambda: database.values.update({"variable late": "old"})
    assert run("rotate-keys", "team", "--fernet", "--stop") == 6
    assert told[-1] == ("start", *units)


def test_fingerprints(
    site: Site, run: Run, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    def found() -> dict[str, str]:
        capsys.readouterr()
        assert run("show", "team", "--fingerprints", "--json") == 0
        said: dict[str, str] = json.loads(capsys.readouterr().out)
        return said

    before = found()
    assert set(before) == {"fernet_key", "secret_key"}
    assert all(re.fullmatch(r"[0-9a-f]{8}", text) for text in before.values())
    assert found() == before
    assert run("rotate-keys", "team", "--secret") == 0
    after = found()
    assert after["fernet_key"] == before["fernet_key"]
    assert after["secret_key"] != before["secret_key"]
    # The same key, but not the same use of it.
    assert keys.fingerprint("a", "x" * 43) != keys.fingerprint("b", "x" * 43)
    # An unfinished rotation shows both keys.
    path = site.layout.real(KEYS)
    path.write_text(path.read_text().replace(kept(site)[0], f"{keys.fernet()},{kept(site)[0]}"))
    assert found()["fernet_key"].split(",")[1] == before["fernet_key"]
