"""Whether `airflow kerberos` can get a ticket, found out before it tries.

It ends without a word when it has no keytab, and with no more than kinit's words
when the key is an old one. All of this runs as the service user.
"""

from __future__ import annotations

import datetime
import errno
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import asuser, ccache, keytab
from .errors import InstanceError
from .kerberos import ERROR, WARNING, Finding, Settings
from .keytab import Entry
from .launch import Launch
from .site import Site

_KINIT_SECONDS = 40.0  # after about 30 kinit gives up by itself
_MAX_FILE = 4 * 1024 * 1024
_RENEWED_WITHIN = datetime.timedelta(minutes=1)


@dataclass(frozen=True)
class Report:
    """What was found; ``summary`` is what is good, in one line, when nothing is wrong."""

    findings: tuple[Finding, ...]
    summary: str = ""


class _WrongError(Exception):
    """One finding, which ends the search: what comes next builds on it."""

    def __init__(self, text: str, hint: str) -> None:
        super().__init__(text)
        self.finding = Finding(ERROR, text, hint)


def examine(site: Site, settings: Settings, planned: Launch, *, ask_kdc: bool) -> Report:
    """Look at the keytab, then at kinit, then ask the KDC. To be run as the service user."""
    found: list[Finding] = []
    summary = ""
    try:
        if not settings.keytab or not settings.principal:
            key = "keytab" if not settings.keytab else "principal"
            raise _WrongError(
                f"airflow.cfg has no kerberos.{key}",
                f"take airflow_config.kerberos.{key}: null out of the declaration",
            )
        content, status = _read(site, settings, planned.user)
        found += access(settings.keytab, status, planned)
        entries = keytab.parse(content, settings.keytab)
        own = newest(entries, settings)
        summary = f"{settings.keytab}: {own[0].principal}, key version {own[0].kvno}"
        program = _kinit(settings, planned)
        if ask_kdc:
            attempted, words = _attempt(site, settings, planned, program, own)
            found += attempted
            summary += words
    except _WrongError as wrong:
        found.append(wrong.finding)
    except InstanceError as error:
        found.append(Finding(ERROR, error.message, error.hint))
    return Report(tuple(found), summary)


def _read(site: Site, settings: Settings, user: str) -> tuple[bytes, os.stat_result]:
    path = settings.keytab
    real = site.layout.real(path)
    try:
        # A pipe must not hold us up.
        fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise _WrongError(
                f"{path}: there is no keytab for {settings.principal}",
                f"ktadd -k {path} {settings.principal} in kadmin, then "
                f"chown {user} {path} and chmod 0400 {path}",
            ) from error
        blocked = _blocked(real)
        raise _WrongError(
            f"{path}: {user} cannot read it: {error.strerror}",
            f"chmod o+x {blocked}, or chgrp it to a group of {user} and chmod g+x"
            if blocked
            else f"chown {user} {path} and chmod 0400 {path}",
        ) from error
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise _WrongError(f"{path} is no regular file", "put the keytab itself there")
        return file.read(_MAX_FILE), status


def _blocked(path: Path) -> str:
    """The directory on the way to ``path`` that this process may not pass; "" if none."""
    above = reversed(path.parents)
    return next((str(place) for place in above if not os.access(place, os.X_OK)), "")


def access(path: str, status: os.stat_result, planned: Launch) -> list[Finding]:
    """Who else than the service user can read the keytab ``path``."""
    hint = f"chown {planned.user} {path} and chmod 0400 {path}"
    if status.st_uid not in (0, planned.uid):
        return [Finding(ERROR, f"{path} belongs to {_user(status.st_uid)}, who can use it", hint)]
    if status.st_mode & 0o007:
        mode = stat.S_IMODE(status.st_mode)
        return [Finding(ERROR, f"{path}: everyone on this host can use it, mode {mode:04o}", hint)]
    if status.st_mode & 0o070 and status.st_gid not in (0, planned.gid):
        text = f"{path}: the members of group {status.st_gid} can use it, too"
        return [Finding(WARNING, text, hint)]
    return []


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def newest(entries: Sequence[Entry], settings: Settings) -> list[Entry]:
    """The keys of the configured principal's newest version, all kinds of them.

    A principal without a realm is found in any: kinit takes the host's own.
    """
    wanted, path = settings.principal, settings.keytab
    own = [e for e in entries if wanted in (e.principal, e.principal.rpartition("@")[0])]
    if not own:
        others = list(dict.fromkeys(entry.principal for entry in entries))
        names = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
        raise _WrongError(
            f"{path} has no key of {wanted}; it has " + (names or "no key at all"),
            f"ktadd -k {path} {wanted} in kadmin, or set airflow_config.kerberos.principal",
        )
    kvno = max(entry.kvno for entry in own)
    return [entry for entry in own if entry.kvno == kvno]


