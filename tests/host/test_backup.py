"""Backups and migrations on real servers: what was there comes back, whatever happens."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.host.databases import BROKEN, KINDS, MARK, Databases, at_once
from tests.host.lab import Lab
from tests.host.registry import scenario

from airflow_deb.run import Result

SECRET = "s3cret: é"  # noqa: S105 - made up
PLACE = "/var/backups/airflow-instances"


@dataclass
class Seen:
    """What became of each instance; by its name."""

    databases: Databases
    replayable: str
    stamp: dict[str, str] = field(default_factory=dict)
    head: dict[str, str] = field(default_factory=dict)
    damaged: dict[str, set[str]] = field(default_factory=dict)
    restored: dict[str, Result] = field(default_factory=dict)
    connection: dict[str, Any] = field(default_factory=dict)
    copied: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    migrated: dict[str, Result] = field(default_factory=dict)
    failed: dict[str, Result] = field(default_factory=dict)
    after: dict[str, tuple[str, set[str]]] = field(default_factory=dict)

    def revision(self, name: str) -> str:
        ((found,),) = self.databases.query(name, "SELECT version_num FROM alembic_version")
        return str(found)

    def set_revision(self, name: str, revision: str) -> None:
        sql = f"UPDATE alembic_version SET version_num = '{revision}'"  # noqa: S608 - our own
        self.databases.query(name, sql)

    def read_connection(self, name: str) -> Any:
        """The encrypted connection as Airflow reads it."""
        team = self.databases.host.instance(name)
        said = team.airflow("connections", "get", "secret", "--output=json").stdout
        return json.loads(said[said.index("[{") :])[0]


@scenario("databases", "attempts")
def recovered(lab: Lab) -> Seen:
    """Every instance damaged and restored, copied, and migrated with and without success."""
    base: Databases = lab.result("databases")
    lab.result("attempts")  # which compares what is on the servers, too
    seen = Seen(base, lab.expected["replayable"])
    for name in KINDS:
        _restore(seen, name)
        _copy(seen, name)
        _migrate(seen, name)
    return seen


def _restore(seen: Seen, name: str) -> None:
    base, team = seen.databases, seen.databases.teams[name]
    words = ("--conn-type=http", "--conn-host=h", "--conn-login=u", f"--conn-password={SECRET}")
    team.airflow("connections", "add", "secret", *words)
    seen.head[name] = seen.revision(name)
    base.host.tool("backup", name)
    (backup,) = json.loads(base.host.tool("backup", "--list", name, "--json").stdout)
    seen.stamp[name] = backup["stamp"]
    for table in ("connection", "xcom"):
        base.query(name, f"DROP TABLE {table}")
    seen.damaged[name] = base.tables(name)
    seen.restored[name] = base.host.tool("restore", name)
    seen.connection[name] = seen.read_connection(name)


def _copy(seen: Seen, name: str) -> None:
    """A copy, and then nothing of it any more."""
    base = seen.databases
    before = base.servers()
    base.host.tool("restore", name, seen.stamp[name], "--as", "copy")
    seen.copied[name] = seen.read_connection("copy")
    words = ("--delete-database", "--delete-logs", "--delete-home", "--delete-user", "--yes")
    base.machine.write("/srv/airflow-copy/roots-own", "")
    refused = base.host.tool("drop", "copy", *words, check=False)
    assert (refused.status, base.tables("copy", KINDS[name]) >= {"dag"}) == (6, True), refused
    base.machine.call(["rm", "/srv/airflow-copy/roots-own"])
    base.host.tool("drop", "copy", *words)
    script = """
        find / -xdev -name '*copy*' -newer /etc/airflow ! -path '/var/backups/*' \
            ! -path '/var/log/*' ! -path '/var/lib/airflow-instances/*' ! -path '/run/*' \
            ! -path '/usr/lib/*' ! -path '/var/cache/*' ! -path '/var/lib/systemd/timers/*'
        getent passwd airflow-copy || true
    """
    left = base.machine.shell(script).stdout
    seen.dropped[name] = left if base.servers() == before else f"{left}something on a server"


def _migrate(seen: Seen, name: str) -> None:
    """Once with an Airflow that spoils the database, once with the real one."""
    base = seen.databases
    seen.set_revision(name, seen.replayable)
    base.host.tool("set", name, f"installation={BROKEN}", "--apply")
    seen.failed[name] = base.host.tool("migrate", name, check=False)
    seen.after[name] = (seen.revision(name), base.tables(name))
    base.host.tool("set", name, "installation", "--unset", "--apply")
    seen.migrated[name] = base.host.tool("migrate", name)


@pytest.mark.parametrize("name", KINDS)
def test_what_was_lost_comes_back(recovered: Seen, name: str) -> None:
    """Tables that were dropped, and a password that only the fernet key opens."""
    assert not {"connection", "xcom"} & recovered.damaged[name]
    assert recovered.connection[name]["password"] == SECRET
    assert recovered.connection[name]["is_encrypted"] == "True"
    assert "what is there now is kept as" in recovered.restored[name].stdout


@pytest.mark.parametrize("name", KINDS)
def test_a_copy_reads_the_same_connection(recovered: Seen, name: str) -> None:
    assert recovered.copied[name]["password"] == SECRET


@pytest.mark.parametrize("name", KINDS)
def test_dropping_all_of_the_copy_leaves_nothing(recovered: Seen, name: str) -> None:
    assert recovered.dropped[name] == ""


@pytest.mark.parametrize("name", KINDS)
def test_a_failing_migration_is_taken_back(recovered: Seen, name: str) -> None:
    """Revision and tables are what they were; the message has the command to restore."""
    done = recovered.failed[name]
    assert done.status == 7
    assert "something is broken; the database was put back as it was" in done.stderr
    assert f"airflow-instance restore {name} 2" in done.stderr
    revision, tables = recovered.after[name]
    assert revision == recovered.replayable
    assert {"variable", "connection", "xcom"} <= tables


@pytest.mark.parametrize("name", KINDS)
def test_a_migration_that_works(recovered: Seen, name: str) -> None:
    assert "backed up as" in recovered.migrated[name].stdout
    assert recovered.revision(name) == recovered.head[name]
    assert recovered.databases.host.tool("migrate", name, check=False).status == 2


def test_a_running_instance_is_migrated_only_when_told(recovered: Seen) -> None:
    """And runs again afterwards; what did not run still does not."""
    team = recovered.databases.teams["post"]
    team.tool("start", "--daemon", "scheduler")
    recovered.set_revision("post", recovered.replayable)
    for verb in ("migrate", "restore", "drop"):
        refused = team.tool(verb, check=False)
        assert refused.status == 6, refused
        assert f"airflow-instance {verb} --stop post" in refused.stderr
    before = team.pid("scheduler")
    team.tool("migrate", "--stop")
    assert recovered.revision("post") == recovered.head["post"]
    assert team.active("scheduler")
    assert team.pid("scheduler") not in (0, before)
    assert not team.active("webserver")
    team.tool("stop")


def test_an_interrupted_backup_is_none(recovered: Seen) -> None:
    """Killed in the middle of the dump: not listed, not restored, gone with the next one."""
    machine = recovered.databases.machine
    listed = ("backup", "--list", "post", "--json")
    before = json.loads(recovered.databases.host.tool(*listed).stdout)
    hanging = "#!/bin/sh\necho PGDMP\ntouch /tmp/dumping\nexec sleep 1000\n"
    kept = machine.read("/usr/local/bin/pg_dump")
    machine.write("/usr/local/bin/pg_dump", hanging, mode="755")
    at_once(machine, "exec airflow-instance backup post")
    machine.shell("until [ -e /tmp/dumping ]; do sleep 0.1; done")
    machine.shell("pkill -KILL -f '[a]irflow-instance backup post'; pkill -KILL -f '[s]leep 1000'")
    machine.write("/usr/local/bin/pg_dump", kept, mode="755")
    broken = machine.shell(
        f"cd {PLACE}/post; for d in *; do [ -e $d/MANIFEST ] || echo $d; done"
    ).stdout.split()
    assert len(broken) == 1
    assert json.loads(recovered.databases.host.tool(*listed).stdout) == before
    refused = recovered.databases.host.tool("restore", "post", broken[0], check=False)
    assert "is not complete" in refused.stderr
    recovered.databases.host.tool("backup", "post")
    assert machine.call(["test", "-e", f"{PLACE}/post/{broken[0]}"], check=False).status != 0


@pytest.mark.parametrize("name", KINDS)
def test_the_nightly_backup(recovered: Seen, name: str) -> None:
    """The hardened service can do it; old ones go, the timer waits for the night."""
    base = recovered.databases
    base.host.tool("set", name, "backup_daily=true", "--apply")
    old = f"{PLACE}/{name}/20200101T000000Z"
    script = f"""
        cp -a {PLACE}/{name}/$(ls {PLACE}/{name} | head -n 1) {old}
        sed -i 's/"made": [0-9.]*/"made": 1577836800.0/' {old}/MANIFEST
    """
    base.machine.shell(script)
    count = len(json.loads(base.host.tool("backup", "--list", name, "--json").stdout))
    base.host.systemctl("start", f"airflow-backup@{name}.service")
    assert base.host.property(f"airflow-backup@{name}.service", "Result") == "success"
    assert base.host.property(f"airflow-backup@{name}.timer", "ActiveState") == "active"
    rows = json.loads(base.host.tool("backup", "--list", name, "--json").stdout)
    assert len(rows) == count  # one more, one less
    assert base.machine.call(["test", "-e", old], check=False).status != 0
    base.host.tool("set", name, "backup_daily", "--unset", "--apply")
    assert base.host.property(f"airflow-backup@{name}.timer", "ActiveState") == "inactive"


def test_nobody_else_reads_a_backup(recovered: Seen) -> None:
    """They hold the keys beside what these open; the password is in no other file of them."""
    machine = recovered.databases.machine
    modes = machine.shell(f"find {PLACE} -printf '%m %U\\n' | sort -u").stdout.split("\n")[:-1]
    assert modes == ["600 0", "700 0"]
    script = f"grep -rl {MARK} {PLACE}"
    found = {path.rpartition("/")[2] for path in machine.shell(script).stdout.split()}
    assert found == {"secrets.yaml"}


def test_moved_along_with_its_name(recovered: Seen) -> None:
    """A home that is renamed with its instance; DAGs and database are where it looks."""
    base = recovered.databases
    base.host.tool("rename", "lite", "light", "--move-home")
    assert base.machine.call(["test", "-e", "/srv/airflow-lite"], check=False).status != 0
    assert base.query("light", "SELECT COUNT(*) FROM connection") == [[1]]
    base.host.tool("rename", "light", "lite", "--move-home")
    assert base.host.tool("apply", "--detailed-exitcode", check=False).status == 2
