"""Keys that are made once and kept.

They are in /etc/airflow/keys.d/NAME.yaml, 0600, one per line. An existing line
is never changed but by rotation.py: another fernet key could not read the database
any more. What secrets.d says wins over what is here.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Mapping

from . import document, quoting, readfile
from .errors import DeclarationError
from .layout import Layout

HEADER = """\
# Made once by airflow-instance, and replaced by its command rotate-keys only. Keep it
# with the database's backups: without the fernet key nobody can read the connections there.
"""


def fernet() -> str:
    """A new fernet key: 32 random bytes."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")


def token() -> str:
    """A new random word of 43 letters, digits, dashes and underscores."""
    return secrets.token_urlsafe(32)


_MAKERS: Mapping[str, Callable[[], str]] = {"fernet": fernet, "token": token}


def load(layout: Layout, name: str) -> tuple[str, dict[str, str]]:
    """The file's text and the keys in it; ("", {}) when there is none.

    Raises DeclarationError when the file is malformed: it is never made anew.
    """
    where = layout.seen(layout.keys_file(name))
    source = readfile.read(layout.keys_file(name), where, secret=True)
    if source is None:
        return "", {}
    return source.text, parse(source.text, where)


def parse(text: str, where: str) -> dict[str, str]:
    """The keys in a file's ``text``.

    Raises DeclarationError when it is malformed.
    """
    root = document.parse(text, where)
    values = document.plain(root) if root else {}
    found: dict[str, str] = {}
    for key, value in (values if isinstance(values, dict) else {}).items():
        if not isinstance(value, str) or not value:
            raise DeclarationError(
                f"{where}: {key} is no key", hint="put back the file from a backup"
            )
        found[key] = value
    return found


def fingerprint(purpose: str, key: str) -> str:
    """Eight digits by which two hosts can tell whether they have the same key.

    They are no help in finding the key: those that were generated have 256 bits, and
    one that a person thought of takes as long to try as a password, with a dozen digits
    too few to be sure.
    """
    salt = f"airflow-instance {purpose}".encode()
    return hashlib.pbkdf2_hmac("sha256", key.encode(), salt, 200_000).hex()[:8]


def complete(
    text: str, have: Mapping[str, str], needed: Iterable[tuple[str, str]]
) -> tuple[str, dict[str, str]]:
    """The file's text and its keys with every ``needed`` (name, kind) that it lacks.

    What is there stays byte for byte.
    """
    keys = dict(have)
    lines = []
    for name, kind in needed:
        if name not in keys:
            keys[name] = _MAKERS[kind]()
            lines.append(f"{name}: {quoting.yaml(keys[name])}\n")
    if lines:
        text = (text or HEADER) + ("\n" if text and not text.endswith("\n") else "")
    return text + "".join(lines), keys
