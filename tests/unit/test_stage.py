"""The staged source tree and the key of a build."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_deb import make, naming, paths, record, stage
from airflow_deb.binary import AIRFLOW, BINARIES, INSTANCES, Binary, named
from airflow_deb.record import Record
from airflow_deb.stage import Recipe
from airflow_deb.wheels import Wheel


def wheels(recipe: Recipe) -> list[Wheel]:
    return [Wheel(file, Path(file.filename), "0" * 64) for file in reversed(recipe.lock.files)]


def test_the_changelog_tells_version_suite_and_the_locks_day(recipe: Recipe) -> None:
    text = stage.changelog(recipe, AIRFLOW)
    assert text.startswith("airflow (2.1.0-1~deb11u1) bullseye; urgency=medium\n\n  * ")
    assert text.endswith("  Wed, 30 Jun 2021 00:00:00 +0000\n")
    assert "2 distributions" in text
    assert "@" not in text.replace("users.noreply", "").split(" -- ")[0]


def test_cell_mk_holds_what_rules_must_know(recipe: Recipe) -> None:
    lines = stage.cell_mk(recipe, AIRFLOW).splitlines()
    assert "AIRFLOW_VERSION := 2.1.0" in lines
    assert "PYTHON := 3.9" in lines
    assert "COMPRESSION := xz" in lines
    assert "DEPENDS := netbase" in lines
    assert "SUGGESTS := " in lines


def test_every_variable_that_rules_uses_is_made(recipe: Recipe) -> None:
    made = {line.split(" := ")[0] for line in stage.cell_mk(recipe, AIRFLOW).splitlines()}
    rules = recipe.debian["rules"][1].decode()
    assert {name for name in made if f"$({name})" not in rules} == set()


def test_the_wheelhouse_is_locked_with_what_is_in_it(recipe: Recipe) -> None:
    assert stage.requirements_lock(wheels(recipe)).splitlines() == [
        f"adal==1.2.7 --hash=sha256:{'0' * 64}",
        f"crcmod==1.7 --hash=sha256:{'0' * 64}",
    ]


def test_sources_name_the_locked_file_and_not_what_was_built(recipe: Recipe) -> None:
    rows = json.loads(stage.sources_json(wheels(recipe)))
    assert [(row["name"], row["kind"]) for row in rows] == [("adal", "wheel"), ("crcmod", "sdist")]
    assert rows[1]["file"] == "crcmod-1.7.tar.gz"
    assert rows[1]["sha256"] == recipe.lock.files[1].sha256


def test_the_root_holds_build_depends_and_build_needs(recipe: Recipe) -> None:
    assert {"dh-virtualenv", "dh-python", "libkrb5-dev", "lintian"} <= set(recipe.build_packages)


def changes(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe with one input after the other changed."""
    lock = recipe.lock
    debian = recipe.debian

    def control(old: str, new: str) -> Recipe:
        text = debian["control"][1].decode()
        assert old in text
        return replace(
            recipe, debian={**debian, "control": (0o644, text.replace(old, new).encode())}
        )

    return {
        "compression": replace(recipe, compression=("none", 0)),
        "needs": replace(recipe, needs=()),
        "source": control("Homepage: ", "Homepage: x"),
        "airflow in control": control("Description: platform", "Description: x"),
        "airflow-instances in control": control("Description: run", "Description: x"),
        "rules": replace(recipe, debian={**debian, "rules": (0o755, b"")}),
        "lock": replace(recipe, lock=replace(lock, files=(lock.files[1], lock.files[1]))),
        "tools": replace(recipe, tools=replace(lock, files=lock.files[:1])),
        "prune": replace(recipe, debian={**debian, "prune": (0o644, b"")}),
        "airflow.postrm": replace(recipe, debian={**debian, "airflow.postrm": (0o644, b"")}),
        "inside": replace(recipe, inside={}),
        "scripts": replace(recipe, scripts={"launcher": (0o755, b"")}),
        "airflow-instances.postinst": replace(
            recipe, debian={**debian, "airflow-instances.postinst": (0o644, b"")}
        ),
    }


BOTH = {"compression", "needs", "source", "rules"}
ONLY = {
    AIRFLOW: {"lock", "tools", "prune", "airflow.postrm", "inside", "airflow in control"},
    INSTANCES: {"scripts", "airflow-instances.postinst", "airflow-instances in control"},
}


