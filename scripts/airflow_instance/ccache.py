"""MIT's credential cache files, read without the tickets' keys: until when they are good.

Format 5.4, which every kinit of this century writes; see "Credential cache file
format" in MIT's documentation of the formats.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from .errors import InstanceError
from .keytab import Reader, moment, name

# The realm under which the library keeps settings among the tickets.
_SETTINGS = "X-CACHECONF:"
_RENEWABLE = 0x00800000  # among a ticket's flags (RFC 4120, 2.1)


@dataclass(frozen=True)
class Ticket:
    """A ticket of ``client`` for ``server``; ``renew_till`` is None when it cannot be renewed."""

    client: str
    server: str
    start: datetime.datetime
    end: datetime.datetime
    renew_till: datetime.datetime | None


@dataclass(frozen=True)
class Cache:
    """Whose cache it is, and what is in it. ``settings``: the library keeps some there, too."""

    principal: str
    tickets: tuple[Ticket, ...]
    settings: bool

    @property
    def tgt(self) -> Ticket | None:
        """The newest ticket that gets other tickets in the principal's own realm."""
        realm = self.principal.rpartition("@")[2]
        own = [t for t in self.tickets if t.server == f"krbtgt/{realm}@{realm}"]
        return max(own, key=lambda ticket: ticket.end) if own else None


def parse(data: bytes, where: str) -> Cache:
    """The cache in ``data``.

    Raises InstanceError when it is none, or not a whole one.
    """
    if data[:2] != b"\x05\x04":
        raise InstanceError(
            f"{where} is no credential cache of format 4",
            hint=f"rm {where}, and restart the kerberos unit",
        )
    reader = Reader(data, where, at=2)
    reader.take(reader.number("H"))  # the header: clock differences
    principal, _ = _principal(reader)
    tickets, settings = [], False
    while reader.left:
        client, _ = _principal(reader)
        server, realm = _principal(reader)
        reader.number("H")
        _skip(reader)  # the session key
        _, start, end, renew_till = (reader.number("I") for _ in range(4))
        reader.number("B")  # whether it is for another's session key
        flags = reader.number("I")
        for _ in range(2):  # addresses, authorization data
            for _ in range(reader.number("I")):
                reader.number("H")
                _skip(reader)
        _skip(reader)
        _skip(reader)  # the ticket and a second one
        if realm == _SETTINGS:
            settings = True
        elif end:  # one that was removed has no end
            renewable = moment(renew_till) if flags & _RENEWABLE else None
            tickets.append(Ticket(client, server, moment(start), moment(end), renewable))
    return Cache(principal, tuple(tickets), settings)


def _principal(reader: Reader) -> tuple[str, str]:
    reader.number("I")  # the name's type
    count = reader.number("I")
    realm = reader.text("I")
    return name([reader.text("I") for _ in range(count)], realm), realm


def _skip(reader: Reader) -> None:
    reader.take(reader.number("I"))
