"""Backups: whole or none; and what becomes of them when they are restored."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import backups, dumps
from airflow_instance.errors import HostError
from airflow_instance.inside import dump_database
from airflow_instance.site import Site

from .conftest import Run, snapshot
from .fake_database import HEAD, OLD, UNKNOWN, FakeDatabases

Capture = pytest.CaptureFixture[str]
PLACE = "var/backups/airflow-instances/a"


@pytest.fixture
def fake(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> FakeDatabases:
    """An instance `a` with something in its database."""
    found = FakeDatabases(root, monkeypatch)
    assert run("create", "a", "--db", "mysql") == 0
    found.revision["a"] = HEAD
    found.content["a"] = b"rows" * 1000
    return found


def stamp(root: Path) -> Path:
    """The directory of the only backup."""
    (found,) = (root / PLACE).iterdir()
    return found


def test_all_of_it_is_there_and_only_roots(
    fake: FakeDatabases, run: Run, root: Path, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("a", "smtp_x: 1\n".replace("smtp_x: 1", "description: secret"), "secrets")
    assert run("backup", "a") == 0
    place = stamp(root)
    assert {path.name for path in place.iterdir()} == {
        *("MANIFEST", "database.sql.gz", "instance.yaml", "secrets.yaml", "keys.yaml"),
        "ports.yaml",
    }
    for path in (root / PLACE, place):
        assert path.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}
    manifest = json.loads((place / "MANIFEST").read_text())
    assert (manifest["airflow"], manifest["revisions"]) == ("2.11.2", [HEAD])
    assert (
        manifest["files"]["database.sql.gz"]["size"] == (place / "database.sql.gz").stat().st_size
    )
    capsys.readouterr()
    assert run("backup", "--list", "a", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["stamp"], row["database"]) == (place.name, "mysql")
    assert run("backup", "--list") == 0
    assert place.name in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [(), ("a", "--all"), ("a", "--expire", "0"), ("--list", "--rotate")]
)
def test_command_lines_that_make_no_sense(words: tuple[str, ...], run: Run) -> None:
    assert run("backup", *words) == 64


def test_a_failing_dump_leaves_nothing(
    fake: FakeDatabases, run: Run, root: Path, capsys: Capture
) -> None:
    fake.refuses = "there is no mysqldump on this host; apt install mariadb-client"
    assert run("backup", "a") == 7
    said = capsys.readouterr().err
    assert said.endswith("there is no mysqldump on this host; apt install mariadb-client\n")
    assert list((root / PLACE).iterdir()) == []


def test_an_interrupted_one_is_none_and_goes_with_the_next(
    fake: FakeDatabases, run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run("backup", "a") == 0
    place = stamp(root)
    (place / "MANIFEST").unlink()
    capsys.readouterr()
    assert run("restore", "a", place.name) == 1
    assert "is not complete" in capsys.readouterr().err
    assert run("restore", "a") == 1
    assert run("backup", "--list", "a") == 0
    assert place.name not in capsys.readouterr().out
    assert run("backup", "a") == 0
    assert "which was broken off" in capsys.readouterr().out
    assert (root / PLACE / place.name / "MANIFEST").exists() or not place.exists()
    assert len(list((root / PLACE).iterdir())) == 1


def test_one_team_costs_no_other_its_backup(
    fake: FakeDatabases, run: Run, site: Site, declare: Callable[..., Path]
) -> None:
    run("create", "b")
    declare("aa", "nonsense: 1\n")
    assert run("backup", "--all") == 3
    assert len(backups.listed(site.layout, "a")) == 1
    assert len(backups.listed(site.layout, "b")) == 1


def test_the_newest_never_expires(fake: FakeDatabases, run: Run, root: Path, site: Site) -> None:
    for age in (30, 20, 10):
        assert run("backup", "a") == 0
        newest = backups.listed(site.layout, "a")[-1]
        path = newest.path / "MANIFEST"
        text = json.loads(path.read_text())
        path.write_text(json.dumps({**text, "made": time.time() - age * 86400}))
    assert run("backup", "--expire", "15", "a", "--dry-run") == 0
    assert len(backups.listed(site.layout, "a")) == 3
    assert run("backup", "--expire", "15", "--all") == 0
    assert len(backups.listed(site.layout, "a")) == 1
    assert run("backup", "--expire", "1", "a") == 0
    assert len(backups.listed(site.layout, "a")) == 1
    assert run("backup", "a", "--rotate") == 0
    assert len(backups.listed(site.layout, "a")) == 1


def test_restore_brings_all_of_it_back(
    fake: FakeDatabases, run: Run, root: Path, site: Site, capsys: Capture
) -> None:
    before = snapshot(root / "etc/airflow")
    assert run("backup", "a") == 0
    keys = root / "etc/airflow/keys.d/a.yaml"
    fake.content["a"] = b"other"
    keys.unlink()
    assert run("set", "a", "description=other", "--apply") == 0
    capsys.readouterr()
    stamps = backups.stamps(site.layout, "a")
    assert run("restore", "a", stamps[0]) == 0
    said = capsys.readouterr().out
    assert fake.content["a"] == b"rows" * 1000
    after = snapshot(root / "etc/airflow")
    assert {k: v[-1] for k, v in after.items()} == {k: v[-1] for k, v in before.items()}  # type: ignore[index]
    # What was there before is kept, too.
    (kept,) = set(backups.stamps(site.layout, "a")) - set(stamps)
    assert f"kept as {kept}" in said
    assert run("apply", "--detailed-exitcode") == 2
    assert run("restore", "a", kept) == 0
    assert fake.content["a"] == b"other"


def test_database_only(fake: FakeDatabases, run: Run, site: Site) -> None:
    assert run("backup", "a") == 0
    fake.content["a"] = b"other"
    assert run("set", "a", "description=other", "--apply") == 0
    assert run("restore", "a", "--database-only") == 0
    assert fake.content["a"] == b"rows" * 1000
    assert site.view(site.load("a")).parameter("description") == "other"


def test_a_dry_run_restores_nothing(
    fake: FakeDatabases, run: Run, root: Path, capsys: Capture
) -> None:
    assert run("backup", "a") == 0
    assert run("set", "a", "description=other", "--apply") == 0
    (root / "run/airflow-instances/b.lock").touch(0o600)
    before = snapshot(root)
    capsys.readouterr()
    assert run("restore", "a", "--dry-run") == 0
    assert run("restore", "a", "--as", "b", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "a: would rewrite /etc/airflow/instances.d/a.yaml" in said
    assert "b: would create mysql database b of airflow_b" in said
    assert snapshot(root) == before


def test_a_damaged_one_is_refused(
    fake: FakeDatabases, run: Run, root: Path, capsys: Capture
) -> None:
    assert run("backup", "a") == 0
    dump = stamp(root) / "database.sql.gz"
    data = bytearray(dump.read_bytes())
    data[len(data) // 2] ^= 1
    dump.write_bytes(bytes(data))
    before = snapshot(root)
    for words in ((), ("--as", "b")):
        assert run("restore", "a", *words) == 7
        assert "database.sql.gz is damaged" in capsys.readouterr().err
    (stamp(root) / "keys.yaml").unlink()
    assert run("restore", "a") == 7
    after = snapshot(root)
    assert {k for k in before if not k.endswith("keys.yaml")} == {
        k for k in after if not k.endswith("keys.yaml")
    }


def test_a_restore_that_fails_puts_back_what_was(
    fake: FakeDatabases, run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert run("backup", "a") == 0
    fake.content["a"] = b"other"
    assert run("set", "a", "description=other", "--apply") == 0
    real, calls = dumps.restore, []

    def restore(site: Site, instance: object, path: Path) -> None:
        calls.append(path)
        if len(calls) == 1:
            fake.content["a"] = b"half"
            raise HostError("in the middle")
        real(site, instance, path)  # type: ignore[arg-type]

    monkeypatch.setattr(dumps, "restore", restore)
    before = snapshot(root / "etc/airflow")
    capsys.readouterr()
    assert run("restore", "a") == 7
    said = capsys.readouterr().err
    assert "in the middle; what was there was put back" in said
    assert fake.content["a"] == b"other"
    after = snapshot(root / "etc/airflow")
    assert {k: v[-1] for k, v in after.items()} == {k: v[-1] for k, v in before.items()}  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"revisions": [UNKNOWN]}, "install Airflow 2.11.2 or newer first"),
        ({"format": 2}, "no backup of a"),
    ],
)
def test_what_does_not_fit_is_refused(
    change: dict[str, object],
    message: str,
    fake: FakeDatabases,
    run: Run,
    root: Path,
    capsys: Capture,
) -> None:
    assert run("backup", "a") == 0
    path = stamp(root) / "MANIFEST"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    content = fake.content["a"]
    assert run("restore", "a") in (1, 6)
    assert message in capsys.readouterr().err
    assert fake.content["a"] == content
    assert ("a", "restore") not in fake.ran


def test_a_dropped_instance_comes_back(fake: FakeDatabases, run: Run, site: Site) -> None:
    assert run("backup", "a") == 0
    assert run("drop", "a") == 0
    site.layout.keys_file("a").unlink()
    fake.content["a"] = b"gone"
    assert run("restore", "a") == 0
    assert fake.content["a"] == b"rows" * 1000
    assert run("apply", "--detailed-exitcode") == 2


def test_an_unreachable_one_is_not_overwritten_unasked(
    fake: FakeDatabases, run: Run, capsys: Capture
) -> None:
    assert run("backup", "a") == 0
    fake.unreachable = "malformed"
    assert run("restore", "a") == 7
    assert "--no-backup" in capsys.readouterr().err
    assert ("a", "restore") not in fake.ran


# As another instance.


def test_a_copy_has_the_same_keys_and_nothing_else_of_it(
    fake: FakeDatabases, run: Run, root: Path, site: Site, declare: Callable[..., Path]
) -> None:
    run("drop", "a")
    declare("a", "create_user: true\ndb: mysql\ndb_name: meta\nservice_user: airflow-a\n")
    declare("a", "db_password: x\n", "secrets")
    assert run("apply", "a") == 0
    assert run("backup", "a") == 0
    assert run("restore", "a", "--as", "b") == 0
    old, new = (site.view(site.load(name)) for name in "ab")
    assert new.keys["fernet_key"] == old.keys["fernet_key"]
    assert new.keys["secret_key"] == old.keys["secret_key"]
    assert (new.user, new.home, new.database.name) == ("airflow-b", "/srv/airflow-b", "b")
    assert new.database.password not in ("", old.database.password)
    assert not set(new.ports.values()) & set(old.ports.values())
    assert fake.content["b"] == fake.content["a"] == b"rows" * 1000
    assert run("apply", "--detailed-exitcode") == 2
    assert run("restore", "a", "--as", "b") == 6


def test_a_copy_that_fails_leaves_nothing(fake: FakeDatabases, run: Run, root: Path) -> None:
    assert run("backup", "a") == 0
    before = {path for path in snapshot(root) if "/lock" not in path}
    fake.refuses = "no"
    assert run("restore", "a", "--as", "b") == 7
    after = {path for path in snapshot(root) if not path.endswith("b.lock")}
    assert after == before
    fake.refuses = ""
    fake.revision["b"] = OLD
    assert run("restore", "a", "--as", "b") == 6
    assert fake.revision["b"] == OLD


def test_a_copy_shares_no_database(
    fake: FakeDatabases, run: Run, declare: Callable[..., Path], capsys: Capture
) -> None:
    run("drop", "a")
    declare("a", "create_user: true\ndb: mysql\ndb_url: mysql://u@db.example.org/meta\n")
    assert run("apply", "a") == 0
    assert run("backup", "a") == 0
    assert run("restore", "a", "--as", "b") == 3
    assert "names the original's own database" in capsys.readouterr().err


# The child that reads and writes the database.


def test_sqlite_is_copied_and_put_in_place_as_a_whole(tmp_path: Path) -> None:
    import io
    import sqlite3

    path = str(tmp_path / "airflow.db")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (x)")
        database.executemany("INSERT INTO t VALUES (?)", [("é",), (b"\0\1",), (None,)])
        database.commit()
        (tmp_path / f"{dump_database._SCRATCH}left").touch()
        out = io.BytesIO()
        dump_database.dump_sqlite(path, out)
    assert not list(tmp_path.glob(f"{dump_database._SCRATCH}*"))
    os.unlink(path)
    (tmp_path / "airflow.db-wal").write_bytes(b"of another database")
    dump_database.restore_sqlite(path, io.BytesIO(out.getvalue()))
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT x FROM t").fetchall() == [("é",), (b"\0\1",), (None,)]
    before = Path(path).read_bytes()
    with pytest.raises((SystemExit, sqlite3.Error)):
        dump_database.restore_sqlite(path, io.BytesIO(out.getvalue()[:5000]))
    assert Path(path).read_bytes() == before
    assert not list(tmp_path.glob(f"{dump_database._SCRATCH}*"))


def test_no_password_is_on_a_command_line() -> None:
    from urllib.parse import urlsplit

    url = "postgresql+psycopg2://u%27:p%40ss%27@localhost:5433/d?sslmode=require&application_name=a%20b"
    parts = urlsplit(url)
    assert dump_database.conninfo(parts) == (
        "sslmode='require' application_name='a b' host='localhost' user='u\\'' dbname='d' "
        "port='5433' connect_timeout='30'"
    )
    assert dump_database.postgresql_variables(parts)["PGPASSWORD"] == "p@ss'"
