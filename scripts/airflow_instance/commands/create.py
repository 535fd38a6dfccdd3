"""airflow-instance create."""

from __future__ import annotations

import argparse

from .. import edit, names, schema
from ..changes import Change, WriteFile
from ..engine import Engine, locked
from ..errors import ConflictError, DeclarationError, InstanceError, UsageError
from ..layout import Layout
from ..leaves import Path
from ..secrecy import exposed
from ..site import InstancePlan, Site
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
        "--installation", metavar="DIR", help="The Airflow to run; /usr/lib/airflow by default."
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
    declaration = text(args, where)
    with locked(layout):
        if site.tree.status(where) is not None:
            raise ConflictError(
                f"{name} is declared already, in {where}",
                hint=f"airflow-instance show {name} shows it, airflow-instance set changes it",
            )
        _check_launcher(site, name)
        write = WriteFile(where, declaration.encode(), None, 0o644, "root", "root")
        engine = Engine(site.tree, site.host)
        try:
            engine.execute([write])
            plans, warnings = site.plan([name])
            warn([*warnings, *(w for plan in plans for w in plan.warnings)])
            if args.dry_run:
                engine.take_back()
                show_changes(name, [write], diff=args.diff, would=True)
                carry_out(site, plans, args)
                return 0
            if not args.no_apply:
                engine.execute(_changes(plans))
        except BaseException as error:
            failed = engine.take_back()
            if failed and isinstance(error, InstanceError):
                error.hint = f"{error.hint}; left behind: {'; '.join(failed)}".lstrip("; ")
            raise
    _report(name, args, plans[0])
    return 0


def _changes(plans: list[InstancePlan]) -> list[Change]:
    return [change for plan in plans for change in plan.changes]


def _check_launcher(site: Site, name: str) -> None:
    """airflow-NAME must not hide, or be hidden by, another program."""
    link = Layout.launcher_link(name)
    for directory in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        other = f"{directory}/airflow-{name}"
        if site.tree.status(other) is not None:
            raise DeclarationError(
                f"{name} cannot name an instance: {link} would hide {other}",
                hint="choose another name",
            )


def _report(name: str, args: argparse.Namespace, plan: InstancePlan) -> None:
    if args.no_apply or plan.instance is None:
        print(f"declared {name}; next: airflow-instance apply {name}")
        return
    instance = plan.instance
    print(
        f"created {name}: Airflow {instance.installation.version}, user {instance.user}, "
        f"home {instance.home}, port {instance.ports['web']}"
    )
    verbs = table().database_commands(instance.installation.version)
    print(f"next: airflow-{name} {' '.join(verbs['init'])}")


COMMAND = Command(
    name="create",
    help="declare a new instance and make it",
    description="Writes /etc/airflow/instances.d/NAME.yaml and applies it: a user of its own, "
    "a home, generated keys, a block of ports, configuration and the command airflow-NAME. "
    "A home that is there already is adopted. When anything fails, all of it is taken back.",
    arguments=arguments,
    run=run,
    root=always,
    examples=(
        ("airflow-instance create analytics", "SQLite, loopback, a user of its own"),
        ("airflow-instance create analytics --db postgresql --home /data/analytics", ""),
    ),
)
