"""A new Debian below the same Airflow: the package is another build, for another Python."""

from __future__ import annotations

import pytest
from tests import artifact
from tests.upgrade.conftest import MakeLab
from tests.upgrade.history import TREASURES, History, Seen

Life = dict[str, Seen]


@pytest.fixture(scope="module")
def life(make_lab: MakeLab) -> Life:
    """3.3.2 from bookworm to trixie, noted step by step."""
    lab = make_lab("3.3.2", "bookworm")
    layers, command = lab.ready(
        "after", lab.before(), artifact.find(version="3.3.2", suite="trixie")
    )
    this = History(lab, "release", layers)
    this.begin()
    this.note("before")
    done = this.shell(command)
    assert done.status == 0, done.stdout + done.stderr
    this.well()
    this.run("second")
    this.note("after", done)
    lab.retire(this.machine)
    return this.seen


def test_what_ran_runs_again(life: Life) -> None:
    """Without anybody's doing: the database needs nothing."""
    before, after = life["before"], life["after"]
    assert after.running == before.running
    assert after.revision == before.revision
    assert after.failed == ""


def test_it_was_rendered_anew(life: Life) -> None:
    """Units and checks name the other Python's directory."""
    assert "rendered for Airflow 3.3.2" in life["after"].said
    assert life["after"].check.startswith("0 ")


def test_the_history_goes_on(life: Life) -> None:
    """And what is encrypted can be read."""
    assert life["after"].runs == {"first": "success", "second": "success"}
    assert life["after"].treasures == TREASURES
