"""Python packages of one instance alone: its daemons, tasks and people have them, no other's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.host.instances import Host, Instance
from tests.host.lab import Lab
from tests.host.registry import scenario
from tests.plugins import wheel
from tests.plugins.build import carry

from airflow_deb import paths
from airflow_deb.run import Result

PLACE = "/etc/airflow/packages.d/one"
LOCK = f"{PLACE}/lock.txt"
# The command by PATH, and the module, in a task as the scheduler starts it.
DAG = """
import datetime
from airflow import DAG
from airflow.operators.bash import BashOperator
from team_things import RELEASE

with DAG("things", start_date=datetime.datetime(2021, 1, 1), schedule_interval=None) as dag:
    say = f"echo {RELEASE} $(team-things) >> $AIRFLOW_HOME/things.txt"
    BashOperator(task_id="say", bash_command=say)
"""
_IMPORT = ("exec", "--program", "python", "other", "--", "-c", "import team_things")


@dataclass
class Seen:
    """What was said and found on the way."""

    preview: Result
    first: dict[str, Any]
    said: list[str]
    owners: set[str]
    other: Result
    again: Result
    tampered: Result
    mended: Result
    refused: Result
    still: bool
    second: dict[str, Any]
    directories: list[str]
    untouched: str
    gone: str
    dropped: str


class Team:
    """The machine with two instances; one is to have things of its own."""

    def __init__(self, lab: Lab) -> None:
        pip = "python-pip-whl" if lab.artifact.cell.suite.debian < 12 else "python3-pip-whl"
        layers = lab.install("pip", lab.result("pair"), [pip])
        self.machine = lab.machine("extra", layers)
        self.host = Host(lab, self.machine)
        self.one, self.other = self.host.create("one"), self.host.create("other")
        self.scratch = paths.default().run(f"tests/{lab.artifact.cell.name}/wheels")
        self.scratch.mkdir(parents=True, exist_ok=True)

    def bring(self, release: str) -> str:
        """Put a wheel of that release into its place; the lock's text."""
        code = f"RELEASE = '{release}'\ndef main(): print('things', RELEASE)\n"
        line = wheel.write(
            self.scratch,
            "team-things",
            {"team_things.py": code},
            version=release,
            requires="requests>=2",
            entry_points="[console_scripts]\nteam-things = team_things:main\n",
        )
        found = carry(self.machine, Path(self.scratch / f"team_things-{release}-py3-none-any.whl"))
        self.machine.call(["install", "-D", "-m", "644", "-t", PLACE, found])
        return line

    def directories(self, instance: Instance) -> list[str]:
        return self.machine.call(["ls", "-A", f"{instance.home}/packages"]).stdout.split()

    def run(self) -> dict[str, Any]:
        return self.one.run_dag("things")

    def said(self) -> list[str]:
        return self.machine.read(f"{self.one.home}/things.txt").splitlines()


@scenario("pair")
def extra(lab: Lab) -> Seen:
    """Packages given, tried, damaged, mended, renewed and taken away."""
    this = Team(lab)
    one, machine = this.one, this.machine
    machine.write(LOCK, this.bring("1.0"))
    one.tool("set", f"extra_packages={LOCK}")
    preview = one.tool("apply", "--dry-run")
    one.tool("apply")
    one.add_dag("things", DAG)
    one.tool("start")
    one.wait_for_web()
    first = this.run()
    script = (
        f"find {one.home}/packages -printf '%U\\n' | sort -u | xargs getent passwd | cut -d: -f1"
    )
    owners = set(machine.shell(script).stdout.split())
    other = this.host.tool(*_IMPORT, check=False)
    again = one.tool("apply", "--detailed-exitcode", check=False)
    (key,) = this.directories(one)
    module = f"{one.home}/packages/{key}/team_things.py"
    machine.call(["sh", "-c", f"echo '# mine' >> {module}"])
    tampered = one.tool("doctor", check=False)
    machine.call(["rm", "-r", f"{one.home}/packages/{key}"])
    one.tool("apply")
    mended = one.tool("doctor", check=False)
    line = this.bring("1.1")
    machine.write(LOCK, line[:-2] + ("1" if line[-2] == "0" else "0") + "\n")
    refused = one.tool("apply", check=False)
    still = one.active()
    machine.write(LOCK, line)
    one.tool("apply")
    one.wait_for_web()
    second = this.run()
    directories, said = this.directories(one), this.said()
    untouched = machine.call(["dpkg", "--verify", "airflow"], check=False).stdout
    stop = one.tool("stop", "--force", check=False)
    assert stop.status == 0, stop.stderr
    machine.call(["sed", "-i", "/^extra_packages/d", "/etc/airflow/instances.d/one.yaml"])
    one.tool("apply")
    gone = machine.shell(f"ls -d {one.home}/packages || true").stdout
    one.tool("set", "--apply", f"extra_packages={LOCK}")
    assert this.directories(one)
    everything = ("--delete-database", "--delete-home", "--delete-logs", "--delete-user")
    one.tool("drop", *everything, "--no-backup", "--yes")
    dropped = machine.shell(f"ls -A {one.home} 2>&1 || true").stdout
    lab.retire(machine)
    return Seen(
        *(preview, first, said, owners, other, again, tampered, mended, refused, still),
        *(second, directories, untouched, gone, dropped),
    )


def test_a_task_has_module_and_command(extra: Seen) -> None:
    assert extra.first["tasks"] == {"say": "success"}
    assert extra.said == ["1.0 things 1.0", "1.1 things 1.1"]


def test_they_are_the_instance_s_user_s_and_nobody_else_s(extra: Seen) -> None:
    """Nothing of the installation was touched, and the other instance knows nothing of them."""
    assert extra.owners == {"airflow-one"}
    assert extra.other.status == 1
    assert "ModuleNotFoundError" in extra.other.stderr
    assert extra.untouched == ""


def test_apply_says_it_first_and_does_it_once(extra: Seen) -> None:
    assert "unpack team-things 1.0 into /srv/airflow-one/packages/" in extra.preview.stdout
    assert extra.again.status == 2


def test_doctor_sees_what_was_changed(extra: Seen) -> None:
    assert "team_things.py is not what was installed" in extra.tampered.stdout
    assert "team_things" not in extra.mended.stdout


def test_a_wrong_hash_changes_nothing(extra: Seen) -> None:
    assert extra.refused.status != 0
    assert "another sha256 than is locked for team-things==1.1" in extra.refused.stderr
    assert extra.still


def test_a_newer_lock_takes_the_place_of_the_old(extra: Seen) -> None:
    assert extra.second["tasks"] == {"say": "success"}
    assert len(extra.directories) == 1
    assert extra.gone == ""


def test_drop_takes_them_with_the_home(extra: Seen) -> None:
    assert "No such file" in extra.dropped
