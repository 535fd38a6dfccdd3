"""A machine with one instance on each kind of database; shared by two files of tests.

Every statement that reaches a server and every word of a client's command line is
written down, to look for the passwords in.
"""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.host.instances import Host, Instance
from tests.host.lab import INSIDE, PYTHON, Lab
from tests.host.registry import scenario

from airflow_deb.machine import Machine
from airflow_deb.run import Result

# In whatever form a program writes it down, the beginning stays as it is.
MARK = "hunter2xyzzy"
PASSWORD = MARK + "@ / : % ' \" \\ é $HOME `id` %(x)s # %{name}"
KINDS = {"lite": "sqlite", "post": "postgresql", "maria-db": "mysql"}
SETTING = "/etc/mysql/mariadb.conf.d/99-airflow.cnf"
WORDS = "/var/log/words"
SERVERS = ("post", "maria-db")
# What may stay behind: logs say what was tried, and systemd remembers its timers.
_LEFT = """
    find / -xdev -name '*doomed*' ! -path '/proc/*' ! -path '/var/log/*' ! -path '/run/*' \
        ! -path '/var/lib/systemd/timers/*'
"""
# Everything that was ever written down: the servers' logs have every statement.
_LOGS = """
    journalctl --no-pager --output=cat > /root/journal
    mariadb -N -e 'SELECT CONCAT(@@datadir, @@general_log_file)' > /root/name
    cp "$(cat /root/name)" /root/general
    cat /var/log/postgresql/*.log > /root/statements
"""
_STRANGER = """
    echo "CREATE ROLE stranger LOGIN PASSWORD 'x'" | runuser -u postgres -- psql -Xq
    PGPASSWORD=x /usr/bin/psql -X -h 127.0.0.1 -U stranger -d post -c 'SELECT 1' 2>&1 || true
    echo "DROP ROLE stranger" | runuser -u postgres -- psql -Xq
"""
_BY_HAND = {
    "post": "echo \"ALTER ROLE airflow_post PASSWORD 'x'\" | runuser -u postgres -- psql -Xq",
    "maria-db": "mariadb -e \"ALTER USER airflow_maria_db@localhost IDENTIFIED BY 'x'\"",
}
# An Airflow that spoils what it is to migrate, and fails.
BROKEN = "/opt/broken"

_WRAPPER = """\
#!/bin/sh
printf '%s\\n' "{name} $*" >> {words}
exec /usr/bin/{name} "$@"
"""
_BROKEN = """\
#!/bin/sh
mkdir -p "$AIRFLOW_HOME/logs/scheduler"
touch "$AIRFLOW_HOME/logs/scheduler/begun"
{python} {inside}/sql.py "$AIRFLOW_HOME/airflow.cfg" "DROP TABLE variable" || true
echo "something is broken"
exit 1
"""


@dataclass
class Databases:
    """The machine, its instances by name, and what was seen while they were made."""

    host: Host
    teams: dict[str, Instance]
    refused: Result
    created: dict[str, Result] = field(default_factory=dict)

    @property
    def machine(self) -> Machine:
        return self.host.machine

    def query(self, name: str, sql: str) -> list[list[object]]:
        """What the database of an instance says, asked as the instance."""
        team = self.teams[name] if name in self.teams else self.host.instance(name)
        words = (PYTHON, f"{INSIDE}/sql.py", f"{team.home}/airflow.cfg", sql)
        found: list[list[object]] = json.loads(team.as_user(*words).stdout)
        return found

    def tables(self, name: str, kind: str = "") -> set[str]:
        """The tables in the database of an instance, which is of ``kind`` or as in KINDS."""
        sql = "SELECT table_name FROM information_schema.tables"
        if (kind or KINDS[name]) == "sqlite":
            sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return {str(row[0]) for row in self.query(name, sql)}

    def servers(self) -> str:
        """Users, databases and rights of both servers."""
        script = """
            runuser -u postgres -- psql -XAt -c 'SELECT datname, datdba, datacl FROM pg_database
                ORDER BY 1' -c 'SELECT rolname, rolpassword FROM pg_authid ORDER BY 1'
            mariadb -N -e 'SELECT User, Host, authentication_string FROM mysql.user ORDER BY 1, 2;
                SELECT * FROM mysql.db ORDER BY 1, 2, 3; SHOW DATABASES'
        """
        return self.machine.shell(script).stdout


