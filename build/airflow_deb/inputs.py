"""All that a package was made of, by hash: a field of its .buildinfo.

dpkg-genbuildinfo lists what came out and, by version, the build dependencies. What went
in is added behind it (deb-buildinfo(5) lets readers pass over fields that they do not
know), a line each, as in the fields for checksums: sha256, bytes, name. The name
begins with what it is:

    lock/       a locked file that is packaged, a wheel or an sdist
    wheel/      what we have built of an sdist
    tool/       a locked file that wheels are built with
    uv          the installer
    root/       a Debian package of the build root
    source/     a file of the source tree
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from . import roots
from .binary import Binary
from .errors import BuildError
from .stage import Recipe
from .wheels import Wheel

FIELD = "X-Inputs-Sha256"


def field(
    recipe: Recipe, binary: Binary, wheels: Sequence[Wheel], uv: Path, root: Path, tree: Path
) -> str:
    """The field for ``binary`` of ``recipe``, built in ``tree`` over ``root``.

    ``wheels`` and ``uv`` are airflow's only. Raises BuildError for a root whose packages
    are not there any more.
    """
    kept = roots.packages(root.with_name(f"{root.name}.debs"))
    if {package.name for package in kept} != roots.installed(root).keys():
        raise BuildError(
            f"{root.name} does not tell what it was made of", hint=f"delete {root} and its .debs"
        )
    rows = [(*_measured(package.file), f"root/{package.file.name}") for package in kept]
    rows += _files(tree, "source/")
    if binary.is_airflow:
        for prefix, lock in (("lock/", recipe.lock), ("tool/", recipe.tools)):
            rows += [(file.sha256, file.size, prefix + file.filename) for file in lock.files]
        rows += [
            (wheel.sha256, wheel.path.stat().st_size, f"wheel/{wheel.path.name}")
            for wheel in wheels
            if not wheel.locked.is_wheel
        ]
        rows.append((*_measured(uv), "uv"))
    lines = (
        f" {sha256} {size} {name}\n" for sha256, size, name in sorted(rows, key=lambda r: r[2])
    )
    return f"{FIELD}:\n{''.join(lines)}"


def read(buildinfo: str) -> dict[str, tuple[str, int]]:
    """The sha256 and the bytes of each input, by name, from the text of a .buildinfo.

    None of one that has not got the field.
    """
    found = re.search(rf"^{FIELD}:\n((?: .*\n)+)", buildinfo, re.MULTILINE)
    rows = (line.split(maxsplit=2) for line in (found[1] if found else "").splitlines())
    return {name: (sha256, int(size)) for sha256, size, name in rows}


def _files(tree: Path, prefix: str) -> Iterable[tuple[str, int, str]]:
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            yield (*_measured(path), prefix + path.relative_to(tree).as_posix())


def _measured(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
