"""A plugin built for 2.1.0 under the upgrade to 2.1.4: it stays, and works there."""

from __future__ import annotations

import shutil

import pytest
from tests import artifact
from tests.plugins.build import Bench, carry
from tests.upgrade.conftest import MakeLab
from tests.upgrade.history import History

from airflow_deb import paths

SITE = "/usr/lib/airflow/lib/python3.9/site-packages"
DAG = """
import datetime
from airflow import DAG
from team_operators.operators import ReleaseOperator

with DAG("shared", start_date=datetime.datetime(2021, 1, 1), schedule_interval=None) as dag:
    ReleaseOperator(task_id="release")
"""


@pytest.fixture(scope="module")
def life(make_lab: MakeLab) -> dict[str, str]:
    """What is said of the plugin before and after, and how its DAG ran."""
    lab = make_lab("2.1.0", "bullseye")
    newer = artifact.find(version="2.1.4", suite="bullseye")
    layers, forward = lab.ready("plugin", lab.before(), newer)
    top = paths.default().run(f"tests/{lab.artifact.cell.name}/moved-plugin")
    shutil.rmtree(top, ignore_errors=True)
    this = History(lab, "plugin", layers)
    deb = carry(this.machine, Bench(top, lab.artifact).team("1.0"))
    done = this.shell(f"apt-get --quiet --yes install {deb}")
    assert done.status == 0, done.stdout + done.stderr
    this.begin()
    seen = {"before": this.team.airflow("plugins", "-o", "plain").stdout}
    this.upgrade("2.1.4", forward)
    this.migrate("migrated", "second")
    seen["after"] = this.team.airflow("plugins", "-o", "plain").stdout
    seen["version"] = this.team.airflow("version").stdout
    seen["verified"] = this.shell("dpkg --verify airflow-plugin-team-operators").stdout
    this.team.add_dag("shared", DAG)
    seen["tasks"] = str(this.team.run_dag("shared", "once")["tasks"])
    seen["back"] = this.shell("apt-get --quiet --yes remove airflow").stdout
    seen["left"] = this.shell(f"ls -d {SITE}/team_operators* || true").stdout
    lab.retire(this.machine)
    shutil.rmtree(top)
    return seen


def test_it_stays_over_an_upgrade_within_the_line(life: dict[str, str]) -> None:
    assert "2.1.4" in life["version"]
    assert "team" in life["before"]
    assert "team" in life["after"]
    assert life["verified"] == ""
    assert life["tasks"] == str({"release": "success"})


def test_it_goes_with_its_airflow(life: dict[str, str]) -> None:
    """Nothing of it stays in a tree that is nobody's."""
    assert "Removing airflow-plugin-team-operators" in life["back"]
    assert life["left"] == ""
