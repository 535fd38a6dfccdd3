"""Hand-written requirements: each with a reason, and what official ones give way to."""

from __future__ import annotations

from pathlib import Path

import pytest
from packaging.version import Version

from airflow_deb import lockfile, pins, versions
from airflow_deb.errors import ConfigError
from airflow_deb.pins import parse, reconcile

PROJECT = Path(__file__).resolve().parents[2]
PATH = Path("requirements/2.1.0/overrides.txt")


def test_a_line_is_a_requirement_and_a_reason() -> None:
    (pin,) = parse("# remark\n\nElastic_Search>=7.6,<7.14  # 7.5 does not run\n", PATH)
    assert pin.name == "elastic-search"
    assert pin.text == "Elastic_Search>=7.6,<7.14"
    assert pin.reason == "7.5 does not run"
    assert pin.place == "requirements/2.1.0/overrides.txt:3"
    assert pin.admits("7.13.1")
    assert not pin.admits("7.14")


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("a==1\n", ":1: a has no reason", "write why behind it: a==1  # reason"),
        ("b==1  # why\na==1  #  \n", ":2: a has no reason", "# reason"),
        ("# why\na==1\n", ":2: a has no reason", "# reason"),
        ("a=1  # why\n", ":1: not a requirement: 'a=1'", "NAME==VERSION"),
        ("-r other.txt  # why\n", ":1: not a requirement", "NAME==VERSION"),
        ("a==1  # why\nA==2  # why not\n", ":2: a already stands at", "one line"),
        ("a @ https://x/a.whl  # why\n", ":1: a has an address", "version"),
    ],
)
def test_a_wrong_line_is_named_with_its_remedy(text: str, what: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, PATH)
    assert f"requirements/2.1.0/overrides.txt{what}" in caught.value.message
    assert remedy in caught.value.hint


def test_a_version_needs_no_such_files(tmp_path: Path) -> None:
    assert pins.load(tmp_path) == pins.Pins()


def test_the_files_are_read_by_name(tmp_path: Path) -> None:
    for name in ("overrides", "constraints", "build-tools"):
        (tmp_path / f"{name}.txt").write_text(f"{name}==1  # why\n")
    found = pins.load(tmp_path)
    assert [p[0].name for p in (found.overrides, found.constraints, found.build_tools)] == [
        "overrides",
        "constraints",
        "build-tools",
    ]


def test_a_version_without_a_file_has_the_default_one(tmp_path: Path) -> None:
    for name, text in (("default", "a==1  # why\n"), ("2.1.0", "b==1  # why\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "build-tools.txt").write_text(text)
    assert [pin.name for pin in pins.load(tmp_path / "2.1.0").build_tools] == ["b"]
    assert [pin.name for pin in pins.load(tmp_path / "2.2.5").build_tools] == ["a"]
    assert [pin.place for pin in pins.load(tmp_path / "2.2.5").build_tools]


def test_official_constraints_give_way_to_ours() -> None:
    ours = parse("a>=2  # why\nb<3  # why\n", PATH)
    text = "# official\nA==1.0\nb==2.9\nc==5 ; python_version>'3'\n\nd>=1\n"
    found = reconcile(text, ours, "constraints.txt")
    assert found.kept == ("b==2.9", "c==5 ; python_version>'3'", "d>=1")
    assert found.dropped == ("A==1.0 (requirements/2.1.0/overrides.txt:1 has a>=2)",)


def test_what_is_not_constraints_is_named() -> None:
    with pytest.raises(ConfigError, match=r"https://x/c\.txt:2: not a requirement"):
        reconcile("a==1\n<html>\n", (), "https://x/c.txt")


def test_what_versions_sh_asks_for_has_no_typing_error() -> None:
    with pytest.raises(ConfigError, match=r"versions\.sh: not a requirement: 'a=>1'"):
        pins.asked(["a=>1"], "versions.sh")


LOCKED = [
    cell
    for cell in versions.load(PROJECT / "versions.sh").cells()
    if (PROJECT / "requirements" / cell.version.name / f"{cell.suite.name}.lock").exists()
]


@pytest.mark.parametrize("cell", LOCKED, ids=lambda cell: cell.name)
def test_the_locks_agree_with_what_is_written_beside_them(cell: versions.Cell) -> None:
    directory = PROJECT / "requirements" / cell.version.name
    ours = pins.load(directory)
    lock = lockfile.load(directory / f"{cell.suite.name}.lock")
    packaged = {file.name: file.version for file in lock.files}
    tools = lockfile.load(directory / f"{cell.suite.name}-build.lock")
    asked = pins.asked(cell.version.asked, "versions.sh")
    for pin in (*asked, *ours.overrides, *ours.constraints):
        assert pin.admits(packaged[pin.name]), f"{pin.place}: {pin.text}: make lock"
    locked = {file.name: file.version for file in tools.files}
    for pin in ours.build_tools:
        assert pin.admits(locked[pin.name]), f"{pin.place}: {pin.text}: make lock"
    assert all(file.is_wheel for file in tools.files)
    named = {pin.name for pin in (*asked, *ours.overrides, *ours.constraints)}
    early = {name for name, version in packaged.items() if Version(version).is_prerelease}
    assert early <= named, "write a constraint with its reason for each pre-release"
