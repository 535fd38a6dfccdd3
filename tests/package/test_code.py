"""Bytecode and compiled modules."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.artifact import Artifact
from tests.package.debfile import Deb, listing

from airflow_deb import container, make, paths, roots, settings, versions
from airflow_deb.container import Bind, Spec

_X86_64 = 62
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_MACH_O = {struct.pack(order + "I", n) for order in "<>" for n in (0xFEEDFACE, 0xFEEDFACF)}
# Java's class files begin with the same four bytes as Mach-O for several platforms.
_FAT = (b"\xca\xfe\xba\xbe", ".class")


@pytest.fixture(scope="session")
def bytecode(deb: Deb, artifact: Artifact) -> dict[str, Any]:
    """What inside/check_bytecode.py says, run by the suite's Python in the build root."""
    places = paths.default()
    cell = artifact.cell
    chosen = settings.read({**os.environ, "VERSION": cell.version.name, "SUITE": cell.suite.name})
    recipe = make.recipe(places, versions.load(places.versions_sh), chosen)
    root = roots.ensure(places, roots.root(recipe.cell.suite, "buildd", recipe.build_packages))
    spec = Spec(
        name=f"airflow-test-{cell.name}-bytecode",
        layers=(root,),
        scratch=places.run(f"tests/{cell.name}/bytecode"),
        binds=(
            Bind(deb.unpacked / artifact.prefix.lstrip("/"), artifact.prefix),
            Bind(Path(__file__).parent / "inside", "/inside"),
        ),
    )
    try:
        words = [
            f"/usr/bin/python{cell.suite.python}",
            "/inside/check_bytecode.py",
            f"{artifact.prefix}/lib",
        ]
        report: dict[str, Any] = json.loads(container.execute(spec, words).stdout)
    finally:
        container.remove(spec.scratch)
    return report


def test_every_module_is_compiled(bytecode: dict[str, Any], expectations: dict[str, Any]) -> None:
    """But those that the suite's own compiler refuses, which are known."""
    assert not bytecode["uncompiled"], listing(bytecode["uncompiled"])
    assert bytecode["refused"] == expectations["not_python"]


def test_bytecode_is_valid(bytecode: dict[str, Any], deb: Deb) -> None:
    """This Python's, of exactly this source, never to be checked, under its final path."""
    assert not bytecode["wrong"], listing(bytecode["wrong"].items())
    assert not bytecode["orphans"], listing(bytecode["orphans"])
    assert bytecode["checked"] == sum(path.endswith(".pyc") for path in deb.files)


def test_no_code_for_other_platforms(deb: Deb) -> None:
    """No Windows, no macOS, no other processor."""
    foreign = {}
    for path, member in deb.files.items():
        head = member.head
        if head.startswith(b"\x7fELF"):
            machine = struct.unpack_from("<H", head, 18)[0]
            if not head.startswith(_ELF64_LITTLE) or machine != _X86_64:
                foreign[path] = f"ELF for machine {machine}"
        elif head.startswith(b"MZ"):
            foreign[path] = "Windows"
        elif head[:4] in _MACH_O or (head.startswith(_FAT[0]) and not path.endswith(_FAT[1])):
            foreign[path] = "macOS"
    assert not foreign, listing(foreign.items())


def test_there_is_compiled_code(deb: Deb) -> None:
    """The test above has looked at something."""
    assert sum(member.head.startswith(b"\x7fELF") for member in deb.files.values()) > 100
