"""Applying: idempotent, no more than needed, and safe below directories of others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from airflow_instance import document, engine
from airflow_instance.errors import BusyError, ConflictError, HostError
from airflow_instance.host import PaperHost
from airflow_instance.layout import Layout
from airflow_instance.site import Site
from airflow_instance.tree import Tree

from .conftest import Run, snapshot

IS_ROOT = os.geteuid() == 0


class RunningHost(PaperHost):
    """A host on which some units run, and that remembers what systemd was told."""

    running: tuple[str, ...] = ()

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.told: list[tuple[str, ...]] = []

    def active(self, units: Sequence[str]) -> list[str]:
        return [unit for unit in units if unit in self.running]

    def systemctl(self, *arguments: str) -> None:
        self.told.append(arguments)


@pytest.fixture
def host(site: Site) -> RunningHost:
    found = RunningHost(site.layout)
    site.host = found
    return found


def mode(path: Path) -> int:
    return path.lstat().st_mode & 0o7777


def test_create_makes_everything_and_apply_nothing_more(
    site: Site, run: Run, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "analytics") == 0
    home = root / "srv/airflow-analytics"
    assert mode(home) == mode(home / "dags") == mode(home / "logs") == mode(home / "bin") == 0o750
    assert mode(home / "airflow.cfg") == mode(home / "connections.yaml") == 0o440
    assert mode(home / "webserver_config.py") == 0o440
    assert mode(home / "bin/profile") == 0o444
    assert mode(root / "etc/airflow/environment.d/analytics.env") == 0o640
    assert mode(root / "etc/airflow/keys.d/analytics.yaml") == 0o600
    assert mode(root / "etc/airflow/keys.d") == mode(root / "etc/airflow/secrets.d") == 0o700
    link = root / "usr/local/bin/airflow-analytics"
    assert os.readlink(link) == "/usr/share/airflow-instances/launcher"
    if IS_ROOT:
        user = site.host.user("airflow-analytics")
        assert user is not None
        assert home.stat().st_uid == (home / "airflow.cfg").stat().st_uid == user.uid
    before = snapshot(root)
    capsys.readouterr()
    assert run("apply") == 0
    assert run("apply", "--diff") == 0
    assert run("apply", "--detailed-exitcode") == 2
    assert capsys.readouterr().out == ""
    assert snapshot(root) == before


def test_dry_run_changes_nothing_and_shows_no_secret(
    run: Run, root: Path, declare: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    text = "create_user: true\ndb: postgresql\nairflow_config: {smtp: {smtp_mail_from: x}}\n"
    declare("a", text)
    secret = "db_password: hunter2\nairflow_config: {smtp: {smtp_password: hunter2}}\n"
    declare("a", secret, "secrets")
    run("ls")  # whatever makes directories has made them
    (root / "run").mkdir()
    (root / "run/airflow-instances.lock").touch(0o600)
    before = snapshot(root)
    assert run("apply", "--dry-run", "--diff") == 0
    said = capsys.readouterr().out
    assert "would create user airflow-a" in said
    assert "+smtp_mail_from = x" in said
    assert "+smtp_password = ********" in said
    assert "hunter2" not in said
    assert snapshot(root) == before
    assert run("apply") == 0
    assert "smtp_password = hunter2" in (root / "srv/airflow-a/airflow.cfg").read_text()


def test_damage_is_repaired(run: Run, root: Path) -> None:
    assert run("create", "a") == 0
    cfg = root / "srv/airflow-a/airflow.cfg"
    before = snapshot(root)
    content = cfg.read_bytes()
    cfg.chmod(0o644)
    (root / "usr/local/bin/airflow-a").unlink()
    (root / "srv/airflow-a/webserver_config.py").unlink()
    (root / "srv/airflow-a").chmod(0o755)
    assert run("apply") == 0
    assert cfg.read_bytes() == content
    after = snapshot(root)
    assert {path: row[0] for path, row in after.items()} == {  # type: ignore[index]
        path: row[0]  # type: ignore[index]
        for path, row in before.items()
    }


@pytest.mark.parametrize(
    ("key", "concerned"),
    [
        ("airflow_config.core.parallelism=3", ["scheduler", "triggerer", "webserver"]),
        ("environment_extra.A=b", ["scheduler", "triggerer", "webserver"]),
        ("web_access=open", ["scheduler", "triggerer", "webserver"]),
        ("webserver_config_extra=A = 1", ["webserver"]),
        ("description=x", []),
        ("clean_logs_older_than_days=3", []),
    ],
)
def test_only_what_a_change_concerns_and_what_runs_is_restarted(
    key: str, concerned: list[str], run: Run, host: RunningHost
) -> None:
    assert run("create", "a") == run("create", "b") == 0
    names = ("webserver", "scheduler", "kerberos")
    host.running = tuple(f"airflow-{name}@{i}.service" for name in names for i in ("a", "b"))
    host.told.clear()
    assert run("set", "a", key, "--apply") == 0
    expected = {f"airflow-{name}@a.service" for name in concerned if name in names}
    assert {unit for words in host.told for unit in words if "@" in unit} == expected
    host.told.clear()
    assert run("apply") == 0
    assert host.told == []


def test_absent_takes_away_what_was_rendered_only(
    run: Run, root: Path, host: RunningHost, site: Site
) -> None:
    assert run("create", "a") == 0
    home = root / "srv/airflow-a"
    (home / "airflow.db").write_text("data")
    foreign = root / "etc/systemd/system/airflow-scheduler@a.service.d/50-admin.conf"
    foreign.write_text("[Service]\n")
    host.running = ("airflow-scheduler@a.service",)
    assert run("set", "a", "ensure=absent", "--apply") == 0
    assert ("stop", "airflow-scheduler@a.service") in host.told
    assert not (root / "usr/local/bin/airflow-a").is_symlink()
    assert not (root / "etc/airflow/environment.d/a.env").exists()
    assert foreign.exists()
    assert (home / "airflow.db").read_text() == "data"
    assert (home / "airflow.cfg").exists()
    assert site.layout.keys_file("a").exists()
    assert site.host.user("airflow-a") is not None
    host.running = ()
    before = snapshot(root)
    assert run("apply") == 0
    assert snapshot(root) == before


def test_dags_folder_elsewhere_and_back(
    run: Run, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "a") == 0
    dags = root / "srv/airflow-a/dags"
    assert run("set", "a", "airflow_config.core.dags_folder=/srv/git/dags", "--apply") == 0
    assert os.readlink(dags) == "/srv/git/dags"
    assert run("set", "a", "airflow_config.core.dags_folder", "--unset") == 0
    # The link may be somebody's own by now: it is not taken away unasked.
    assert run("apply") == 6
    assert "rm /srv/airflow-a/dags, or set core.dags_folder" in capsys.readouterr().err
    dags.unlink()
    assert run("apply") == 0
    assert dags.is_dir()
    assert not dags.is_symlink()
    (dags / "x.py").touch()
    assert run("set", "a", "airflow_config.core.dags_folder=/srv/git/dags", "--apply") == 6
    assert (dags / "x.py").exists()


def test_a_home_of_someone_else_is_refused(run: Run, root: Path) -> None:
    if not IS_ROOT:
        pytest.skip("only root can make files of others")
    home = root / "srv/airflow-a"
    home.mkdir()
    os.chown(home, 12345, 12345)
    assert run("create", "a") == 6
    assert not (root / "etc/airflow/instances.d/a.yaml").exists()


def test_an_existing_home_is_adopted(run: Run, root: Path) -> None:
    home = root / "srv/airflow-a"
    home.mkdir()
    (home / "airflow.db").write_text("data")
    assert run("create", "a") == 0
    assert mode(home) == 0o750
    assert (home / "airflow.db").read_text() == "data"


def test_links_planted_in_the_home_lead_nowhere(run: Run, root: Path, tmp_path: Path) -> None:
    assert run("create", "a") == 0
    home = root / "srv/airflow-a"
    victim = tmp_path / "victim"
    victim.write_text("root's")
    for name in ("airflow.cfg", "connections.yaml"):
        (home / name).unlink()
    (home / "airflow.cfg").symlink_to(victim)
    os.link(victim, home / "connections.yaml")
    assert run("apply") == 0
    assert victim.read_text() == "root's"
    assert not (home / "airflow.cfg").is_symlink()
    assert victim.stat().st_nlink == 1
    # A scratch file that the user put in the way is taken away, not written into.
    (home / ".airflow.cfg.airflow-instance").symlink_to(victim)
    (home / "airflow.cfg").unlink()
    assert run("apply") == 0
    assert victim.read_text() == "root's"


def test_a_directory_link_planted_in_the_home_is_a_conflict(
    run: Run, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "a") == 0
    home = root / "srv/airflow-a"
    (home / "bin/profile").unlink()
    (home / "bin").rmdir()
    home.chmod(0o770)
    (home / "bin").symlink_to(tmp_path)
    assert run("apply") == 6
    assert "bin is a symbolic link that others than root can change" in capsys.readouterr().err
    with pytest.raises(ConflictError):
        Tree(Layout(root)).write("/srv/airflow-a/bin/profile", b"", 0o600, 0, 0)
    assert list(tmp_path.glob("profile")) == []


def test_a_link_to_another_disk_is_left_alone(run: Run, root: Path) -> None:
    assert run("create", "a") == 0
    logs = root / "srv/airflow-a/logs"
    logs.rmdir()
    logs.symlink_to("/data/logs")
    assert run("apply", "--detailed-exitcode") == 2
    assert os.readlink(logs) == "/data/logs"


def test_links_of_root_are_followed_within_the_root(root: Path) -> None:
    (root / "data").mkdir()
    (root / "srv/team").symlink_to("/data")
    tree = Tree(Layout(root))
    tree.write("/srv/team/x", b"1", 0o600, os.geteuid(), os.getegid())
    assert (root / "data/x").read_bytes() == b"1"
    (root / "loop").symlink_to("loop")
    with pytest.raises(ConflictError):
        tree.status("/loop/x")


def test_a_failed_create_leaves_nothing(
    run: Run, root: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Tree.link

    def fail(self: Tree, path: str, target: str) -> None:
        raise HostError(f"{path}: No space left on device")

    monkeypatch.setattr(Tree, "link", fail)
    assert run("create", "a") == 7
    files = [p for p in root.rglob("*") if p.is_file() and "usr/lib" not in str(p)]
    assert [p.name for p in files if p.read_bytes()] == []
    assert not (root / "srv/airflow-a").exists()
    assert site.host.user("airflow-a") is None
    monkeypatch.setattr(Tree, "link", real)
    assert run("create", "a") == 0


def test_a_full_disk_leaves_the_old_file(
    run: Run, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("create", "a") == 0
    home = root / "srv/airflow-a"
    before = (home / "airflow.cfg").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run("set", "a", "airflow_config.core.parallelism=3", "--apply") == 7
    assert (home / "airflow.cfg").read_bytes() == before
    assert sorted(p.name for p in home.iterdir() if p.name.startswith(".")) == []


def test_only_one_at_a_time(site: Site) -> None:
    with engine.locked(site.layout):
        other = engine.locked(site.layout, patience=0.0)
        with pytest.raises(BusyError):
            other.__enter__()
    with engine.locked(site.layout, patience=0.0):
        pass


def test_neighbours_are_kept_apart(
    run: Run, declare: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "a", "--db", "postgresql", "--set", "db_name=shared") == 0
    assert run("create", "b", "--db", "postgresql", "--set", "db_name=shared") == 6
    assert "the database shared is a's already" in capsys.readouterr().err
    assert run("create", "b", "--home", "/srv/airflow-a") == 6
    assert run("create", "b", "--set", "ports.web=8603") == 6
    # Who came later does not stop who was there.
    declare("b", "create_user: true\nports: {web: 8600}\n")
    assert run("apply", "a") == 0
    assert run("apply", "b") == 6


def test_two_new_instances_on_a_bare_host(
    site: Site, run: Run, declare: Callable[..., Path]
) -> None:
    """Both plan the directory for secrets, which neither has found."""
    shutil.rmtree(site.layout.secrets_dir, ignore_errors=True)
    for name in ("one", "two"):
        declare(name, "create_user: true\n")
    assert run("apply") == 0
    assert site.layout.secrets_dir.is_dir()


def test_the_work_grows_with_the_instances_not_with_their_pairs(
    run: Run, declare: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has to be apart from all others; for that no file is read once per pair."""
    parsed: list[str] = []
    original = document.parse

    def parse(text: str, where: str) -> document.Node | None:
        parsed.append(where)
        return original(text, where)

    def files_of_an_apply(count: int) -> int:
        for number in range(count):
            declare(f"team{number}", "create_user: true\n")
        assert run("apply") == 0
        parsed.clear()
        assert run("apply") == 0
        return len(parsed)

    monkeypatch.setattr(document, "parse", parse)
    few, many = files_of_an_apply(5), files_of_an_apply(10)
    assert 0 < many <= 2 * few
