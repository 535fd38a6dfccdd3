"""What SOURCE= may be, and the file in the cache that it becomes."""

from __future__ import annotations

import datetime
import tarfile
from pathlib import Path
from typing import cast

import pytest

from airflow_deb import lockfile
from airflow_deb.choice import Target
from airflow_deb.errors import ConfigError, GoneError, UsageError
from airflow_deb.index import File, Index
from airflow_deb.paths import Paths
from airflow_deb.plugin import source
from airflow_deb.plugin.source import Source

TARGET = Target("3.9.2", "2.31")
DAY = datetime.datetime(2021, 7, 1, tzinfo=datetime.UTC)
TOOLS = lockfile.parse(
    f"setuptools==80 \\\n    --hash=sha256:{'0' * 64}\n    # setuptools-80-py3-none-any.whl 1\n",
    Path("plugins.lock"),
)


@pytest.fixture
def places(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "project", tmp_path / "cache")


def tree(top: Path, requires: str = "setuptools") -> Path:
    for name in ("ops/__init__.py", "ops/x.pyc", ".git/config", "build/old.py", "ops/build/a.py"):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (top / "pyproject.toml").write_text(f"[build-system]\nrequires = ['{requires}']\n")
    return top


def kept(places: Paths, found: Source | None) -> Path:
    assert found is not None
    return places.download(found.file.sha256, found.file.filename)


def test_a_directory_becomes_a_tar_of_what_is_in_it(places: Paths, tmp_path: Path) -> None:
    """The same bytes whenever and wherever; nothing of git's, of caches, of earlier builds."""
    first = source.local(places, str(tree(tmp_path / "Team Ops")))
    again = source.local(places, str(tree(tmp_path / "elsewhere")))
    assert first is not None
    assert again is not None
    assert first.file == again.file
    assert (first.file.name, first.file.filename) == ("source", "source.tar")
    with tarfile.open(kept(places, first)) as archive:
        assert sorted(archive.getnames()) == [
            "source/ops/__init__.py",
            "source/ops/build/a.py",
            "source/pyproject.toml",
        ]


def test_a_file_is_taken_as_it_is(places: Paths, tmp_path: Path) -> None:
    path = tmp_path / "Team_Ops-1.0-py3-none-any.whl"
    path.write_bytes(b"wheel")
    found = source.local(places, str(path))
    assert found is not None
    assert found.file.is_wheel
    assert kept(places, found).read_bytes() == b"wheel"


@pytest.mark.parametrize("text", ["./nothing", "a b", "nothing/", "../x.whl"])
def test_a_path_where_nothing_is(places: Paths, text: str) -> None:
    with pytest.raises(UsageError, match="there is no such file"):
        source.local(places, text)


def test_what_cannot_be_packaged(places: Paths, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"neither pyproject\.toml nor setup\.py"):
        source.local(places, str(tmp_path))
    (tmp_path / "ops.egg").write_text("")
    with pytest.raises(UsageError, match="no wheel, sdist or directory"):
        source.local(places, str(tmp_path / "ops.egg"))


def test_a_name_is_for_the_index(places: Paths) -> None:
    assert source.local(places, "airflow-provider-things") is None


class FakeIndex:
    """An index with the releases of one project."""

    name = "the index"

    def files(self, project: str) -> tuple[File, ...]:
        if project != "things":
            return ()
        rows = (("1.0", 2020), ("1.1", 2021), ("1.2rc1", 2021), ("1.3", 2023))
        return tuple(
            File(
                filename=f"things-{version}-py3-none-any.whl",
                url="",
                sha256="0" * 64,
                size=1,
                uploaded=datetime.datetime(year, 1, 1, tzinfo=datetime.UTC),
                yanked=False,
            )
            for version, year in rows
        )


INDEX = cast("Index", FakeIndex())


def test_without_a_version_it_is_as_old_as_the_lock(places: Paths) -> None:
    assert source.indexed(INDEX, "things", "", TARGET, DAY).file.version == "1.1"


@pytest.mark.parametrize("version", ["1.0", "1.2rc1", "1.3"])
def test_a_version_that_is_asked_for(version: str) -> None:
    """Of whatever day, and be it a pre-release."""
    assert source.indexed(INDEX, "things", version, TARGET, DAY).file.version == version


def test_what_the_index_has_not() -> None:
    with pytest.raises(UsageError, match="neither a path here nor a name on the index"):
        source.indexed(INDEX, "thinks", "", TARGET, DAY)
    with pytest.raises(GoneError, match=r"one of its releases: … 1\.0, 1\.1, 1\.2rc1, 1\.3"):
        source.indexed(INDEX, "things", "7", TARGET, DAY)
    long_ago = datetime.datetime(2019, 1, 1, tzinfo=datetime.UTC)
    with pytest.raises(GoneError, match="name one with VERSION="):
        source.indexed(INDEX, "things", "", TARGET, long_ago)


def test_a_build_backend_that_is_not_there_is_named(places: Paths, tmp_path: Path) -> None:
    """Before anything is built; with the way around it."""
    good = source.local(places, str(tree(tmp_path / "good", "setuptools>=61")))
    assert good is not None
    source.check_buildable(places, good, TOOLS)
    bad = source.local(places, str(tree(tmp_path / "bad", "scikit-build-core")))
    assert bad is not None
    with pytest.raises(ConfigError, match="built with scikit-build-core") as caught:
        source.check_buildable(places, bad, TOOLS)
    assert "build its wheel yourself" in caught.value.hint
