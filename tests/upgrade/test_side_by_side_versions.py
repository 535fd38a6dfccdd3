"""Two Airflows on one booted host, an instance of each; that of the older goes to the newer.

Each pair of pairs.py in turn. With VERSION or NAME it is one: the plain package of VERSION,
and the newest of the same suite that was built with NAME= (or the one that NAME says), which
may be of the same version: then the database is put back behind a migration, so that there
is one to wait for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from tests import expected
from tests.artifact import Artifact
from tests.cell.conftest import expectations
from tests.host import scenarios
from tests.host.instances import Host, Instance
from tests.host.lab import INSIDE, PACKAGES, PYTHON, USER, Lab
from tests.host.registry import wanted
from tests.upgrade.pairs import PAIRS, Pair

from airflow_deb import busy, log, paths
from airflow_deb.errors import ConfigError
from airflow_deb.run import Result

DEFAULT = "/usr/lib/airflow"
HOST_TESTS = Path(scenarios.__file__).parent


CHOSEN = any(os.environ.get(name) for name in ("VERSION", "NAME"))


@dataclass
class Day:
    """The machine as it is left, and what was seen on the way."""

    host: Host
    old: Artifact
    new: Artifact
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


@pytest.fixture(scope="module", params=[Pair()] if CHOSEN else PAIRS, ids=str)
def day(request: pytest.FixtureRequest) -> Iterator[Day]:
    """Made, moved, migrated, and one package after the other removed."""
    plain, named = request.param.found()
    places = paths.default()
    cell = plain.cell.name
    log.open_file(places.cache / "logs" / f"{cell}-versions-tests.log")
    with busy.hold(places.run(f"tests/{cell}-versions.lock"), f"two versions of {cell}", wait=True):
        lab = Lab(plain, places, known(plain), name="versions")
        try:
            lab.start(wanted(["pair"]))
            both = lab.install("both", lab.result("pair"), [f"{PACKAGES}/{named.deb.name}"])
            machine = lab.machine("versions", both)
            old, new = sorted((plain, named), key=lambda one: Version(one.cell.version.name))
            yield _day(lab, Host(lab, machine, tuned=False), old, new)
        finally:
            lab.close()


def known(package: Artifact) -> dict[str, Any]:
    """What is expected of its version: what the host tests know, or else those of every cell."""
    version = package.cell.version.name
    try:
        return expected.load(HOST_TESTS, version)
    except ConfigError:
        return expectations(version)


def _day(lab: Lab, host: Host, old: Artifact, new: Artifact) -> Day:
    later = Host(lab, host.machine, tuned=False)
    host.expected, later.expected = known(old), known(new)
    # Each takes what it knows; the older one's word counts.
    options = [it.expected["instances"]["airflow_config"] for it in (later, host)]
    sections: dict[str, dict[str, Any]] = {name: {} for of in options for name in of}
    for of in options:
        for name, values in of.items():
            sections[name].update(values)
    host.defaults(airflow_config=sections)
    created = host.tool("create", "team", *_choice(old))
    host.tool("create", "other", *_choice(new))
    same = new.cell.version.name == old.cell.version.name
    day = Day(host, old, new, host.instance("team"), later.instance("other"), same)
    day.done["create"] = created
    for package in (old, new):
        command = [package.name, "version"]
        day.done[f"{package.name} version"] = host.machine.call(command, user=USER)
    day.done["verify"] = host.machine.call(["dpkg", "--verify", old.name, new.name])
    for instance in (day.team, day.other):
        instance.add_dag("quick")
        instance.tool("start")
    for instance in (day.team, day.other):
        instance.wait_for_web()
        day.runs[instance.name] = instance.run_dag("quick")
    day.rows = host.ls()
    day.remember("started")
    _upgrade(day)
    _move(day, later.instance("team"))
    _remove(day)
    return day


def _choice(package: Artifact) -> tuple[str, ...]:
    """The words of create for an installation; the plain one is the default."""
    short = package.name.removeprefix("airflow-")
    return () if package.prefix == DEFAULT else ("--installation", short)


def _upgrade(day: Day) -> None:
    """The package of the instance that stays is unpacked anew."""
    day.host.machine.shell(
        f"touch {day.new.prefix}/lib/python3*/site-packages/apache_airflow-*.dist-info/*"
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


def _move(day: Day, moved: Instance) -> None:
    """The instance of the older package goes to the newer one."""
    team = day.team
    if day.same:
        revision = day.host.expected["replayable"]
        behind = f"UPDATE alembic_version SET version_num = '{revision}'"  # noqa: S608
        team.as_user(PYTHON, f"{INSIDE}/sql.py", f"{team.home}/airflow.cfg", behind)
    words = ("set", "team", f"installation={day.new.prefix}", "--apply")
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
    day.done["purge old"] = day.host.machine.shell(f"{purge} {day.old.name}")
    day.remember("purged")
    day.done["left"] = day.host.machine.shell("ls -d /usr/lib/airflow* /usr/bin/airflow*")
    day.done["still"] = day.host.machine.call([day.new.name, "version"], user=USER)
    day.done["third"] = day.host.tool("create", "third", "--no-migrate")
    day.done["purge new"] = day.host.machine.shell(f"{purge} {day.new.name}")
    day.remember("purged both")
    day.done["nothing left"] = day.host.machine.shell(
        f"ls -d /usr/lib/airflow* /usr/bin/airflow* /usr/share/doc/{day.new.name} || true"
    )
    day.done["user"] = day.host.machine.call(["getent", "passwd", "airflow"])


def test_both_are_installed_whole(day: Day) -> None:
    """Each command is its own Airflow; no file of the one is the other's."""
    assert day.done["verify"].stdout == ""
    for package in (day.old, day.new):
        said = day.done[f"{package.name} version"].stdout
        assert said.split()[-1] == package.cell.version.name


