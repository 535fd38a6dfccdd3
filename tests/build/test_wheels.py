"""Wheels from sdists: real ones, compiled in a real root without a network."""

from __future__ import annotations

import hashlib
import io
import sysconfig
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from airflow_deb import circumstances, container, fetch, lockfile, log, wheels
from airflow_deb.circumstances import OTHER
from airflow_deb.errors import BuildError
from airflow_deb.lockfile import Lock, Locked
from airflow_deb.paths import Paths

PROJECT = Path(__file__).resolve().parents[2]
SETUP = """
{first}
from setuptools import setup, Extension
setup(name={name!r}, version="1.0", ext_modules=[Extension({name!r}, ["module.c"])])
"""
MODULE = """
#include <Python.h>
{include}
static struct PyModuleDef module = {{PyModuleDef_HEAD_INIT, "{name}", __FILE__, -1, NULL}};
PyMODINIT_FUNC PyInit_{name}(void) {{ return PyModule_Create(&module); }}
"""


@dataclass(frozen=True)
class Bench:
    """A cache of its own, and what builds wheels into it."""

    paths: Paths
    builder: wheels.Builder

    def sdist(self, name: str, include: str = "", first: str = "") -> Locked:
        """An sdist with a C extension, in the cache as if it had been downloaded."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as archive:
            for file, text in (("setup.py", SETUP), ("module.c", MODULE)):
                content = text.format(name=name, include=include, first=first).encode()
                entry = tarfile.TarInfo(f"{name}-1.0/{file}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        sha256 = hashlib.sha256(data.getvalue()).hexdigest()
        locked = Locked(name, "1.0", sha256, f"{name}-1.0.tar.gz", len(data.getvalue()))
        path = self.paths.download(sha256, locked.filename)
        path.parent.mkdir(parents=True)
        path.write_bytes(data.getvalue())
        return locked

    def add(self, *files: Locked, source: Paths) -> None:
        """Have ``files`` in the cache, from the real one at ``source``."""
        for file in files:
            target = self.paths.download(file.sha256, file.filename)
            target.parent.mkdir(parents=True)
            target.write_bytes(source.download(file.sha256, file.filename).read_bytes())

    def plan(self, *sdists: Locked) -> wheels.WheelPlan:
        return wheels.plan(self.builder, Lock(Path("x.lock"), (), sdists))

    def build(self, *sdists: Locked) -> list[wheels.Wheel]:
        return wheels.build(self.builder, "test-wheels", sdists, log.Step("wheels"))


@pytest.fixture
def bench(places: Paths, root: Path, tmp_path: Path) -> Bench:
    """A bench with the real locked build tools of 2.1.0."""
    tools = lockfile.load(PROJECT / "requirements/2.1.0/bullseye-build.lock")
    fetch.fetch(fetch.plan((tools,), places), places)
    own = Paths(PROJECT, tmp_path)
    (tmp_path / "logs").mkdir()
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    found = Bench(own, wheels.Builder(own, root, tools, uv))
    found.add(*tools.files, source=places)
    return found


def test_a_wheel_is_built_once(bench: Bench) -> None:
    sdist = bench.sdist("good")
    assert bench.plan(sdist).missing == (sdist,)
    (built,) = bench.build(sdist)
    assert built.path.name == "good-1.0-cp39-cp39-linux_x86_64.whl"
    assert bench.plan(sdist).cached == (built,)
    assert list(bench.paths.run("test-wheels").iterdir()) == []


def test_another_pin_or_another_tool_is_another_wheel(bench: Bench) -> None:
    first, second = bench.sdist("first"), bench.sdist("second")
    bench.build(first)
    assert bench.plan(first, second).missing == (second,)
    fewer = replace(bench.builder.tools, files=bench.builder.tools.files[1:])
    changed = replace(bench.builder, tools=fewer)
    assert wheels.plan(changed, Lock(Path("x.lock"), (), (first,))).missing == (first,)


def test_building_again_gives_the_same_bytes_and_no_build_path(bench: Bench) -> None:
    sdist = bench.sdist("same")
    (first,) = bench.build(sdist)
    content = first.path.read_bytes()
    container.remove(bench.paths.wheels)
    (second,) = bench.build(sdist)
    assert second.path.read_bytes() == content
    assert b"/airflow-deb/" not in content


def test_whoever_builds_it_wherever_and_whenever_it_is_the_same_wheel(
    bench: Bench, places: Paths, scratch: Path
) -> None:
    """Sdists of 2.1.0: in C, in C++, of Python alone."""
    names = {"crcmod", "thrift", "python-nvd3", "termcolor"}
    lock = lockfile.load(PROJECT / "requirements/2.1.0/bullseye.lock")
    sdists = tuple(file for file in lock.files if file.name in names)
    chosen = replace(lock, files=sdists)
    fetch.fetch(fetch.plan((chosen,), places), places)
    bench.add(*sdists, source=places)
    usual = {wheel.path.name: wheel.sha256 for wheel in bench.build(*sdists)}
    container.remove(bench.paths.wheels)
    aided = circumstances.aided(OTHER, bench.builder.root, scratch)
    with OTHER.around():
        other = replace(bench, builder=replace(bench.builder, around=aided)).build(*sdists)
    assert {wheel.path.name: wheel.sha256 for wheel in other} == usual
    assert len(usual) == len(names)


def test_cython_goes_by_the_order_of_the_source(bench: Bench) -> None:
    """Not by that of addresses: see `wheels._SET_UP`, and gssapi in `make reproduce` of 3.3.2."""
    look = (
        "import inspect, Cython.Compiler.TypeInference as inference\n"
        "text = inspect.getsource(inference)\n"
        "assert ' in sorted(assignments, ' in text and ' in sorted(inferred, ' in text\n"
    )
    assert bench.build(bench.sdist("settled", first=look))


def test_a_wheel_that_does_not_build_names_what_it_lacks(bench: Bench) -> None:
    good, bad = bench.sdist("good"), bench.sdist("bad", "#include <snappy-c.h>")
    with pytest.raises(BuildError) as caught:
        bench.build(bad, good)
    assert "bad-1.0.tar.gz does not build" in str(caught.value)
    assert "libsnappy-dev" in str(caught.value)
    assert "snappy-c.h" in caught.value.detail
    assert bench.plan(good, bad).missing == (bad,), "what did build is kept"


def test_a_wheel_that_lacks_a_build_tool_says_where_to_ask_for_it(bench: Bench) -> None:
    with pytest.raises(BuildError) as caught:
        bench.build(bench.sdist("bad", first="import tomlkit"))
    assert "the Python module tomlkit" in str(caught.value)
    assert "build-tools.txt" in str(caught.value)
