"""What is read of a wheel, and what the package becomes by it."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import pytest

from airflow_deb import versions
from airflow_deb.binary import AIRFLOW, named
from airflow_deb.errors import BuildError, ConfigError
from airflow_deb.lockfile import Locked
from airflow_deb.plugin import metadata, skeleton
from airflow_deb.plugin.fit import Brought
from airflow_deb.plugin.skeleton import Package, debian_version
from airflow_deb.wheels import Wheel

PROJECT = Path(__file__).resolve().parents[2]
SITE = "lib/python3.9/site-packages"
METADATA = """\
Metadata-Version: 2.1
Name: Team.Ops
Version: 1.0.post1
Summary: The team's operators, of which there are many more than anyone would have thought.
Home-page: https://team.example/ops
Author: A. Team
License: UNKNOWN
Requires-Python: >=3.6
Requires-Dist: apache-airflow (>=2.1)
"""
ENTRY_POINTS = """\
[airflow.plugins]
    team = team_ops.plugin:TeamPlugin

[console_scripts]
team-tool = team_ops:main
"""


def wheel(
    tmp_path: Path,
    *members: str,
    text: str = METADATA,
    name: str = "Team.Ops-1.0.post1-py3-none-any",
) -> Path:
    path = tmp_path / f"{name}.whl"
    info = "Team.Ops-1.0.post1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", text)
        archive.writestr(f"{info}/entry_points.txt", ENTRY_POINTS)
        for member in members:
            archive.writestr(member, "")
    return path


def test_a_wheel_says_what_it_is(tmp_path: Path) -> None:
    data = "Team.Ops-1.0.post1.data"
    members = ("team_ops/__init__.py", f"{data}/scripts/run.sh", f"{data}/data/share/x.txt")
    found = metadata.read(wheel(tmp_path, *members, f"{data}/purelib/more.py"), "3.9")
    assert (found.name, found.version, found.architecture) == ("team-ops", "1.0.post1", "all")
    assert [str(one) for one in found.requires] == ["apache-airflow>=2.1"]
    assert found.licence == ""
    assert found.entry_points == (
        "airflow.plugins: team = team_ops.plugin:TeamPlugin",
        "console_scripts: team-tool = team_ops:main",
    )
    assert found.files >= {
        f"{SITE}/team_ops/__init__.py",
        f"{SITE}/more.py",
        f"{SITE}/Team.Ops-1.0.post1.dist-info/METADATA",
        "bin/run.sh",
        "bin/team-tool",
        "share/x.txt",
    }


def test_names_that_everybody_may_have_are_left_out(tmp_path: Path) -> None:
    """At the top only."""
    members = ("tests/__init__.py", "examples/a.py", "ops/tests/a.py", "testing/a.py")
    found = metadata.read(wheel(tmp_path, *members), "3.9")
    assert found.left_out == (f"{SITE}/examples/", f"{SITE}/tests/")
    assert {f"{SITE}/ops/tests/a.py", f"{SITE}/testing/a.py"} <= found.files
    assert f"{SITE}/tests/__init__.py" not in found.files


def test_compiled_code_is_of_an_architecture(tmp_path: Path) -> None:
    name = "Team.Ops-1.0.post1-cp39-cp39-manylinux_2_17_x86_64"
    assert metadata.read(wheel(tmp_path, name=name), "3.9").architecture == "amd64"


def test_nonsense_is_refused(tmp_path: Path) -> None:
    text = METADATA.replace("apache-airflow (>=2.1)", "what is that")
    with pytest.raises(ConfigError, match="requirement 'what is that' is malformed"):
        metadata.read(wheel(tmp_path, text=text), "3.9")
    with pytest.raises(ConfigError, match="would leave its directory"):
        metadata.read(wheel(tmp_path, "../../etc/passwd"), "3.9")


def test_no_wheel_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ops-1.0-py3-none-any.whl"
    path.write_bytes(b"no zip")
    with pytest.raises(ConfigError, match="no wheel that can be read"):
        metadata.read(path, "3.9")


def test_what_setuptools_makes_of_what_it_does_not_understand(tmp_path: Path) -> None:
    text = METADATA.replace("Team.Ops", "UNKNOWN").replace("1.0.post1", "0.0.0")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("UNKNOWN-0.0.0.dist-info/METADATA", text)
    path = tmp_path / "UNKNOWN-0.0.0-py3-none-any.whl"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(BuildError, match="built as unknown"):
        metadata.check_named(metadata.read(path, "3.9"))


@pytest.mark.parametrize(
    ("python", "debian"),
    [
        ("1.0", "1.0"),
        ("1.0rc1", "1.0~rc1"),
        ("1.0a2.dev3", "1.0~a2~~dev3"),
        ("1.0.dev3", "1.0~~dev3"),
        ("1.0-1", "1.0+post1"),
        ("2!1.0", "2:1.0"),
        ("v1.0+team.7", "1.0+team.7"),
    ],
)
def test_versions_of_python_as_debian_has_them(python: str, debian: str) -> None:
    assert debian_version(python) == debian


@pytest.fixture
def package(tmp_path: Path) -> Package:
    path = wheel(tmp_path, "team_ops/__init__.py")
    locked = Locked("team-ops", "1.0.post1", "a" * 64, path.name, path.stat().st_size)
    return Package(
        plugin=metadata.read(path, "3.9"),
        wheel=Wheel(locked, path, "a" * 64),
        cell=versions.load(PROJECT / "versions.sh").cell("2.1.0"),
        airflow=AIRFLOW,
        upto="2.2",
        others=(Brought("1", "airflow-plugin-driver", "1-1+airflow2.1.0~deb11u1"),),
        maintainer="M <m@example.invalid>",
        compression=("xz", 2),
        library={"record.py": (0o644, b"")},
        templates={
            name: (0o644, (PROJECT / "build" / "plugin" / name).read_bytes())
            for name in (
                *("rules", "collect.py", "control.sed"),
                *("prerm", "triggers", "lintian-overrides"),
            )
        },
        directories=(f"/usr/lib/airflow/{SITE}/team_ops",),
    )


def test_it_depends_on_its_line_its_python_and_others(package: Package) -> None:
    assert package.depends == (
        "airflow (>= 2.1.0~), airflow (<< 2.2~), airflow-python3.9, "
        "airflow-plugin-driver (= 1-1+airflow2.1.0~deb11u1)"
    )
    assert package.name == "airflow-plugin-team-ops"
    # For each Airflow and suite there may be one of its own, in one repository.
    assert package.deb_version == "1.0+post1-1+airflow2.1.0~deb11u1"
    assert package.stem == "airflow-plugin-team-ops_1.0+post1-1+airflow2.1.0~deb11u1_all"


def test_for_a_named_airflow_it_has_another_name_and_place(package: Package) -> None:
    other = Package(**{**vars(package), "airflow": named("airflow-2.1")})
    assert other.name == "airflow-2.1-plugin-team-ops"
    assert other.prefix == "/usr/lib/airflow-2.1"
    assert "airflow-2.1 (>= 2.1.0~)" in other.depends
    assert "airflow-2.1-python3.9" in other.depends


def test_stdeb_is_told_what_the_wheel_says(package: Package) -> None:
    """By a setup.py that runs nothing of the plugin's."""
    files = {name: text.decode() for name, (_, text) in skeleton.files(package).items()}
    assert 'description="team\'s operators, of which there are many more than anyone"' in (
        files["stub/setup.py"].replace("The team's", "team's")
    )
    assert "Depends3: airflow (>= 2.1.0~)" in files["stub/stdeb.cfg"]
    assert "Forced-Upstream-Version: 1.0+post1\n" in files["stub/stdeb.cfg"]
    own = files["airflow-plugin-team-ops/debian/plugin.mk"]
    assert "PREFIX := /usr/lib/airflow\n" in own
    assert "@" not in files["airflow-plugin-team-ops/debian/airflow-plugin-team-ops.prerm"]


def test_its_own_directories_are_those_that_airflow_has_not(package: Package) -> None:
    theirs = [f"/usr/lib/airflow/{SITE}/airflow/__init__.py", "/usr/lib/airflow/bin/airflow"]
    found = skeleton.own_directories(package.plugin, theirs, "/usr/lib/airflow")
    assert found == (
        f"/usr/lib/airflow/{SITE}/Team.Ops-1.0.post1.dist-info",
        f"/usr/lib/airflow/{SITE}/team_ops",
    )


def test_the_steps_that_its_rules_take_are_there() -> None:
    """They are airflow's own, but for one."""
    rules = (PROJECT / "build" / "plugin" / "rules").read_text()
    steps = re.findall(r"\$\(RUN\)/(\S+\.py)", rules)
    assert "record.py" in steps
    places = (PROJECT / "debian" / "lib", PROJECT / "build" / "plugin")
    assert [name for name in steps if not any((place / name).exists() for place in places)] == []
