"""An instance's extra packages, unpacked by the program that does so on a host.

The installation is a virtual environment with packaging in it, as every Airflow has.
"""

from __future__ import annotations

import os
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path

import packaging
import pytest
from tests.plugins import wheel

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/airflow_instance/inside/add_packages.py"
KEY = "0123456789abcdef"


@dataclass(frozen=True)
class Overlay:
    """A home, wheels and what runs the program."""

    python: Path
    home: Path
    wheels: Path

    @property
    def packages(self) -> Path:
        return self.home / "packages"

    @property
    def target(self) -> Path:
        return self.packages / KEY

    def wheel(self, name: str, files: dict[str, str], **more: str) -> str:
        """A wheel of ``files``; its line in a locked requirements file."""
        return wheel.write(self.wheels, name, files, **more)

    def run(self, verb: str, lock: str = "", key: str = KEY) -> tuple[int, list[str]]:
        """The program's status, and what it says is wrong."""
        words = [str(self.python), "-I", str(SCRIPT), verb, str(self.packages), key]
        words += [str(self.wheels)] if verb == "install" else []
        done = subprocess.run(
            words,
            input=lock,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"},
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.strip().splitlines()

    def imports(self, statement: str) -> str:
        """What a daemon would print, with the overlay on its path."""
        env = {"PYTHONPATH": str(self.target), "PATH": f"{self.target}/bin:/usr/bin:/bin"}
        return subprocess.run(
            [str(self.python), "-c", statement], env=env, capture_output=True, text=True, check=True
        ).stdout.strip()


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("installation") / "venv"
    venv.create(top, with_pip=False, symlinks=True)
    site = next(top.glob("lib/python3*/site-packages"))
    source = Path(packaging.__file__).parent
    (site / "packaging").symlink_to(source)
    info = next(source.parent.glob("packaging-*.dist-info"))
    (site / info.name).symlink_to(info)
    # What Airflow's package has there, so that nobody installs into it.
    (top / "pip.conf").write_text("[install]\nuser = true\n")
    return top / "bin" / "python"


@pytest.fixture
def overlay(python: Path, tmp_path: Path) -> Overlay:
    found = Overlay(python, tmp_path / "home", tmp_path / "wheels")
    found.home.mkdir()
    found.wheels.mkdir()
    return found


def test_what_is_locked_is_there(overlay: Overlay) -> None:
    """Modules, commands and bytecode; complete, and nothing else beside."""
    lock = overlay.wheel(
        "team-things",
        {"team_things/__init__.py": "SAY = 'things'\ndef main(): print(SAY)\n"},
        requires="packaging>=20",
        entry_points="[console_scripts]\nteam-things = team_things:main\n",
    )
    assert overlay.run("install", lock) == (0, [])
    assert os.listdir(overlay.packages) == [KEY]
    assert overlay.imports("import team_things; print(team_things.SAY)") == "things"
    run = "import subprocess; subprocess.run(['team-things'], check=True)"
    assert overlay.imports(run) == "things"
    compiled = next(overlay.target.glob("team_things/__pycache__/*.pyc")).read_bytes()
    assert compiled[4] == 1
    assert overlay.run("verify") == (0, [])


def test_what_is_not_as_it_was_is_found(overlay: Overlay) -> None:
    lock = overlay.wheel("one", {"one.py": "1"}) + overlay.wheel("two", {"two.py": "2"})
    assert overlay.run("install", lock)[0] == 0
    (overlay.target / "one.py").write_text("import os")
    (overlay.target / "two.py").unlink()
    status, said = overlay.run("verify")
    assert status == 1
    assert said == [
        f"{overlay.target}/one.py is not what was installed",
        f"{overlay.target}/two.py: No such file or directory",
    ]


def test_only_what_has_the_locked_hash(overlay: Overlay) -> None:
    lock = overlay.wheel("one", {"one.py": "1"})
    overlay.wheel("one", {"one.py": "another"})
    status, said = overlay.run("install", lock)
    file = "one-1.0-py3-none-any.whl"
    assert (status, said) == (1, [f"{file} has another sha256 than is locked for one==1.0"])
    assert os.listdir(overlay.packages) == []


def test_nothing_is_built(overlay: Overlay) -> None:
    """An sdist would run code."""
    (overlay.wheels / "one-1.0.tar.gz").write_bytes(b"")
    status, said = overlay.run("install", f"one==1.0 --hash=sha256:{'0' * 64}\n")
    assert status == 1
    assert "No matching distribution found for one==1.0" in "\n".join(said)


@pytest.mark.parametrize(
    ("files", "wrong"),
    [
        ({"packaging/__init__.py": ""}, "packaging would hide packaging of the installation"),
        ({"json.py": ""}, "json.py would hide json of the installation"),
        ({"sys.py": ""}, "sys.py would hide sys of the installation"),
    ],
)
def test_nothing_of_the_installation_is_hidden(
    overlay: Overlay, files: dict[str, str], wrong: str
) -> None:
    """Nor of Python itself: the overlay comes first on the path."""
    assert overlay.run("install", overlay.wheel("thief", files)) == (1, [wrong])
    assert os.listdir(overlay.packages) == []


def test_a_namespace_of_the_installation_may_be_added_to(overlay: Overlay) -> None:
    assert overlay.run("install", overlay.wheel("more", {"packaging/more/a.py": ""})) == (0, [])


def test_versions_are_the_installation_s(overlay: Overlay) -> None:
    lock = overlay.wheel("packaging", {"packaging_too.py": ""}, version="99")
    status, said = overlay.run("install", lock)
    assert (status, said) == (1, [f"packaging 99: the installation has {packaging.__version__}"])


@pytest.mark.parametrize(
    ("requires", "wrong"),
    [
        ("packaging<2", f"and there is {packaging.__version__}"),
        ("nowhere", "nowhere, which is not there"),
        ("nowhere; python_version < '3'", ""),
        ("nowhere; extra == 'x'", ""),
    ],
)
def test_what_they_require_is_there(overlay: Overlay, requires: str, wrong: str) -> None:
    status, said = overlay.run("install", overlay.wheel("one", {"one.py": ""}, requires=requires))
    assert status == (1 if wrong else 0)
    assert wrong in "".join(said)


def test_the_last_one_goes_when_it_is_told(overlay: Overlay) -> None:
    lock = overlay.wheel("one", {"one.py": "1"})
    for key in ("a" * 16, KEY):
        assert overlay.run("install", lock, key)[0] == 0
    (overlay.packages / ".leftover.partial").mkdir()
    assert overlay.run("prune") == (0, [])
    assert os.listdir(overlay.packages) == [KEY]
    assert overlay.run("prune", key="") == (0, [])
    assert not overlay.packages.exists()


def test_a_run_that_was_broken_off_is_no_obstacle(overlay: Overlay) -> None:
    left = overlay.packages / f".{KEY}.partial" / "site"
    left.mkdir(parents=True)
    (left / "old.py").write_text("")
    assert overlay.run("install", overlay.wheel("one", {"one.py": "1"})) == (0, [])
    assert not (overlay.target / "old.py").exists()
