"""An instance with a history, and what is seen of it as its Airflow becomes another."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.host.instances import Host, Instance
from tests.host.lab import PYTHON
from tests.host.site import DEADLINE
from tests.upgrade.lab import UpgradeLab

from airflow_deb.run import Result

NAME = "analytics"
DAG = "history"
# A connection and a variable, which Airflow encrypts in its database.
PASSWORD, TREASURE = "c0nnected", "buried"
TREASURES = {"ledger": [True, PASSWORD], "treasure": [True, TREASURE]}
# Refuses the last step of a migration, when all others are done.
_BREAK = """
SET ROLE airflow_analytics;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON alembic_version FOR EACH ROW
  WHEN (NEW.version_num = '{head}') EXECUTE FUNCTION refuse();
"""
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Seen:
    """The instance at a moment: who runs, what its database is and has.

    ``units`` are the states of its daemons, ``failed`` units that systemd has given up;
    ``said`` and ``status`` are of the command before.
    """

    said: str
    status: int
    units: dict[str, str]
    revision: str
    runs: dict[str, str]
    treasures: dict[str, list[Any]]
    failed: str
    check: str
    config: str
    extra: dict[str, Result] = field(default_factory=dict)

    @property
    def running(self) -> list[str]:
        """The daemons that run."""
        return sorted(name for name, state in self.units.items() if state == "active")


class History:
    """A machine with one instance on PostgreSQL, with LocalExecutor."""

    def __init__(self, lab: UpgradeLab, name: str, layers: tuple[Path, ...]) -> None:
        self.machine = lab.machine(name, layers)
        for place in ("inside", "dags"):
            for path in sorted((_HERE / place).glob("*.py")):
                self.machine.write(f"/opt/upgrade/{path.name}", path.read_text("utf-8"))
        self.machine.call(["systemctl", "start", "postgresql"])
        self.host = Host(lab, self.machine)
        self.seen: dict[str, Seen] = {}

    def begin(self) -> None:
        """Make the instance, its treasures, and a run of its DAG."""
        team = self.host.create(NAME, "--db", "postgresql")
        team.airflow(
            *("connections", "add", "ledger", "--conn-type", "http", "--conn-host", "localhost"),
            *("--conn-password", PASSWORD),
        )
        team.airflow("variables", "set", "treasure", TREASURE)
        team.add_dag(DAG, self.machine.read("/opt/upgrade/history.py"))
        team.tool("start")
        self.well()
        self.run("first")

    @property
    def team(self) -> Instance:
        """The instance, as its Airflow is now."""
        return self.host.instance(NAME)

    def shell(self, command: str) -> Result:
        """Run what apt is told, to its end."""
        script = f"export DEBIAN_FRONTEND=noninteractive; {command}"
        return self.machine.shell(script, check=False, timeout=3600)

    def tool(self, *words: str) -> Result:
        """``airflow-instance WORDS``, whatever its status."""
        return self.host.tool(*words, check=False)

    def sql(self, text: str) -> str:
        """Run SQL in the instance's database as the server's administrator."""
        command = ["runuser", "-u", "postgres", "--", "psql", "-At", "-v", "ON_ERROR_STOP=1"]
        return self.machine.call([*command, "-c", text, NAME]).stdout.strip()

    def refuse(self, head: str) -> None:
        """Have the migration that would end with the revision ``head`` fail at its very end."""
        self.sql(_BREAK.format(head=head))

    def allow(self) -> None:
        """Have it succeed again."""
        self.sql("DROP TRIGGER refuse ON alembic_version; DROP FUNCTION refuse")

    def well(self) -> None:
        """Wait until a check has nothing to say: units, heartbeats, web server, database."""
        end = time.monotonic() + DEADLINE
        while (done := self.tool("check", NAME)).status != 0:
            # What is held waits for a person.
            held = "held" in self.tool("ls", "--no-header").stdout
            if held or time.monotonic() > end:
                raise AssertionError(f"not well: {done.stdout}\n{self.team.words()}")
            time.sleep(2)

    def still(self) -> None:
        """Wait until no daemon runs."""
        self.host.wait(
            "the daemons to stop",
            lambda: set(self.units().values()) <= {"inactive", "failed"},
            words=self.team.words,
        )

    def units(self) -> dict[str, str]:
        """The state of each daemon's unit that systemd has loaded or that is to run."""
        pattern = f"airflow-*@{NAME}.service"
        words = ["list-units", "--all", "--plain", "--no-legend", pattern]
        found = {}
        for line in self.host.systemctl(*words).stdout.splitlines():
            unit, _, active = line.split()[:3]
            daemon = unit[len("airflow-") :].partition("@")[0]
            if daemon not in ("backup", "clean-logs", "watchdog"):
                found[daemon] = active
        return found

    def note(self, step: str, done: Result | None = None, **extra: Result) -> Seen:
        """Write down how things are after ``done``."""
        home = f"/srv/airflow-{NAME}"
        states = f"SELECT run_id || '=' || state FROM dag_run WHERE dag_id = '{DAG}'"  # noqa: S608
        words = [PYTHON, "/opt/upgrade/treasures.py", f"{home}/airflow.cfg"]
        treasures = self.machine.call(["runuser", "-u", f"airflow-{NAME}", "--", *words]).stdout
        check = self.tool("check", NAME)
        self.seen[step] = Seen(
            said=(done.stdout + done.stderr) if done else "",
            status=done.status if done else 0,
            units=self.units(),
            revision=self.sql("SELECT version_num FROM alembic_version"),
            runs=dict(line.split("=") for line in self.sql(states).splitlines()),
            treasures=json.loads(treasures),
            failed=self.host.systemctl("--failed", "--no-legend", "--plain").stdout,
            check=f"{check.status} {check.stdout}",
            config=self.machine.read(f"{home}/airflow.cfg"),
            extra=extra,
        )
        return self.seen[step]

    def run(self, name: str) -> None:
        """Have the DAG run to success."""
        team = self.team
        state = team.run_dag(DAG, name)["runs"][name]
        assert state == "success", f"the run {name} {state}\n{team.words()}"

    def upgrade(self, step: str, command: str) -> Seen:
        """Run ``command``, wait until what it stops is stopped, and look."""
        done = self.shell(command)
        assert done.status == 0, done.stdout + done.stderr
        self.still()
        looked = {
            "ls": self.tool("ls"),
            "start": self.tool("start", NAME),
            "preview": self.tool("migrate", "--dry-run", NAME),
        }
        return self.note(step, done, **looked)

    def migrate(self, step: str, run: str) -> Seen:
        """Migrate, wait until all is well, and have another run of the DAG."""
        done = self.tool("migrate", NAME)
        assert done.status == 0, done.stdout + done.stderr + self.log()
        self.well()
        self.run(run)
        return self.note(step, done)

    def log(self) -> str:
        """The end of what Airflow printed of its migration."""
        path = f"/var/log/airflow-instances/{NAME}-migrate.log"
        return self.machine.call(["tail", "-n", "60", path], check=False).stdout


def wanted_head(seen: Seen) -> str:
    """The revision of Airflow that a migration would end with."""
    # Airflow's own is before those of its providers.
    return seen.extra["preview"].stdout.split(" to ")[1].split()[0].rstrip(",")


def printed(said: str) -> list[str]:
    """The command for restoring that was printed."""
    found = re.findall(rf"airflow-instance (restore {NAME} \d{{8}}T\d{{6}}Z(?:-\d+)?)", said)
    assert found, said
    return str(found[-1]).split()
