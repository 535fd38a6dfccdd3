"""Two Airflows on one booted host, an instance of each; one goes to the other's.

The plain package of VERSION, and the newest of the same suite that was built with NAME=
(or the one that NAME says), which may be of the same version: then the database is put
back behind a migration, so that there is one to wait for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests import artifact as artifacts
from tests import expected
from tests.artifact import Artifact
from tests.host import scenarios
from tests.host.instances import Host, Instance
from tests.host.lab import INSIDE, PACKAGES, PYTHON, USER, Lab
from tests.host.registry import wanted

from airflow_deb import busy, log, paths, record, versions
from airflow_deb.binary import AIRFLOW
from airflow_deb.errors import ConfigError, UsageError
from airflow_deb.run import Result

DEFAULT = "/usr/lib/airflow"
HOST_TESTS = Path(scenarios.__file__).parent


def named_artifact(plain: Artifact) -> Artifact:
    """A named package of the suite of ``plain``. Raises UsageError when none was built."""
    cells = [
        cell
        for cell in versions.load(paths.default().versions_sh).cells()
        if cell.suite.name == plain.cell.suite.name
    ]
    found = []
    for where in plain.directory.glob("airflow-*_amd64.json"):
        name, version, _ = where.stem.split("_")
        cell = next((cell for cell in cells if cell.deb_version == version), None)
        kept = record.load(where)
        if cell and kept and os.environ.get("NAME") in (None, "", name):
            found.append((cells.index(cell), name, Artifact(name, cell, where.parent, kept)))
    if not found:
        raise UsageError(
            f"there is no second Airflow in {plain.directory}",
            hint="build one: make deb VERSION=2.1.4 NAME=airflow-2.1.4",
        )
    return max(found, key=lambda entry: entry[:2])[2]


@dataclass
class Day:
    """The machine as it is left, and what was seen on the way."""

    host: Host
    plain: Artifact
    named: Artifact
    team: Instance
    other: Instance
    same: bool
    done: dict[str, Result] = field(default_factory=dict)
    pids: dict[str, dict[str, int]] = field(default_factory=dict)
    states: dict[str, dict[str, str]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def remember(self, step: str) -> None:
        """The process of each daemon now, how its unit is, and the scheduler's command."""
        units = [(it, daemon) for it in (self.team, self.other) for daemon in it.daemons]
        self.pids[step] = {it.unit(daemon): it.pid(daemon) for it, daemon in units}
        self.states[step] = {
            it.unit(daemon): self.host.property(it.unit(daemon), "ActiveState")
            for it, daemon in units
        }
        pid = self.team.pid("scheduler")
        read = f"tr '\\0' ' ' < /proc/{pid}/cmdline" if pid else "true"
        self.commands[step] = self.host.machine.shell(read).stdout

    def of(self, instance: Instance, step: str) -> dict[str, int]:
        """The processes of one instance after ``step``."""
        return {unit: pid for unit, pid in self.pids[step].items() if f"@{instance.name}." in unit}

    def here(self, step: str) -> set[str]:
        """How the daemons of the instance that moves were after ``step``."""
        found = self.states[step].items()
        return {state for unit, state in found if f"@{self.team.name}." in unit}


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    """Made, moved, migrated, and one package after the other removed."""
    plain = artifacts.find(AIRFLOW)
    named = named_artifact(plain)
    places = paths.default()
    cell = plain.cell.name
    log.open_file(places.cache / "logs" / f"{cell}-versions-tests.log")
    with busy.hold(places.run(f"tests/{cell}-versions.lock"), f"two versions of {cell}", wait=True):
        lab = Lab(
            plain, places, expected.load(HOST_TESTS, plain.cell.version.name), name="versions"
        )
        try:
            lab.start(wanted(["pair"]))
            both = lab.install("both", lab.result("pair"), [f"{PACKAGES}/{named.deb.name}"])
            yield _day(lab, Host(lab, lab.machine("versions", both)), named)
        finally:
            lab.close()


