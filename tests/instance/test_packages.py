"""Packages that one instance has of its own: what is planned, rendered, kept and said.

What unpacks them is a program of its own, tested with real ones (tests/programs).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_instance import backups, heads, unpacking
from airflow_instance.doctor import packages as examination
from airflow_instance.doctor.finding import Patient
from airflow_instance.errors import ConflictError, DeclarationError
from airflow_instance.items import PackagesItem
from airflow_instance.render import environment
from airflow_instance.site import Site

from .conftest import Run, snapshot

Capture = pytest.CaptureFixture[str]
LOCK = "/etc/airflow/packages.d/a/lock.txt"
TEXT = f"""\
# for the team
colorful==0.5.4 \\
    --hash=sha256:{"1" * 64} \\
    --hash=sha256:{"2" * 64}
    # via -r team.in
humanize[extra]==4.0  --hash=sha256:{"3" * 64}
"""


class Unpacked:
    """Stands in for the program: a directory for each call, and what it was asked for."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.items: list[PackagesItem] = []
        self.pruned: list[str] = []
        self.refuses = ""
        self.damage: list[str] = []
        monkeypatch.setattr(unpacking, "install", self._install)
        monkeypatch.setattr(unpacking, "prune", self._prune)
        monkeypatch.setattr(unpacking, "damage", lambda *_: self.damage)

    def _install(self, layout: object, host: object, item: PackagesItem) -> None:
        if self.refuses:
            raise ConflictError(self.refuses)
        self.items.append(item)
        (self.root / item.path.lstrip("/")).mkdir(parents=True)

    def _prune(self, layout: object, host: object, item: PackagesItem) -> None:
        for path in (self.root / item.directory.lstrip("/")).iterdir():
            if path.name != item.key:
                path.rmdir()
                self.pruned.append(path.name)


@pytest.fixture
def unpacked(root: Path, monkeypatch: pytest.MonkeyPatch) -> Unpacked:
    return Unpacked(root, monkeypatch)


@pytest.fixture
def lock(root: Path) -> Path:
    path = root / LOCK.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text(TEXT)
    return path


def variables(root: Path) -> dict[str, str]:
    return environment.parse((root / "etc/airflow/environment.d/a.env").read_text())


def test_they_are_unpacked_once_and_on_the_path(
    run: Run, root: Path, lock: Path, unpacked: Unpacked
) -> None:
    assert run("create", "a", "--set", f"extra_packages={LOCK}") == 0
    (item,) = unpacked.items
    assert (item.user, item.home, item.prefix) == (
        "airflow-a",
        "/srv/airflow-a",
        "/usr/lib/airflow",
    )
    assert (item.lock, item.wheels) == (TEXT, "/etc/airflow/packages.d/a")
    assert item.names == ("colorful 0.5.4", "humanize 4.0")
    found = variables(root)
    assert found["PYTHONPATH"] == item.path
    assert found["PATH"].startswith(f"/usr/lib/airflow/bin:{item.path}/bin:/usr/local/sbin:")
    before = snapshot(root)
    assert run("apply", "--detailed-exitcode") == 2
    assert snapshot(root) == before
    assert len(unpacked.items) == 1


def test_a_dry_run_names_them_and_does_nothing(
    run: Run, root: Path, lock: Path, unpacked: Unpacked, capsys: Capture
) -> None:
    assert run("create", "a") == 0
    before = snapshot(root)
    assert run("set", "a", f"extra_packages={LOCK}") == 0
    capsys.readouterr()
    assert run("apply", "--dry-run", "a") == 0
    assert "unpack colorful 0.5.4, humanize 4.0 into /srv/airflow-a/packages/" in (
        capsys.readouterr().out
    )
    assert unpacked.items == []
    assert snapshot(root).keys() == before.keys()


def test_other_content_is_another_directory_and_the_old_one_goes(
    run: Run, root: Path, lock: Path, unpacked: Unpacked
) -> None:
    run("create", "a", "--set", f"extra_packages={LOCK}")
    lock.write_text(TEXT.replace("4.0", "4.1"))
    assert run("apply", "a") == 0
    first, second = (item.key for item in unpacked.items)
    assert first != second
    assert unpacked.pruned == [first]
    assert variables(root)["PYTHONPATH"].endswith(second)
    assert run("apply", "a", "--detailed-exitcode") == 2


def test_without_them_there_is_nothing_left(
    run: Run, root: Path, lock: Path, unpacked: Unpacked
) -> None:
    run("create", "a", "--set", f"extra_packages={LOCK}")
    declaration = root / "etc/airflow/instances.d/a.yaml"
    text = declaration.read_text()
    declaration.write_text("".join(line for line in text.splitlines(True) if "extra_" not in line))
    assert run("apply", "a") == 0
    assert unpacked.pruned == [unpacked.items[0].key]
    assert "PYTHONPATH" not in variables(root)


