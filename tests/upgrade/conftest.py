"""Fixtures of the upgrade tests: a lab for each pair of cells, made when it is asked for."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests import artifact
from tests.upgrade.lab import UpgradeLab

from airflow_deb import busy, log, paths

MakeLab = Callable[[str, str], UpgradeLab]


@pytest.fixture(scope="module")
def make_lab() -> Iterator[MakeLab]:
    """Make a lab that begins with a version on a suite; it goes when another one is made."""
    expected = tomllib.loads((Path(__file__).parent / "site.toml").read_text("utf-8"))
    places = paths.default()
    with ExitStack() as stack:

        def make(version: str, suite: str) -> UpgradeLab:
            stack.close()
            found = artifact.find(version=version, suite=suite)
            log.open_file(places.cache / "logs" / f"{found.cell.name}-upgrade-tests.log")
            lock = places.run(f"tests/{found.cell.name}-moves.lock")
            stack.enter_context(busy.hold(lock, f"the upgrade of {found.cell.name}", wait=True))
            this = UpgradeLab(found, places, expected)
            stack.callback(this.close)
            return this

        yield make