@scenario("instances")
def databases(lab: Lab) -> Databases:
    """One instance on each kind of database."""
    host = Host(lab, lab.machine("databases", lab.result("instances")))
    machine = host.machine
    host.systemctl("start", "postgresql", "mariadb")
    refused = host.tool("create", "maria-db", "--db", "mysql", check=False)
    machine.write(SETTING, "[mysqld]\nexplicit_defaults_for_timestamp = 1\ngeneral_log = 1\n")
    host.systemctl("restart", "mariadb")
    script = """
        echo "ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf();" |
            runuser -u postgres -- psql -Xq
    """
    machine.shell(script)
    for place, names in (
        ("/usr/sbin", ("psql", "mariadb")),  # before /usr/bin, for root
        ("/usr/local/bin", ("pg_dump", "pg_restore", "psql", "mariadb", "mariadb-dump")),
    ):
        for name in names:
            text = _WRAPPER.format(name=name, words=WORDS)
            machine.write(f"{place}/{name}", text, mode="755")
    machine.write(WORDS, "", mode="666")
    broken = _BROKEN.format(python=PYTHON, inside=INSIDE)
    machine.write(f"{BROKEN}/bin/airflow", broken, mode="755")
    machine.write(f"{BROKEN}/bin/python", f'#!/bin/sh\nexec {PYTHON} "$@"\n', mode="755")
    machine.call(["ln", "-s", "/usr/lib/airflow/lib", f"{BROKEN}/lib"])
    for name in ("post", "maria-db"):
        host.secrets(name, db_password=PASSWORD)
    found = Databases(host, {name: host.instance(name) for name in KINDS}, refused)

    def create(name: str) -> Result:
        return host.tool("create", name, "--db", KINDS[name])

    with ThreadPoolExecutor() as pool:
        found.created = dict(zip(KINDS, pool.map(create, KINDS), strict=True))
    return found


@dataclass
class Attempts:
    """What was tried on the machine, one after the other, and what came of it."""

    databases: Databases
    tables: dict[str, set[str]] = field(default_factory=dict)
    check: dict[str, Result] = field(default_factory=dict)
    again: dict[str, Result] = field(default_factory=dict)
    marked: list[str] = field(default_factory=list)
    readable: dict[str, list[str]] = field(default_factory=dict)
    stranger: str = ""
    neighbours: list[list[object]] = field(default_factory=list)
    letters: list[list[object]] = field(default_factory=list)
    mended: dict[str, tuple[str, list[list[object]]]] = field(default_factory=dict)
    doomed: dict[str, Result] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    users: dict[str, bool] = field(default_factory=dict)
    # All that the servers have, by when it was asked.
    servers: dict[str, str] = field(default_factory=dict)


@scenario("databases")
def attempts(lab: Lab) -> Attempts:
    """The instances looked at, disturbed, and joined by some that cannot be made."""
    base: Databases = lab.result("databases")
    seen, machine = Attempts(base), base.machine
    for name in KINDS:
        seen.tables[name] = base.tables(name)
        script = f"grep -rl {MARK} /etc /srv /var /run /tmp 2> /dev/null || true"
        seen.readable[name] = base.teams[name].as_user("sh", "-c", script).stdout.split()
    for name in SERVERS:
        seen.check[name] = base.teams[name].airflow("db", "check", check=False)
    seen.servers["created"] = base.servers()
    seen.again["created"] = base.host.tool("apply", "--detailed-exitcode", check=False)
    seen.servers["applied"] = base.servers()
    seen.stranger = machine.shell(_STRANGER).stdout
    machine.shell("mariadb -e 'CREATE DATABASE mariaXdb; CREATE TABLE mariaXdb.t (x INT)'")
    sql = "SELECT table_schema FROM information_schema.tables WHERE table_name = 't'"
    seen.neighbours = base.query("maria-db", sql)
    machine.shell("mariadb -e 'DROP DATABASE mariaXdb'")
    seen.letters = _letters(base)
    for name, script in _BY_HAND.items():
        machine.shell(script)
        said = base.host.tool("apply", name).stdout
        seen.mended[name] = (said, base.query(name, "SELECT 1"))
        seen.again[name] = base.host.tool("apply", "--detailed-exitcode", check=False)
    seen.servers["mended"] = base.servers()
    for kind in ("sqlite", "postgresql", "mysql"):
        words = ("create", "doomed", "--db", kind, "--installation", BROKEN)
        seen.doomed[kind] = base.host.tool(*words, check=False)
        seen.left[kind] = machine.shell(_LEFT).stdout
        found = machine.call(["getent", "passwd", "airflow-doomed"], check=False)
        seen.users[kind] = found.status == 0
    seen.servers["doomed"] = base.servers()
    machine.shell(_LOGS)
    logs = ("/root/journal", "/root/general", "/root/statements", WORDS)
    found = machine.call(["grep", "-l", MARK, *logs], check=False)
    seen.marked = found.stdout.split()
    return seen


def _letters(base: Databases) -> list[list[object]]:
    for word in ("case", "CASE"):
        sql = f"INSERT INTO slot_pool (pool, slots) VALUES ('{word}', 1)"  # noqa: S608
        base.query("maria-db", sql)
    found = base.query("maria-db", "SELECT pool FROM slot_pool WHERE pool = 'case'")
    base.query("maria-db", "DELETE FROM slot_pool WHERE slots = 1")
    return found


def at_once(machine: Machine, script: str) -> None:
    """Start a script of the machine's shell and leave it to itself."""
    machine.shell(f"setsid sh -c {shlex.quote(script)} > /dev/null 2>&1 < /dev/null &")
