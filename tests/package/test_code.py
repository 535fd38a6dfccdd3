"""Bytecode and compiled modules."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator
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
def inside(deb: Deb, artifact: Artifact) -> Iterator[Callable[..., dict[str, Any]]]:
    """Has a Python run a program of inside/ in the build root, with the package's tree there."""
    places = paths.default()
    cell = artifact.cell
    chosen = settings.read({**os.environ, "VERSION": cell.version.name, "SUITE": cell.suite.name})
    recipe = make.recipe(places, versions.load(places.versions_sh), chosen)
    root = roots.ensure(places, roots.root(recipe.cell.suite, "buildd", recipe.build_packages))
    spec = Spec(
        name=f"airflow-test-{cell.name}-code",
        layers=(root,),
        scratch=places.run(f"tests/{cell.name}/code"),
        binds=(
            Bind(deb.unpacked / artifact.prefix.lstrip("/"), artifact.prefix),
            Bind(Path(__file__).parent / "inside", "/inside"),
        ),
    )

    def run(python: str, program: str, *words: str) -> dict[str, Any]:
        said = container.execute(spec, [python, f"/inside/{program}", *words]).stdout
        report: dict[str, Any] = json.loads(said)
        return report

    yield run
    container.remove(spec.scratch)


@pytest.fixture(scope="session")
def bytecode(artifact: Artifact, inside: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What inside/check_bytecode.py says, run by the suite's Python."""
    python = f"/usr/bin/python{artifact.cell.suite.python}"
    return inside(python, "check_bytecode.py", f"{artifact.prefix}/lib")


def test_every_module_is_compiled(bytecode: dict[str, Any], expectations: dict[str, Any]) -> None:
    """But those that the suite's own compiler refuses, which are known."""
    assert not bytecode["uncompiled"], listing(bytecode["uncompiled"])
    assert bytecode["refused"] == expectations["not_python"]


def test_bytecode_is_valid(bytecode: dict[str, Any], deb: Deb) -> None:
    """This Python's, of exactly this source, never to be checked, under its final path."""
    assert not bytecode["wrong"], listing(bytecode["wrong"].items())
    assert not bytecode["orphans"], listing(bytecode["orphans"])
    assert bytecode["checked"] == sum(path.endswith(".pyc") for path in deb.files)


def test_namespaces_are_known_from_the_start_and_set_up_once(
    artifact: Artifact, inside: Callable[..., dict[str, Any]]
) -> None:
    """As the wheels have it, but without dozens of files that all do the same."""
    python = f"/usr/bin/python{artifact.cell.suite.python}"
    found = inside(python, "check_namespaces.py", artifact.site_packages)
    assert found["declared"]
    assert not found["wrong"], listing(found["wrong"].items())
    lines = [set(lines) for _, lines in sorted(found["files"].items())]
    for number, its in enumerate(lines):
        assert not its <= set().union(*lines[:number])


def test_modules_are_found_at_the_first_attempt(
    artifact: Artifact, inside: Callable[..., dict[str, Any]]
) -> None:
    """PyCryptodome's, for which cffi runs ldconfig, gcc and ld otherwise, two for each."""
    found = inside(f"{artifact.prefix}/bin/python", "check_loaders.py")
    assert found["modules"] > 50
    assert found["cffi"]
    assert not found["searched"], listing(found["searched"])


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
