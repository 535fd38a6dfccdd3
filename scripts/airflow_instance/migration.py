"""Having Airflow make or change an instance's database."""

from __future__ import annotations

import os
import time

from . import asuser, backups, database, former, heads, launch
from .errors import ConflictError, HostError, InstanceError
from .heads import Schema
from .instance import Instance
from .layout import Layout
from .site import Site
from .versions import table

INIT, UPGRADE = "init", "upgrade"


def run(site: Site, instance: Instance, verb: str) -> None:
    """Run the version's command for ``verb``, INIT or UPGRADE, to its end, however long.

    What it prints goes to `Layout.migrate_log`.

    Raises HostError when it fails, or leaves the database as it should not be; what
    `launch.plan` raises.
    """
    words = table().database_commands(instance.installation.version)[verb]
    # Airflow logs to both of its outputs; in the file they are to be in order.
    command = ["/bin/sh", "-c", 'exec "$@" 2>&1', "sh", instance.installation.airflow, *words]
    planned = launch.plan(site, instance.name, command, ["airflow-instance", "migrate"])
    path = Layout.migrate_log(instance.name)
    with open(_log(site, path, words), "ab", closefd=True) as log:
        done = asuser.run(site, planned, stdout=log.fileno())
    if done.status != 0:
        raise HostError(
            f"{instance.name}: airflow {' '.join(words)} failed: {last_line(site, path)}",
            hint=f"all it printed is in {path}",
        )
    # Some versions say that they could not, and exit with 0.
    schema = heads.state(site, instance)
    if schema.state != heads.CURRENT:
        raise HostError(
            f"{instance.name}: airflow {' '.join(words)} ended well, but the database is "
            f"{schema.reason or schema.state}",
            hint=f"all it printed is in {path}",
        )


def _log(site: Site, path: str, words: tuple[str, ...]) -> int:
    """A descriptor that appends to the log, which root alone may read."""
    real = site.layout.real(path)
    real.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    fd = os.open(real, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S%z")
    os.write(fd, f"--- {stamp} airflow {' '.join(words)}\n".encode())
    return fd


def last_line(site: Site, path: str) -> str:
    """The last line of a log that says something."""
    with open(site.layout.real(path), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
        lines = file.read().decode("utf-8", "replace").splitlines()
    # What SQLAlchemy and PostgreSQL add behind the error itself.
    more = ("[SQL:", "[parameters:", "(Background", "CONTEXT:", "DETAIL:", "HINT:")
    said = [line.strip() for line in lines if line.strip() and not line.startswith(more)]
    return said[-1] if said else "it said nothing"


def explain(site: Site, instance: Instance, schema: Schema) -> InstanceError:
    """What to say of a database that cannot be worked with as it is."""
    name = instance.name
    if schema.state == heads.UNREACHABLE:
        hint = f"see db_host, db_user and db_password in airflow-instance show {name}"
        if "sqlite" not in instance.conditions and database.item(instance) is None:
            hint += f"; on that server its administrator has to run: {database.advice(instance)}"
        return HostError(f"{name}: the database cannot be reached: {schema.reason}", hint=hint)
    message, hint = unfit(site, instance, schema)
    return ConflictError(f"{name}: {message}", hint=hint)


def unfit(site: Site, instance: Instance, schema: Schema) -> tuple[str, str]:
    """Why an installation can do nothing with a database that is ahead, and the remedy."""
    name, installed = instance.name, instance.installation.version
    unknown = ", ".join(sorted(set(schema.found) - known_to(instance)))
    what = f"Airflow {installed} does not know the database's revision {unknown}"
    was = former.of_database(site.tree, name)
    if was is not None and was.numbers < installed.numbers:
        return (
            f"{what}, which is of Airflow {was}: too old to be brought up at once",
            f"install Airflow {was} again{_who_knows(site, instance, schema)}, or one between, "
            f"and airflow-instance migrate {name}; then the newer one",
        )
    whose = "a newer Airflow was here, or one too old to be upgraded at once"
    which = "that Airflow"
    if was is not None and was.numbers == installed.numbers:
        whose, which = "a newer Airflow has begun to migrate it", "the newer Airflow"
    elif was is not None:
        which = f"Airflow {was}"
        whose = f"it is of {which}, and no Airflow takes a migration back"
    hint = (
        f"install {which} again{_who_knows(site, instance, schema)}, or restore an older backup: "
    )
    return f"{what}: {whose}", hint + _older(site, instance)


def _older(site: Site, instance: Instance) -> str:
    """The command for the newest backup that the installation can work with."""
    known = known_to(instance)
    for backup in reversed(backups.listed(site.layout, instance.name)):
        if backup.revisions and set(backup.revisions) <= known:
            return (
                f"airflow-instance restore {instance.name} {backup.stamp} "
                f"(of Airflow {backup.airflow}; what was done since is lost)"
            )
    return f"airflow-instance backup --list {instance.name}"


def known_to(instance: Instance) -> frozenset[str]:
    """Every revision that the instance's installation has."""
    rows = table().migrations_of(instance.installation.version, instance.conditions)
    return frozenset().union(*(heads.revisions(instance.installation, row).known for row in rows))


def _who_knows(site: Site, instance: Instance, schema: Schema) -> str:
    """Another installation of this host that knows what is in the database."""
    from .installation import find_all

    for other in find_all(site.layout):
        try:
            rows = table().migrations_of(other.version, instance.conditions)
            known = frozenset().union(*(heads.revisions(other, row).known for row in rows))
        except InstanceError:
            continue
        if set(schema.found) <= known:
            return f" (installation: {other.prefix} has it, {other.version})"
    return ""
