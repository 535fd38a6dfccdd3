"""From a declaration to an `Instance`: pure, once the files and the host are read.

The options of airflow.cfg are merged in this order, a later one wins: defaults
(those of Kerberos, the secrets backend and the version among them), keys and
ports, the declaration's airflow_config, the database's URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import exposure, lint, placeholders
from .declaration import Declared
from .errors import DeclarationError
from .facts import Facts, Values
from .installation import Installation
from .instance import Instance
from .leaves import Leaf, Leaves
from .parameters import database_kind, expand, url_template
from .quoting import has_control
from .url import Database, encode
from .versions import Option, table

if TYPE_CHECKING:
    from .packages import Extra

_ANY_ADDRESS = frozenset(["", "0.0.0.0", "::", "*"])  # noqa: S104 - compared, not bound
_MANAGERS = {"fab": "FabAuthManager", "simple": "SimpleAuthManager"}
# systemd's own default, behind the virtual environment's programs.
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def needed_keys(
    declared: Declared, parameters: Leaves, installation: Installation
) -> list[tuple[str, str]]:
    """The keys, with their kinds, that have to be made when they are not there yet."""
    needed = [
        (row.purpose, row.generate)
        for row in table().settings
        if row.generate
        and row.option(installation.version)
        and (row.purpose,) not in declared.leaves
    ]
    database = _database(parameters, {})
    ours = database.kind != "sqlite" and database.local and url_template(parameters) is None
    if ours and ("db_password",) not in declared.leaves:
        needed.append(("db_password", "token"))
    return needed


def resolve(
    declared: Declared,
    facts: Facts,
    installation: Installation,
    keys: Mapping[str, str],
    ports: Mapping[str, int],
    extra: Extra | None = None,
) -> Instance:
    """The instance that ``declared`` comes to, with the ``keys`` and ``ports`` it has.

    ``extra`` are the packages that it has of its own (see packages.py).

    Raises DeclarationError, ConflictError or Problems.
    """
    parameters, values = expand(declared, facts)
    database = _database(parameters, keys)
    user, warnings = lint.user_options(parameters, installation)
    conditions = _conditions(parameters, user, installation)
    config: dict[Option, Leaf] = {}
    config.update(_defaults(parameters, values, user, conditions, installation, ports))
    config.update(_kept(parameters, keys, declared.name, installation))
    for option, leaf in user.items():
        if leaf.value is None:
            config.pop(option, None)
        else:
            config[option] = leaf
    url = config[_url_option(installation)] = _url(parameters, values, database)
    results = table().option("celery_results", installation.version)
    if "celery" in conditions and results and results not in user:
        # Airflow's own default was a server called postgres, for years.
        config[results] = Leaf(f"db+{url.value}", url.origin)
    instance = Instance(
        name=declared.name,
        parameters=parameters,
        installation=installation,
        database=database,
        config=config,
        environment=_environment(
            declared.name, parameters, config, conditions, installation, extra
        ),
        ports=ports,
        conditions=conditions,
        keys=keys,
        warnings=(*declared.warnings, *warnings),
        extra=extra,
    )
    exposure.check_access(instance)
    exposure.check_metrics(instance)
    _check_executor(instance)
    return instance


def _database(parameters: Leaves, keys: Mapping[str, str]) -> Database:
    def text(name: str) -> str:
        leaf = parameters.get((name,))
        return str(leaf.value) if leaf else ""

    port = parameters.get(("db_port",))
    return Database(
        kind=text("db"),
        home=text("airflow_home"),
        name=text("db_name"),
        user=text("db_user"),
        password=text("db_password") or keys.get("db_password", ""),
        host=text("db_host"),
        port=int(str(port.value)) if port else None,
        options={
            path[1]: leaf.value for path, leaf in parameters.items() if path[0] == "db_options"
        },
    )


def _conditions(
    parameters: Leaves, user: Mapping[Option, Leaf], installation: Installation
) -> frozenset[str]:
    found = {str(parameters[("web_access",)].value)}
    security, executor = user.get(("core", "security")), user.get(("core", "executor"))
    if security and str(security.value).lower() == "kerberos":
        found.add("kerberos")
    if executor and "celery" in str(executor.value).lower():
        found.add("celery")
    if parameters[("statsd_monitoring_enabled",)].value:
        found.add("statsd")
    manager = table().setting("auth_manager")
    chosen = user.get(manager.option(installation.version) or ("", ""))
    ours = manager.value(installation.version)
    # What Airflow takes by itself: FAB's where the table gives none.
    value = chosen.value if chosen else ours
    value = value or ("FabAuthManager" if ours is None else "SimpleAuthManager")
    found |= {word for word, name in _MANAGERS.items() if name in str(value)}
    found.add(database_kind(parameters))
    return frozenset(found)


def _defaults(
    parameters: Leaves,
    values: Values,
    user: Mapping[Option, Leaf],
    conditions: frozenset[str],
    installation: Installation,
    ports: Mapping[str, int],
) -> dict[Option, Leaf]:
    """What the table gives the instance, placeholders expanded."""
    version = installation.version
    realm = parameters.get(("kerberos_realm",))
    local = Values(values.facts, dict(values.added))
    local.added["web_url"] = _web_url(user, installation, ports)
    if "kerberos" in conditions:
        principal = f"{values['service_user']}/{values['fqdn']}"
        local.added["kerberos_principal"] = principal + (f"@{realm.value}" if realm else "")
    found: dict[Option, Leaf] = {}
    for row in table().settings:
        option = row.option(version)
        if option is None or not row.applies(conditions):
            continue
        section, _, name = row.unless.partition(".")
        if row.unless and user.get((section, name)):
            continue
        if row.port:
            if row.port in ports:
                found[option] = Leaf(ports[row.port], "ports.d")
            continue
        value = row.value(version)
        if isinstance(value, str):
            value = placeholders.expand(value, local, row.purpose)
        if value is not None:
            found[option] = Leaf(value, f"default for Airflow {version}")
    return found


def _web_url(
    user: Mapping[Option, Leaf], installation: Installation, ports: Mapping[str, int]
) -> str:
    """How processes of this host reach the web server."""

    def of(purpose: str) -> str:
        leaf = user.get(table().option(purpose, installation.version) or ("", ""))
        return "" if leaf is None or leaf.value is None else str(leaf.value)

    host = of("web_host")
    host = "127.0.0.1" if host in _ANY_ADDRESS else f"[{host}]" if ":" in host else host
    scheme = "https" if of("web_ssl_cert") else "http"
    return f"{scheme}://{host}:{of('web_port') or ports.get('web', 8080)}"


def _kept(
    parameters: Leaves, keys: Mapping[str, str], name: str, installation: Installation
) -> dict[Option, Leaf]:
    found: dict[Option, Leaf] = {}
    for row in table().settings:
        option = row.option(installation.version)
        if not row.generate or option is None:
            continue
        declared = parameters.get((row.purpose,))
        if declared:
            found[option] = declared
        elif row.purpose in keys:
            found[option] = Leaf(keys[row.purpose], f"/etc/airflow/keys.d/{name}.yaml")
    return found


def _url_option(installation: Installation) -> Option:
    option = table().option("database_url", installation.version)
    assert option is not None  # every version has a database
    return option


def _url(parameters: Leaves, values: Values, database: Database) -> Leaf:
    """The URL: from a template when there is one, db_url before airflow_config's."""
    template = url_template(parameters)
    if template is None:
        return Leaf(database.url(), parameters[("db",)].origin)
    known = Values(values.facts, dict(values.added))
    known.added.update(
        db_password=database.password, db_host=database.host, db_port=str(database.port or "")
    )
    text = placeholders.expand(str(template.value), known, template.origin, encode=encode)
    if has_control(text) or text != text.strip():
        raise DeclarationError(
            f"{template.origin}: the database URL has a line break or a space at an end",
            hint="write it on one line",
        )
    return Leaf(text, template.origin)


