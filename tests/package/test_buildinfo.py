"""The .buildinfo: what the package was made of, by hash."""

from __future__ import annotations

import re

import pytest
from tests.artifact import Artifact
from tests.package.debfile import listing

from airflow_deb import inputs
from airflow_deb.binary import INSTANCES


@pytest.fixture(scope="module")
def text(built: Artifact) -> str:
    """The .buildinfo of the package, which was published beside it."""
    (name,) = (name for name in built.record.files if name.endswith(".buildinfo"))
    return (built.directory / name).read_text(encoding="utf-8")


def test_every_locked_file_is_listed(text: str, built: Artifact) -> None:
    """And for each sdist the wheel that was built of it; of airflow alone."""
    found = {name: row for name, row in inputs.read(text).items() if name.startswith("lock/")}
    locked = {f"lock/{file.filename}": (file.sha256, file.size) for file in built.lock.files}
    assert found == ({} if built.name == INSTANCES.name else locked)
    wheels = [name for name in inputs.read(text) if name.startswith("wheel/")]
    sdists = [name for name in found if not name.endswith(".whl")]
    assert len(wheels) == len(sdists)
    assert ("uv" in inputs.read(text)) == bool(found)


def test_every_package_of_the_root_is_listed(text: str) -> None:
    """All that dpkg found installed, and more: it looks at build dependencies only."""
    installed = re.search(r"^Installed-Build-Depends:\n((?: .*\n)+)", text, re.MULTILINE)
    assert installed
    names = {line.split()[0] for line in installed[1].splitlines()}
    root = {name.partition("/")[2].split("_")[0] for name in inputs.read(text) if "root/" in name}
    assert names, "nothing was installed"
    assert not names - root, listing(names - root)


def test_the_source_tree_is_listed(text: str) -> None:
    names = inputs.read(text).keys()
    assert {"source/debian/rules", "source/debian/control", "source/debian/changelog"} <= names
