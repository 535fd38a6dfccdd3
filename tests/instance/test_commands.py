"""The commands, as typed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from airflow_instance import cli, launch, manual
from airflow_instance.errors import HostError, PrivilegeError
from airflow_instance.layout import Layout
from airflow_instance.site import Site

from .conftest import Run, snapshot

Capture = pytest.CaptureFixture[str]


def test_create_writes_what_was_asked_for(run: Run, root: Path) -> None:
    assert (
        run(
            *("create", "a", "--db", "mysql", "--home", "/data/a", "--user", "root2"),
            *("--set", "airflow_config.core.parallelism=64", "--no-apply"),
        )
        == 6
    )
    assert run("create", "a", "--set", "environment_extra.X=a b", "--no-apply") == 0
    text = (root / "etc/airflow/instances.d/a.yaml").read_text()
    assert text.endswith('ensure: present\ncreate_user: true\nenvironment_extra:\n  X: "a b"\n')
    assert not (root / "srv/airflow-a").exists()
    assert run("create", "a") == 6


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("create", "Bad"), 3, "lower-case letters"),
        (("create", "instance"), 3, "reserved"),
        (("create", "a", "--set", "db_password=x"), 64, "a command line can be seen by everyone"),
        (("create", "a", "--set", "nonsense"), 64, "is not KEY=VALUE"),
        (("create", "a", "--set", "clean_logs_older_than_days=0"), 3, "can be 1 to 36500"),
        (("show", "nobody"), 5, "there is no instance nobody"),
        (("set", "nobody", "db=mysql"), 5, "airflow-instance create nobody"),
        (("apply", "nobody"), 5, "there is no instance nobody"),
        (("drop", "nobody"), 5, "there is no instance nobody"),
        (("rename", "nobody", "b"), 5, "there is no instance nobody"),
    ],
)
def test_errors(
    words: tuple[str, ...], status: int, message: str, run: Run, root: Path, capsys: Capture
) -> None:
    assert run(*words) == status
    said = capsys.readouterr()
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("airflow-instance: error: ")
    assert not list((root / "etc").rglob("*.yaml")) if (root / "etc").exists() else True


def test_usage_errors_are_not_already(run: Run, capsys: Capture) -> None:
    for words in ([], ["nonsense"], ["create"], ["ls", "--nonsense"]):
        with pytest.raises(SystemExit) as caught:
            run(*words)
        assert caught.value.code == 64
    assert "--help" in capsys.readouterr().err


def test_did_you_mean(run: Run, capsys: Capture) -> None:
    run("create", "analytics")
    assert run("show", "analytcs") == 5
    assert "did you mean analytics?" in capsys.readouterr().err


def test_ls(run: Run, declare: Callable[..., Path], capsys: Capture) -> None:
    run("create", "b", "--installation", "/usr/lib/airflow-3.3")
    run("create", "a")
    declare("c", "ensure: absent\n")
    declare("d", "nonsense: 1\n")
    capsys.readouterr()
    assert run("ls") == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split() == [
        *("NAME", "VERSION", "USER", "PORT", "STATUS", "HOME", "INSTALLATION")
    ]
    home = "/srv/airflow-a"
    default = "/usr/lib/airflow"
    assert lines[1].split() == ["a", "2.11.2", "airflow-a", "8610", "down", home, default]
    assert lines[2].split()[:2] == ["b", "3.3.2"]
    assert lines[2].split()[-1] == "/usr/lib/airflow-3.3"
    assert lines[3].split() == ["c", "-", "-", "-", "absent", "-", "-"]
    assert lines[4].split()[4] == "invalid"
    assert "unknown key nonsense" in said.err
    assert run("ls", "--no-header") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        line.split() for line in lines[1:]
    ]
    assert run("ls", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == ["a", "b", "c", "d"]
    assert rows[0]["port"] == 8610
    assert rows[0]["status"] == ["down"]
    assert rows[1]["installation"] == "/usr/lib/airflow-3.3"
    run("drop", "b")
    capsys.readouterr()
    assert run("ls") == 0
    assert capsys.readouterr().out.splitlines()[0].split()[-1] == "HOME"


def test_show_masks_secrets_and_names_origins(
    run: Run, declare: Callable[..., Path], capsys: Capture
) -> None:
    run("create", "a", "--db", "mysql")
    declare(
        "a",
        "db_password: hunter2\nconnections:\n  x: mysql://u:hunter2@h/d\n"
        "  y: {conn_type: z, extra: {token: hunter2}}\n"
        "environment_extra: {API_TOKEN: hunter2}\n",
        "secrets",
    )
    capsys.readouterr()
    assert run("show", "a") == 0
    said = capsys.readouterr().out
    assert "hunter2" not in said
    assert "connections.x = mysql://u:********@h/d" in said
    assert "# /etc/airflow/secrets.d/a.yaml:1" in said
    assert run("show", "a", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["daemons"] == ["webserver", "scheduler", "triggerer"]
    settings = data["settings"]
    assert settings["db"] == {"value": "mysql", "origin": "/etc/airflow/instances.d/a.yaml:5"}
    assert settings["service_user"]["origin"] == "default"
    assert settings["airflow_config.core.fernet_key"]["value"] == "********"


def test_set(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    run("create", "a")
    path = root / "etc/airflow/instances.d/a.yaml"
    before = path.read_text()
    assert run("set", "a", "ensure=present") == 2
    assert run("set", "a", "ensure=presnt") == 3
    assert run("set", "a", "nonsense=1") == 3
    assert path.read_text() == before
    assert run("set", "a", "db_password=x") == 64
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115
    reads = iter(["p@ss\n"])
    monkeypatch.setattr("sys.stdin.readline", lambda: next(reads), raising=False)
    assert run("set", "a", "db_password=-", "description=ours") == 0
    secrets = root / "etc/airflow/secrets.d/a.yaml"
    assert secrets.read_text() == "db_password: p@ss\n"
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == before + "description: ours\n"
    assert run("set", "a", "--unset", "description") == 0
    assert path.read_text() == before
    assert run("set", "a", "--unset", "description") == 3
    all_before = snapshot(root)
    assert run("set", "a", "db=mysql", "--dry-run") == 0
    assert {k: v[-1] for k, v in snapshot(root).items()} == {  # type: ignore[index]
        k: v[-1]  # type: ignore[index]
        for k, v in all_before.items()
    }
    assert "p@ss" not in capsys.readouterr().out


def test_drop_keeps_data_and_create_adopts_it(run: Run, root: Path, capsys: Capture) -> None:
    run("create", "a")
    cfg = root / "srv/airflow-a/airflow.cfg"
    before = cfg.read_text()
    assert run("drop", "a", "--dry-run") == 0
    assert (root / "etc/airflow/instances.d/a.yaml").exists()
    assert run("drop", "a") == 0
    assert not (root / "etc/airflow/instances.d/a.yaml").exists()
    assert not (root / "usr/local/bin/airflow-a").is_symlink()
    copies = list((root / "var/lib/airflow-instances/dropped").glob("a-*/instance.yaml"))
    assert len(copies) == 1
    assert cfg.read_text() == before
    assert run("create", "a") == 0
    assert cfg.read_text() == before


def test_drop_refuses_a_running_instance(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    run("create", "a")
    told: list[tuple[str, ...]] = []
    monkeypatch.setattr(site.host, "active", lambda units: list(units)[:1])
    monkeypatch.setattr(site.host, "systemctl", lambda *words: told.append(words))
    assert run("drop", "a") == 6
    assert "drop --stop a" in capsys.readouterr().err
    assert run("rename", "a", "b") == 6
    assert run("drop", "--stop", "a") == 0
    assert told[0] == ("stop", "airflow@a.service")


def test_rename_moves_names_and_keeps_data(run: Run, root: Path) -> None:
    run("create", "a", "--db", "postgresql")
    run("create", "c")
    old = (root / "srv/airflow-a/airflow.cfg").read_text()
    assert run("rename", "a", "c") == 6
    assert run("rename", "a", "b") == 0
    text = (root / "etc/airflow/instances.d/b.yaml").read_text()
    assert "airflow_home: /srv/airflow-a\n" in text
    assert "db_name: a\n" in text
    new = (root / "srv/airflow-a/airflow.cfg").read_text()
    assert (
        new.replace("instances.d/b.yaml", "instances.d/a.yaml").replace(
            "instance_name = b", "instance_name = a"
        )
        == old
    )
    names = {path.name for path in root.rglob("*") if "usr/lib" not in str(path)}
    assert {"airflow-b", "b.env", "b.yaml"} <= names
    assert not {"a.yaml", "a.env"} & names
    assert run("apply", "--detailed-exitcode") == 2


def test_rename_failing_half_way_is_taken_back(
    run: Run, root: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create", "a")
    before = {k: v[-1] for k, v in snapshot(root).items()}  # type: ignore[index]

    def fail(*_: object, **__: object) -> None:
        raise HostError("no")

    monkeypatch.setattr(type(site.tree), "link", fail)
    assert run("rename", "a", "b") == 7
    monkeypatch.undo()
    left = {k for k, v in snapshot(root).items() if v[-1] is not None}  # type: ignore[index]
    lost = {k for k, v in before.items() if v is not None} - left
    # Links could not be put back by a tree that cannot link; all else was.
    assert str(root / "usr/local/bin/airflow-a") in lost
    assert all(isinstance(before[path], str) for path in lost)


def test_root_is_asked_for_with_the_exact_command(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    site = Site.here()
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["create", "a", "--set", "description=two words"], site) == 4
    assert capsys.readouterr().err == (
        "airflow-instance: error: create needs root; "
        "sudo airflow-instance create a --set 'description=two words'\n"
    )


def launched(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[], int]
) -> tuple[str, list[str], Mapping[str, str]]:
    """What a launcher would have become."""
    caught: list[tuple[str, list[str], Mapping[str, str]]] = []

    class Become(Exception):
        pass

    def execve(path: str, arguments: list[str], variables: Mapping[str, str]) -> None:
        caught.append((path, list(arguments), variables))
        raise Become

    monkeypatch.setattr(os, "execve", execve)
    with pytest.raises(Become):
        call()
    return caught[0]


def test_launcher(
    run: Run, root: Path, site: Site, monkeypatch: pytest.MonkeyPatch, umask: None
) -> None:
    run("create", "team-a", "--set", "environment_extra.X=a $b")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "1")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    words = ["/usr/local/bin/airflow-team-a", "dags", "list  all", "--help"]
    path, arguments, variables = launched(monkeypatch, lambda: cli.launcher(words, site))
    assert path == str(root / "usr/lib/airflow/bin/airflow")
    assert arguments == ["airflow", "dags", "list  all", "--help"]
    assert variables["AIRFLOW_HOME"] == "/srv/airflow-team-a"
    assert variables["X"] == "a $b"
    assert variables["LC_TIME"] == "C.UTF-8"
    assert "AIRFLOW__CORE__PARALLELISM" not in variables
    path, arguments, _ = launched(
        monkeypatch, lambda: run("exec", "team-a", "--", "tasks", "test", "--", "-x")
    )
    assert arguments == ["airflow", "tasks", "test", "--", "-x"]


def test_launcher_refuses_other_users(
    run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create", "a")
    account = site.host.user("airflow-a")
    assert account is not None
    monkeypatch.setattr(site.host, "user", lambda name: account)
    monkeypatch.setattr(os, "geteuid", lambda: account.uid + 1)
    monkeypatch.setattr("airflow_instance.readfile._trust", lambda *a, **k: None)
    monkeypatch.setattr("airflow_instance.declaration._entries", lambda *a: [])
    with pytest.raises(PrivilegeError) as caught:
        launch.plan(site, "a", ["airflow"], ["airflow-a", "dags", "it's"])
    assert "sudo -u airflow-a airflow-a dags 'it'\"'\"'s'" in str(caught.value)


def test_launcher_of_what_was_never_applied(run: Run, site: Site, capsys: Capture) -> None:
    run("create", "a", "--no-apply")
    assert cli.launcher(["airflow-a", "version"], site) == 7
    assert "airflow-a: error: there is no user airflow-a" in capsys.readouterr().err
    assert cli.launcher(["airflow-b"], site) == 5


def test_pages_and_completion_cover_every_command() -> None:
    pages = manual.pages()
    names = set(manual.subparsers(cli.build_parser()))
    assert set(pages) == {"airflow-instance.1"} | {f"airflow-instance-{n}.1" for n in names}
    main = pages["airflow-instance.1"]
    for word in ("clean_logs_older_than_days", "EXIT STATUS", "%{airflow_home}"):
        assert word.replace("-", "\\-") in main
    for text in pages.values():
        for line in text.splitlines():
            assert not line.startswith("'")
            assert not line.startswith(".") or line[1:3].strip().isupper()
    done = manual.completion()
    assert all(name in done for name in names)
    assert "--dry-run" in done


def test_layout_follows_the_environment(tmp_path: Path) -> None:
    layout = Layout.from_environment({"AIRFLOW_INSTANCE_ROOT": str(tmp_path)})
    assert layout.instance_file("a") == tmp_path / "etc/airflow/instances.d/a.yaml"
    assert layout.seen(layout.instance_file("a")) == "/etc/airflow/instances.d/a.yaml"
    assert not Layout.from_environment({}).alternate
