"""The staged source tree and the key of a build."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from airflow_deb import record, stage
from airflow_deb.record import Record
from airflow_deb.stage import Recipe
from airflow_deb.wheels import Wheel


def wheels(recipe: Recipe) -> list[Wheel]:
    return [Wheel(file, Path(file.filename), "0" * 64) for file in reversed(recipe.lock.files)]


def test_the_changelog_tells_version_suite_and_the_locks_day(recipe: Recipe) -> None:
    text = stage.changelog(recipe)
    assert text.startswith("airflow (2.1.0-1~deb11u1) bullseye; urgency=medium\n\n  * ")
    assert text.endswith("  Wed, 30 Jun 2021 00:00:00 +0000\n")
    assert "2 distributions" in text
    assert "@" not in text.replace("users.noreply", "").split(" -- ")[0]


def test_cell_mk_holds_what_rules_must_know(recipe: Recipe) -> None:
    lines = stage.cell_mk(recipe).splitlines()
    assert "AIRFLOW_VERSION := 2.1.0" in lines
    assert "PYTHON := 3.9" in lines
    assert "COMPRESSION := xz" in lines
    assert "DEPENDS := netbase" in lines
    assert "SUGGESTS := " in lines


def test_every_variable_that_rules_uses_is_made(recipe: Recipe) -> None:
    made = {line.split(" := ")[0] for line in stage.cell_mk(recipe).splitlines()}
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
    assert {"dh-virtualenv", "libkrb5-dev", "lintian"} <= set(recipe.build_packages)


def test_every_input_changes_the_key(recipe: Recipe) -> None:
    lock = recipe.lock
    changed = [
        replace(recipe, compression=("none", 0)),
        replace(recipe, lock=replace(lock, files=lock.files[:1])),
        replace(recipe, tools=replace(lock, files=lock.files[:1])),
        replace(recipe, needs=()),
        replace(recipe, debian={**recipe.debian, "prune": (0o644, b"")}),
        replace(recipe, inside={}),
    ]
    keys = {recipe.key, *(other.key for other in changed)}
    assert len(keys) == len(changed) + 1
    assert replace(recipe).key == recipe.key


def test_the_tree_is_written_with_its_modes(recipe: Recipe, tmp_path: Path) -> None:
    stage.write(recipe, wheels(recipe), tmp_path / "airflow-2.1.0")
    debian = tmp_path / "airflow-2.1.0" / "debian"
    assert (debian / "rules").stat().st_mode & 0o777 == 0o755
    assert (debian / "control").stat().st_mode & 0o777 == 0o644
    for made in ("changelog", "cell.mk", "requirements.lock", "sources.json"):
        assert (debian / made).is_file()


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
