"""What a web server shows to those who give no name, and that only this host may see it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import DeclarationError
from .instance import Instance
from .leaves import Leaf
from .url import LOCAL
from .versions import table

# As Airflow reads a boolean.
_TRUE = ("true", "t", "1")
_ROLE = "AUTH_ROLE_PUBLIC"


@dataclass(frozen=True)
class Opening:
    """What makes everyone an Admin: in the words of the declaration, where, and what ends it.

    ``mend`` are words for `airflow-instance set`; "" when somebody has to edit Python.
    """

    text: str
    origin: str
    mend: str


def openings(instance: Instance) -> Iterator[Opening]:
    """All that lets whoever reaches the port be an Admin, whichever way it is written."""
    if "open" in instance.conditions:
        origin = instance.parameters[("web_access",)].origin
        yield Opening("web_access: open", origin, "web_access=login")
    manager = instance.effective("auth_manager")
    if "FabAuthManager" not in manager:
        for path, leaf in _written(instance, "simple_all_admins"):
            if str(leaf.value).partition("#")[0].strip().lower() in _TRUE:
                yield _option(path, leaf)
    if "SimpleAuthManager" not in manager:
        for path, leaf in _written(instance, "auth_role_public"):
            if str(leaf.value).strip().lower() == "admin":
                yield _option(path, leaf)
        extra = instance.parameters.get(("webserver_config_extra",))
        if extra and _gives_role(str(extra.value)):
            yield Opening(f"{_ROLE} in webserver_config_extra", extra.origin, "")


def check_access(instance: Instance) -> None:
    """Refuse to make everyone on the network an Admin. Raises DeclarationError."""
    host = instance.effective("web_host")
    opening = next(openings(instance), None)
    if opening is None or host in LOCAL or instance.parameter("allow_open_access_beyond_loopback"):
        return
    away = "set web_access: login" if opening.mend == "web_access=login" else "take it away"
    raise DeclarationError(
        f"{opening.origin}: {opening.text} with a web server on {host or 'every address'} "
        "makes everyone who can reach it an Admin",
        hint=f"bind 127.0.0.1, or {away}, or, when a proxy asks for names, "
        "allow_open_access_beyond_loopback: true",
    )


def check_metrics(instance: Instance) -> None:
    """Refuse to show the names of DAGs and tasks to the network: no login is before them.

    Raises DeclarationError.
    """
    host = instance.effective("web_host")
    if (
        instance.metrics_path
        and host not in LOCAL
        and not instance.parameter("allow_metrics_beyond_loopback")
    ):
        raise DeclarationError(
            f"{instance.name}: a web server on {host or 'every address'} shows "
            f"{instance.metrics_path} to everyone who can reach it",
            hint="bind 127.0.0.1 and let a proxy answer others, or, when a firewall or a proxy "
            "keeps them out, set allow_metrics_beyond_loopback: true",
        )


def _written(instance: Instance, purpose: str) -> Iterator[tuple[str, Leaf]]:
    """Where a declaration gives an option: of its environment, or else of airflow_config."""
    option = table().option(purpose, instance.installation.version)
    if option is None:
        return
    variable = f"AIRFLOW__{option[0]}__{option[1]}".upper()
    leaf = instance.parameters.get(("environment_extra", variable))
    if leaf and leaf.value not in (None, ""):
        yield f"environment_extra.{variable}", leaf
        return
    for (section, name), found in instance.config.items():
        # Upper and lower case are one to Airflow, in a name.
        given = instance.parameters.get(("airflow_config", section, name))
        if given and (section, name.lower()) == option:
            yield f"airflow_config.{section}.{name}", found


def _option(path: str, leaf: Leaf) -> Opening:
    value = str(leaf.value).lower() if isinstance(leaf.value, bool) else str(leaf.value)
    return Opening(f"{path}: {value}", leaf.origin, f"--unset {path}")


def _gives_role(text: str) -> bool:
    """Whether Python assigns AUTH_ROLE_PUBLIC the role Admin, or what only running it tells."""
    for node in ast.walk(ast.parse(text)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == _ROLE for target in targets):
            value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
            if not isinstance(value, ast.Constant) or str(value.value).strip().lower() == "admin":
                return True
    return False
