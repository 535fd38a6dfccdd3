"""The lab of one cell, whatever its Airflow: VERSION and SUITE say which.

The ring has no expectation of a single version: a new cell is tested without a
change here.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from tests import artifact, tested
from tests.host.lab import Lab
from tests.host.registry import wanted

from airflow_deb import busy, log, paths

_LINES = Path(__file__).parent / "lines.toml"


def pytest_configure(config: pytest.Config) -> None:
    """Have it written down when the whole ring has passed."""
    config.pluginmanager.register(tested.Ring(Path(__file__).parent))


def since(rows: dict[str, Any], version: str) -> Any:
    """The last of ``rows``, by the version that brought it, that ``version`` has; or None."""
    mine = [name for name in rows if Version(name) <= Version(version)]
    return rows[max(mine, key=Version)] if mine else None


def expectations(version: str) -> dict[str, Any]:
    """What is known of the line that ``version`` belongs to."""
    known = tomllib.loads(_LINES.read_text(encoding="utf-8"))
    line = known[str(Version(version).major)]
    return {
        "instances": {"airflow_config": line["airflow_config"]},
        **line["web"],
        "daemons": since(known["daemons"], version),
        "auth": since(known["auth"], version),
        "lacks": since(known["lacks"], version),
    }


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab with its scenarios under way; one session for each cell at a time."""
    found = artifact.find()
    places = paths.default()
    log.open_file(places.cache / "logs" / f"{found.cell.name}-cell-tests.log")
    lock = places.run(f"tests/{found.cell.name}-cell.lock")
    with busy.hold(lock, f"the test of {found.cell.name}", wait=True):
        this = Lab(found, places, expectations(found.cell.version.name), name="cell")
        try:
            used = {n for item in request.session.items for n in getattr(item, "fixturenames", ())}
            this.start(wanted(used))
            yield this
        finally:
            this.close()