def _environment(
    name: str,
    parameters: Leaves,
    config: Mapping[Option, Leaf],
    conditions: frozenset[str],
    installation: Installation,
    packages: Extra | None,
) -> dict[str, str]:
    """The one environment of daemons and people, sorted but for what is ours."""
    extra = {
        path[1]: str(leaf.value) if not isinstance(leaf.value, bool) else str(leaf.value).lower()
        for path, leaf in parameters.items()
        if path[0] == "environment_extra"
    }
    home = str(parameters[("airflow_home",)].value)
    own = {"AIRFLOW_HOME": home, "AIRFLOW_INSTANCE_NAME": name}
    path = [installation.bin_dir, extra.pop("PATH", _PATH)]
    if packages:
        overlay = packages.directory(home)
        path.insert(1, f"{overlay}/bin")
        own["PYTHONPATH"] = ":".join(filter(None, (extra.pop("PYTHONPATH", ""), overlay)))
    own["PATH"] = ":".join(path)
    ccache = config.get(("kerberos", "ccache"))
    if "kerberos" in conditions and ccache and "KRB5CCNAME" not in extra:
        own["KRB5CCNAME"] = str(ccache.value)
    return {**own, **dict(sorted(extra.items()))}


def _check_executor(instance: Instance) -> None:
    """Refuse what Airflow 2 would refuse at every start."""
    executor = instance.effective("executor")
    if (
        "sqlite" in instance.conditions
        and not instance.installation.version.at_least("3.0")
        and executor.rsplit(".", 1)[-1] not in ("SequentialExecutor", "DebugExecutor")
    ):
        origin = instance.config[("core", "executor")].origin
        raise DeclarationError(
            f"{origin}: Airflow {instance.installation.version} cannot use {executor} with SQLite",
            hint="set db: postgresql or mysql, or take the executor away",
        )
