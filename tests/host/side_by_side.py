"""A working day of two instances on one host, for test_side_by_side.py.

`analytics` on PostgreSQL and `analytics-test` on MariaDB are made and started with the
tool's own commands only.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.host.instances import Host, Instance
from tests.host.lab import INSIDE, Lab
from tests.host.registry import scenario

from airflow_deb.run import Result

CORPUS = Path(__file__).parent.parent / "instance" / "corpus"
ONE, OTHER = "analytics", "analytics-test"
MEETING = "/srv/meeting"
COMMANDS = "/root/commands"
# MariaDB before 10.10 has it off, which Airflow cannot work with.
MARIADB = "[mysqld]\nexplicit_defaults_for_timestamp = 1\n"

ODD = 'say "hi" to $USER `id` \\ 100% of ü, #1'
PASSWORDS = {ONE: "p@ss:w/rd %41 \"q\" 's' $HOME `x` \\ ü€ #1", OTHER: "0ther%(p)s@&=;!{}[]~^|<>?*"}


def connections(name: str) -> dict[str, Any]:
    """What each instance declares: the same names, other values."""
    return {
        "parts": {
            "conn_type": "http",
            "host": f"{name}.example.org",
            "login": f"{name}@home",
            "password": PASSWORDS[name],
            "schema": "https",
            "port": 8443,
            "extra": {"odd": ODD, "of": name, "deep": {"er": [1, True, None]}},
        },
        "url": f"postgres://{name}:p%40ss%3A%25@db.example.org:5433/{name}?sslmode=require",
    }


@dataclass
class Pair:
    """The machine as it was left, and what was seen."""

    host: Host
    one: Instance
    other: Instance
    # After each step: the processes of each daemon, by unit.
    pids: dict[str, dict[str, int]] = field(default_factory=dict)
    done: dict[str, Result] = field(default_factory=dict)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    met: dict[str, dict[str, Any]] = field(default_factory=dict)
    healthy: dict[str, bool] = field(default_factory=dict)
    online: dict[str, list[str]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    prints: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    corpus: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)

    @property
    def both(self) -> tuple[Instance, Instance]:
        return self.one, self.other

    def remember(self, step: str) -> None:
        """The process of each daemon now."""
        self.pids[step] = {
            instance.unit(daemon): instance.pid(daemon)
            for instance in self.both
            for daemon in instance.daemons
        }

    def of(self, instance: Instance, step: str) -> dict[str, int]:
        """The processes of one instance after ``step``."""
        return {unit: pid for unit, pid in self.pids[step].items() if unit in instance.units}

    def learn(self) -> None:
        """Every secret that there is now: keys, passwords of the database and of connections."""
        for name in (ONE, OTHER):
            text = self.host.machine.read(f"/etc/airflow/keys.d/{name}.yaml")
            self.secrets |= {
                part
                for line in re.findall(r'^\w+: "?([^"\n]+)', text, re.M)
                for part in line.split(",")
            }
            password = PASSWORDS[name]
            # As it is, and as a URL, JSON, airflow.cfg and a unit would have it.
            self.secrets |= {password, quote(password, safe=""), json.dumps(password)[1:-1]}
            self.secrets |= {password.replace("%", "%%"), quote(password)}


def both(work: Callable[[Instance], Any], pair: Pair) -> dict[str, Any]:
    """Do ``work`` for both instances at the same time."""
    with ThreadPoolExecutor(2) as pool:
        names = [instance.name for instance in pair.both]
        return dict(zip(names, pool.map(work, pair.both), strict=True))


@scenario("instances")
def side_by_side(lab: Lab) -> Pair:
    """Two instances through a working day."""
    machine = lab.machine("side-by-side", lab.result("instances"))
    machine.write("/etc/mysql/mariadb.conf.d/99-airflow.cnf", MARIADB)
    machine.call(["systemctl", "start", "postgresql", "mariadb"])
    machine.call(["install", "-d", "-m", "1777", MEETING])
    host = Host(lab, machine)
    host.defaults(airflow_config=lab.expected["instances"]["airflow_config"], create_user=True)
    # The corpus speaks of it. It is never started.
    host.create("healthy", "--no-migrate")
    pair = Pair(host, host.instance(ONE), host.instance(OTHER))
    kinds = {ONE: "postgresql", OTHER: "mysql"}
    extra = {"ODD": ODD, "MEETING": MEETING, "CONNECTIONS": "parts url"}
    for instance in pair.both:
        host.secrets(instance.name, connections=connections(instance.name))
    # From here on: the tests' own way of writing files is by command line.
    watch = ["python3", f"{INSIDE}/watch_commands.py", COMMANDS]
    machine.call(["systemd-run", "--quiet", "--unit=watch-commands", *watch])
    words = [f"environment_extra.{key}={value}" for key, value in extra.items()]
    words += ["statsd_monitoring_enabled=true"]
    sets = [word for pair_of in words for word in ("--set", pair_of)]
    both(lambda it: host.create(it.name, "--db", kinds[it.name], *sets), pair)
    for instance in pair.both:
        instance.add_dag("meet")
    both(lambda it: it.tool("start"), pair)
    pair.remember("started")
    pair.learn()
    # In the database, not in the declaration: its password and its extra are encrypted.
    uri = "http://me:unlisted@example.org/?some=extra"
    both(lambda it: it.airflow("connections", "add", "kept", f"--conn-uri={uri}"), pair)
    _meet(pair)
    pair.done["apply again"] = host.tool("apply", "--detailed-exitcode", check=False)
    pair.remember("applied again")
    _stop_one(pair)
    _rotate(pair)
    pair.done["set"] = pair.one.tool("set", "airflow_config.core.parallelism=7", "--apply")
    pair.remember("one set")
    pair.corpus = _corpus(host)
    pair.remember("corpus")
    pair.learn()
    machine.call(["systemctl", "stop", "watch-commands"])
    return pair


def _meet(pair: Pair) -> None:
    """A run in each, of which neither ends before the other has begun."""
    pair.states = both(lambda it: it.run_dag("meet"), pair)
    for instance in pair.both:
        pair.met[instance.name] = json.loads(pair.host.machine.read(f"{instance.home}/meet.json"))


def _stop_one(pair: Pair) -> None:
    """The one whose name is the beginning of the other's is stopped."""
    pair.one.tool("stop")
    pair.remember("one stopped")
    pair.healthy["one stopped"] = pair.other.healthy()
    rows = pair.host.ls()
    pair.online = {name: row["status"] for name, row in rows.items()}


