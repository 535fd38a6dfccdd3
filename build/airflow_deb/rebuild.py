"""Build a package again, from what its provenance says, and compare the bytes.

What of the cache can be held against a hash serves again: downloads, which the lock has,
and the root, whose packages the provenance has. What we have made ourselves does not: a
wheel or bytecode from there would prove itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import companions, container, make, provenance, record, roots
from .binary import BINARIES, Binary, named
from .errors import DifferentError, UsageError
from .paths import Paths
from .settings import Settings
from .stage import Recipe
from .versions import Matrix


def compare(
    paths: Paths, matrix: Matrix, uv: Path, statement: Mapping[str, Any], deb: Path, key: str
) -> str:
    """Build the package of ``statement`` again; what is to be said when it is ``deb``.

    ``key`` is SIGNING_KEY. Raises UsageError when the checkout is not what it was built
    from, DifferentError when the bytes are others; then what was built is kept.
    """
    recipe, binary = _recipe(paths, matrix, statement)
    name = binary.name if binary.is_airflow else "airflow"
    # Not verified: lintian has nothing to say of bytes that are the same.
    settings = Settings(verify=False, package=binary.role, name=name, signing_key=key)
    target = paths.run(f"rebuild/{recipe.cell.name}-{binary.name}")
    container.remove(target)
    make.deb(replace(paths, published=target, made=target / "made"), recipe, uv, settings)
    again = record.directory(target, recipe.cell) / f"{record.stem(recipe.cell, binary)}.deb"
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
    here = provenance.purls(recipe, provenance.hashed(paths, root))
    others = _other_packages(statement, here)
    if companions.sha256(again) != companions.sha256(deb):
        because = f"the root here has other Debian packages ({others}); " if others else ""
        raise DifferentError(
            f"built again, {deb.name} has other bytes", hint=f"{because}diffoscope {deb} {again}"
        )
    container.remove(target)
    return "built again: the same bytes" + (
        f", with other Debian packages ({others})" if others else ""
    )


def _recipe(paths: Paths, matrix: Matrix, statement: Mapping[str, Any]) -> tuple[Recipe, Binary]:
    """The recipe that this checkout has for the package of ``statement``."""
    asked = provenance.parameters(statement)
    binary = next((b for b in BINARIES if b.name == asked["package"]), None) or named(
        asked["package"]
    )
    settings = Settings(
        version=asked["version"],
        suite=asked["suite"],
        name=binary.name if binary.is_airflow else "airflow",
        security=asked["lock"] == "security",
    )
    method, _, level = asked["compression"].partition(":")
    found = replace(make.recipe(paths, matrix, settings), compression=(method, int(level)))
    if found.key(binary) != provenance.key(statement):
        commit = provenance.commit_of(statement)
        raise UsageError(
            "this checkout has other inputs than those it was built from",
            hint=f"git checkout {commit}" if commit else "its commit is not known",
        )
    return found, binary


def _other_packages(statement: Mapping[str, Any], here: Mapping[str, str]) -> str:
    """How the Debian packages that it was built with differ from those ``here``, in short."""
    then = provenance.debian(statement)
    differ = sorted(purl for purl in then.keys() ^ here.keys())
    differ += sorted(purl for purl in then.keys() & here.keys() if then[purl] != here[purl])
    names = list(dict.fromkeys(purl.split("@")[0].rpartition("/")[2] for purl in differ))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
