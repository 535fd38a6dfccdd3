"""The Python distributions in a package, as their dist-info directories tell."""

from __future__ import annotations

import csv
import posixpath
import re
from dataclasses import dataclass, field
from email.parser import HeaderParser

from packaging.utils import canonicalize_name
from tests.package.debfile import Deb

_INFO = re.compile(r"^(?P<info>[^/]+\.dist-info)/RECORD$")


@dataclass(frozen=True)
class Row:
    """A line of a RECORD: the file's path once installed, hash and size as written."""

    path: str
    hash: str
    size: str


@dataclass(frozen=True)
class Distribution:
    """An installed distribution: canonical name, version, where its RECORD is, its rows."""

    name: str
    version: str
    record: str
    rows: tuple[Row, ...] = field(repr=False)


def distributions(deb: Deb, site_packages: str) -> list[Distribution]:
    """Every distribution that has a RECORD in ``site_packages``."""
    found = []
    for path in deb.files:
        match = _INFO.match(path.removeprefix(f"{site_packages}/"))
        if match is None:
            continue
        metadata = HeaderParser().parsestr(
            deb.read(f"{site_packages}/{match['info']}/METADATA").decode(errors="replace")
        )
        lines = csv.reader(deb.read(path).decode().splitlines())
        rows = (Row(posixpath.normpath(f"{site_packages}/{p}"), h, s) for p, h, s in lines)
        name = canonicalize_name(str(metadata["Name"]))
        found.append(Distribution(name, str(metadata["Version"]), path, tuple(rows)))
    return found
