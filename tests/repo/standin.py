"""Small packages that look as if `make deb` had built them, papers and all.

dpkg-buildpackage makes them, as it makes the real ones; in them is nothing but a command
that prints its version.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from airflow_deb import deb, record
from airflow_deb.binary import INSTANCES, Binary
from airflow_deb.companions import sha256
from airflow_deb.record import Record
from airflow_deb.run import run
from airflow_deb.versions import Cell, Matrix

_CONTROL = """\
Source: {source}
Section: admin
Priority: optional
Maintainer: airflow-deb tests <tests@example.org>
Standards-Version: 4.6.2
Rules-Requires-Root: no

Package: {name}
Architecture: {field}
{relations}
Description: stands in for {name}
 It prints its version.
"""
_CHANGELOG = """\
{source} ({version}) {suite}; urgency=medium

  * A stand-in.

 -- airflow-deb tests <tests@example.org>  Wed, 30 Jun 2021 00:00:00 +0000
"""
_RULES = """\
#!/bin/sh
set -eu
case $1 in binary*) ;; *) exit 0 ;; esac
mkdir -p "debian/{name}/DEBIAN" "debian/{name}/usr/bin"
printf '#!/bin/sh\\necho {version} {content}\\n' > "debian/{name}/usr/bin/{name}"
chmod 755 "debian/{name}/usr/bin/{name}"
dpkg-gencontrol "-p{name}" "-Pdebian/{name}"
dpkg-deb --root-owner-group -Z{method} --build "debian/{name}" ..
"""


def cell(matrix: Matrix, suite: str, version: str, revision: int = 1) -> Cell:
    """A cell of ``suite`` whose version need not be one of ``matrix``."""
    own = next(cell for cell in matrix.cells() if cell.suite.name == suite)
    return replace(own, version=replace(own.version, name=version, revision=revision))


def build(dist: Path, cell: Cell, binary: Binary, *, method: str = "", content: str = "") -> Path:
    """Leave in ``dist`` what `make deb` leaves of ``cell``'s package ``binary``; the .deb.

    ``method`` packs it, ``content`` makes it another package of the same version.
    """
    source = "airflow" if binary is INSTANCES else binary.name
    facts = {
        "source": source,
        "name": binary.name,
        "field": "all" if binary is INSTANCES else "any",
        "relations": _relations(cell, binary),
        "version": cell.deb_version,
        "suite": cell.suite.name,
        "method": method or cell.suite.compression.partition(":")[0],
        "content": content,
    }
    with tempfile.TemporaryDirectory(prefix="standin-") as name:
        tree = Path(name) / source
        (tree / "debian" / "source").mkdir(parents=True)
        for path, text in (
            ("control", _CONTROL),
            ("changelog", _CHANGELOG),
            ("rules", _RULES),
            ("source/format", "3.0 (native)\n"),
        ):
            (tree / "debian" / path).write_text(text.format(**facts), encoding="utf-8")
        (tree / "debian" / "rules").chmod(0o755)
        options = ["--unsigned-source", "--unsigned-changes", "--no-check-builddeps"]
        run(["dpkg-buildpackage", *options, f"--build={binary.build}"], cwd=tree)
        shutil.rmtree(tree)
        where = record.path(dist, cell, binary)
        published = deb.publish(sorted(Path(name).iterdir()), where.parent)
    package = next(path for path in published if path.suffix == ".deb")
    files = {path.name: (sha256(path), path.stat().st_size) for path in published}
    about = Record(
        key="0" * 64,
        package=package.name,
        files=files,
        installed_kib=1,
        distributions=0,
        seconds={},
        date=record.now(),
    )
    record.save(where, about)
    return package


def _relations(cell: Cell, binary: Binary) -> str:
    if binary is INSTANCES:
        return "Recommends: airflow | airflow-environment"
    provides = binary.provides(cell.suite.python, cell.deb_version)
    return f"Recommends: {INSTANCES.name}\nProvides: {provides}"
