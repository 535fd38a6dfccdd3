"""What lies in the tree already: the files of packages, and what other plugins bring.

Read from the control archives of the packages in dist/, which is a matter of
milliseconds whatever their size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

from .. import record
from ..binary import Binary
from ..errors import UsageError
from ..paths import Paths
from ..run import run
from ..versions import Cell
from .fit import Brought

_AIRFLOWS = re.compile(r"(\S+) \(>= (\S+)~\), \1 \(<< (\S+)~\)")
_FOR = re.compile(r"\+airflow([^+]+)~deb\d+u\d+$")
_DIST_INFO = re.compile(r"/site-packages/([^/]+)-([^-/]+)\.dist-info/RECORD$")


@dataclass(frozen=True)
class Package:
    """A .deb: its name and version, and the absolute paths of its files.

    Of a plugin ``depends`` has the versions of Airflow that it admits.
    """

    name: str
    version: str
    files: frozenset[str]
    depends: str = ""

    @property
    def airflow(self) -> str:
        """The Airflow that it was built for, as Debian writes it; empty for no plugin."""
        found = _FOR.search(self.version)
        return found[1] if found else ""

    def meets(self, first: str, upto: str) -> bool:
        """Whether it admits an Airflow that a plugin for ``first`` and all before ``upto`` does."""
        found = _AIRFLOWS.search(self.depends)
        if found is None:
            return False
        return _before(found[2]) < _before(upto) and _before(first) < _before(found[3])


def airflow(paths: Paths, cell: Cell, binary: Binary) -> Package:
    """The package with Airflow inside that plugins of ``cell`` are for.

    It need not be up to date, but there. Raises UsageError when it is not.
    """
    where = record.path(paths.dist, cell, binary)
    found = record.load(where)
    if found is None or record.current(where, found.key) is None:
        named = f" NAME={binary.name}" if binary.name != binary.role else ""
        raise UsageError(
            f"there is no package {binary.name} {cell.deb_version} in {where.parent}, whose "
            "files a plugin must not overwrite",
            hint=f"make deb VERSION={cell.version.name} SUITE={cell.suite.name}{named}",
        )
    return read(where.parent / found.package)


def plugins(paths: Paths, cell: Cell, binary: Binary) -> list[Package]:
    """The plugin packages for the same suite and place, in the order of their making."""
    debs = record.directory(paths.dist, cell).glob(f"{binary.name}-plugin-*.deb")
    return [read(deb) for deb in sorted(debs, key=lambda deb: deb.stat().st_mtime_ns)]


def upstream(cell: Cell) -> str:
    """The version of ``cell``'s Airflow as Debian writes it, without a revision."""
    return cell.deb_version.rpartition("-")[0]


def brought(packages: Iterable[Package]) -> dict[str, Brought]:
    """The distributions in ``packages``, by canonical name; of two versions the last."""
    return {
        canonicalize_name(match[1]): Brought(match[2], one.name, one.version)
        for one in packages
        for path in one.files
        if (match := _DIST_INFO.search(path))
    }


def files(packages: Iterable[Package], *, but: str) -> Mapping[str, frozenset[str]]:
    """The files of each package by its name; not those of ``but``, which is built anew.

    Of two versions of a plugin for the same Airflow they are the last's.
    """
    return {
        f"{one.name} for Airflow {one.airflow}" if one.airflow else one.name: one.files
        for one in packages
        if one.name != but
    }


def read(deb: Path) -> Package:
    """The package in the file ``deb``. Raises BuildError when dpkg-deb cannot read it."""
    fields = HeaderParser().parsestr(run(["dpkg-deb", "--field", deb]).stdout)
    sums = run(["dpkg-deb", "--info", deb, "md5sums"]).stdout
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        files=frozenset(f"/{line[34:]}" for line in sums.splitlines()),
        depends=fields.get("Depends", ""),
    )


def _before(version: str) -> Version:
    """Where Debian's ``version~`` sorts: before the pre-releases of that Airflow."""
    return Version(f"{version.replace('~', '')}.dev0")
