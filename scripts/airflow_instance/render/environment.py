"""The environment of daemons and people, and the profile that loads it into a shell."""

from __future__ import annotations

from .. import quoting
from ..instance import Instance
from ..layout import Layout
from . import header


def render(instance: Instance) -> str:
    """NAME="value" lines that systemd's EnvironmentFile= and a shell read alike."""
    lines = [f"{name}={quoting.environment(text)}" for name, text in instance.environment.items()]
    return header(instance.name) + "\n".join(lines) + "\n"


def parse(text: str) -> dict[str, str]:
    """What `render` wrote, read back."""
    found: dict[str, str] = {}
    for line in text.splitlines():
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
    """What the unit templates cannot know: user, group, home and environment."""
    return (
        f"{header(instance.name)}"
        "[Service]\n"
        f"User={instance.user}\n"
        f"Group={instance.group}\n"
        f"WorkingDirectory={instance.home}\n"
        f"EnvironmentFile={Layout.environment_file(instance.name)}\n"
        f"ReadWritePaths={instance.home}\n"
    )
