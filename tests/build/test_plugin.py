"""Plugins as packages, built in a real root: from a tree, an sdist and a wheel."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_deb import companions, paths, provenance, record, settings, verify, versions
from airflow_deb.binary import AIRFLOW
from airflow_deb.errors import BuildError, ConflictError, UsageError, VerifyError
from airflow_deb.paths import Paths
from airflow_deb.plugin import make as plugins
from airflow_deb.record import Record

TEAM = paths.PROJECT / "tests" / "plugins" / "team_operators"
SITE = "usr/lib/airflow/lib/python3.9/site-packages"
VERSION = "1.0-1+airflow2.1.0~deb11u1"


MODULE = """
#include <Python.h>
#include <stdio.h>

static PyObject *hello(PyObject *self, PyObject *none) {
    puts("hello");
    Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"hello", hello, METH_NOARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast_ops", NULL, -1, methods};
PyMODINIT_FUNC PyInit_fast_ops(void) { return PyModule_Create(&module); }
"""


class Workshop:
    """A checkout with a dist/ of its own, in which there is something like airflow's .deb."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name in ("versions.sh", "requirements", "debian", "build", "scripts"):
            (top / name).symlink_to(paths.PROJECT / name)
        self.places = Paths(top, paths.cache())
        self.cell = versions.load(self.places.versions_sh).cell("2.1.0", "bullseye")
        self.dist = record.directory(self.places.dist, self.cell)
        self._airflow()

    def _airflow(self) -> None:
        tree = self.top / "airflow"
        for name in ("airflow/__init__.py", "flask/__init__.py"):
            path = tree / SITE / name
            path.parent.mkdir(parents=True)
            path.write_text("")
        control = tree / "DEBIAN" / "control"
        control.parent.mkdir()
        control.write_text(
            f"Package: airflow\nVersion: {self.cell.deb_version}\nArchitecture: amd64\n"
            "Maintainer: M <m@example.invalid>\nDescription: stands in\n"
        )
        names = [p.relative_to(tree) for p in tree.rglob("*.py")]
        (control.parent / "md5sums").write_text("".join(f"{'0' * 32}  {name}\n" for name in names))
        self.dist.mkdir(parents=True)
        where = record.path(self.places.dist, self.cell, AIRFLOW)
        deb = where.with_suffix(".deb")
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True)
        files = {deb.name: ("", deb.stat().st_size)}
        record.save(
            where,
            Record(
                key="k", package=deb.name, files=files, installed_kib=1, distributions=0, seconds={}
            ),
        )

    def build(self, source: Path, *, version: str = "", fast: bool = True) -> Path:
        """``make plugin SOURCE=source FOR=2.1.0/bullseye``; the newest .deb."""
        wanted = settings.Settings(
            source=str(source), target="2.1.0/bullseye", version=version, fast=fast
        )
        uv = Path(sysconfig.get_path("scripts")) / "uv"
        plugins.make(self.places, versions.load(self.places.versions_sh), wanted, uv)
        return max(self.dist.glob("airflow-plugin-*.deb"), key=lambda deb: deb.stat().st_mtime_ns)

    def source(self, name: str = "team") -> Path:
        """A copy of the tests' own plugin, to be changed."""
        target = self.top / "sources" / name
        shutil.copytree(TEAM, target)
        return target

    def debs(self) -> list[str]:
        """The plugin packages that there are."""
        return sorted(deb.name for deb in self.dist.glob("airflow-plugin-*.deb"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    yield Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="module")
def team(workshop: Workshop) -> Path:
    """The tests' plugin as a package, checked by lintian."""
    return workshop.build(TEAM, fast=False)


def edit(tree: Path, old: str, new: str, name: str = "pyproject.toml") -> None:
    text = (tree / name).read_text()
    assert old in text
    (tree / name).write_text(text.replace(old, new))


def unpacked(deb: Path, target: Path) -> Path:
    subprocess.run(["dpkg-deb", "--raw-extract", deb, target], check=True)
    return target


def field(deb: Path, name: str) -> str:
    done = subprocess.run(["dpkg-deb", "--field", deb, name], check=True, capture_output=True)
    return done.stdout.decode().strip()


def test_what_the_package_says(team: Path) -> None:
    assert team.name == f"airflow-plugin-team-operators_{VERSION}_all.deb"
    assert field(team, "Version") == VERSION
    assert field(team, "Depends") == "airflow (>= 2.1.0~), airflow (<< 2.2~), airflow-python3.9"
    assert field(team, "Description").startswith("team's operators\n")
    assert "airflow.plugins: team" in field(team, "Description")


def test_its_files_are_in_the_tree_of_airflow(team: Path, tmp_path: Path) -> None:
    """And nowhere in Debian's own Python; with bytecode that no clock is in."""
    tree = unpacked(team, tmp_path / "deb")
    names = {p.relative_to(tree).as_posix() for p in tree.rglob("*") if p.is_file()}
    assert f"{SITE}/team_operators/operators.py" in names
    assert f"{SITE}/team_operators/__pycache__/operators.cpython-39.pyc" in names
    assert not [name for name in names if "dist-packages" in name]
    tool = tree / "usr/lib/airflow/bin/team-tool"
    assert tool.read_text().startswith("#!/usr/lib/airflow/bin/python\n")
    compiled = (tree / SITE / "team_operators/__pycache__/operators.cpython-39.pyc").read_bytes()
    assert compiled[4] == 1, "bound to its source by hash, and not checked again"
    assert b"/usr/lib/airflow/lib/python3.9/site-packages/team_operators/operators.py" in compiled
    # With a postrm dpkg would remember the package after its removal.
    assert not (tree / "DEBIAN/postrm").exists()
    triggers = (tree / "DEBIAN/triggers").read_text()
    assert triggers.endswith("\nactivate-noawait airflow-installation\n")


def test_its_record_is_true(team: Path, tmp_path: Path) -> None:
    """Each file of it is listed, with its hash."""
    tree = unpacked(team, tmp_path / "deb")
    site = tree / SITE
    rows = (site / "team_operators-1.0.dist-info" / "RECORD").read_text().splitlines()
    listed = dict(row.split(",")[:2] for row in rows)
    found = {
        os.path.relpath(path, site)
        for path in (tree / "usr/lib/airflow").rglob("*")
        if path.is_file()
    }
    assert listed.keys() == found
    for name, told in listed.items():
        if told:
            digest = hashlib.sha256((site / name).read_bytes()).digest()
            text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            assert told == f"sha256={text}", name


def test_it_can_be_verified(
    workshop: Workshop, team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lies beside it is about it: its SBOM, what it was made from, signed sums."""
    capsys.readouterr()
    matrix = versions.load(workshop.places.versions_sh)
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    wanted = settings.Settings(deb=str(team))
    verify.verify(workshop.places, matrix, uv, wanted)
    said = capsys.readouterr().out
    assert said.count("  ok ") == 6, said
    bom = json.loads(companions.beside(team, companions.SBOM).read_text())
    (plugin,) = [c for c in bom["components"] if c["purl"].startswith("pkg:pypi/")]
    assert (plugin["name"], plugin["version"]) == ("team-operators", "1.0")
    named = {c["name"] for c in bom["components"]}
    assert named == {"team-operators", "airflow", "airflow-python3.9"}
    statement = provenance.load(companions.beside(team, companions.PROVENANCE))
    asked = provenance.parameters(statement)
    assert (asked["for"], asked["version"]) == ("2.1.0/bullseye", "1.0")
    with pytest.raises(VerifyError):
        verify.verify(workshop.places, matrix, uv, replace(wanted, rebuild=True))
    assert "only that can do so again" in capsys.readouterr().out


def test_what_was_built_is_not_built_again(
    workshop: Workshop, team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = team.stat().st_mtime_ns
    assert workshop.build(TEAM, fast=False) == team
    assert team.stat().st_mtime_ns == before
    assert "nothing to do" in capsys.readouterr().out


def test_built_again_it_has_the_same_bytes(workshop: Workshop, team: Path, tmp_path: Path) -> None:
    """From a copy elsewhere, with other times."""
    other = Workshop(tmp_path)
    copy = other.source()
    again = other.build(copy, fast=False)
    assert again.read_bytes() == team.read_bytes()


def test_an_sdist_of_setup_py_and_a_finished_wheel(workshop: Workshop, tmp_path: Path) -> None:
    """What old projects upload; and the bridge for what we cannot build."""
    top = tmp_path / "old-ops-0.9"
    (top / "old_ops").mkdir(parents=True)
    (top / "old_ops" / "__init__.py").write_text("")
    (top / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='old-ops', version='0.9', packages=['old_ops'], install_requires='requests')\n"
    )
    sdist = tmp_path / "old-ops-0.9.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(top, top.name)
    assert workshop.build(sdist).name.startswith("airflow-plugin-old-ops_0.9-1+")
    wheel = tmp_path / "new_ops-2.0rc1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("new_ops.py", "")
        info = "new_ops-2.0rc1.dist-info"
        text = "Metadata-Version: 2.1\nName: new-ops\nVersion: 2.0rc1\nRequires-Dist: old-ops\n"
        archive.writestr(f"{info}/METADATA", text)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    found = workshop.build(wheel)
    assert found.name.startswith("airflow-plugin-new-ops_2.0~rc1-1+")
    # What the lock has not, another plugin brings.
    assert "airflow-plugin-old-ops (= 0.9-1+airflow2.1.0~deb11u1)" in field(found, "Depends")


def test_a_native_plugin_is_of_an_architecture_and_needs_its_libraries(
    workshop: Workshop, tmp_path: Path
) -> None:
    """A module in C, compiled in the root: nothing tells the paths of its build."""
    source = tmp_path / "native"
    source.mkdir()
    (source / "fast.c").write_text(MODULE)
    (source / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "setup(name='fast-ops', version='0.3', ext_modules=[Extension('fast_ops', ['fast.c'])])\n"
    )
    deb = workshop.build(source)
    assert deb.name == "airflow-plugin-fast-ops_0.3-1+airflow2.1.0~deb11u1_amd64.deb"
    assert field(deb, "Architecture") == "amd64"
    libraries, *others = field(deb, "Depends").split(", ")
    assert re.fullmatch(r"libc6 \(>= [0-9.]+\)", libraries)
    assert others == ["airflow (>= 2.1.0~)", "airflow (<< 2.2~)", "airflow-python3.9"]
    module = unpacked(deb, tmp_path / "deb") / SITE / "fast_ops.cpython-39-x86_64-linux-gnu.so"
    content = module.read_bytes()
    assert content.startswith(b"\x7fELF")
    assert b"/airflow-deb/" not in content


def test_what_does_not_fit_is_refused(workshop: Workshop) -> None:
    """And leaves nothing behind."""
    before = workshop.debs()
    source = workshop.source("misfit")
    edit(source, '"team-operators"', '"misfit"')
    edit(source, "requests>=2.20", "requests>=2.26")
    said = r"it requires requests>=2\.26, the lock has requests 2\.25\.1"
    with pytest.raises(ConflictError, match=said):
        workshop.build(source)
    assert workshop.debs() == before


@pytest.mark.parametrize(
    ("module", "owner"),
    [("airflow", "airflow"), ("team_operators", "airflow-plugin-team-operators")],
)
def test_files_of_others_are_not_overwritten(
    workshop: Workshop, team: Path, module: str, owner: str
) -> None:
    """Neither of airflow nor of another plugin."""
    source = workshop.source(f"{module}-thief")
    edit(source, '"team-operators"', f'"{module}-thief"'.replace("_", "-"))
    if module != "team_operators":
        (source / "src" / "team_operators").rename(source / "src" / module)
    with pytest.raises(ConflictError, match=rf"{module}/__init__\.py is in {re.escape(owner)}"):
        workshop.build(source)


def test_another_version_than_was_asked_for(workshop: Workshop) -> None:
    with pytest.raises(UsageError, match=r"VERSION='2\.0': .* is team-operators 1\.0"):
        workshop.build(TEAM, version="2.0")


def test_a_source_that_does_not_build_says_the_way_around(workshop: Workshop) -> None:
    source = workshop.source("broken")
    (source / "setup.py").write_text("raise SystemExit('not today')\n")
    with pytest.raises(BuildError, match="does not build") as caught:
        workshop.build(source)
    assert "build its wheel yourself" in caught.value.hint


def test_without_its_airflow_nothing_can_be_checked(workshop: Workshop, tmp_path: Path) -> None:
    other = Workshop(tmp_path)
    next(other.dist.glob("airflow_*.deb")).unlink()
    with pytest.raises(UsageError, match="there is no package airflow") as caught:
        other.build(TEAM)
    assert caught.value.hint == "make deb VERSION=2.1.0 SUITE=bullseye"