def _rotate(pair: Pair) -> None:
    """Keys are replaced: of the one that is stopped, and of the other, which runs."""
    pair.prints = {it.name: [fingerprints(it)] for it in pair.both}
    pair.done["rotate one"] = pair.one.tool("rotate-keys", "--fernet")
    pair.done["start one"] = pair.one.tool("start")
    pair.remember("one started")
    pair.done["refused"] = pair.other.tool("rotate-keys", "--fernet", check=False)
    pair.done["rotate other"] = pair.other.tool("rotate-keys", "--fernet", "--secret", "--stop")
    pair.remember("other rotated")
    for instance in pair.both:
        pair.prints[instance.name].append(fingerprints(instance))
    pair.values = both(lambda it: it.airflow("variables", "get", "met").stdout, pair)


def fingerprints(instance: Instance) -> dict[str, str]:
    found: dict[str, str] = json.loads(instance.tool("show", "--fingerprints", "--json").stdout)
    return found


def _corpus(host: Host) -> dict[str, dict[str, Any]]:
    """What applying each malformed declaration said and changed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file in sorted(CORPUS.glob("*.yaml")):
            archive.add(file, file.name)
    host.machine.write("/root/corpus", base64.b64encode(buffer.getvalue()).decode())
    script = "mkdir /root/cases; base64 -d /root/corpus | tar -C /root/cases -xzf -"
    host.machine.shell(script)
    # As in the tests that the corpus is from: each file is wrong at one point only.
    defaults = host.machine.read("/etc/airflow/defaults.yaml")
    host.defaults(create_user=True)
    try:
        command = ["python3", f"{INSIDE}/apply_corpus.py", "/root/cases"]
        done = host.machine.call(command, timeout=900)
    finally:
        host.machine.write("/etc/airflow/defaults.yaml", defaults)
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found
