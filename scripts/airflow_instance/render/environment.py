"""The environment of daemons and people, and the profile that loads it into a shell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .. import quoting
from ..errors import DeclarationError
from ..layout import Layout
from . import header

if TYPE_CHECKING:
    from ..instance import Instance

# What ProtectHome=yes hides.
_HIDDEN = re.compile(r"/(?:home|root|run/user)(?:/|$)")


def render(instance: Instance) -> str:
    """NAME="value" lines that systemd's EnvironmentFile= and a shell read alike."""
    lines = [f"{name}={quoting.environment(text)}" for name, text in instance.environment.items()]
    return header(instance.name) + "\n".join(lines) + "\n"


def parse(text: str) -> dict[str, str]:
    """What `render` wrote, read back."""
    found: dict[str, str] = {}
    # Nothing but this ends a line for systemd and for a shell; str.splitlines knows more.
    for line in text.split("\n"):
        name, equals, quoted = line.partition("=")
        if equals and not name.startswith("#"):
            found[name] = _unquote(quoted)
    return found


def _unquote(quoted: str) -> str:
    result, escaped = "", False
    for character in quoted[1:-1]:
        if escaped or character != "\\":
            result += character if not escaped or character in '"\\$`' else "\\" + character
            escaped = False
        else:
            escaped = True
    return result


def profile(instance: Instance) -> str:
    """A file to source: `. AIRFLOW_HOME/bin/profile`."""
    return (
        f"{header(instance.name)}"
        "# For a shell of the service user; airflow-NAME does this by itself.\n"
        f"set -a\n. {Layout.environment_file(instance.name)}\nset +a\n"
    )


def drop_in(instance: Instance) -> str:
    """What the unit templates cannot know: user, group, home, environment and paths.

    For every unit that works as the instance, daemon or not.
    """
    lines = [
        "[Service]",
        f"User={instance.user}",
        f"Group={instance.group}",
        f"WorkingDirectory={instance.home}",
        "EnvironmentFile=",
        f"EnvironmentFile={Layout.environment_file(instance.name)}",
        f"ReadWritePaths={instance.home}",
    ]
    logs = instance.effective("base_log_folder")
    if logs and not f"{logs}/".startswith(f"{instance.home}/"):
        lines.append(f"ReadWritePaths=-{_path(logs)}")
    if _sees_homes(instance):
        lines.append("ProtectHome=read-only")
    return header(instance.name) + "\n".join(lines) + "\n"


def _sees_homes(instance: Instance) -> bool:
    """Whether anything of the instance lies where ProtectHome=yes would hide it."""
    texts = [instance.home, instance.installation.prefix, *instance.environment.values()]
    texts += [str(leaf.value) for leaf in instance.config.values()]
    return any(_HIDDEN.match(part) for text in texts for part in re.split(r"[:,;=\s]", text))


def _path(text: str) -> str:
    """A path as a unit's list of paths takes it. Raises DeclarationError."""
    if any(character in text for character in "\"'\\"):
        raise DeclarationError(
            f"base_log_folder {text} has a quote or a backslash, which no unit can have",
            hint="choose another directory",
        )
    escaped = text.replace("%", "%%")
    return f'"{escaped}"' if " " in text else escaped
