"""Databases on real servers: made, kept, kept to oneself, and never half made."""

from __future__ import annotations

import pytest
from tests.host.databases import KINDS, SERVERS, WORDS, Attempts, Databases


@pytest.mark.parametrize("name", KINDS)
def test_created_with_tables(attempts: Attempts, name: str) -> None:
    """`create` ends with a database that Airflow has made its tables in."""
    assert {"dag", "task_instance", "xcom", "ab_user"} <= attempts.tables[name]
    assert "airflow-instance start" in attempts.databases.created[name].stdout


@pytest.mark.parametrize("name", SERVERS)
def test_airflow_gets_in_with_the_password(attempts: Attempts, name: str) -> None:
    """Whatever characters it has."""
    done = attempts.check[name]
    assert done.status == 0, done.stdout + done.stderr


def test_a_second_apply_changes_nothing(attempts: Attempts) -> None:
    done = attempts.again["created"]
    assert (done.status, done.stdout) == (2, "")
    assert attempts.servers["applied"] == attempts.servers["created"]


def test_timestamps_are_asked_for_before_anything(databases: Databases) -> None:
    """MariaDB as Debian has it is refused, with the file to put the setting into."""
    assert databases.refused.status == 7
    assert "/etc/mysql/mariadb.conf.d/99-airflow.cnf" in databases.refused.stderr
    assert databases.refused.stderr.count("\n") == 1


def test_no_password_is_where_others_see_it(attempts: Attempts) -> None:
    """Not in the journal, the servers' logs of all statements, or on a command line."""
    machine = attempts.databases.machine
    assert attempts.marked == []
    # These would have had it.
    assert "CREATE USER" in machine.read("/root/general")
    assert "CREATE TABLE" in machine.read("/root/statements")
    words = machine.read(WORDS)
    assert {"psql", "mariadb"} <= {line.split(" ")[0] for line in words.splitlines()}
    # The tool switches PostgreSQL's log off for itself: not even a verifier is in it.
    assert "airflow_post" not in _made(machine.read("/root/statements"))


def _made(log: str) -> str:
    return "\n".join(line for line in log.splitlines() if "CREATE ROLE" in line)


def test_only_its_users_read_the_configuration(attempts: Attempts) -> None:
    """The password is in no file that another instance's user can read."""
    for name in KINDS:
        own = [f"/srv/airflow-{name}/airflow.cfg"] if name in SERVERS else []
        assert attempts.readable[name] == own


def test_a_neighbour_does_not_get_in(attempts: Attempts) -> None:
    """Neither on PostgreSQL, where everyone may by default, nor by a _ in a grant."""
    assert "permission denied for database" in attempts.stranger
    assert attempts.neighbours == []


@pytest.mark.parametrize("name", SERVERS)
def test_a_password_set_by_hand_is_set_again(attempts: Attempts, name: str) -> None:
    said, answer = attempts.mended[name]
    assert "set the password of" in said
    assert answer == [[1]]
    assert attempts.again[name].status == 2


def test_names_tell_great_from_small_letters(attempts: Attempts) -> None:
    """On MariaDB, too, where by default they do not."""
    assert attempts.letters == [["case"]]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
def test_what_fails_leaves_nothing(attempts: Attempts, kind: str) -> None:
    """No user, home, key, role or database; and the output is kept."""
    done = attempts.doomed[kind]
    assert done.status == 7
    assert "something is broken" in done.stderr
    assert attempts.left[kind] == ""
    assert not attempts.users[kind]
    assert attempts.servers["doomed"] == attempts.servers["mended"]
    log = attempts.databases.machine.read("/var/log/airflow-instances/doomed-migrate.log")
    assert "something is broken" in log
