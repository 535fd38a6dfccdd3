"""What becomes of the repository's catalogue; nothing is published."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from airflow_deb import catalogue
from airflow_deb.catalogue import Catalogue, Change, Entry
from airflow_deb.errors import ConfigError, HashError, UsageError
from airflow_deb.uploads import Upload

NOW = "2026-11-26T12:00:00Z"
THEN = "2026-03-18T09:30:00Z"


def upload(version: str = "2.1.0", suite: str = "bullseye", **facts: object) -> Upload:
    deb = Path(f"/dist/{suite}/airflow_{version}-1~deb11u1_amd64.deb")
    found = Upload(
        deb=deb, suite=suite, sha256="a" * 64, buildinfo=deb.with_suffix(".buildinfo"), packed=True
    )
    return replace(found, **facts)  # type: ignore[arg-type]


def entry(version: str = "2.1.0", suite: str = "bullseye", stage: str = "stable") -> Entry:
    name = f"airflow_{version}-1~deb11u1_amd64"
    return Entry(
        file=f"{name}.deb",
        suite=suite,
        stage=stage,
        sha256="a" * 64,
        buildinfo=f"{name}.buildinfo",
        date=THEN,
    )


def known(*entries: Entry) -> Catalogue:
    return {entry.file: entry for entry in entries}


def publish(
    catalogue_: Catalogue, *uploads: Upload, named: bool = False, fast: bool = False
) -> Change:
    return catalogue.publish(catalogue_, uploads, stage="testing", named=named, fast=fast, now=NOW)


def test_what_is_new_is_added_to_the_stage() -> None:
    change = publish({}, upload())
    assert change == Change(add=((upload(), replace(entry(stage="testing"), date=NOW)),))
    assert change.applied({}) == known(replace(entry(stage="testing"), date=NOW))


def test_the_names_of_its_papers_are_kept(tmp_path: Path) -> None:
    """An older catalogue has none, and is one nonetheless."""
    change = publish({}, upload(papers=(Path("/dist/bullseye/a.cdx.json"),)))
    new = change.applied(known(entry("2.1.4")))
    catalogue.save(tmp_path / "catalogue.json", new)
    assert catalogue.load(tmp_path / "catalogue.json") == new
    assert [e.papers for e in new.values()] == [(), ("a.cdx.json",)]
    old = [{k: v for k, v in asdict(entry()).items() if k != "papers"}]
    (tmp_path / "catalogue.json").write_text(json.dumps(old))
    assert catalogue.load(tmp_path / "catalogue.json") == known(entry())


@pytest.mark.parametrize("stage", ["testing", "stable"])
def test_what_is_there_stays_where_it_is(stage: str) -> None:
    assert publish(known(entry(stage=stage)), upload()) == Change(same=1)


@pytest.mark.parametrize("stage", ["testing", "stable", ""])
@pytest.mark.parametrize("named", [False, True])
def test_other_bytes_are_refused_whatever_became_of_the_first(stage: str, named: bool) -> None:
    with pytest.raises(
        HashError, match=r"published as airflow_2\.1\.0-1~deb11u1_amd64\.deb on 2026-03-18"
    ):
        publish(known(entry(stage=stage)), upload(sha256="b" * 64), named=named, fast=True)


def test_what_was_retracted_stays_out_until_it_is_named() -> None:
    change = publish(known(entry(stage="")), upload())
    assert change.add == ()
    assert change.left_out[0][0] == "airflow_2.1.0-1~deb11u1_amd64.deb"
    assert "retracted on 2026-03-18" in change.left_out[0][1]
    assert len(publish(known(entry(stage="")), upload(), named=True).add) == 1


def test_what_is_not_packed_is_for_fast() -> None:
    change = publish({}, upload(packed=False))
    assert change.add == ()
    assert "FAST=1" in change.left_out[0][1]
    assert len(publish({}, upload(packed=False), fast=True).add) == 1


def move(catalogue_: Catalogue, version: str = "2.1.0", suite: str = "", **stages: str) -> Change:
    stages = {"source": "testing", "target": "stable", **stages}
    return catalogue.promote(catalogue_, version=version, suite=suite, now=NOW, **stages)


def test_promote_moves_the_version_on_all_suites_or_one() -> None:
    old = entry(stage="testing")
    other = replace(
        entry(stage="testing"), file="airflow_2.1.0-1~deb12u1_amd64.deb", suite="bookworm"
    )
    before = known(old, other, entry("2.1.4", stage="testing"))
    assert [new for _, new in move(before).move] == [
        replace(old, stage="stable", date=NOW),
        replace(other, stage="stable", date=NOW),
    ]
    assert [was for was, _ in move(before, suite="bookworm").move] == [other]
    assert [was for was, _ in move(before, "2.1.0-1~deb11u1").move] == [old]
    assert move(known(entry())) == Change(same=1)


@pytest.mark.parametrize("stages", [{"source": "stable"}, {"target": "testing"}])
def test_promote_to_where_it_is(stages: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="are the same"):
        move(known(entry()), **stages)


def test_a_version_that_is_not_there_names_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no VERSION=2.1 in testing; there are 2.1.0-1~deb11u1$"):
        move(known(entry(stage="testing"), entry("2.1.4")), "2.1")
    with pytest.raises(UsageError, match="nothing at all"):
        catalogue.retract({}, version="2.1.0", suite="", source="", now=NOW)
    with pytest.raises(UsageError, match="VERSION= is missing"):
        catalogue.retract(known(entry()), version="", suite="", source="", now=NOW)


@pytest.mark.parametrize("source", ["", "testing"])
def test_retract_keeps_the_entry(source: str) -> None:
    before = known(entry(stage="testing"))
    change = catalogue.retract(before, version="2.1.0", suite="", source=source, now=NOW)
    after = change.applied(before)
    assert after == known(replace(entry(stage=""), date=NOW))
    again = catalogue.retract(after, version="2.1.0", suite="", source=source, now=NOW)
    assert again == Change(same=1)


def test_the_catalogue_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.json"
    catalogue.save(path, known(entry(), entry("2.1.4", stage="")))
    assert catalogue.load(path) == known(entry(), entry("2.1.4", stage=""))


@pytest.mark.parametrize("text", ["", "{}", '[{"file": "x"}]', "[1]"])
def test_what_is_no_catalogue(tmp_path: Path, text: str) -> None:
    path = tmp_path / "catalogue.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no catalogue of a repository"):
        catalogue.load(path)
