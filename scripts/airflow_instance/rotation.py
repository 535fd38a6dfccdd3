"""Replacing an instance's generated keys by new ones, so that nothing becomes unreadable.

The fernet key is replaced in three steps, and a run that was cut off goes on where it
was: while keys.d has several fernet keys, everything in the database can be read.

    keys.d: old        ->  new,old     and airflow.cfg with it
    database: old      ->  new         one transaction
    keys.d: new,old    ->  new         once the new one alone was seen to read everything
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import asuser, edit, keys, launch
from .changes import Change, MakeDirectory, WriteFile
from .errors import ConflictError, DeclarationError, HostError, InstanceError
from .instance import Instance
from .site import Site
from .versions import Option, table

FERNET = "fernet_key"
_SCRIPT = Path(__file__).resolve().parent / "inside" / "reencrypt.py"
_CONNECT_SECONDS = 30.0


@dataclass(frozen=True)
class Values:
    """The encrypted values of a database: how many there are, how many of them not with
    the newest key, and the names of those that no key can read."""

    rows: int
    changed: int
    unreadable: tuple[str, ...]


def purposes(instance: Instance, where: str, *, secret: bool, fernet: bool) -> list[str]:
    """The keys to replace, by their names in keys.d, which is ``where``.

    Raises DeclarationError for one that a declaration says: it has to be changed there.
    """
    found = []
    for row in table().settings:
        option = row.option(instance.installation.version)
        wanted = {"fernet": fernet, "token": secret}.get(row.generate, False)
        if not wanted or option is None:
            continue
        origin = _fixed(instance, option, where)
        if origin:
            raise DeclarationError(
                f"{origin}: {row.purpose} is set there, so it is not replaced",
                hint="change it there and apply, or take it out for one to be generated",
            )
        found.append(row.purpose)
    return found


def _fixed(instance: Instance, option: Option, where: str) -> str:
    """Where the declaration says what the option is; "" when keys.d does."""
    variable = f"AIRFLOW__{option[0]}__{option[1]}".upper()
    for name in (variable, f"{variable}_CMD", f"{variable}_SECRET"):
        leaf = instance.parameters.get(("environment_extra", name))
        if leaf:
            return leaf.origin
    leaf = instance.config.get(option)
    return leaf.origin if leaf and leaf.origin != where else ""


def first(text: str, have: Mapping[str, str], names: Sequence[str], where: str) -> str:
    """The text of keys.d with new keys; the old fernet key stays behind the new one.

    Several fernet keys are a rotation that was cut off: it goes on with these.

    Raises InstanceError when there is nothing to replace yet.
    """
    missing = [name for name in names if name not in have]
    if missing:
        raise InstanceError(
            f"{where} has no {missing[0]} yet", hint="airflow-instance apply makes one"
        )
    for name in names:
        if name != FERNET:
            text = edit.set_value(text, (name,), keys.token(), where)
        elif not unfinished(have):
            text = edit.set_value(text, (name,), f"{keys.fernet()},{have[name]}", where)
    return text


def last(text: str, where: str) -> str:
    """The text of keys.d with the newest fernet key only."""
    have = keys.parse(text, where)
    return edit.set_value(text, (FERNET,), have[FERNET].split(",")[0], where)


def unfinished(have: Mapping[str, str]) -> bool:
    """Whether a rotation of the fernet key was cut off."""
    return "," in have.get(FERNET, "")


def backup(site: Site, name: str, text: str) -> tuple[str, list[Change]]:
    """Where the keys so far, ``text``, are kept, and what puts them there.

    Older backups of the database can be read with them only.
    """
    stamp = time.strftime("%Y%m%dT%H%M%S")
    place, number = site.layout.rotated_dir(name, stamp), 1
    while site.tree.status(place) is not None:
        number += 1
        place = site.layout.rotated_dir(name, f"{stamp}-{number}")
    return f"{place}/keys.yaml", [
        MakeDirectory(place, 0o700, "root", "root"),
        WriteFile(f"{place}/keys.yaml", text.encode(), None, 0o600, "root", "root"),
    ]


def values(site: Site, instance: Instance, fernet: str, *, write: bool = False) -> Values:
    """Look at the database with the keys ``fernet``, the newest first and commas between.

    ``write``: and encrypt with the newest what is not. The service user does it; keys
    go through a pipe.

    Raises what `launch.plan` raises, and HostError when the database cannot be asked.
    """
    name, installation = instance.name, instance.installation
    option = table().option("database_url", installation.version)
    assert option is not None  # every version has a database
    request = {
        "section": option[0],
        "key": option[1],
        "timeout": _CONNECT_SECONDS,
        "keys": fernet.split(","),
        "columns": [
            (row.table, row.value, row.flag) for row in table().encrypted_in(installation.version)
        ],
        "write": write,
    }
    command = [f"{installation.bin_dir}/python", "-I", str(_SCRIPT)]
    typed = ["airflow-instance", "rotate-keys", name]
    # No limit for the rest: a transaction that is cut off has to be made again.
    done = asuser.run(site, launch.plan(site, name, command, typed), text=json.dumps(request))
    if done.status != 0:
        raise HostError(f"{name}: the database could not be read: {done.last_words}")
    said = json.loads(done.out)
    if "unreachable" in said:
        raise HostError(
            f"{name}: the database does not answer: {said['unreachable']}",
            hint="start it first; nothing was changed",
        )
    return Values(said["rows"], said["changed"], tuple(said["unreadable"]))


def check_readable(name: str, found: Values) -> None:
    """Raises ConflictError when there are values that no key can read: they would stay so."""
    if found.unreadable:
        names = ", ".join(found.unreadable[:5]) + (", …" if len(found.unreadable) > 5 else "")
        raise ConflictError(
            f"{name}: no key in keys.d can read {names}",
            hint=f"put the key that can behind the others in keys.d, or set these values anew "
            f"(airflow-{name} connections delete, variables delete)",
        )