@pytest.mark.parametrize("binary", BINARIES)
def test_the_key_is_of_what_reaches_the_package(recipe: Recipe, binary: Binary) -> None:
    """Every input of its own changes it, and none of the other's does."""
    assert replace(recipe).key(binary) == recipe.key(binary)
    keys = {name: changed.key(binary) for name, changed in changes(recipe).items()}
    changed = {name for name, key in keys.items() if key != recipe.key(binary)}
    assert changed == BOTH | ONLY[binary]
    assert len({keys[name] for name in changed}) == len(changed)


def test_two_packages_of_the_same_inputs_have_two_keys(recipe: Recipe) -> None:
    assert recipe.key(AIRFLOW) != recipe.key(INSTANCES)


def test_the_tree_of_airflow_has_nothing_of_the_host_tool(recipe: Recipe, tmp_path: Path) -> None:
    stage.write(recipe, AIRFLOW, wheels(recipe), tmp_path / "airflow-2.1.0")
    debian = tmp_path / "airflow-2.1.0" / "debian"
    assert (debian / "rules").stat().st_mode & 0o777 == 0o755
    assert (debian / "control").stat().st_mode & 0o777 == 0o644
    for made in ("changelog", "cell.mk", "requirements.lock", "sources.json"):
        assert (debian / made).is_file()
    assert not list(debian.glob("airflow-instances.*"))
    assert [path.name for path in debian.parent.iterdir()] == ["debian"]


def test_the_tree_of_the_host_tool_has_nothing_of_airflow(recipe: Recipe, tmp_path: Path) -> None:
    stage.write(recipe, INSTANCES, [], tmp_path / "airflow-2.1.0")
    top = tmp_path / "airflow-2.1.0"
    assert (top / "scripts" / "airflow-instance").stat().st_mode & 0o777 == 0o755
    found = {path.relative_to(top / "debian").as_posix() for path in top.glob("debian/**/*")}
    own = {name for name in found if not name.startswith("airflow-instances.")}
    common = {"changelog", "changelog.in", "cell.mk", "control", "copyright", "rules"}
    assert own == common | {"source", "source/format"}
    assert found > own


def test_every_debian_file_reaches_a_package(recipe: Recipe) -> None:
    reached = {name for binary in BINARIES for name in recipe.debian_files(binary)}
    assert reached == recipe.debian.keys()


# The package by another name (NAME=).

NAMED = named("airflow-2.1")


def text_of(recipe: Recipe, binary: Binary) -> str:
    """All of debian/ that ``binary`` is built from, in one text."""
    files = recipe.debian_files(binary)
    return "".join(content.decode() for _, content in files.values())


@pytest.mark.parametrize("binary", [*BINARIES, NAMED])
def test_no_marker_is_left_for_a_name(recipe: Recipe, binary: Binary) -> None:
    assert "@NAME@" not in text_of(recipe, binary)
    assert "@TITLE@" not in text_of(recipe, binary)


def test_a_named_package_names_no_file_of_the_plain_one(recipe: Recipe) -> None:
    """Its own tree, command, page, documents and data; only the user is shared.

    airflow* is all installations there are: of them the user is.
    """
    text = text_of(recipe, NAMED)
    for place in ("/usr/lib", "/usr/bin", "/usr/share", "/usr/share/doc"):
        assert not re.search(rf"{place}/airflow(?![-\w*])", text), place
    for place in ("/usr/lib/airflow-2.1", "/usr/bin/airflow-2.1", "/usr/share/doc/airflow-2.1"):
        assert place in text
    assert "\nu airflow - " in text


def test_a_named_package_has_its_own_files(recipe: Recipe, tmp_path: Path) -> None:
    """Where debhelper looks for them, and a stanza and source of its own."""
    plain = recipe.debian_files(AIRFLOW).keys()
    found = recipe.debian_files(NAMED).keys()
    assert {name.replace("airflow-2.1", "airflow") for name in found} == plain
    assert {"airflow-2.1.postrm", "airflow-2.1.1", "bin/airflow-2.1"} <= found
    stage.write(recipe, NAMED, wheels(recipe), tmp_path / "tree")
    debian = tmp_path / "tree" / "debian"
    control = (debian / "control").read_text()
    assert control.startswith("Source: airflow-2.1\n")
    assert re.findall("^Package: (.*)$", control, re.MULTILINE) == ["airflow-2.1"]
    assert (debian / "changelog").read_text().startswith("airflow-2.1 (2.1.0-1~deb11u1) ")
    assert (debian / "airflow-2.1.manpages").read_text() == "debian/airflow-2.1.1\n"
    cell = (debian / "cell.mk").read_text().splitlines()
    provided = "airflow-2.1-python3.9 (= 2.1.0-1~deb11u1), airflow-environment"
    assert {"NAME := airflow-2.1", f"PROVIDES := {provided}"} <= set(cell)


