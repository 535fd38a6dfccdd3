"""The names of instances, and what is derived from them."""

from __future__ import annotations

import re

from .errors import DeclarationError

# PostgreSQL and MariaDB users, system users and unit names all have to hold
# "airflow-" + NAME; the shortest limit, 32, is the system user's.
MAX_LENGTH = 24
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
RULE = (
    "a name is lower-case letters and digits in words joined by single dashes, begins "
    f"with a letter and has at most {MAX_LENGTH} characters, as in analytics-test"
)

# airflow-NAME is a command and airflow-DAEMON@NAME a unit: these would be
# mistaken for our own, or for "every instance".
RESERVED = frozenset(
    {"all", "default", "defaults", "exporter", "instance", "instances", "none"}
    | {"api-server", "celery", "celery-worker", "dag-processor", "flower", "kerberos"}
    | {"scheduler", "triggerer", "webserver", "worker"}
)


def check(name: str) -> str:
    """``name`` itself, when an instance may have it.

    Raises DeclarationError, with the rule, when not.
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_LENGTH:
        # A dash, a capital or an underscore is what people mostly get wrong.
        better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:MAX_LENGTH]
        hint = RULE
        if _NAME.fullmatch(better) and better != name:
            hint = f"{RULE}; {better} would do"
        raise DeclarationError(f"{name!r} cannot name an instance", hint=hint)
    if name in RESERVED:
        raise DeclarationError(
            f"{name} cannot name an instance: the name is reserved",
            hint=f"choose another, such as {name[: MAX_LENGTH - 5]}-team",
        )
    return name


def database_name(name: str) -> str:
    """``name`` as a database may be called: non-word characters become ``_``.

    >>> database_name("analytics-test")
    'analytics_test'
    """
    return re.sub(r"\W", "_", name)
