"""What an instance's database server is like."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from .. import declaration, heads, probe
from ..errors import InstanceError
from ..instance import Instance
from .finding import ERROR, WARNING, Finding, Patient

_DRIFT = 5.0  # seconds between two clocks that make heartbeats unreliable
_RESERVED = 5  # connections of the server's own administrator
# By kind of database. Epochs, so that no time zone is in the way.
_QUERIES: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "clock": "SELECT EXTRACT(EPOCH FROM clock_timestamp())",
        "most": "SELECT current_setting('max_connections')",
        "encoding": "SELECT pg_encoding_to_char(encoding) FROM pg_database"
        " WHERE datname = current_database()",
    },
    "mysql": {
        "clock": "SELECT UNIX_TIMESTAMP(NOW(6))",
        "most": "SELECT @@GLOBAL.max_connections",
        "encoding": "SELECT @@character_set_database",
        "timestamps": "SELECT @@GLOBAL.explicit_defaults_for_timestamp",
    },
    "sqlite": {},
}


def database(patient: Patient) -> Iterable[Finding]:
    """It answers, is of the installation's version, and its server is fit for Airflow."""
    instance, name = patient.instance, patient.name
    if patient.site.layout.alternate:
        return
    kind = next((kind for kind in _QUERIES if kind in instance.conditions), "sqlite")
    asked = {**heads.queries(instance), **_QUERIES[kind]}
    answer = probe.ask(patient.site, name, instance.installation, asked)
    now = time.time()
    if answer.unreachable:
        yield Finding(
            ERROR,
            "database",
            f"the database cannot be reached: {answer.unreachable}",
            f"airflow-instance show {name} | grep ^db; see whether its server runs",
        )
        return
    yield from _schema(name, heads.judge(instance, answer))
    said = {key: str(rows[0][0]) for key, rows in answer.rows.items() if rows and key in asked}
    yield from _server(patient, said, now)


def _schema(name: str, schema: heads.Schema) -> Iterable[Finding]:
    if schema.state == heads.FRESH:
        text = "the database is empty"
    elif schema.state == heads.PENDING:
        text = "the database is of an older version: migrations are pending"
    elif schema.state == heads.AHEAD:
        yield Finding(
            ERROR,
            "migration",
            "the database is of a newer Airflow than the one installed",
            "apt install --only-upgrade airflow, or airflow-instance restore an older backup",
        )
        return
    else:
        return
    yield Finding(ERROR, "migration", text, f"airflow-instance migrate {name}")


def _server(patient: Patient, said: Mapping[str, str], now: float) -> Iterable[Finding]:
    """Its clock, its settings, and whether it has connections for all of us."""
    if "clock" in said and abs(float(said["clock"]) - now) > _DRIFT:
        yield Finding(
            WARNING,
            "clock",
            f"the database server's clock is {float(said['clock']) - now:+.0f} s from this host's",
            "set both from the network: timedatectl set-ntp true",
        )
    if said.get("timestamps") == "0":
        yield Finding(
            ERROR,
            "database",
            "the server has explicit_defaults_for_timestamp off: Airflow's dates would change",
            "write [mysqld] and explicit_defaults_for_timestamp = 1 to "
            "/etc/mysql/conf.d/airflow.cnf, and systemctl restart mariadb",
        )
    encoding = said.get("encoding", "utf8")
    if not encoding.lower().startswith("utf"):
        yield Finding(
            ERROR,
            "database",
            f"the database is in {encoding}, not UTF-8",
            f"airflow-instance backup {patient.name}, and restore into one that is",
        )
    most, wanted = int(said.get("most", 0)), _wanted(patient)
    if most and wanted > most - _RESERVED:
        yield Finding(
            WARNING,
            "database",
            f"at full load the instances on this server open {wanted} connections; it has {most}",
            "raise max_connections on the server, or lower core.parallelism",
        )


def _wanted(patient: Patient) -> int:
    """The connections that all instances of this host, on the same server, may open."""
    mine = _server_of(patient.instance)
    total = 0
    for name in declaration.listed(patient.site.layout)[0]:
        try:
            declared = patient.site.load(name)
            other = None if declared.absent else patient.site.view(declared)
        except InstanceError:
            continue  # said of that instance
        if other is not None and _server_of(other) == mine:
            total += connections(other)
    return total


def _server_of(instance: Instance) -> tuple[str, str, int | None]:
    database = instance.database
    return database.kind, database.host, database.port


def connections(instance: Instance) -> int:
    """What an instance opens at full load: a pool for each process that stays, and one
    connection for each task that runs on this host."""
    pool = _number(instance, "sql_alchemy_pool_size", 5)
    staying = _number(instance, "web_workers", 4) + len(instance.daemons)
    local = "Sequential" not in instance.effective("executor")
    parallel = str(getattr(instance.config.get(("core", "parallelism")), "value", 32))
    return pool * staying + (int(parallel) if local and parallel.isdigit() else 1)


def _number(instance: Instance, purpose: str, default: int) -> int:
    text = instance.option(purpose)
    return int(text) if text.isdigit() else default


CHECKS = (database,)
