"""The good and bad times of an instance, for test_health.py: what is done, and what was seen."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.host.instances import Host, Instance
from tests.host.lab import INSIDE, USER
from tests.host.web import ask

from airflow_deb.run import Result

NAME, OTHER = "analytics", "analytics-test"
STRIKES = 3
EXAMPLES = Path(__file__).parents[2] / "scripts/examples/prometheus"
PROMETHEUS = "http://127.0.0.1:9090"
STATSD = 9125
# Plugins' statuses.
OK, WARNING, CRITICAL, UNKNOWN = range(4)

# A heartbeat of another host, younger than any of ours can be.
_ELSEWHERE = """
INSERT INTO job (state, job_type, start_date, latest_heartbeat, hostname, unixname)
VALUES ('running', 'SchedulerJob', now(), now() + interval '1 hour', 'elsewhere', 'x');
"""
_NOWHERE = "DELETE FROM job WHERE hostname = 'elsewhere';"


@dataclass
class Seen:
    """What was seen, by the name of the moment."""

    checks: dict[str, Result] = field(default_factory=dict)
    watchdog: dict[str, list[str]] = field(default_factory=dict)
    doctor: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)
    web_stop: str = ""  # how the web server ended that was stopped amid a conversation
    journal: str = ""
    listed: str = ""  # what ls --check says of the hanging scheduler
    state: str = ""  # the watchdog's memory: mode and owner
    textfile: Result | None = None
    promtool: dict[str, Result] = field(default_factory=dict)
    series: list[dict[str, Any]] = field(default_factory=list)
    statsd: list[str] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)


def go_through(host: Host) -> Seen:
    """All that is looked at, on a host where no instance is yet."""
    seen = Seen()
    host.systemctl("start", "postgresql")
    team = create(host, NAME, "postgresql")
    other = create(host, OTHER, "sqlite")
    seen.checks["stopped"] = check(team)
    listen(host)
    for instance in (team, other):
        instance.tool("start")
    for instance in (team, other):
        instance.wait_for_web()
        wait_for(instance, OK)
    seen.checks["good"] = check(team)
    seen.checks["json"] = check(team, "--json")
    seen.checks["user"] = check(team, user=team.user)
    seen.checks["stranger"] = check(team, user=USER)
    seen.checks["nobody"] = host.tool("check", "nobody", check=False)
    seen.checks["all"] = host.tool("check", "--all", check=False)
    seen.doctor["good"] = doctor(host)
    seen.modules = modules(host)
    for instance in (team, other):
        instance.run_dag("quick")
    look_at_metrics(host, seen)
    # From here on it is us who gives strikes. One of the mends, apply, starts the timers.
    stop_timers(team, other)
    doctor_is_right(host, team, seen)
    stop_timers(team, other)
    hang(host, team, seen)
    silence(host, team, seen)
    lose_database(host, team, seen)
    return seen


def create(host: Host, name: str, database: str) -> Instance:
    """An instance that sends to our statsd, with a database and a DAG."""
    settings = (f"watchdog_strikes={STRIKES}", "statsd_monitoring_enabled=true")
    words = [word for value in (*settings, f"ports.statsd={STATSD}") for word in ("--set", value)]
    instance = host.create(name, "--db", database, *words)
    instance.add_dag("quick")
    return instance


def check(instance: Instance, *words: str, user: str = "") -> Result:
    """``airflow-instance check``, patient: the machine is busy."""
    limits = ("--warning=web_time=600", "--warning=database_time=600", "--timeout=60")
    return instance.tool("check", *limits, *words, check=False, user=user)


def wait_for(instance: Instance, status: int, part: str = "", *words: str) -> Result:
    """The first check with this status, and ``part`` in what it says."""
    results: list[Result] = []

    def reached() -> bool:
        results.append(check(instance, *words))
        return results[-1].status == status and part in results[-1].stdout

    instance.host.wait(
        f"status {status} {part}",
        reached,
        words=lambda: f"{results[-1].stdout}\n{instance.words()}",
    )
    return results[-1]


def stop_timers(*instances: Instance) -> None:
    """No run of the watchdog but ours."""
    for instance in instances:
        instance.host.systemctl("stop", f"airflow-watchdog@{instance.name}.timer")


def watch(instance: Instance) -> list[str]:
    """One run of the watchdog, as its timer starts it; what it said."""
    unit = f"airflow-watchdog@{instance.name}.service"
    before = instance.journal("watchdog").splitlines()
    instance.host.systemctl("start", unit)
    return instance.journal("watchdog").splitlines()[len(before) :]


def doctor(host: Host, *names: str) -> list[dict[str, str]]:
    """The findings."""
    found: list[dict[str, str]] = json.loads(
        host.tool("doctor", "--json", *names, check=False).stdout
    )
    return found


def sql(host: Host, text: str) -> None:
    """Tell the database of our instance something, as its administrator."""
    words = ["runuser", "-u", "postgres", "--", "psql", "-v", "ON_ERROR_STOP=1", "-c", text, NAME]
    host.machine.call(words)


def hang(host: Host, team: Instance, seen: Seen) -> None:
    """The scheduler stands still, and systemd does not notice."""
    wait_for(team, OK)
    host.systemctl("kill", "--kill-who=main", "--signal=STOP", team.unit("scheduler"))
    seen.checks["hung"] = wait_for(team, CRITICAL, "scheduler's heartbeat")
    sql(host, _ELSEWHERE)
    seen.checks["hidden"] = check(team)
    seen.listed = host.tool("ls", "--check", "--json").stdout
    sql(host, _NOWHERE)
    seen.pids["hung"] = team.pid("scheduler")
    # Strikes that the timer gave before it was stopped are of no daemon that was well.
    seen.watchdog["hung"] = [line for _ in range(STRIKES) for line in watch(team)]
    seen.state = host.machine.call(
        ["stat", "--format=%a %U", f"/run/airflow-instances/{NAME}.json"]
    ).stdout.strip()
    seen.checks["healed"] = wait_for(team, OK)
    seen.pids["healed"] = team.pid("scheduler")
    seen.journal = team.journal("watchdog")


def silence(host: Host, team: Instance, seen: Seen) -> None:
    """The web server takes connections and answers none."""
    unit = team.unit("webserver")
    host.systemctl("kill", "--kill-who=all", "--signal=STOP", unit)
    seen.checks["silent"] = check(team, "--timeout=3")
    host.systemctl("kill", "--kill-who=all", "--signal=CONT", unit)
    wait_for(team, OK)
    # Browsers and Prometheus connect before they have a question; the one worker waits for it.
    connect = f"import socket, time; s = socket.create_connection(('127.0.0.1', {team.port}));"
    command = ["python3", "-c", f"{connect} time.sleep(9999)"]
    host.machine.call(["systemd-run", "--quiet", "--unit=speechless", *command])
    wait_for(team, CRITICAL, "no answer in 3 s", "--timeout=3")
    host.systemctl("stop", unit)
    seen.web_stop = host.property(unit, "Result")
    seen.checks["without web"] = check(team)
    host.systemctl("stop", "speechless")
    host.systemctl("start", unit)
    wait_for(team, OK)


def lose_database(host: Host, team: Instance, seen: Seen) -> None:
    """Its server is away, while a daemon hangs as well.

    The watchdog is started more often than systemd lets others be within ten seconds.
    """
    host.systemctl("kill", "--kill-who=main", "--signal=STOP", team.unit("scheduler"))
    wait_for(team, CRITICAL, "scheduler's heartbeat")
    host.systemctl("stop", "postgresql@*", "postgresql")
    seen.checks["no database"] = check(team)
    seen.watchdog["no database"] = [line for _ in range(2 * STRIKES) for line in watch(team)]
    seen.doctor["no database"] = doctor(host, NAME)
    host.systemctl("start", "postgresql")
    host.systemctl("kill", "--kill-who=main", "--signal=CONT", team.unit("scheduler"))


# Metrics.


def listen(host: Host) -> None:
    """Have the names that the instances send written down."""
    command = ["python3", f"{INSIDE}/statsd.py", str(STATSD), "/run/statsd.names"]
    host.machine.call(["systemd-run", "--quiet", "--unit=statsd", *command])


def look_at_metrics(host: Host, seen: Seen) -> None:
    """Prometheus with the shipped examples, but for the pace."""
    machine = host.machine
    for example in EXAMPLES.iterdir():
        text = example.read_text(encoding="utf-8").replace(
            "scrape_interval: 1m", "scrape_interval: 5s"
        )
        text = text.replace("scrape_timeout: 30s", "scrape_timeout: 5s")
        machine.write(f"/etc/prometheus/airflow/{example.name}", text)
    for words in (
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "airflow-alerts.yml"),
        ("test", "rules", "airflow-alerts-test.yml"),
    ):
        script = f"cd /etc/prometheus/airflow && exec promtool {shlex.join(words)}"
        seen.promtool[" ".join(words[:2])] = machine.shell(script, check=False)
    machine.write("/var/lib/prometheus/tests/x", "", owner="prometheus:prometheus")
    machine.call(["chown", "prometheus:prometheus", "/var/lib/prometheus/tests"])
    command = ["prometheus", "--config.file=/etc/prometheus/airflow/prometheus.yml"]
    command += [
        "--storage.tsdb.path=/var/lib/prometheus/tests",
        "--web.listen-address=127.0.0.1:9090",
    ]
    machine.call(["systemd-run", "--quiet", "--unit=scrape", "--uid=prometheus", *command])
    query = f"{PROMETHEUS}/api/v1/query?query=airflow_dag_status"

    def scraped() -> bool:
        reply = ask(machine, query)
        seen.series = reply.json()["data"]["result"] if reply.status == 200 else []
        return {row["metric"].get("airflow_instance") for row in seen.series} == {NAME, OTHER}

    host.wait("metrics of both instances", scraped)
    host.systemctl("stop", "scrape")
    watch(host.instance(NAME))
    path = f"/run/airflow-instances/metrics/airflow-{NAME}.prom"
    seen.textfile = machine.shell(f"promtool check metrics < {path}; cat {path}", check=False)

    def sent() -> bool:
        seen.statsd = machine.shell("cat /run/statsd.names 2>/dev/null || true").stdout.split()
        return all(
            f"airflow.{name}.ti.finish.quick.say.success" in seen.statsd for name in (NAME, OTHER)
        )

    host.wait("the names of both instances' metrics", sent)


def modules(host: Host) -> set[str]:
    """What a check of an unknown instance has imported."""
    script = (
        "import sys; sys.path.insert(0, '/usr/share/airflow-instances');"
        "from airflow_instance.cli import main; main(['check', 'nobody']);"
        "print(*sys.modules)"
    )
    said = host.machine.call(["python3", "-I", "-c", script]).stdout
    return set(said.splitlines()[-1].split())


# The doctor.

# A fault, as a command, and the check that finds it.
FAULTS = {
    "chmod 755 /etc/airflow/secrets.d": "modes",
    "chmod 644 /etc/airflow/environment.d/{name}.env": "modes",
    "chmod 777 /srv": "parents",
    "chmod o+w {home}/dags": "home",
    "chown daemon {home}/dags": "home",
    "chmod 644 {home}/airflow.cfg": "apply",
    "rm /usr/local/bin/airflow-{name}": "apply",
    "systemctl disable airflow.service": "boot",
    "usermod --shell /bin/bash {user}": "user",
    "usermod --append --groups disk {user}": "group",
    "touch {home}/connections.yaml": "daemons",
    "mkdir /etc/systemd/system/airflow-scheduler@gone.service.d && "
    "cp /etc/systemd/system/airflow-scheduler@{name}.service.d/10-instance.conf "
    "/etc/systemd/system/airflow-scheduler@gone.service.d/": "leftovers",
}
# Faults that no single command mends.
_LISTENER = "systemd-run --quiet --unit=taken python3 -m http.server --bind 127.0.0.1 {log_server}"


def doctor_is_right(host: Host, team: Instance, seen: Seen) -> None:
    """Make each fault, let the doctor see it, and do what it says."""
    values = {"name": NAME, "home": team.home, "user": team.user}
    values["log_server"] = str(team.setting("ports.log_server"))
    for fault in FAULTS:
        host.machine.shell(fault.format(**values))
        seen.doctor[fault] = found = doctor(host)
        for finding in found:
            host.machine.shell(finding["mend"])
        seen.doctor[f"mended {fault}"] = doctor(host)
    host.machine.shell(_LISTENER.format(**values))
    host.wait("somebody on the port", lambda: bool(doctor(host)))
    seen.doctor["port"] = doctor(host)
    host.systemctl("stop", "taken")
    with_other_key(host, team, seen)


def with_other_key(host: Host, team: Instance, seen: Seen) -> None:
    """A connection that was encrypted with a key that is lost."""
    team.airflow("connections", "add", "lost", "--conn-uri=http://user:pass@host")
    sql(host, "UPDATE connection SET password = 'gAAAAAlost' WHERE conn_id = 'lost';")
    seen.doctor["key"] = doctor(host)
    sql(host, "DELETE FROM connection WHERE conn_id = 'lost';")  # Airflow cannot: it reads it first