def _kinit(settings: Settings, planned: Launch) -> str:
    program = shutil.which(settings.kinit, path=planned.environment.get("PATH"))
    if program is None:
        raise _WrongError(f"there is no {settings.kinit}", "apt install krb5-user")
    return program


def _attempt(
    site: Site, settings: Settings, planned: Launch, program: str, own: Sequence[Entry]
) -> tuple[list[Finding], str]:
    """Get a ticket as Airflow will, and throw it away."""
    with tempfile.TemporaryDirectory(prefix="airflow-keytab-") as place:
        cache = f"{place}/ccache"
        # The same words as Airflow's, or another ticket would be tried.
        words = [program, "-r", f"{settings.reinit_frequency}m", "-k", "-t", settings.keytab]
        attempt = replace(
            planned,
            program=program,
            arguments=(*words, "-c", cache, settings.principal),
            # The words are looked up in a table.
            environment={**planned.environment, "LC_ALL": "C"},
        )
        done = asuser.run(site, attempt, timeout=_KINIT_SECONDS)
        if done.status == asuser.TIMED_OUT:
            return [explain("Cannot contact any KDC", settings, own)], ""
        if done.status != 0:
            return [explain(done.last_words, settings, own)], ""
        content = Path(cache).read_bytes()
    return judge(ccache.parse(content, cache), settings)


_ADMIN = "in kadmin"


def explain(said: str, settings: Settings, own: Sequence[Entry]) -> Finding:
    """What kinit's words mean, and what to do about it."""
    who, path = own[0].principal, settings.keytab
    realm = who.rpartition("@")[2]
    renew = f"ktadd -k {path} {who} {_ADMIN}"
    kinds = ", ".join(sorted({entry.kind for entry in own}))
    table = (
        (
            ("Cannot contact any KDC", "Cannot resolve network address"),
            WARNING,
            f"no KDC of {realm} answers, so the key was not tried",
            f"see whether those that /etc/krb5.conf names for {realm} can be reached",
        ),
        (
            ("Cannot find KDC",),
            ERROR,
            f"nothing says where the KDC of {realm} is",
            f"name it under [realms] in /etc/krb5.conf, or correct the realm of {who}",
        ),
        (
            ("does not specify default realm",),
            ERROR,
            f"{settings.principal} has no realm, and the host has no default one",
            "set kerberos_realm in the declaration, or default_realm in /etc/krb5.conf",
        ),
        (
            ("Preauthentication failed", "Password incorrect", "Decrypt integrity check"),
            ERROR,
            f"{path}: the KDC does not accept key version {own[0].kvno} of {who}: "
            "it has another one by now",
            f"copy the newest keytab here, or {renew}",
        ),
        (
            ("not found in Kerberos database",),
            ERROR,
            f"the KDC does not know {who}",
            f"addprinc -randkey {who} and {renew}",
        ),
        (
            ("has expired", "have been revoked", "CLIENT EXPIRED", "locked out"),
            ERROR,
            f"the KDC lets {who} in no more: it is locked or has expired",
            f"getprinc {who} {_ADMIN} says which",
        ),
        (
            ("Clock skew too great",),
            ERROR,
            f"the clocks of this host and of the KDC of {realm} are too far apart",
            "timedatectl shows this one; have both follow a time server",
        ),
        (
            ("no suitable keys", "no support for encryption type"),
            ERROR,
            f"{path}: its keys of {who} ({kinds}) are of no kind that the KDC and this host allow",
            renew,
        ),
    )
    for phrases, level, text, hint in table:
        if any(phrase in said for phrase in phrases):
            return Finding(level, text, hint)
    return Finding(ERROR, f"{path}: {said}", f"try it: kinit -V -k -t {path} {who}")


def judge(cache: ccache.Cache, settings: Settings) -> tuple[list[Finding], str]:
    """Whether tickets such as the one in ``cache`` will do, and words for the summary."""
    ticket = cache.tgt
    if ticket is None:
        return [
            Finding(ERROR, f"kinit got no ticket for {cache.principal}", "see the KDC's log")
        ], ""
    found = []
    who, frequency = cache.principal, settings.reinit_frequency
    renewable = (ticket.renew_till or ticket.start) - ticket.start
    if renewable < _RENEWED_WITHIN and cache.settings:
        # Airflow renews each new ticket at once, for the sake of an old Java, when
        # the library has left settings in the cache; and ends when that fails.
        realm = who.rpartition("@")[2]
        found.append(
            Finding(
                ERROR,
                f"the KDC gives {who} tickets that cannot be renewed, with which airflow "
                "kerberos ends",
                f"modprinc -maxrenewlife 7d {who} {_ADMIN}, and the same of krbtgt/{realm}",
            )
        )
    life = int((ticket.end - ticket.start).total_seconds())
    if life <= frequency:
        found.append(
            Finding(
                WARNING,
                f"the tickets of {who} are good for {life} s and renewed every {frequency} s only",
                "set airflow_config.kerberos.reinit_frequency to less",
            )
        )
    return found, f"; the KDC accepts it, tickets are good for {life} s"
