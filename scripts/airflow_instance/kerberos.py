"""Kerberos of an instance: its settings, its ticket, and what is wrong with its keytab.

What is the service user's is read as that user, or so that it cannot lead root
elsewhere.
"""

from __future__ import annotations

import configparser
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import asuser, ccache, launch
from .errors import HostError, InstanceError
from .launch import Launch
from .layout import CONFIG_FILE
from .site import Site

ERROR, WARNING = "error", "warning"

_PACKAGES = Path(__file__).resolve().parent.parent
# A kinit that nobody answers takes half a minute.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Settings:
    """What airflow.cfg and the environment say; ``reinit_frequency`` is in seconds.

    ``principal`` may lack the realm: then it is the host's own. Paths are plain.
    """

    principal: str
    keytab: str
    ccache: str
    kinit: str
    reinit_frequency: int


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. ``level`` is ERROR or WARNING."""

    level: str
    text: str
    hint: str


def plan(site: Site, name: str) -> Launch:
    """The instance's user and environment; what is run is put in by `dataclasses.replace`.

    Raises what `launch.plan` raises.
    """
    typed = ["airflow-instance", "check-keytab", name]
    return launch.plan(site, name, [sys.executable], typed)


def settings(site: Site, name: str) -> Settings | None:
    """What the daemon will find; None when core.security is not kerberos.

    For root and the service user. Raises what `launch.plan` raises, and HostError
    when airflow.cfg cannot be read.
    """
    planned = plan(site, name)
    path = f"{planned.home}/{CONFIG_FILE}"
    again = f"sudo airflow-instance apply {name}"
    content = site.tree.read(path)
    if content is None:
        raise HostError(f"{path} cannot be read", hint=again)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(content.decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise HostError(f"{path} is malformed", hint=again) from error

    def option(section: str, key: str, default: str = "") -> str:
        variable = f"AIRFLOW__{section.upper()}__{key.upper()}"
        text = planned.environment.get(variable)
        return (
            parser.get(section, key, fallback=default).replace("%%", "%") if text is None else text
        )

    if option("core", "security").lower() != "kerberos":
        return None
    principal = option("kerberos", "principal")
    if "_HOST" in principal:
        principal = principal.replace("_HOST", site.facts.fqdn)  # as Airflow does
    frequency = option("kerberos", "reinit_frequency")
    return Settings(
        principal=principal,
        keytab=_path(option("kerberos", "keytab")),
        ccache=_path(option("kerberos", "ccache")),
        kinit=option("kerberos", "kinit_path", "kinit"),
        reinit_frequency=int(frequency) if frequency.isdecimal() else 3600,
    )


def _path(text: str) -> str:
    return text[len("FILE:") :] if text.startswith("FILE:") else text


def ticket(site: Site, settings: Settings) -> ccache.Ticket | None:
    """The ticket that the instance has; None when it has none.

    For root and the service user. Raises InstanceError when the file is no credential
    cache.
    """
    for last in (False, True):
        content = site.tree.read(settings.ccache)
        if content is None:
            return None
        try:
            return ccache.parse(content, settings.ccache).tgt
        except InstanceError:
            # kinit may be writing it right now.
            if last:
                raise
            time.sleep(0.2)
    return None


def again(words: Sequence[str]) -> tuple[str, ...]:
    """What runs ``airflow-instance WORDS`` once more, wherever this package is."""
    start = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); "
        "from airflow_instance.cli import main; sys.exit(main())"
    )
    return (sys.executable, "-I", "-c", start, str(_PACKAGES), *words)


def findings(site: Site, name: str, *, ask_kdc: bool) -> tuple[Finding, ...]:
    """What is wrong with the keytab, as the service user sees it; () when nothing is.

    ``ask_kdc``: whether the KDC accepts the key is tried, too. That takes up to half
    a minute when no KDC answers.

    Raises what `launch.plan` raises, and HostError when it could not be found out.
    """
    words = ["check-keytab", "--json", name, *([] if ask_kdc else ["--no-kdc"])]
    command = replace(plan(site, name), arguments=again(words))
    done = asuser.run(site, command, timeout=_PATIENCE)
    try:
        return tuple(Finding(**found) for found in json.loads(done.out)["findings"])
    except (ValueError, KeyError, TypeError) as error:
        raise HostError(f"{name}: the keytab could not be checked: {done.last_words}") from error