def _day(lab: Lab, host: Host, named: Artifact) -> Day:
    later = Host(lab, host.machine, tuned=False)
    with suppress(ConfigError):  # nobody has written them down; the plain one's may do
        later.expected = expected.load(HOST_TESTS, named.cell.version.name)
    created = host.tool("create", "team")
    short = named.name.removeprefix("airflow-")
    host.tool("create", "other", "--installation", short)
    same = named.cell.version.name == lab.artifact.cell.version.name
    day = Day(host, lab.artifact, named, host.instance("team"), later.instance("other"), same)
    day.done["create"] = created
    for command in ("airflow", named.name):
        day.done[f"{command} version"] = host.machine.call([command, "version"], user=USER)
    day.done["verify"] = host.machine.call(["dpkg", "--verify", "airflow", named.name])
    for instance in (day.team, day.other):
        instance.add_dag("quick")
        instance.tool("start")
    for instance in (day.team, day.other):
        instance.wait_for_web()
        day.runs[instance.name] = instance.run_dag("quick")
    day.rows = host.ls()
    day.remember("started")
    _upgrade(day)
    _move(day, lab.expected["replayable"], later.instance("team"))
    _remove(day)
    return day


def _upgrade(day: Day) -> None:
    """The named package is unpacked anew."""
    day.host.machine.shell(
        f"touch {day.named.prefix}/lib/python3*/site-packages/apache_airflow-*.dist-info/*"
    )
    day.done["upgraded"] = day.host.tool("upgraded")
    before = day.of(day.other, "started")

    def anew() -> bool:
        return day.other.active() and all(
            day.other.pid(daemon) not in (0, before[day.other.unit(daemon)])
            for daemon in day.other.daemons
        )

    day.other.wait("it to be restarted", anew)
    day.other.wait_for_web()
    day.remember("upgraded")


def _move(day: Day, revision: str, moved: Instance) -> None:
    """The instance of the plain package goes to the named one."""
    team = day.team
    if day.same:
        behind = f"UPDATE alembic_version SET version_num = '{revision}'"  # noqa: S608
        team.as_user(PYTHON, f"{INSIDE}/sql.py", f"{team.home}/airflow.cfg", behind)
    words = ("set", "team", f"installation={day.named.prefix}", "--apply")
    day.done["dry run"] = day.host.tool(*words, "--dry-run")
    day.remember("dry run")
    day.done["set"] = day.host.tool(*words)
    day.team = moved
    day.remember("set")
    day.rows["held"] = day.host.ls()["team"]
    day.done["start"] = moved.tool("start", check=False)
    unit = moved.unit("scheduler")
    day.done["systemctl start"] = day.host.systemctl("start", unit, check=False)
    day.done["journal"] = day.host.machine.call(["journalctl", "--output=cat", f"--unit={unit}"])
    day.host.systemctl("stop", unit)
    day.done["migrate"] = moved.tool("migrate")
    moved.wait("it to run again", moved.active)
    moved.wait_for_web()
    day.runs["moved"] = moved.run_dag("quick", "moved")
    day.remember("moved")
    day.rows["moved"] = day.host.ls()["team"]


def _remove(day: Day) -> None:
    """One package after the other is purged."""
    purge = "apt-get --quiet --yes purge"
    day.done["purge airflow"] = day.host.machine.shell(f"{purge} airflow")
    day.remember("purged")
    day.done["left"] = day.host.machine.shell("ls -d /usr/lib/airflow* /usr/bin/airflow*")
    day.done["still"] = day.host.machine.call([day.named.name, "version"], user=USER)
    day.done["third"] = day.host.tool("create", "third", "--no-migrate")
    day.done["purge named"] = day.host.machine.shell(f"{purge} {day.named.name}")
    day.remember("purged both")
    day.done["nothing left"] = day.host.machine.shell(
        f"ls -d /usr/lib/airflow* /usr/bin/airflow* /usr/share/doc/{day.named.name} || true"
    )
    day.done["user"] = day.host.machine.call(["getent", "passwd", "airflow"])


