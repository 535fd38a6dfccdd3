"""The life of both packages under a running instance, noted step by step."""

from __future__ import annotations

from dataclasses import dataclass

from tests.host.instances import Host, Instance
from tests.host.lab import APT, Lab
from tests.host.registry import scenario

from airflow_deb.machine import Machine

NAME = "analytics"
DEFAULTS = "/etc/airflow/defaults.yaml"
HOME = f"/srv/airflow-{NAME}"
DROP_IN = f"/etc/systemd/system/airflow-scheduler@{NAME}.service.d"
# What an administrator has beside, in the tool's own places.
FOREIGN = {
    f"{DROP_IN}/50-local.conf": "[Service]\nNice=5\n",
    "/usr/local/bin/airflow-backup": "#!/bin/sh\n",
    "/etc/airflow/environment.d/README": "the site's own\n",
}
# What nobody can make again.
PRECIOUS = (
    f"/etc/airflow/instances.d/{NAME}.yaml",
    f"/etc/airflow/secrets.d/{NAME}.yaml",
    f"/etc/airflow/keys.d/{NAME}.yaml",
    f"/etc/airflow/ports.d/{NAME}.yaml",
    f"{HOME}/airflow.cfg",
    f"{HOME}/dags/quick.py",
)
KEPT = (*PRECIOUS, *FOREIGN)
DATABASE = f"{HOME}/airflow.db"
# What `airflow-instance apply` makes again.
RENDERED = (
    f"/etc/airflow/environment.d/{NAME}.env",
    f"/usr/local/bin/airflow-{NAME}",
    f"{DROP_IN}/10-instance.conf",
)


@dataclass(frozen=True)
class State:
    """The instance between two steps: what runs, what is there, what apt said before."""

    said: str
    pids: dict[str, int]
    kept: tuple[str, ...]
    rendered: tuple[str, ...]
    runs: dict[str, str]
    revision: str
    timers: tuple[str, ...]
    failed: str


Life = dict[str, State]


