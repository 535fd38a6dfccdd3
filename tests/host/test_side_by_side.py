"""Two instances on one host, one's name the beginning of the other's: they work, apart.

What takes long is done once, in the scenario (side_by_side.py); the tests look at what
was seen on the way, and at the machine as it is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import pytest
from tests.host.instances import Instance
from tests.host.lab import INSIDE, USER
from tests.host.side_by_side import (
    COMMANDS,
    CORPUS,
    ODD,
    ONE,
    OTHER,
    Pair,
    connections,
    fingerprints,
    side_by_side,
)

__all__ = ["side_by_side"]

EXPECTED = dict(
    line.split(": ", 1)
    for line in (CORPUS / "expected.txt").read_text("utf-8").splitlines()
    if not line.startswith("#")
)
# The version that the corpus was written for.
CORPUS_VERSION = "2.11.2"


# They are two.


def test_each_has_its_own_user_home_ports_and_keys(side_by_side: Pair) -> None:
    one, other = side_by_side.both
    assert (one.user, other.user) == ("airflow-analytics", "airflow-analytics-test")
    assert one.home != other.home
    slots = ("web", "log_server", "triggerer_log_server", "health", "flower", "statsd")
    ports = [it.setting(f"ports.{slot}") for it in side_by_side.both for slot in slots]
    assert len(set(ports)) == len(ports)
    keys = [print_ for it in side_by_side.both for print_ in fingerprints(it).values()]
    assert len(set(keys)) == len(keys)
    assert one.setting("airflow_config.metrics.statsd_prefix") == "airflow.analytics"
    # A receiver that takes all of airflow.analytics.* takes nothing of the other's.
    assert other.setting("airflow_config.metrics.statsd_prefix") == "airflow.analytics-test"


def test_they_listen_on_loopback_only(side_by_side: Pair) -> None:
    listening = side_by_side.host.machine.call(["ss", "-Hltn"]).stdout.split("\n")[:-1]
    ours = [line.split()[3] for line in listening if re.search(r":8[67]\d\d\b", line)]
    expected = {f"127.0.0.1:{it.port}" for it in side_by_side.both}
    assert set(ours) == expected


def test_a_dag_succeeds_in_each_at_the_same_time(side_by_side: Pair) -> None:
    for name in (ONE, OTHER):
        assert side_by_side.states[name]["tasks"] == {"meet": "success"}
        assert side_by_side.met[name]["instance"] == name
        assert side_by_side.met[name]["user"] == f"airflow-{name}"


def test_a_task_sees_the_declared_connections_and_environment(side_by_side: Pair) -> None:
    for name in (ONE, OTHER):
        met = side_by_side.met[name]
        assert met["odd"] == ODD
        assert met["connections"] == {
            "parts": connections(name)["parts"],
            "url": {
                "conn_type": "postgres",
                "host": "db.example.org",
                "login": name,
                "password": "p@ss:%",
                "schema": name,
                "port": 5433,
                "extra": {"sslmode": "require"},
            },
        }


# What is done to one does nothing to the other.


def test_applying_again_changes_nothing(side_by_side: Pair) -> None:
    done = side_by_side.done["apply again"]
    assert (done.status, done.stdout) == (2, "")
    assert side_by_side.pids["applied again"] == side_by_side.pids["started"]


def test_stopping_one_leaves_the_other(side_by_side: Pair) -> None:
    pair = side_by_side
    assert all(pair.pids["started"].values())
    assert set(pair.of(pair.one, "one stopped").values()) == {0}
    assert pair.of(pair.other, "one stopped") == pair.of(pair.other, "started")
    assert pair.healthy["one stopped"]
    assert "down" in pair.online[ONE]
    assert "online" in pair.online[OTHER]


def test_a_change_of_one_restarts_its_daemons_only(side_by_side: Pair) -> None:
    pair = side_by_side
    before, after = pair.of(pair.one, "other rotated"), pair.of(pair.one, "one set")
    assert all(after[unit] not in (0, pid) for unit, pid in before.items())
    assert pair.of(pair.other, "one set") == pair.of(pair.other, "other rotated")
    assert OTHER not in pair.done["set"].stdout


# Keys.


def test_keys_are_replaced_and_everything_can_be_read(side_by_side: Pair) -> None:
    pair = side_by_side
    assert "encrypted 3 of 3 values anew" in pair.done["rotate one"].stdout
    assert "encrypted 3 of 3 values anew" in pair.done["rotate other"].stdout
    assert pair.values == {name: f"{name}{ODD}\n" for name in (ONE, OTHER)}
    before, after = pair.prints[ONE]
    assert before["fernet_key"] != after["fernet_key"]
    assert before["secret_key"] == after["secret_key"]
    before, after = pair.prints[OTHER]
    assert all(before[purpose] != after[purpose] for purpose in before)
    assert all(re.fullmatch(r"[0-9a-f]{8}", text) for text in after.values())


def test_keys_of_what_runs_are_replaced_with_stop_only(side_by_side: Pair) -> None:
    pair = side_by_side
    assert pair.done["refused"].status == 6
    hint = f"airflow-instance rotate-keys {OTHER} --fernet --stop"
    assert hint in pair.done["refused"].stderr
    before, after = pair.of(pair.other, "one started"), pair.of(pair.other, "other rotated")
    assert all(after[unit] not in (0, pid) for unit, pid in before.items())
    assert pair.of(pair.one, "other rotated") == pair.of(pair.one, "one started")


# Nobody sees what is another's.


def _reach(pair: Pair, user: str, script: str) -> tuple[list[str], list[str]]:
    """The paths that ``script``, as root, names, and those of them that ``user`` reaches."""
    command = f"( {script} ) | runuser -u {user} -- python3 {INSIDE}/reach.py"
    found = json.loads(pair.host.machine.shell(command).stdout)
    return found["asked"], found["reached"]


def _strangers(pair: Pair) -> Iterable[tuple[str, Instance]]:
    """Who tries to look at whom."""
    yield pair.other.user, pair.one
    yield pair.one.user, pair.other
    yield USER, pair.one
    yield USER, pair.other


def test_nobody_reaches_another_s_home(side_by_side: Pair) -> None:
    for user, whose in _strangers(side_by_side):
        asked, reached = _reach(side_by_side, user, f"find {whose.home} -print0")
        assert reached == []
        files = ("airflow.cfg", "connections.yaml", "webserver_config.py", "dags/meet.py")
        assert {f"{whose.home}/{file}" for file in files} <= set(asked)
        assert any(f"{whose.home}/logs/meet/" in path for path in asked)
        # Whose it is reaches all of it: what is tried here is a matter of rights.
        assert _reach(side_by_side, whose.user, f"find {whose.home} -type f -print0")[1]


def test_what_can_be_read_below_etc_holds_no_secret(side_by_side: Pair) -> None:
    machine = side_by_side.host.machine
    find = "find /etc/airflow /etc/systemd/system /var/lib/airflow-instances -type f -print0"
    for user, whose in _strangers(side_by_side):
        _, reached = _reach(side_by_side, user, find)
        own = f"/etc/airflow/environment.d/{whose.name}.env"
        assert own not in reached
        assert not [p for p in reached if "/keys.d/" in p or "/secrets.d/" in p or "rotated" in p]
        assert f"/etc/airflow/instances.d/{whose.name}.yaml" in reached
        text = machine.call(["cat", "--", *reached]).stdout
        assert not [secret for secret in side_by_side.secrets if secret in text]


def test_nobody_reaches_another_s_processes(side_by_side: Pair) -> None:
    for user, whose in _strangers(side_by_side):
        pids = [whose.pid(daemon) for daemon in whose.daemons]
        assert all(pids)
        files = " ".join(
            f"/proc/{pid}/{name}" for pid in pids for name in ("environ", "mem", "fd", "maps")
        )
        asked, reached = _reach(side_by_side, user, f"printf '%s\\0' {files}")
        assert (len(asked), reached) == (4 * len(pids), [])


def test_no_secret_in_a_command_line_or_the_journal(side_by_side: Pair) -> None:
    machine = side_by_side.host.machine
    assert len(side_by_side.secrets) >= 10
    commands = machine.read(COMMANDS)
    assert f"rotate-keys {OTHER} --fernet --secret --stop" in commands
    journal = machine.call(["journalctl", "--output=cat"]).stdout
    assert "airflow" in journal
    for text in (commands, journal):
        assert not [secret for secret in side_by_side.secrets if secret in text]


# Commands.


def test_who_may_not_gets_the_sudo_command(side_by_side: Pair) -> None:
    host = side_by_side.host
    for words in (("stop", ONE), ("apply",), ("rotate-keys", OTHER, "--fernet")):
        done = host.tool(*words, check=False, user=USER)
        assert done.status == 4
        assert done.stderr.endswith(f"; sudo airflow-instance {' '.join(words)}\n")
        assert done.stderr.count("\n") == 1
    command = [f"airflow-{OTHER}", "dags", "list", "--output", "a b"]
    done = host.machine.call(command, user=USER, check=False)
    assert done.status == 4
    hint = f"sudo -u airflow-{OTHER} airflow-{OTHER} dags list --output 'a b'\n"
    assert done.stderr.endswith(hint)
    # One team's user is nobody to the other's instance.
    done = side_by_side.other.as_user(f"airflow-{ONE}", "version", check=False)
    assert done.status == 4
    assert f"sudo -u airflow-{ONE} airflow-{ONE} version" in done.stderr


def test_the_launcher(side_by_side: Pair) -> None:
    """For root and for the service user it is the same Airflow, with the same user."""
    words = ("config", "get-value", "core", "dags_folder")
    for instance in side_by_side.both:
        expected = f"{instance.home}/dags"
        assert instance.airflow(*words).stdout.strip().endswith(expected)
    as_root = side_by_side.host.machine.call([f"airflow-{ONE}", *words]).stdout
    assert as_root.strip().endswith("/srv/airflow-analytics/dags")
    for instance in side_by_side.both:
        exec_ = ("exec", "--program", "sh", instance.name, "--", "-c")
        said = side_by_side.host.tool(*exec_, 'id -un; echo "$AIRFLOW_INSTANCE_NAME"; echo "$ODD"')
        assert said.stdout.splitlines() == [instance.user, instance.name, ODD]


# Declarations that make no sense.


def test_the_corpus_was_tried(side_by_side: Pair) -> None:
    assert set(side_by_side.corpus) == set(EXPECTED)
    assert len(EXPECTED) >= 40
    assert side_by_side.pids["corpus"] == side_by_side.pids["one set"]


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_a_malformed_declaration_changes_nothing(side_by_side: Pair, case: str) -> None:
    result = side_by_side.corpus[case]
    version = side_by_side.one.shown["version"]
    errors = [line for line in result["err"].splitlines() if ": error: " in line]
    assert EXPECTED[case].replace(CORPUS_VERSION, version) in result["err"]
    assert len(errors) == 1, errors
    assert result["status"] in (3, 6, 8)
    assert result["changed"] == []
    assert result["out"] == ""
    assert "Traceback" not in result["err"]
    assert "hunter2" not in result["err"]
