"""The ports of an instance: its own daemons have them, or nobody has."""

from __future__ import annotations

import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .finding import ERROR, Finding, Patient

_LISTENING = "0A"
_SOCKETS = (("/proc/net/tcp", _LISTENING), ("/proc/net/tcp6", _LISTENING))
# Where somebody else receives: the statsd exporter's port is meant to be another's.
_OTHERS = ("statsd",)


@dataclass(frozen=True)
class Listener:
    """A socket that takes connections, and whose it is."""

    port: int
    uid: int


def taken(patient: Patient) -> Iterable[Finding]:
    """No other user's process has one of its ports."""
    account = patient.site.host.user(patient.instance.user)
    claimed = {port: slot for slot, port in patient.instance.ports.items() if slot not in _OTHERS}
    told: set[int] = set()
    for listener in listeners(patient):
        slot = claimed.get(listener.port)
        if slot is None or account is None or listener.uid == account.uid or listener.port in told:
            continue
        told.add(listener.port)
        yield Finding(
            ERROR,
            "ports",
            f"port {listener.port} ({slot}) is taken by a process of {_name(listener.uid)}",
            f"ss -lntp 'sport = :{listener.port}'; stop that, or "
            f"airflow-instance set {patient.name} ports.{slot}=PORT --apply",
        )


def listeners(patient: Patient) -> Iterator[Listener]:
    """All listening TCP sockets of the host."""
    if patient.site.layout.alternate:
        return
    for path, state in _SOCKETS:
        try:
            with open(path, encoding="ascii") as file:
                yield from parse(file.read(), state)
        except FileNotFoundError:
            continue  # a kernel without IPv6


def parse(text: str, state: str) -> Iterator[Listener]:
    """The rows of /proc/net/tcp that are in ``state``."""
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[3] == state:
            yield Listener(int(words[1].rpartition(":")[2], 16), int(words[7]))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


CHECKS = (taken,)