class Packages:
    """The machine, its two packages and one instance."""

    def __init__(self, lab: Lab) -> None:
        self.machine: Machine = lab.machine("packages", lab.result("pair"))
        self.airflow, self.tool = lab.package, lab.instances_package
        version, modules = lab.artifact.cell.version.name, lab.artifact.site_packages
        self.versions = f"{modules}/airflow/migrations/versions"
        self.metadata = f"{modules}/apache_airflow-{version}.dist-info/METADATA"
        self.host = Host(lab, self.machine)
        self.defaults = self.machine.read(DEFAULTS)
        for path, text in FOREIGN.items():
            self.machine.write(path, text)
        self.team = self._team()
        # What is known of the instance must not need the tool, which may be away.
        self.daemons = self.team.daemons
        self.life: Life = {}

    def _team(self) -> Instance:
        team = self.host.create(NAME)
        self.host.secrets(NAME, secret_key="of-this-test-and-long-enough")  # noqa: S106
        team.tool("apply")
        team.add_dag("quick")
        team.tool("start")
        team.wait_for_web()
        team.run_dag("quick", "first")
        return team

    def apt(self, *words: str) -> str:
        """What apt-get says to ``words``."""
        done = self.machine.shell(f"{APT} {' '.join(words)}", timeout=1800)
        return done.stdout + done.stderr

    def note(self, step: str, said: str) -> None:
        """Write down how things are after ``step``."""
        exists = 'for path; do [ ! -L "$path" ] && [ ! -e "$path" ] || echo "$path"; done'
        there = self.machine.call(["sh", "-euc", exists, "sh", *RENDERED]).stdout.split()
        sql = "SELECT run_id, state FROM dag_run UNION SELECT '', version_num FROM alembic_version"
        rows = dict(line.split("|") for line in self.sql(sql))
        self.life[step] = State(
            said=said,
            pids=self.pids(),
            kept=self._sums(),
            rendered=tuple(there),
            revision=rows.pop(""),
            runs=rows,
            timers=self.timers(),
            failed=self.host.systemctl("--failed", "--no-legend", "--plain").stdout,
        )

    def timers(self) -> tuple[str, ...]:
        """The instance's timers that run."""
        words = (
            "list-units",
            "--no-legend",
            "--plain",
            "--state=active",
            f"airflow-*@{NAME}.timer",
        )
        lines = self.host.systemctl(*words).stdout.splitlines()
        return tuple(sorted(line.split()[0] for line in lines))

    def newer(self, package: str) -> str:
        """A copy of the .deb ``package`` with a higher version."""
        script = """
            dpkg-deb --raw-extract "$1" /root/newer
            sed -i 's/^Version: .*/&+newer/' /root/newer/DEBIAN/control
            dpkg-deb --build /root/newer /root/newer.deb
        """
        self.machine.call(["sh", "-euc", script, "sh", package])
        return "/root/newer.deb"

    def trigger(self) -> str:
        """What is said when an installation has changed, as unpacking it would have."""
        # Files whose inode changed just now are what a new installation is known by.
        script = f"""
            chmod 644 {self.metadata}
            dpkg-trigger --no-await airflow-installation
            dpkg --triggers-only --pending
        """
        done = self.machine.shell(script, timeout=1800)
        return done.stdout + done.stderr

    def before(self, revision: str) -> str:
        """The migration that comes before ``revision``."""
        script = f"""
            cd {self.versions}
            sed -n "s/^down_revision = '\\(.*\\)'/\\1/p" $(grep -l "^revision = '$1'" -- *.py)
        """
        return self.machine.call(["sh", "-euc", script, "sh", revision]).stdout.strip()

    def set_revision(self, revision: str) -> None:
        """Make the database believe that it is at ``revision``."""
        assert revision.isalnum(), revision
        self.sql(f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608

    def running(self, *, since: str = "") -> None:
        """Wait until the instance is as it should be, in other processes than ``since``."""
        before = {0, *(self.life[since].pids.values() if since else ())}

        def ready() -> bool:
            return not before & set(self.pids().values())

        self.host.wait("the daemons to run", ready, words=self.team.words)
        self.team.wait_for_web()

    def stopped(self) -> None:
        """Wait until no daemon runs."""

        def ended() -> bool:
            return set(self.pids().values()) == {0}

        self.host.wait("the daemons to stop", ended, words=self.team.words)

    def pids(self) -> dict[str, int]:
        """The main process of each daemon, 0 for one that does not run."""
        return {daemon: self.team.pid(daemon) for daemon in self.daemons}

    def sql(self, text: str) -> list[str]:
        """Rows of the instance's database, asked as its user; columns with | between."""
        script = (
            "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=300);"
            "[print(*row, sep='|') for row in database.execute(sys.argv[2])]; database.commit()"
        )
        command = ["runuser", "-u", f"airflow-{NAME}", "--", "/usr/bin/python3", "-c", script]
        return self.machine.call([*command, DATABASE, text]).stdout.splitlines()

    def _sums(self) -> tuple[str, ...]:
        sums = self.machine.call(["sha256sum", *KEPT], check=False).stdout
        return tuple(sums.splitlines())


@scenario("pair")
def packages(lab: Lab) -> Life:
    """The life of the packages, noted step by step."""
    this = Packages(lab)
    this.note("started", "")

    said = this.apt("install --reinstall", this.airflow)
    this.running(since="started")
    this.note("airflow upgraded", said)

    said = this.apt("install", this.newer(this.tool))
    this.running()
    this.note("tool upgraded", said)

    head = this.life["started"].revision
    this.set_revision(this.before(head))
    said = this.trigger()
    this.stopped()
    this.note("migration pending", said)
    this.set_revision(head)
    said = this.trigger()
    this.running()
    this.note("migrated", said)

    this.note("airflow removed", this.apt("remove airflow"))
    said = this.apt("install", this.airflow)
    this.running()
    this.note("airflow back", said)

    this.note("tool removed", this.apt("remove airflow-instances"))
    said = this.apt("install", this.tool)
    this.running()
    this.note("tool back", said)

    this.note("both purged", this.apt("purge airflow airflow-instances"))
    said = this.apt("install", this.airflow, this.tool)
    this.note("both back", said)
    # A configuration file of the package, which goes with it.
    this.machine.write(DEFAULTS, this.defaults)
    this.team.tool("apply")
    this.team.tool("start")
    this.running()
    this.team.run_dag("quick", "last")
    this.note("started again", "")
    lab.retire(this.machine)
    return this.life