def test_both_are_installed_whole(day: Day) -> None:
    """Each command is its own Airflow; no file of the one is the other's."""
    assert day.done["verify"].stdout == ""
    for package in (day.plain, day.named):
        said = day.done[f"{package.name} version"].stdout
        assert said.split()[-1] == package.cell.version.name


def test_each_instance_runs_its_own(day: Day) -> None:
    for name in ("team", "other"):
        assert day.runs[name]["tasks"] == {"say": "success"}
    assert day.rows["team"]["installation"] == DEFAULT
    assert day.rows["other"]["installation"] == day.named.prefix
    assert day.rows["other"]["version"] == day.named.cell.version.name
    assert f"{DEFAULT}/bin/" in day.commands["started"]


def test_an_upgrade_restarts_the_instances_of_its_package_only(day: Day) -> None:
    assert day.done["upgraded"].stdout.startswith("other: restarted ")
    assert "team" not in day.done["upgraded"].stdout
    assert day.of(day.team, "upgraded") == day.of(day.team, "started")


def test_a_dry_run_of_the_move_tells_and_does_nothing(day: Day) -> None:
    said = day.done["dry run"].stdout
    assert "team: would systemctl stop " in said
    assert "next: airflow-instance migrate team" in said
    assert day.pids["dry run"] == day.pids["upgraded"]


def test_nothing_of_it_runs_before_the_database_is_migrated(day: Day) -> None:
    assert day.here("set") == {"inactive"}
    assert "held" in day.rows["held"]["status"]
    assert "next: airflow-instance migrate team" in day.done["set"].stdout
    assert day.done["start"].status == 6
    assert "airflow-instance migrate team" in day.done["start"].stderr
    # And past the tool: the gate of the unit itself.
    assert day.done["systemctl start"].status != 0
    assert "has to be migrated; sudo airflow-instance migrate team" in day.done["journal"].stdout


def test_migrated_it_runs_from_the_other(day: Day) -> None:
    assert "backed up as " in day.done["migrate"].stdout
    assert day.here("moved") == {"active"}
    assert f"{day.named.prefix}/bin/" in day.commands["moved"]
    assert f"{DEFAULT}/bin/" not in day.commands["moved"]
    assert day.runs["moved"]["runs"]["moved"] == "success"
    assert day.rows["moved"]["status"] == ["online"]
    assert day.rows["moved"]["version"] == day.named.cell.version.name


def test_the_neighbour_notices_nothing_of_the_move(day: Day) -> None:
    assert day.of(day.other, "moved") == day.of(day.other, "upgraded")


def test_purging_the_package_that_nobody_runs_stops_nothing(day: Day) -> None:
    assert day.pids["purged"] == day.pids["moved"]
    left = day.done["left"].stdout.split()
    assert DEFAULT not in left
    assert "/usr/bin/airflow" not in left
    assert {day.named.prefix, f"/usr/bin/{day.named.name}"} <= set(left)
    assert day.named.cell.version.name in day.done["still"].stdout


def test_create_takes_the_only_one(day: Day) -> None:
    assert f" in {day.named.prefix}, user airflow-third" in day.done["third"].stdout


def test_purging_the_other_stops_what_runs_from_it(day: Day) -> None:
    assert set(day.states["purged both"].values()) == {"inactive"}
    assert day.done["nothing left"].stdout.split() == ["/usr/bin/airflow-instance"]
    said = day.done["purge named"].stdout
    assert "team: stopped" in said
    assert "other: stopped" in said


def test_the_user_of_all_stays(day: Day) -> None:
    assert day.done["user"].stdout.startswith("airflow:")
    assert "other installations of Airflow need it" in day.done["purge airflow"].stdout
    assert "'userdel airflow' removes it" in day.done["purge named"].stdout


def test_what_is_remembered_is_everything(day: Day) -> None:
    for name in ("team", "other"):
        text = day.host.machine.read(f"/var/lib/airflow-instances/held/{name}.json")
        assert json.loads(text)["complete"] is True
