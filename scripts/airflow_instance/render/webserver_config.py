"""webserver_config.py: who may use the web UI."""

from __future__ import annotations

from ..instance import Instance
from . import header


def render(instance: Instance) -> str:
    """The file, ended by the declaration's own Python."""
    text = header(instance.name) + (
        "\nfrom flask_appbuilder.security.manager import AUTH_DB\n"
        "\nWTF_CSRF_ENABLED = True\n"
        "AUTH_TYPE = AUTH_DB\n"
    )
    if "open" in instance.conditions:
        text += (
            "\n# web_access: open. Whoever reaches the port is an Admin.\n"
            "AUTH_ROLE_PUBLIC = 'Admin'\n"
        )
    extra = instance.parameters.get(("webserver_config_extra",))
    if extra:
        text += f"\n# webserver_config_extra\n{str(extra.value).rstrip()}\n"
    return text
