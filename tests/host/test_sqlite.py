"""SQLite and the SequentialExecutor: what a developer tries first."""

from __future__ import annotations

from typing import Any

from tests.host.scenarios import Finished


def test_example_succeeds(sqlite: Finished, expectations: dict[str, Any]) -> None:
    """Airflow's own example, run by the real scheduler."""
    example = expectations["example"]
    found = sqlite.states[example["dag"]]
    assert set(found["runs"].values()) == {"success"}, sqlite.site.words()
    assert found["tasks"] == dict.fromkeys(example["tasks"], "success")


def test_database_check(sqlite: Finished) -> None:
    """`airflow db check` agrees that there is a database."""
    done = sqlite.site.airflow("db", "check", check=False)
    assert done.status == 0, done.stdout + done.stderr


def test_nothing_was_written_beside_the_home(sqlite: Finished) -> None:
    """Airflow as a user needs to write nowhere but into its home."""
    written = sqlite.site.machine.spec.upper / "usr"
    assert [path for path in written.rglob("*") if path.is_file()] == []
