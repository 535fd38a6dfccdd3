"""What must not be seen: which values are secret, and how they are masked."""

from __future__ import annotations

import re

from . import schema

MASK = "********"

# Names of options and variables whose value is a secret whatever the schema says.
_NAMES = re.compile(
    r"(?:password|passwd|_pwd|passphrase|basic_auth)$|"
    r"(?:^|_)(?:token|secret|fernet_key|secret_key|private_key|access_key|api_key)$",
    re.IGNORECASE,
)
# Airflow's own OPTION_secret and OPTION_cmd name where a secret is, not the secret.
_POINTER = re.compile(r"(?:password|key|token|conn|url|backend)_(?:secret|cmd)$", re.IGNORECASE)
_PASSWORD_IN_URL = re.compile(r"(://[^/@\s:]*:)((?!%\{)[^@\s]+)(@)")
# As drivers take it, too: hive://host:10000/?auth=LDAP&password=…
_PASSWORD_IN_QUERY = re.compile(
    r"([?&](?:[A-Za-z0-9_.-]*(?:password|passwd|_pwd|token|secret)|pwd)=)((?!%\{)[^&#\s]+)",
    re.IGNORECASE,
)


def named_secret(name: str) -> bool:
    """Whether a value called ``name`` is a secret.

    >>> named_secret("smtp_password"), named_secret("sql_alchemy_conn_secret")
    (True, False)
    """
    return bool(_NAMES.search(name)) and not _POINTER.search(name)


def has_password(text: str) -> bool:
    """Whether ``text`` is a URL with a password in it; a placeholder is none."""
    in_query = "://" in text and _PASSWORD_IN_QUERY.search(text)
    return bool(in_query or _PASSWORD_IN_URL.search(text))


def exposed(path: schema.Path, value: object) -> bool:
    """Whether the value at ``path`` must not be in a file that everyone can read."""
    kind = (schema.at(path) or {}).get("x-secret")
    if path[0] in ("airflow_config", "environment_extra") and named_secret(path[-1]):
        return isinstance(value, str) and value != ""
    if isinstance(value, str) and has_password(value):
        return True
    return kind is True


def masked(path: schema.Path, value: object) -> object:
    """``value`` as it may be shown."""
    inside_extra = len(path) > 2 and path[0] == "connections" and path[2] == "extra"
    kind = (schema.at(path) or {}).get("x-secret")
    if value not in (None, "") and (
        kind in (True, "mask") or inside_extra or named_secret(path[-1])
    ):
        return MASK
    return _without_passwords(value) if isinstance(value, str) else value


def mask_config_line(line: str) -> str:
    """A ``key = value`` or ``KEY="value"`` line as it may be shown."""
    match = re.match(r"([+\- ]?)([A-Za-z_][A-Za-z0-9_.-]*)( ?= ?)(.*)", line)
    if match and named_secret(match[2]) and match[4].strip('"'):
        return f"{match[1]}{match[2]}{match[3]}{MASK}"
    return _without_passwords(line)


def _without_passwords(text: str) -> str:
    """``text`` with the passwords of URLs in it masked."""
    text = _PASSWORD_IN_URL.sub(rf"\g<1>{MASK}\g<3>", text)
    return _PASSWORD_IN_QUERY.sub(rf"\g<1>{MASK}", text) if "://" in text else text
