"""MIT's keytab files, read without their keys: whose, which version, what kind.

Format 5.2, and 5.1, which differs in byte order and in how it counts; see
"Keytab file format" in MIT's documentation of the formats.
"""

from __future__ import annotations

import datetime
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from .errors import InstanceError

# What a name needs a backslash before, as in klist's output.
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "/": "\\/", "@": "\\@", "\n": "\\n", "\t": "\\t", "\b": "\\b", "\0": "\\0"}
)

# What administrators know the numbers by (RFC 3961 and its successors).
_ENCTYPES = {
    1: "des-cbc-crc",
    3: "des-cbc-md5",
    16: "des3-cbc-sha1",
    17: "aes128-cts-hmac-sha1-96",
    18: "aes256-cts-hmac-sha1-96",
    19: "aes128-cts-hmac-sha256-128",
    20: "aes256-cts-hmac-sha384-192",
    23: "arcfour-hmac",
    25: "camellia128-cts-cmac",
    26: "camellia256-cts-cmac",
}


@dataclass(frozen=True)
class Entry:
    """A key of a principal; the key itself is left where it is.

    ``kvno`` is the key's version, ``stamp`` when it was written there.
    """

    principal: str
    kvno: int
    enctype: int
    stamp: datetime.datetime

    @property
    def kind(self) -> str:
        """The name of the encryption type."""
        return _ENCTYPES.get(self.enctype, f"encryption type {self.enctype}")


@dataclass
class Reader:
    """Numbers and texts from ``data``, which is what ``where`` has; never beyond its end."""

    data: bytes = field(repr=False)
    where: str
    order: str = ">"
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes; raises InstanceError when there are not as many."""
        if not 0 <= size <= self.left:
            raise InstanceError(
                f"{self.where} is cut short or damaged at byte {self.at}", hint="write it again"
            )
        found = self.data[self.at : self.at + size]
        self.at += size
        return found

    def number(self, form: str) -> int:
        """The next number; ``form`` is one letter of the struct module."""
        text = self.order + form
        return int(struct.unpack(text, self.take(struct.calcsize(text)))[0])

    def text(self, form: str) -> str:
        """The next text, its length a number of ``form``."""
        return self.take(self.number(form)).decode("utf-8", "replace")


def moment(seconds: int) -> datetime.datetime:
    """A time stamp of these files: unsigned seconds, so good until 2106."""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def name(components: Sequence[str], realm: str) -> str:
    """A principal as people write it.

    >>> name(["airflow", "host.example.org"], "EXAMPLE.ORG")
    'airflow/host.example.org@EXAMPLE.ORG'
    """
    text = "/".join(part.translate(_ESCAPES) for part in components)
    text = f"{text}@{realm.translate(_ESCAPES)}"
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def parse(data: bytes, where: str) -> tuple[Entry, ...]:
    """The entries of a keytab, in the file's order.

    Raises InstanceError when ``data`` is no keytab, or not a whole one.
    """
    if data[:2] not in (b"\x05\x01", b"\x05\x02"):
        raise InstanceError(
            f"{where} is no keytab", hint="make one with ktadd in kadmin, or copy it again"
        )
    old = data[1] == 1
    order = (">" if sys.byteorder == "big" else "<") if old else ">"
    reader = Reader(data, where, order, 2)
    found = []
    while reader.left:
        size = reader.number("i")
        if size == 0:
            break
        # A negative size is a hole that a removed key left.
        content = reader.take(abs(size))
        if size > 0:
            found.append(_entry(Reader(content, where, order), old=old))
    return tuple(found)


def _entry(reader: Reader, *, old: bool) -> Entry:
    count = reader.number("H") - (1 if old else 0)
    realm = reader.text("H")
    components = [reader.text("H") for _ in range(count)]
    if not old:
        reader.number("I")  # the name's type
    stamp = reader.number("I")
    kvno = reader.number("B")
    enctype = reader.number("H")
    reader.take(reader.number("H"))  # the key
    if reader.left >= 4:
        kvno = reader.number("I") or kvno
    return Entry(name(components, realm), kvno, enctype, moment(stamp))
