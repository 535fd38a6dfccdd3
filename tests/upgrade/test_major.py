"""To other Airflows and other Debians, an instance with its history each time."""

from __future__ import annotations

import pytest
from tests import artifact
from tests.upgrade.conftest import MakeLab
from tests.upgrade.history import NAME, TREASURES, History, Seen, printed, wanted_head

Life = dict[str, Seen]

# Where from and where to: version and suite.
MOVES = {
    "2.11.2 to 3.3.2": (("2.11.2", "bookworm"), ("3.3.2", "bookworm")),
    "bullseye to bookworm": (("2.1.4", "bullseye"), ("2.11.2", "bookworm")),
    "bookworm to trixie": (("2.11.2", "bookworm"), ("3.3.2", "trixie")),
}
# The one whose migration fails at first.
FAILS = "2.11.2 to 3.3.2"
DAEMONS = {
    "2.11.2": ["scheduler", "triggerer", "webserver"],
    "3.3.2": ["api-server", "dag-processor", "scheduler", "triggerer"],
}
# What each new Airflow is to report, of options and of daemons.
REPORTS = {
    "3.3.2": (
        "[webserver] web_server_port is [api] port",
        "[webserver] secret_key is [api] secret_key",
        "[scheduler] min_file_process_interval is [dag_processor] min_file_process_interval",
        "[scheduler] dag_dir_list_interval is [dag_processor] refresh_interval",
        "[core] internal_api_secret_key is gone",
        "daemon api-server in place of webserver",
        "daemon dag-processor is new",
    ),
    "2.11.2": (
        "[core] sql_alchemy_conn is [database] sql_alchemy_conn",
        "[core] dag_concurrency is [core] max_active_tasks_per_dag",
        "daemon triggerer is new",
    ),
}
RENDERED = {
    "3.3.2": ("[api_auth]\njwt_secret = ", "[dag_processor]\n"),
    "2.11.2": ("[database]\n", "max_active_tasks_per_dag = 4\n"),
}


@pytest.fixture(scope="module", params=list(MOVES))
def move(request: pytest.FixtureRequest) -> str:
    """The name of a move."""
    return str(request.param)


@pytest.fixture(scope="module")
def life(move: str, make_lab: MakeLab) -> Life:
    """What happens to the instance, noted step by step."""
    start, target = MOVES[move]
    lab = make_lab(*start)
    layers, command = lab.ready(
        "after", lab.before(), artifact.find(version=target[0], suite=target[1])
    )
    this = History(lab, "major", layers)
    this.begin()
    this.note("before")
    installed = this.upgrade("installed", command)
    if move == FAILS:
        this.refuse(wanted_head(installed))
        failed = this.note("migration failed", this.tool("migrate", NAME))
        assert "not today" in this.log()
        this.note("restored", this.tool(*printed(failed.said)))
        this.allow()
    this.migrate("migrated", "second")
    lab.retire(this.machine)
    return this.seen


def test_an_upgrade_migrates_nothing(life: Life, move: str) -> None:
    """It stops what cannot run, renders for the new Airflow, and says what is next."""
    seen, version = life["installed"], MOVES[move][1][0]
    assert seen.running == []
    assert f"rendered for Airflow {version}" in seen.said
    assert f"its database has to be migrated: airflow-instance migrate {NAME}" in seen.said
    assert seen.revision == life["before"].revision
    assert "held" in seen.extra["ls"].stdout
    assert f"airflow-instance migrate {NAME}" in seen.check
    assert seen.extra["start"].status == 6
    for text in RENDERED[version]:
        assert text in seen.config


def test_what_moved_is_told_before_and_after(life: Life, move: str) -> None:
    """By migrate, and by its --dry-run."""
    for line in REPORTS[MOVES[move][1][0]]:
        assert f"{NAME}:   {line}\n" in life["installed"].extra["preview"].stdout
        assert f"{NAME}:   {line}\n" in life["migrated"].said


@pytest.mark.parametrize("move", [FAILS], indirect=True)
def test_a_failed_migration_is_taken_back(life: Life) -> None:
    """When all but the last of its steps were done; nothing runs."""
    seen = life["migration failed"]
    assert seen.status == 7
    assert "the database was put back as it was" in seen.said
    assert "to go on with Airflow 2.11.2 instead, install its package again" in seen.said
    assert seen.revision == life["before"].revision
    assert seen.runs == {"first": "success"}
    assert seen.treasures == TREASURES
    assert seen.running == []


@pytest.mark.parametrize("move", [FAILS], indirect=True)
def test_the_printed_command_restores_the_old_state(life: Life) -> None:
    """By the new package, which has to migrate it then, and does when nothing fails."""
    seen = life["restored"]
    assert seen.status == 0, seen.said
    assert f"next: airflow-instance migrate {NAME}" in seen.said
    assert seen.revision == life["before"].revision
    assert seen.runs == {"first": "success"}
    assert seen.treasures == TREASURES
    assert seen.running == []
    assert life["migrated"].running == DAEMONS["3.3.2"]


def test_migrate_brings_everything_back(life: Life, move: str) -> None:
    """What ran runs, or what does its work now; the history is there, and goes on."""
    seen = life["migrated"]
    assert seen.running == DAEMONS[MOVES[move][1][0]]
    assert seen.runs == {"first": "success", "second": "success"}
    assert seen.revision != life["before"].revision
    assert seen.failed == ""


@pytest.mark.parametrize("step", ["before", "migrated"])
def test_what_is_encrypted_can_be_read(life: Life, step: str) -> None:
    """Connections and variables, past Airflow; the DAG has Airflow itself read one."""
    assert life[step].treasures == TREASURES
