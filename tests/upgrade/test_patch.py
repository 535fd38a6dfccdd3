"""2.1.0 to 2.1.4 and back: by apt, with a migration that fails, and one taken back."""

from __future__ import annotations

import re

import pytest
from tests import artifact
from tests.upgrade.conftest import MakeLab
from tests.upgrade.history import NAME, TREASURES, History, Seen, printed, wanted_head
from tests.upgrade.lab import both

DAEMONS = ["scheduler", "webserver"]
Life = dict[str, Seen]


@pytest.fixture(scope="module")
def life(make_lab: MakeLab) -> Life:
    """What happens to the instance, noted step by step."""
    lab = make_lab("2.1.0", "bullseye")
    newer = artifact.find(version="2.1.4", suite="bullseye")
    layers, forward = lab.ready("after", lab.before(), newer)
    back = forward.replace(" install ", " install --allow-downgrades ")
    for new, old in zip(both(newer), both(lab.artifact), strict=True):
        back = back.replace(new, old)
    this = History(lab, "patch", layers)
    this.begin()
    this.note("2.1.0")

    wanted = this.upgrade("2.1.4 installed", forward)
    this.refuse(wanted_head(wanted))
    failed = this.note("migration failed", this.tool("migrate", NAME))
    this.note("restored by 2.1.4", this.tool(*printed(failed.said)))

    done = this.shell(back)
    this.well()
    this.run("between")
    this.note("2.1.0 again", done)
    this.note("restored by 2.1.0", this.tool(*printed(failed.said), "--stop"))
    this.well()

    this.upgrade("2.1.4 again", forward)
    this.allow()
    this.migrate("migrated", "second")
    backup = this.tool("backup", NAME)
    stamp = re.findall(r"\d{8}T\d{6}Z(?:-\d+)?", backup.stdout)[-1]

    older = this.upgrade("downgraded", back)
    this.note("migrate refuses", this.tool("migrate", NAME))
    this.note("restore refuses", this.tool("restore", NAME, stamp))
    done = this.tool(*printed(older.said))
    this.well()
    this.note("gone back", done)
    lab.retire(this.machine)
    return this.seen


@pytest.mark.parametrize("step", ["2.1.4 installed", "2.1.4 again"])
def test_an_upgrade_migrates_nothing(life: Life, step: str) -> None:
    """It stops what cannot run, and says which command migrates."""
    seen = life[step]
    assert seen.running == []
    assert f"airflow-instance migrate {NAME}" in seen.said
    assert "rendered for Airflow 2.1.4" in seen.said
    assert seen.revision == life["2.1.0"].revision
    assert "held" in seen.extra["ls"].stdout
    assert f"airflow-instance migrate {NAME}" in seen.check
    assert seen.extra["start"].status == 6
    assert f"airflow-instance migrate {NAME}" in seen.extra["start"].stderr
    assert seen.extra["preview"].status == 0
    assert "would run airflow db upgrade" in seen.extra["preview"].stdout


def test_migrate_brings_everything_back(life: Life) -> None:
    """What ran runs, on the new Airflow, with its history; and a new run succeeds."""
    seen = life["migrated"]
    assert seen.running == DAEMONS
    assert seen.runs == {"first": "success", "second": "success"}
    assert seen.revision == wanted_head(life["2.1.4 installed"])


@pytest.mark.parametrize("step", ["2.1.0 again", "migrated", "gone back"])
def test_what_is_encrypted_can_be_read(life: Life, step: str) -> None:
    """Connections and variables, past Airflow."""
    assert life[step].treasures == TREASURES
    assert life[step].failed == ""


def test_a_failed_migration_is_taken_back(life: Life) -> None:
    """And says so, with the command that does it by hand."""
    seen = life["migration failed"]
    assert seen.status == 7
    assert "not today" in seen.said
    assert "the database was put back as it was" in seen.said
    assert "to go on with Airflow 2.1.0 instead, install its package again" in seen.said
    assert seen.revision == life["2.1.0"].revision
    assert seen.runs == {"first": "success"}
    assert seen.running == []


@pytest.mark.parametrize("step", ["restored by 2.1.4", "restored by 2.1.0"])
def test_the_printed_command_restores(life: Life, step: str) -> None:
    """With the new package, which has to migrate then, and with the old one."""
    seen = life[step]
    assert seen.status == 0, seen.said
    assert (f"next: airflow-instance migrate {NAME}" in seen.said) is step.endswith("2.1.4")
    assert seen.revision == life["2.1.0"].revision
    assert seen.treasures == TREASURES


def test_with_the_old_package_the_old_state_runs(life: Life) -> None:
    """After a migration that failed, by nothing but installing it again."""
    seen = life["2.1.0 again"]
    assert seen.status == 0
    assert seen.running == DAEMONS
    assert seen.runs == {"first": "success", "between": "success"}
    assert "Airflow 2.1.0" in seen.said
    # What was done since that backup is gone with it.
    assert life["restored by 2.1.0"].runs == {"first": "success"}


def test_a_downgrade_is_explained(life: Life) -> None:
    """By apt's output, by check, by migrate and by start; nothing runs."""
    seen = life["downgraded"]
    assert seen.running == []
    assert "it is of Airflow 2.1.4, and no Airflow takes a migration back" in seen.said
    assert seen.check.startswith("2 ")
    assert f"does not know its revision {seen.revision}" in seen.check
    assert seen.extra["start"].status == 6
    refused = life["migrate refuses"]
    assert refused.status == 6
    assert "it is of Airflow 2.1.4" in refused.said
    assert "install Airflow 2.1.4 again" in refused.said
    assert refused.revision == seen.revision == life["migrated"].revision


def test_a_backup_of_a_newer_airflow_is_refused(life: Life) -> None:
    """With what to install, and nothing changed."""
    seen = life["restore refuses"]
    assert seen.status == 6
    assert "install Airflow 2.1.4 or newer first" in seen.said
    assert seen.revision == life["migrated"].revision


def test_the_command_of_the_downgrade_goes_back(life: Life) -> None:
    """To the state before the migration, which runs again."""
    seen = life["gone back"]
    assert seen.status == 0, seen.said
    assert seen.running == DAEMONS
    assert seen.revision == life["2.1.0"].revision
    assert seen.runs == {"first": "success"}
