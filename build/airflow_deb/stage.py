"""The source tree that dpkg-buildpackage gets: debian/ plus what is made from data.

Pure: from the checkout, a cell and a lock to file contents. What is made:

    debian/control …          with the package's name in them (see naming.py)
    debian/changelog          version, revision and suite; dated by the lock
    debian/cell.mk            what debian/rules must know of the cell
    debian/requirements.lock  the wheelhouse, each wheel with its sha256
    debian/sources.json       where each distribution came from, for the inventory

The tree of airflow-instances has scripts/ instead of the last two. Neither tree
has a file that only the other package is made of, so that none can change it.
"""

from __future__ import annotations

import datetime
import email.utils
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import naming, needs
from .binary import AIRFLOW, Binary
from .lockfile import Lock
from .needs import Need
from .versions import Cell
from .wheels import Wheel

# Raise it when a build's result changes for a reason that is in no other input.
_FORMAT = "2"
_CACHE = re.compile(r"(^|/)(__pycache__|\.[^/]*_cache)/")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides the bytes of a cell's packages, and the hash of each."""

    cell: Cell
    lock: Lock
    tools: Lock
    needs: tuple[Need, ...]
    debian: Mapping[str, tuple[int, bytes]]
    inside: Mapping[str, tuple[int, bytes]]
    scripts: Mapping[str, tuple[int, bytes]]
    compression: tuple[str, int]

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH, seconds: the start of the day the lock is as of.

        Not the commit's time: an unrelated commit must not change the package.
        """
        day = self.cell.asof
        return int(datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.UTC).timestamp())

    @property
    def source_name(self) -> str:
        """The directory of the source tree, always built at /build below this name."""
        return f"airflow-{self.cell.version.name}"

    @property
    def build_packages(self) -> list[str]:
        """What the build root holds (see `needs.build_root`)."""
        control = self.debian["control"][1].decode()
        return needs.build_root(control, self.needs)

    def debian_files(self, binary: Binary) -> dict[str, tuple[int, bytes]]:
        """What of debian/ the tree of ``binary`` has; control without the other package."""
        files = {name: file for name, file in self.debian.items() if binary.wants(name)}
        files = naming.named(files, source_name(binary))
        mode, control = files["control"]
        return files | {"control": (mode, needs.for_binary(control.decode(), binary).encode())}

    def key(self, binary: Binary) -> str:
        """The hash of all inputs of ``binary``: with the same key it need not be rebuilt."""
        facts = [
            _FORMAT,
            binary.name,
            self.cell.deb_version,
            self.cell.suite.python,
            changelog(self, binary),
            cell_mk(self, binary),
            json.dumps(self.build_packages),
        ]
        trees = [self.debian_files(binary)]
        if binary.is_airflow:
            facts += [self.lock.render(), self.tools.render()]
            trees.append(dict(self.inside))
        else:
            trees.append(dict(self.scripts))
        digest = hashlib.sha256()
        for fact in facts:
            digest.update(fact.encode() + b"\0")
        for tree in trees:
            for name, (mode, content) in sorted(tree.items()):
                digest.update(f"{name} {mode:o} {len(content)}\0".encode() + content)
        return digest.hexdigest()


def read_tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below ``directory``: its name, whether it is executable, its content.

    Only that bit of the mode counts, as for git: a umask does not reach a build.
    Caches of Python and of its linters are left out.
    """
    return {
        path.relative_to(directory).as_posix(): (
            0o755 if path.stat().st_mode & 0o100 else 0o644,
            path.read_bytes(),
        )
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not _CACHE.search(path.relative_to(directory).as_posix())
    }


def source_name(binary: Binary) -> str:
    """The source package that ``binary`` is built from, as dpkg knows it.

    A named package is its own: else .changes and .buildinfo of two would have one name.
    """
    return binary.name if binary.is_airflow else AIRFLOW.name


def changelog(recipe: Recipe, binary: Binary) -> str:
    """debian/changelog (Debian policy 4.4) from debian/changelog.in: one entry."""
    cell = recipe.cell
    date = datetime.datetime.fromtimestamp(recipe.epoch, datetime.UTC)
    fields = {
        "NAME": source_name(binary),
        "DEB_VERSION": cell.deb_version,
        "SUITE": cell.suite.name,
        "AIRFLOW_VERSION": cell.version.name,
        "COUNT": str(len(recipe.lock.files)),
        "MAINTAINER": needs.control_field(recipe.debian["control"][1].decode(), "Maintainer"),
        "DATE": email.utils.format_datetime(date),
    }
    text = recipe.debian["changelog.in"][1].decode()
    return re.sub("@([A-Z_]+)@", lambda match: fields[match[1]], text)


def cell_mk(recipe: Recipe, binary: Binary) -> str:
    """debian/cell.mk: make assignments that debian/rules includes."""
    method, level = recipe.compression
    fields = {
        "NAME": source_name(binary),
        "AIRFLOW_VERSION": recipe.cell.version.name,
        "SUITE": recipe.cell.suite.name,
        "PYTHON": recipe.cell.suite.python,
        "COMPRESSION": method,
        "COMPRESSION_LEVEL": str(level),
        "UV": "/airflow-deb/uv",
        "WHEELHOUSE": "/airflow-deb/wheelhouse",
        "BYTECODE": "/airflow-deb/bytecode",
        "BUILD_PATHS": "/airflow-deb/",
        "DEPENDS": ", ".join(needs.of_kind(recipe.needs, "depends")),
        "RECOMMENDS": ", ".join(needs.of_kind(recipe.needs, "recommends")),
        "SUGGESTS": ", ".join(needs.of_kind(recipe.needs, "suggests")),
        "PROVIDES": (
            binary.provides(recipe.cell.suite.python, recipe.cell.deb_version)
            if binary.is_airflow
            else ""
        ),
    }
    return "".join(f"{key} := {value}\n" for key, value in fields.items())


def sources_json(wheels: Iterable[Wheel]) -> str:
    """debian/sources.json: each distribution with the locked file it came from."""
    rows = [
        {
            "name": wheel.locked.name,
            "version": wheel.locked.version,
            "file": wheel.locked.filename,
            "sha256": wheel.locked.sha256,
            "size": wheel.locked.size,
            "kind": "wheel" if wheel.locked.is_wheel else "sdist",
        }
        for wheel in wheels
    ]
    return json.dumps(sorted(rows, key=lambda row: str(row["name"])), indent=1) + "\n"


def requirements_lock(wheels: Iterable[Wheel]) -> str:
    """debian/requirements.lock: exactly the wheels that are in the wheelhouse."""
    return "".join(
        f"{wheel.locked.name}=={wheel.locked.version} --hash=sha256:{wheel.sha256}\n"
        for wheel in sorted(wheels, key=lambda wheel: wheel.locked.name)
    )


def write(recipe: Recipe, binary: Binary, wheels: Iterable[Wheel], target: Path) -> None:
    """Write the source tree of ``binary`` to ``target``, which must not exist.

    Of ``wheels`` only airflow is made.
    """
    made = {"changelog": changelog(recipe, binary), "cell.mk": cell_mk(recipe, binary)}
    files: dict[str, tuple[int, bytes]] = {}
    if binary.is_airflow:
        house = list(wheels)
        made["requirements.lock"] = requirements_lock(house)
        made["sources.json"] = sources_json(house)
    else:
        files |= {f"scripts/{name}": file for name, file in recipe.scripts.items()}
    files |= {f"debian/{name}": file for name, file in recipe.debian_files(binary).items()}
    files |= {f"debian/{name}": (0o644, text.encode()) for name, text in made.items()}
    for name, (mode, content) in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
