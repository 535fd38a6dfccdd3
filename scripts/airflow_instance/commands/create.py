"""airflow-instance create."""

from __future__ import annotations

import argparse
import shlex

from .. import declaration, edit, heads, migration, names, schema
from ..changes import WriteFile
from ..engine import Engine, locked
from ..errors import ConflictError, DeclarationError, UsageError
from ..installation import find_all
from ..layout import DEFAULT_INSTALLATION, Layout, elsewhere
from ..leaves import Path
from ..secrecy import exposed
from ..site import InstancePlan, Site
from ..undo import take_back
from ..versions import table
from . import Command, always
from .common import add_name, add_preview, carry_out, show_changes, warn

_STARTER = """\
# The Airflow instance {name}; see airflow-instance(1) for every parameter.
# After a change: airflow-instance apply {name}
ensure: present
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_name(parser, "The name: " + names.RULE + ".")
    parser.add_argument(
        "--db",
        choices=schema.parameters()["db"]["enum"],
        default="sqlite",
        help="The kind of database; sqlite, a file in the home, by default.",
    )
    parser.add_argument("--user", help="An existing user to run as; airflow-NAME is created else.")
    parser.add_argument("--group", help="An existing group; the name of the user by default.")
    parser.add_argument("--home", help="AIRFLOW_HOME; /srv/airflow-NAME by default.")
    parser.add_argument(
        "--installation",
        metavar="DIR",
        help="The Airflow to run: its directory, its package or the end of that name, as in "
        "/usr/lib/airflow-2.11, airflow-2.11 or 2.11. By default that of the site's defaults, "
        "/usr/lib/airflow, or the only one that is installed.",
    )
    parser.add_argument(
        "--set",
        dest="values",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="A further parameter, such as airflow_config.core.parallelism=64; repeatable.",
    )
    parser.add_argument(
        "--no-apply", action="store_true", help="Only write the declaration; apply it later."
    )
    parser.add_argument(
        "--no-migrate", action="store_true", help="Leave the database without tables."
    )
    add_preview(parser)


def text(args: argparse.Namespace, where: str) -> str:
    """The declaration that the command line asks for.

    Raises UsageError, DeclarationError.
    """
    given: list[tuple[Path, str]] = []
    if not args.user:
        given.append((("create_user",), "true"))
    for key, value in (
        ("service_user", args.user),
        ("service_group", args.group),
        ("airflow_home", args.home),
        ("installation", args.installation),
    ):
        if value:
            given.append(((key,), value))
    if args.db != "sqlite":
        given.append((("db",), args.db))
        # SequentialExecutor, the default, is all that SQLite can bear.
        given.append((("airflow_config", "core", "executor"), "LocalExecutor"))
    for pair in args.values:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is not KEY=VALUE")
        given.append((edit.path_of(key), value))
    result = _STARTER.format(name=args.name)
    for path, value in given:
        if exposed(path, value):
            raise UsageError(
                f"{'.'.join(path)} is a secret: a command line can be seen by everyone",
                hint=f"create with --no-apply, then airflow-instance set {args.name} "
                f"{'.'.join(path)}=- reads it from standard input",
            )
        result = edit.set_value(result, path, edit.typed(path, value), where)
    return result


def run(site: Site, args: argparse.Namespace) -> int:
    name, layout = names.check(args.name), site.layout
    where = layout.seen(layout.instance_file(name))
    if not args.installation:
        args.installation = _only_one(site, args)
    write = WriteFile(where, text(args, where).encode(), None, 0o644, "root", "root")
    engine = Engine(site.tree, site.host)
    plan: InstancePlan | None = None
    with locked(layout, name=name):
        try:
            with locked(layout):
                plan = _declare(site, engine, name, write)
                if args.dry_run:
                    engine.take_back()
                    show_changes(name, [write], diff=args.diff, would=True)
                    carry_out(site, [plan], args)
                    return 0
                if not args.no_apply:
                    engine.execute(plan.changes)
            if not args.no_apply:
                _initialise(site, plan, args)
        except BaseException as error:
            take_back(site, engine, name, plan, error)
            raise
    _report(site, name, args, plan)
    return 0


def _only_one(site: Site, args: argparse.Namespace) -> str:
    """The only Airflow that is installed, when nothing says which and it is not the default."""
    found = find_all(site.layout)
    said = any(pair.startswith("installation=") for pair in args.values)
    if said or len(found) != 1 or ("installation",) in declaration.defaults(site.layout):
        return ""
    return "" if found[0].prefix == DEFAULT_INSTALLATION else found[0].prefix


def _declare(site: Site, engine: Engine, name: str, write: WriteFile) -> InstancePlan:
    """Write the declaration; the plan that follows from it."""
    if site.tree.status(write.path) is not None:
        raise ConflictError(
            f"{name} is declared already, in {write.path}",
            hint=f"airflow-instance show {name} shows it, airflow-instance set changes it",
        )
    check_launcher(site, name)
    engine.execute([write])
    plans, warnings = site.plan([name])
    warn([*warnings, *plans[0].warnings])
    return plans[0]


def _initialise(site: Site, plan: InstancePlan, args: argparse.Namespace) -> None:
    """Make the tables, so that the instance can be started; a database with data stays."""
    instance = plan.instance
    if instance is None or args.no_migrate or site.layout.alternate:
        return
    schema = heads.state(site, instance)
    if schema.state == heads.FRESH:
        words = " ".join(table().database_commands(instance.installation.version)["init"])
        print(f"{plan.name}: airflow {words}, which takes a while …", flush=True)
        migration.run(site, instance, migration.INIT)
    elif schema.state == heads.PENDING:
        warn(
            [
                f"{plan.name}: the database is there already, and migrations are pending; "
                f"airflow-instance migrate {plan.name}"
            ]
        )
    elif schema.state != heads.CURRENT:
        raise migration.explain(site, instance, schema)


def check_launcher(site: Site, name: str) -> None:
    """airflow-NAME must not hide, or be hidden by, another program."""
    link = Layout.launcher_link(name)
    for other in Layout.hidden_by_launcher(name):
        if site.tree.status(other) is not None:
            raise DeclarationError(
                f"{name} cannot name an instance: {link} would hide {other}",
                hint="choose another name",
            )


def _report(site: Site, name: str, args: argparse.Namespace, plan: InstancePlan) -> None:
    if args.no_apply or plan.instance is None:
        print(f"declared {name}; next: airflow-instance apply {name}")
        return
    instance = plan.instance
    install = instance.installation
    print(
        f"created {name}: Airflow {install.version}{elsewhere(install.prefix)}, user "
        f"{instance.user}, home {instance.home}, port {instance.ports['web']}"
    )
    if args.no_migrate or site.layout.alternate:
        print(f"next: airflow-instance migrate {name}")
    print(f"next: airflow-instance start {name}")
    if "fab" in instance.conditions and "login" in instance.conditions:
        print(f"first login: {shlex.join([f'airflow-{name}', *table().first_user])}")


COMMAND = Command(
    name="create",
    help="declare a new instance and make it",
    description="Writes /etc/airflow/instances.d/NAME.yaml and applies it: a user of its own, "
    "a home, generated keys, a block of ports, configuration, the command airflow-NAME and, when "
    "the server is this host's own, the database with its user; then Airflow makes the tables, "
    "which takes most of the time. A home or a database that is there already is adopted. When "
    "anything fails, all of it is taken back.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance create analytics", "SQLite, loopback, a user of its own"),
        ("airflow-instance create analytics --db postgresql --home /data/analytics", ""),
    ),
)
