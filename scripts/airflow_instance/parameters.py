"""From a merged declaration to expanded parameters with defaults, all of them checked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import firewall, names, placeholders, quoting, schema
from .declaration import Declared
from .errors import ConflictError, DeclarationError, InstanceError, raise_all
from .facts import Facts, Values
from .layout import DEFAULT_INSTALLATION
from .leaves import Leaf, Leaves, nest, origin
from .ports import DEFAULT_START
from .versions import table

ORIGIN = "default"

# Defaults of parameters, as site defaults could be written.
DEFAULTS: Mapping[str, object] = {
    "ensure": "present",
    "service_user": "airflow-%{name}",
    "service_group": "%{service_user}",
    "create_user": False,
    "airflow_home": "/srv/airflow-%{name}",
    "installation": DEFAULT_INSTALLATION,
    "start": "auto",
    "db": "sqlite",
    "db_host": "localhost",
    "port_range_start": DEFAULT_START,
    "web_access": "login",
    "allow_open_access_beyond_loopback": False,
    "allow_metrics_beyond_loopback": False,
    "monitoring_enabled": True,
    "watchdog_strikes": 5,
    "statsd_monitoring_enabled": False,
    "clean_logs_older_than_days": 90,
    "backup_daily": False,
    "backup_keep_days": 7,
}

# Variables that make the instance what it is.
_OWN_VARIABLES = frozenset(["AIRFLOW_HOME", "AIRFLOW_CONFIG", "AIRFLOW_INSTANCE_NAME"])

# A home takes over its directory: these belong to the system, or to everyone.
_NOT_A_HOME = re.compile(
    r"/(?:bin|boot|dev|etc|lib\w*|proc|root|run|sbin|sys|tmp|usr|var/tmp|var/run)(?:/.*)?"
    r"|/(?:home|media|mnt|opt|srv|var|var/lib|var/log|var/cache)"
)


def expand(declared: Declared, facts: Facts) -> tuple[Leaves, Values]:
    """The parameters with defaults and without placeholders, and the placeholder values.

    The database URL stays a template: what goes into a URL is encoded there.

    Raises DeclarationError, ConflictError or Problems.
    """
    leaves: dict[tuple[str, ...], Leaf] = {
        (name,): Leaf(value, ORIGIN) for name, value in DEFAULTS.items()
    }
    stem = names.database_name(declared.name)
    leaves[("db_name",)] = Leaf(stem, ORIGIN)
    leaves[("db_user",)] = Leaf(f"airflow_{stem}", ORIGIN)
    leaves.update(declared.leaves)
    values = Values(facts, {"name": declared.name})
    for name in placeholders.ORDER:
        _expand(leaves, (name,), values)
        values.added[name] = str(leaves[(name,)].value)
    templates = url_templates()
    for path in list(leaves):
        if path not in templates and path[0] not in placeholders.ORDER:
            _expand(leaves, path, values)
    problems: list[InstanceError] = []
    problems += schema.validate(nest(leaves), lambda path: origin(leaves, path), templates=False)
    raise_all(problems)
    problems += _meaning(leaves)
    raise_all(problems)
    return leaves, values


def url_templates() -> frozenset[tuple[str, ...]]:
    """Where a declaration may have a template of the database URL."""
    options = table().setting("database_url").options()
    return frozenset([("db_url",), *(("airflow_config", *option) for option in options)])


def url_template(parameters: Leaves) -> Leaf | None:
    """The template of the database URL, db_url's before airflow_config's; None without one."""
    paths = [("db_url",), *sorted(url_templates() - {("db_url",)}, reverse=True)]
    return next((parameters[path] for path in paths if path in parameters), None)


def database_kind(parameters: Leaves) -> str:
    """sqlite, postgresql or mysql; another word when a URL names something else."""
    template = url_template(parameters)
    if template is None:
        return str(parameters[("db",)].value)
    scheme = re.split(r"[+:]", str(template.value), maxsplit=1)[0]
    return {"postgres": "postgresql", "mariadb": "mysql"}.get(scheme, scheme)


def _expand(leaves: dict[tuple[str, ...], Leaf], path: tuple[str, ...], values: Values) -> None:
    leaf = leaves[path]
    if isinstance(leaf.value, str) and not leaf.literal:
        text = placeholders.expand(leaf.value, values, f"{leaf.origin}: {'.'.join(path)}")
        leaves[path] = Leaf(text, leaf.origin)


def _meaning(leaves: Leaves) -> list[InstanceError]:
    """What no schema can say."""
    problems: list[InstanceError] = []
    user, home = leaves[("service_user",)], leaves[("airflow_home",)]
    if "root" in (user.value, leaves[("service_group",)].value):
        problems.append(
            ConflictError(
                f"{user.origin}: an instance cannot run as root",
                hint="give it a service_user and a service_group of its own",
            )
        )
    if _NOT_A_HOME.fullmatch(str(home.value)):
        problems.append(
            DeclarationError(
                f"{home.origin}: {home.value} cannot be an instance's home",
                hint="take a directory of its own, such as the default /srv/airflow-NAME",
            )
        )
    for path, leaf in leaves.items():
        text = str(leaf.value)
        place = f"{leaf.origin}: {'.'.join(path)}"
        if path[0] == "environment_extra":
            if path[-1] in _OWN_VARIABLES:
                problems.append(
                    DeclarationError(f"{place} is set by the instance", hint="take the line away")
                )
            elif quoting.has_control(text):
                problems.append(
                    DeclarationError(f"{place} has a line break", hint="write it on one line")
                )
        elif path[0] == "airflow_config" and len(path) == 3 and leaf.value is not None:
            if quoting.has_control(text):
                problems.append(
                    DeclarationError(f"{place} has a line break", hint="write it on one line")
                )
            elif text != text.strip():
                problems.append(
                    DeclarationError(
                        f"{place} begins or ends with a space, which airflow.cfg cannot keep",
                        hint="take the space away",
                    )
                )
    problems += _firewall(leaves)
    extra = leaves.get(("webserver_config_extra",))
    if extra:
        try:
            compile(str(extra.value), "webserver_config_extra", "exec")
        except (SyntaxError, ValueError) as error:
            problems.append(
                DeclarationError(
                    f"{extra.origin}: webserver_config_extra is not Python: {error}",
                    hint="correct it",
                )
            )
    return problems


def _firewall(leaves: Leaves) -> list[InstanceError]:
    leaf = leaves.get(("firewall_ranges",))
    if leaf is None:
        return []
    try:
        firewall.parse(str(leaf.value))
    except ValueError as error:
        message, _, hint = str(error).partition("; ")
        return [DeclarationError(f"{leaf.origin}: firewall_ranges: {message}", hint=hint)]
    return []