def test_a_path_of_the_team_s_own_comes_first(
    run: Run, root: Path, lock: Path, unpacked: Unpacked, declare: Callable[..., Path]
) -> None:
    declare(
        "a",
        f"create_user: true\nextra_packages: {LOCK}\nenvironment_extra:\n"
        "  PYTHONPATH: /opt/team\n  PATH: /opt/bin\n",
    )
    assert run("apply", "a") == 0
    path = unpacked.items[0].path
    assert variables(root)["PYTHONPATH"] == f"/opt/team:{path}"
    assert variables(root)["PATH"] == f"/usr/lib/airflow/bin:{path}/bin:/opt/bin"


def test_another_airflow_has_them_anew(
    run: Run, root: Path, lock: Path, unpacked: Unpacked
) -> None:
    """They were seen to fit the one before, and its Python."""
    run("create", "a", "--set", f"extra_packages={LOCK}")
    assert run("set", "a", "installation=/usr/lib/airflow-3.3", "--apply") == 0
    first, second = unpacked.items
    assert first.key != second.key
    assert second.prefix == "/usr/lib/airflow-3.3"


def test_what_does_not_go_in_changes_nothing(
    run: Run, root: Path, lock: Path, unpacked: Unpacked, capsys: Capture
) -> None:
    run("create", "a")
    run("set", "a", f"extra_packages={LOCK}")
    before = snapshot(root)
    unpacked.refuses = "colorful would hide colorful of the installation"
    assert run("apply", "a") == 6
    assert unpacked.refuses in capsys.readouterr().err
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colorful==1\n", ":1: not a locked package: 'colorful==1'"),
        ("\ncolorful>=1 --hash=sha256:1\n", ":2: not a locked package: 'colorful>=1"),
        ("--index-url https://x\n", ":1: not a locked package: '--index-url"),
        ("-e .\n", ":1: not a locked package"),
        ("a==1 \\\n", ":1: its last line goes on"),
    ],
)
def test_what_is_not_locked_is_refused(
    run: Run, lock: Path, unpacked: Unpacked, capsys: Capture, text: str, said: str
) -> None:
    lock.write_text(text)
    assert run("create", "a", "--set", f"extra_packages={LOCK}") == 3
    assert f"{LOCK}{said}" in capsys.readouterr().err
    assert unpacked.items == []


def test_a_file_that_is_not_there(run: Run, capsys: Capture) -> None:
    assert run("create", "a", "--set", f"extra_packages={LOCK}") == 3
    assert f"extra_packages: there is no file {LOCK}" in capsys.readouterr().err


def test_a_mistyped_parameter_is_recognised(
    run: Run, declare: Callable[..., Path], capsys: Capture
) -> None:
    declare("a", f"extra_package: {LOCK}\n")
    assert run("apply", "a") == 3
    assert "did you mean extra_packages?" in capsys.readouterr().err


def test_doctor_tells_what_is_wrong(
    run: Run, site: Site, root: Path, lock: Path, unpacked: Unpacked
) -> None:
    run("create", "a", "--set", f"extra_packages={LOCK}")

    def findings() -> list[str]:
        patient = Patient(site, "a", site.view(site.load("a")))
        return [f"{found.text}; {found.mend}" for found in examination.complete(patient)]

    assert findings() == []
    path = unpacked.items[0].path
    unpacked.damage = [f"{path}/colorful.py is not what was installed"]
    assert findings() == [
        f"{path}/colorful.py is not what was installed; rm -r {path}; airflow-instance apply a"
    ]
    (root / path.lstrip("/")).rmdir()
    assert findings() == [f"the packages of {LOCK} are not in {path}; airflow-instance apply a"]
    lock.unlink()
    with pytest.raises(DeclarationError, match="there is no file"):
        findings()


def test_the_home_takes_them_along(run: Run, root: Path, lock: Path, unpacked: Unpacked) -> None:
    """They are named by where it is then, and not unpacked again."""
    run("create", "a", "--set", f"extra_packages={LOCK}")
    assert run("rename", "a", "b", "--move-home") == 0
    text = (root / "etc/airflow/environment.d/b.env").read_text()
    key = unpacked.items[0].key
    assert environment.parse(text)["PYTHONPATH"] == f"/srv/airflow-b/packages/{key}"
    assert len(unpacked.items) == 1


def test_a_backup_has_what_was_locked(
    run: Run, site: Site, lock: Path, unpacked: Unpacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("create", "a", "--set", f"extra_packages={LOCK}")
    monkeypatch.setattr(heads, "state", lambda *_: heads.Schema(heads.FRESH))
    backup = backups.make(site, site.view(site.load("a")))
    assert backup.read("extra_packages.txt") == TEXT.encode()
