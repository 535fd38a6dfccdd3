"""Taking instances away, with as much of their data as was asked for; and renaming them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import backups, trees
from airflow_instance.host import PaperHost
from airflow_instance.inside import remove_tree
from airflow_instance.site import Site

from .conftest import Run, snapshot
from .fake_database import HEAD, FakeDatabases

Capture = pytest.CaptureFixture[str]
ALL = ("--delete-database", "--delete-logs", "--delete-home", "--delete-user")
IS_ROOT = os.geteuid() == 0


@pytest.fixture
def fake(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> FakeDatabases:
    """An instance `a` with something in its database and its home."""
    found = FakeDatabases(root, monkeypatch)
    assert run("create", "a", "--db", "postgresql") == 0
    found.revision["a"] = HEAD

    def act(site: Site, name: str, directory: str, keep: tuple[str, ...] = ()) -> None:
        found.ran.append((name, "empty", directory, *keep))
        os.environ.pop("unused", None)
        place = site.layout.real(directory)
        fd = os.open(place, os.O_RDONLY)
        remove_tree.empty(fd, place.stat().st_dev, frozenset(keep))
        os.close(fd)

    monkeypatch.setattr(trees, "empty", act)
    monkeypatch.setattr(trees, "check", lambda *_: None)
    return found


def test_all_of_it_goes_after_a_backup(
    fake: FakeDatabases, run: Run, root: Path, site: Site, capsys: Capture
) -> None:
    assert run("drop", "a", *ALL, "--yes") == 0
    assert not (root / "srv/airflow-a").exists()
    assert site.host.user("airflow-a") is None
    assert site.host.group("airflow-a") is None
    assert not (root / "etc/airflow/keys.d/a.yaml").exists()
    assert (
        '"postgresql": {"roles": {}, "databases": {}}'
        in (root / "var/lib/airflow-instances/paper-databases.json").read_text()
    )
    (backup,) = backups.listed(site.layout, "a")
    assert f"airflow-instance restore a {backup.stamp}" in capsys.readouterr().out
    assert not list((root / "etc/systemd/system").rglob("*@a*"))
    assert run("restore", "a") == 0
    assert site.host.user("airflow-a") is not None
    assert fake.revision["a"] == HEAD


def test_a_dry_run_deletes_nothing(
    fake: FakeDatabases, run: Run, root: Path, capsys: Capture
) -> None:
    run("ls")
    before = snapshot(root)
    assert run("drop", "a", *ALL, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "a: would drop postgresql database a and user airflow_a" in said
    assert "a: would delete user airflow-a" in said
    assert "a: would remove /usr/local/bin/airflow-a" in said
    after = snapshot(root)
    assert after == before


def test_nobody_to_ask(
    fake: FakeDatabases, run: Run, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    assert run("drop", "a", "--delete-logs") == 64
    assert "add --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: "b")
    assert run("drop", "a", "--delete-logs") == 1
    monkeypatch.setattr("builtins.input", lambda prompt: "a")
    assert run("drop", "a", "--delete-logs") == 0
    assert fake.ran == [("a", "empty", "/srv/airflow-a/logs")]


def test_what_was_not_named_stays(fake: FakeDatabases, run: Run, root: Path, site: Site) -> None:
    (root / "srv/airflow-a/logs/x.log").touch()
    (root / "srv/airflow-a/dags/x.py").touch()
    assert run("drop", "a", "--delete-home", "--yes") == 0
    assert [path.name for path in (root / "srv/airflow-a").iterdir()] == ["logs"]
    assert (root / "srv/airflow-a/logs/x.log").exists()
    assert site.host.user("airflow-a") is not None
    assert (root / "etc/airflow/keys.d/a.yaml").exists()
    assert (
        '"databases": {"a": "airflow_a"}'
        in (root / "var/lib/airflow-instances/paper-databases.json").read_text()
    )


def test_a_sqlite_file_is_a_database(fake: FakeDatabases, run: Run, root: Path) -> None:
    run("create", "b")
    fake.revision["b"] = HEAD
    (root / "srv/airflow-b/airflow.db").write_text("data")
    assert run("drop", "b", "--delete-home", "--delete-logs", "--yes") == 0
    assert [path.name for path in (root / "srv/airflow-b").iterdir()] == ["airflow.db"]
    run("create", "b")
    assert run("drop", "b", "--delete-database", "--yes") == 0
    names = [f"/srv/airflow-b/airflow.db{end}" for end in ("", "-journal", "-wal", "-shm")]
    assert fake.ran[-1] == ("b", "-f", "--", *names)


def test_no_deletion_without_the_backup(
    fake: FakeDatabases, run: Run, root: Path, capsys: Capture
) -> None:
    fake.refuses = "disk full"
    before = snapshot(root)
    assert run("drop", "a", *ALL, "--yes") == 7
    assert "--no-backup deletes without" in capsys.readouterr().err
    left = {k: v for k, v in snapshot(root).items() if "/var/backups" not in k}
    assert {k: v for k, v in before.items() if k in left} == left | {}
    assert run("drop", "a", *ALL, "--yes", "--no-backup") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--delete-user",), "would be nobody's"),
        (("--delete-user", "--delete-home"), "logs in /srv/airflow-a would be nobody's"),
    ],
)
def test_nothing_is_left_to_nobody(
    words: tuple[str, ...], message: str, fake: FakeDatabases, run: Run, capsys: Capture
) -> None:
    assert run("drop", "a", *words, "--yes") == 6
    assert message in capsys.readouterr().err
    assert fake.ran == []


def test_only_an_account_of_ours_is_deleted(
    fake: FakeDatabases, run: Run, site: Site, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("b", "service_user: airflow-a\nairflow_home: /srv/other\n")
    assert run("drop", "a", *ALL, "--yes") == 6
    assert "user airflow-a is b's, too" in capsys.readouterr().err
    site.layout.instance_file("b").unlink()
    assert isinstance(site.host, PaperHost)
    site.host.delete_user("airflow-a")
    site.host.create_user("airflow-a", "airflow-a", "/srv/airflow-a", "Somebody")
    assert run("drop", "a", *ALL, "--yes") == 6
    assert "was not made by airflow-instance for a" in capsys.readouterr().err


def test_a_database_elsewhere_is_its_administrators(
    fake: FakeDatabases, run: Run, capsys: Capture
) -> None:
    run("create", "b", "--db", "mysql", "--set", "db_host=db.example.org")
    assert run("drop", "b", "--delete-database", "--yes") == 6
    assert "not on this host's own server" in capsys.readouterr().err


def test_a_malformed_declaration_can_be_dropped(run: Run, declare: Callable[..., Path]) -> None:
    run("create", "a")
    declare("a", "nonsense: 1\n")
    assert run("drop", "a") == 0


# The child that deletes.


def test_links_are_deleted_and_not_followed(tmp_path: Path) -> None:
    home, victim = tmp_path / "home", tmp_path / "victim"
    (home / "a/b").mkdir(parents=True)
    victim.mkdir()
    (victim / "file").touch()
    (home / "a/link").symlink_to(victim)
    (home / "a/file").symlink_to(victim / "file")
    (home / "kept").touch()
    fd = os.open(home, os.O_RDONLY)
    device, kept = home.stat().st_dev, frozenset(["kept"])
    assert list(remove_tree.obstacles(fd, str(home), device, kept)) == []
    assert list(remove_tree.obstacles(fd, str(home), device + 1, kept)) == [
        f"{home}/a is on another file system"
    ]
    remove_tree.empty(fd, device, kept)
    os.close(fd)
    assert [path.name for path in home.iterdir()] == ["kept"]
    assert (victim / "file").exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root can make files of others")
def test_what_is_somebody_elses_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").touch()
    os.chown(tmp_path / "a/x", 12345, 12345)
    (tmp_path / "a/link").symlink_to("x")
    os.chown(tmp_path / "a/link", 12345, 12345, follow_symlinks=False)
    fd = os.open(tmp_path, os.O_RDONLY)
    found = list(remove_tree.obstacles(fd, "", tmp_path.stat().st_dev, frozenset()))
    os.close(fd)
    assert found == ["/a/x belongs to user 12345"]


# Renaming.


def test_a_home_moves_along_when_asked(
    fake: FakeDatabases, run: Run, root: Path, site: Site, capsys: Capture
) -> None:
    (root / "srv/airflow-a/dags/x.py").touch()
    before = snapshot(root)
    assert run("rename", "a", "b", "--move-home", "--dry-run") == 0
    assert "b: would move /srv/airflow-a to /srv/airflow-b" in capsys.readouterr().out
    changed = {k for k, v in snapshot(root).items() if v[-1] != before.get(k, [0])[-1]}  # type: ignore[index]
    assert {path for path in changed if "/run/" not in path} == set()
    assert run("rename", "a", "b", "--move-home") == 0
    assert (root / "srv/airflow-b/dags/x.py").exists()
    assert not (root / "srv/airflow-a").exists()
    user = site.host.user("airflow-a")
    assert user is not None
    assert user.home == "/srv/airflow-b"
    assert run("apply", "--detailed-exitcode") == 2
    assert run("rename", "b", "c") == 0
    assert (root / "srv/airflow-b/dags/x.py").exists()
    assert run("rename", "c", "d", "--move-home") == 6
    assert "does not follow from the name" in capsys.readouterr().err


def test_a_home_in_the_way_is_left_alone(fake: FakeDatabases, run: Run, root: Path) -> None:
    (root / "srv/airflow-b").mkdir()
    (root / "srv/airflow-b/x").touch()
    before = {k: v[-1] for k, v in snapshot(root).items()}  # type: ignore[index]
    assert run("rename", "a", "b", "--move-home") == 6
    after = {k: v[-1] for k, v in snapshot(root).items()}  # type: ignore[index]
    assert {k: v for k, v in after.items() if "/run" not in k} == {
        k: v for k, v in before.items() if "/run" not in k
    }


def test_backups_stay_under_the_old_name(fake: FakeDatabases, run: Run, capsys: Capture) -> None:
    assert run("backup", "a") == 0
    assert run("rename", "a", "b") == 0
    assert "airflow-instance backup --list a" in capsys.readouterr().out
    assert run("restore", "a", "--as", "c") == 0
