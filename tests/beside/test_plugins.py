"""Plugins as packages: all instances have them, dpkg brings them, renews them, takes them."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from typing import Any

from tests.host.instances import Host, Instance
from tests.host.lab import APT, PYTHON, Lab
from tests.host.registry import scenario
from tests.plugins.build import REAL, Bench, carry

from airflow_deb import paths

NAMES = ("alpha", "beta")
EDITOR = "editor_plugin"  # as airflow-code-editor calls its plugin
SITE = "/usr/lib/airflow/lib/python3.9/site-packages"
DAG = """
import datetime
from airflow import DAG
from airflow.operators.bash import BashOperator
from fivetran_provider.operators.fivetran import FivetranOperator
from team_operators.operators import ReleaseOperator

with DAG("shared", start_date=datetime.datetime(2021, 1, 1), schedule_interval=None) as dag:
    release = ReleaseOperator(task_id="release")
    told = "echo {{ ti.xcom_pull(task_ids='release') }} {{ macros.team.release() }}"
    told += " >> $AIRFLOW_HOME/shared.txt"
    release >> BashOperator(task_id="say", bash_command=told)
"""


@dataclass
class State:
    """What was seen after a step: by instance, but for what is the host's."""

    pids: dict[str, dict[str, int]]
    plugins: dict[str, set[str]]
    providers: dict[str, set[str]]
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    verified: str = ""


class Plugged:
    """The machine with its two instances."""

    def __init__(self, lab: Lab) -> None:
        self.machine = lab.machine("plugins", lab.result("pair"))
        self.host = Host(lab, self.machine)
        self.teams = [self._team(name) for name in NAMES]
        self.seen: dict[str, State] = {}

    def _team(self, name: str) -> Instance:
        team = self.host.create(name)
        team.tool("start")
        team.wait_for_web()
        return team

    def apt(self, *words: str) -> None:
        self.machine.shell(f"{APT} {' '.join(words)}", timeout=1800)

    def pids(self) -> dict[str, dict[str, int]]:
        return {team.name: {d: team.pid(d) for d in team.daemons} for team in self.teams}

    def renewed(self, since: str) -> None:
        """Wait until all daemons are others than after ``since``, and healthy."""
        before = self.seen[since].pids

        def ready() -> bool:
            now = self.pids()
            return all(
                now[name][daemon] not in (0, before[name][daemon])
                for name in NAMES
                for daemon in before[name]
            )

        self.host.wait("the daemons to be restarted", ready, words=self.teams[0].words)
        for team in self.teams:
            team.wait_for_web()

    def note(self, step: str) -> State:
        """Write down how things are."""
        self.seen[step] = State(
            pids=self.pids(),
            plugins={team.name: self._named(team, "plugins", "name") for team in self.teams},
            providers={
                team.name: self._named(team, "providers", "package_name") for team in self.teams
            },
            files=self.machine.shell(
                f"ls -d {SITE}/*team_operators* {SITE}/*fivetran* {SITE}/*code_editor* "
                "/usr/lib/airflow/bin/team-tool 2>/dev/null || true"
            ).stdout.split(),
        )
        return self.seen[step]

    def _named(self, team: Instance, *words: str) -> set[str]:
        what, column = words
        verb = ["list"] if what == "providers" else []
        rows: list[dict[str, Any]] = json.loads(team.airflow(what, *verb, "-o", "json").stdout)
        return {row[column] for row in rows}

    def run(self, step: str, name: str) -> None:
        """Have the DAG that uses all of them run in both instances."""
        state = self.seen[step]
        for team in self.teams:
            state.tasks[team.name] = team.run_dag("shared", name)["tasks"]
            state.said[team.name] = self.machine.read(f"{team.home}/shared.txt").splitlines()


@scenario("pair")
def plugins(lab: Lab) -> dict[str, State]:
    """Three plugins installed under two running instances; one renewed; all taken away."""
    top = paths.default().run(f"tests/{lab.artifact.cell.name}/plugins")
    shutil.rmtree(top, ignore_errors=True)
    bench = Bench(top, lab.artifact)
    first = [bench.team("1.0"), *map(bench.build, REAL)]
    second = bench.team("1.1")
    this = Plugged(lab)
    this.note("before")
    this.apt("install", *(carry(this.machine, deb) for deb in first))
    this.renewed("before")
    this.note("installed")
    for team in this.teams:
        team.add_dag("shared", DAG)
    this.run("installed", "first")

    this.apt("install", carry(this.machine, second))
    this.renewed("installed")
    this.note("renewed")
    this.run("renewed", "second")
    # What root's Python leaves beside modules is no reason to stay.
    this.machine.call([PYTHON, "-O", "-c", "import team_operators.tool"])

    names = [deb.name.partition("_")[0] for deb in first]
    this.apt("remove", *names)
    this.renewed("renewed")
    state = this.note("removed")
    state.verified = this.machine.call(["dpkg", "--verify", "airflow"], check=False).stdout
    lab.retire(this.machine)
    shutil.rmtree(top)
    return this.seen


def test_all_instances_have_them(plugins: dict[str, State]) -> None:
    """Entry points are found, of plugins and of providers, where there was none before."""
    before, after = plugins["before"], plugins["installed"]
    for name in NAMES:
        assert after.plugins[name] - before.plugins[name] == {"team", EDITOR}
        assert after.providers[name] - before.providers[name] == {"airflow-provider-fivetran"}


def test_their_operators_run(plugins: dict[str, State]) -> None:
    """In both, as does the macro; daemons did not have to be restarted by hand."""
    state = plugins["installed"]
    for name in NAMES:
        assert set(state.tasks[name].values()) == {"success"}, state.tasks
        assert state.said[name] == ["1.0 1.0"]


def test_a_newer_one_takes_its_place(plugins: dict[str, State]) -> None:
    state = plugins["renewed"]
    assert f"{SITE}/team_operators-1.1.dist-info" in state.files
    assert f"{SITE}/team_operators-1.0.dist-info" not in state.files
    for name in NAMES:
        assert state.said[name] == ["1.0 1.0", "1.1 1.1"]


def test_nothing_of_them_stays(plugins: dict[str, State]) -> None:
    """Nor is anything of airflow's touched; instances go on without them."""
    state = plugins["removed"]
    assert state.files == []
    assert state.verified == ""
    assert state.plugins == plugins["before"].plugins
    assert state.providers == plugins["before"].providers