def test_a_name_is_an_input_and_no_other_package_s(recipe: Recipe) -> None:
    other = named("airflow-2.1.0")
    assert len({recipe.key(binary) for binary in (AIRFLOW, INSTANCES, NAMED, other)}) == 4
    assert named("airflow") == AIRFLOW
    own = "PROVIDES := airflow-python3.9 (= 2.1.0-1~deb11u1)\n"
    assert own in stage.cell_mk(recipe, AIRFLOW)
    assert "PROVIDES := \n" in stage.cell_mk(recipe, INSTANCES)
    assert "NAME := airflow\n" in stage.cell_mk(recipe, INSTANCES)


def test_a_long_name_makes_no_line_too_long(recipe: Recipe) -> None:
    """lintian allows a description 80 columns; who has room keeps the lines as written."""
    long = "airflow-the-one-of-the-department-of-statistics"
    control = recipe.debian_files(named(long))["control"][1].decode()
    lines = [line for line in control.splitlines() if line.startswith(" ")]
    assert max(map(len, lines)) <= 80
    assert f"/usr/lib/{long}," in control
    plain = recipe.debian_files(AIRFLOW)["control"][1].decode()
    source = recipe.debian["control"][1].decode().replace("@NAME@", "airflow")
    assert plain.rstrip() in source
    assert naming.named({"control": (0o644, plain.encode())}, "x")["control"][1].decode() == plain


def test_caches_are_no_part_of_a_tree(tmp_path: Path) -> None:
    for name in ("a.py", "sub/b.py", "__pycache__/a.pyc", "sub/.ruff_cache/x", ".mypy_cache/3/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(stage.read_tree(tmp_path)) == ["a.py", "sub/b.py"]


def finished(key: str) -> Record:
    return Record(
        key=key,
        package="a.deb",
        files={"a.deb": ("0" * 64, 3)},
        installed_kib=1,
        distributions=2,
        seconds={"deb": 1.5},
    )


def test_a_record_is_current_only_for_its_key_and_with_its_artifacts(tmp_path: Path) -> None:
    where = tmp_path / "a.json"
    assert record.current(where, "key") is None
    record.save(where, finished("key"))
    assert record.current(where, "key") is None, "its .deb is not there"
    (tmp_path / "a.deb").write_bytes(b"deb")
    assert record.current(where, "key") == finished("key")
    assert record.current(where, "other") is None
    (tmp_path / "a.deb").write_bytes(b"truncated")
    assert record.current(where, "key") is None


def test_a_damaged_record_counts_as_none(tmp_path: Path) -> None:
    where = tmp_path / "a.json"
    for text in ("", "{", "[]", '{"key": "x"}'):
        where.write_text(text)
        assert record.load(where) is None


def test_a_record_tells_what_was_built_and_when(recipe: Recipe, tmp_path: Path) -> None:
    deb = tmp_path / "a.deb"
    deb.write_bytes(b"deb")
    control = tmp_path / "DEBIAN/control"
    paths.write_text(control, "Package: airflow-instances\nInstalled-Size: 7\n")
    found = make._record(recipe, INSTANCES, [deb], [], tmp_path)
    assert (found.package, found.installed_kib) == ("a.deb", 7)
    assert found.files == {"a.deb": (hashlib.sha256(b"deb").hexdigest(), 3)}
    date = datetime.datetime.strptime(found.date, "%Y-%m-%dT%H:%M:%S%z")
    age = datetime.datetime.now(datetime.UTC) - date
    assert datetime.timedelta(0) <= age < datetime.timedelta(minutes=10)


def test_a_record_from_before_there_were_dates_still_counts(tmp_path: Path) -> None:
    where = tmp_path / "a.json"
    record.save(where, finished("key"))
    raw = json.loads(where.read_text())
    del raw["date"]
    where.write_text(json.dumps(raw))
    assert record.load(where) == finished("key")


def test_each_package_has_a_record_of_its_own(recipe: Recipe, tmp_path: Path) -> None:
    binaries = (*BINARIES, NAMED)
    names = {record.path(tmp_path, recipe.cell, binary).name for binary in binaries}
    assert names == {
        "airflow_2.1.0-1~deb11u1_amd64.json",
        "airflow-2.1_2.1.0-1~deb11u1_amd64.json",
        "airflow-instances_2.1.0-1~deb11u1_all.json",
    }