def test_each_instance_runs_its_own(day: Day) -> None:
    for name in ("team", "other"):
        assert day.runs[name]["tasks"] == {"say": "success"}
    for name, package in (("team", day.old), ("other", day.new)):
        assert day.rows[name]["installation"] == package.prefix
        assert day.rows[name]["version"] == package.cell.version.name
    assert f"{day.old.prefix}/bin/" in day.commands["started"]


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
    assert f"{day.new.prefix}/bin/" in day.commands["moved"]
    assert f"{day.old.prefix}/bin/" not in day.commands["moved"]
    assert day.runs["moved"]["runs"]["moved"] == "success"
    assert day.rows["moved"]["status"] == ["online"]
    assert day.rows["moved"]["version"] == day.new.cell.version.name


def test_the_neighbour_notices_nothing_of_the_move(day: Day) -> None:
    assert day.of(day.other, "moved") == day.of(day.other, "upgraded")


def test_purging_the_package_that_nobody_runs_stops_nothing(day: Day) -> None:
    assert day.pids["purged"] == day.pids["moved"]
    left = day.done["left"].stdout.split()
    assert not {day.old.prefix, f"/usr/bin/{day.old.name}"} & set(left)
    assert {day.new.prefix, f"/usr/bin/{day.new.name}"} <= set(left)
    assert day.new.cell.version.name in day.done["still"].stdout


def test_create_takes_the_only_one(day: Day) -> None:
    elsewhere = "" if day.new.prefix == DEFAULT else f" in {day.new.prefix}"
    said = f"Airflow {day.new.cell.version.name}{elsewhere}, user airflow-third"
    assert said in day.done["third"].stdout


def test_purging_the_other_stops_what_runs_from_it(day: Day) -> None:
    assert set(day.states["purged both"].values()) == {"inactive"}
    assert day.done["nothing left"].stdout.split() == ["/usr/bin/airflow-instance"]
    said = day.done["purge new"].stdout
    assert "team: stopped" in said
    assert "other: stopped" in said


def test_the_user_of_all_stays(day: Day) -> None:
    assert day.done["user"].stdout.startswith("airflow:")
    assert "other installations of Airflow need it" in day.done["purge old"].stdout
    assert "'userdel airflow' removes it" in day.done["purge new"].stdout


def test_what_is_remembered_is_everything(day: Day) -> None:
    for name in ("team", "other"):
        text = day.host.machine.read(f"/var/lib/airflow-instances/held/{name}.json")
        assert json.loads(text)["complete"] is True
