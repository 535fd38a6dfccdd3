"""`make reproduce`: build twice, under circumstances that differ, and compare.

The first build is as `make deb` does it, with the caches there are. The second has
another checkout, an empty cache (so another root, other downloads, wheels built anew),
and `circumstances.OTHER` around it. Equal sha256 is success. Otherwise it is told what
differs, the earliest first: the roots, the wheels, the files of the package.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import (
    busy,
    circumstances,
    compare,
    container,
    inputs,
    log,
    make,
    record,
    roots,
    run,
    versions,
    wheels,
)
from .binary import Binary, chosen
from .circumstances import Circumstances
from .compare import Pair
from .errors import AirflowDebError
from .paths import Paths, write_text
from .record import Record
from .settings import Settings
from .stage import Recipe

# What a build reads of a checkout.
_SOURCES = ("build", "debian", "scripts", "requirements")
# How many of the causes diffoscope is asked about: a person reads no more.
_MOST = 5


@dataclass(frozen=True)
class Build:
    """A finished build: where, of what, with which root."""

    paths: Paths
    recipe: Recipe
    root: Path
    uv: Path

    def record(self, binary: Binary) -> Record:
        """What it left of ``binary``."""
        found = record.load(record.path(self.paths.dist, self.recipe.cell, binary))
        assert found is not None
        return found

    def package(self, binary: Binary) -> Path:
        """Its package ``binary``."""
        directory = record.directory(self.paths.dist, self.recipe.cell)
        return directory / self.record(binary).package

    def sha256(self, binary: Binary) -> str:
        """The sha256 of its package ``binary``."""
        found = self.record(binary)
        return found.files[found.package][0]

    def wheels(self) -> dict[str, wheels.Wheel]:
        """The wheels that it has built or found built, by the name of the distribution."""
        builder = wheels.Builder(self.paths, self.root, self.recipe.tools, self.uv)
        return {wheel.locked.name: wheel for wheel in wheels.plan(builder, self.recipe.lock).cached}


def reproduce(paths: Paths, settings: Settings, uv: Path) -> None:
    """Build the packages that ``settings`` ask for twice, and compare.

    Raises AirflowDebError when they differ; what `make.deb` raises when one does not build.
    """
    for tool in ("disorderfs", "diffoscope"):
        run.require(tool)
    cell = versions.load(paths.versions_sh).cell(settings.version, settings.suite)
    top = paths.run(f"reproduce/{cell.name}")
    with busy.hold(paths.run(f"reproduce-{cell.name}.lock"), f"twice {cell.name}", wait=True):
        container.remove(top)
        first, second = twice(paths, settings, uv, top, top / "second/cache")
        report = record.directory(paths.dist, cell) / f"{cell.name}.difference.txt"
        binaries = chosen(settings.package, settings.name)
        judge(first, second, binaries, report, top / "compared")
        for binary in binaries:
            published(paths, first, binary)
        container.remove(top)


def judge(
    first: Build, second: Build, binaries: Sequence[Binary], report: Path, scratch: Path
) -> None:
    """Say the sha256 of each of ``binaries`` that is the same in both builds.

    Raises AirflowDebError when one is not, and writes to ``report`` why.
    """
    causes = _root_changes(first, second)
    different = []
    for binary in binaries:
        one, other = first.sha256(binary), second.sha256(binary)
        if one == other:
            log.info(f"airflow-deb: {binary.name}: both builds have the sha256 {one}")
        else:
            log.info(f"airflow-deb: {binary.name}: {one} and {other}")
            different.append(binary)
    if different:
        write_text(report, _report(first, second, different, causes, scratch))
        names = " and ".join(binary.name for binary in different)
        raise AirflowDebError(
            f"two builds of {names} for {first.recipe.cell.name} differ",
            hint=f"the whole report is {report}",
        )
    for line in causes:
        log.info(f"  although {line}")


def published(paths: Paths, built: Build, binary: Binary) -> None:
    """Say that dist/ has the same package as ``built``, when it has one of these inputs.

    Raises AirflowDebError when that has other bytes, and names the inputs that were not
    the same after all: packages of a root that was made at another time.
    """
    found = record.current(
        record.path(paths.dist, built.recipe.cell, binary), built.recipe.key(binary)
    )
    if found is None:
        return
    sha256, _ = found.files[found.package]
    if sha256 == built.sha256(binary):
        log.info(f"airflow-deb: {binary.name}: and so has the one in {paths.dist.name}/")
        return
    directory = record.directory(paths.dist, built.recipe.cell)
    here, there = (
        inputs.read(path.read_text(encoding="utf-8"))
        for path in (directory / _info(found), built.package(binary).with_name(_info(found)))
    )
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            log.info(f"  {name}: {here.get(name, 'not')} and {there.get(name, 'not')}")
    raise AirflowDebError(
        f"{found.package} in {paths.dist.name}/ has another sha256, {sha256}",
        hint="above is what it was made of that is not the same now; build it again",
    )


def _info(found: Record) -> str:
    """The name of a package's .buildinfo."""
    return next(name for name in found.files if name.endswith(".buildinfo"))


def twice(paths: Paths, settings: Settings, uv: Path, top: Path, cold: Path) -> tuple[Build, Build]:
    """Build below ``top`` as always, and under other circumstances with ``cold`` as the cache."""
    # lintian looks at what is built: it cannot change it.
    settings = replace(settings, keep=False, verify=False)
    log.info("airflow-deb: the first build, as always, from the caches there are")
    usual, other = circumstances.USUAL, circumstances.OTHER
    first = _build(Paths(top / "first", paths.cache), paths, settings, uv, usual)
    log.info("airflow-deb: the second build, from an empty cache, all else varied:")
    for name, value in vars(other).items():
        if value != getattr(usual, name):
            log.info(f"  {name:<11}{value:03o}" if "umask" in name else f"  {name:<11}{value}")
    with other.around():
        second = _build(Paths(top / "second/a checkout", cold), paths, settings, uv, other)
    return first, second


def _build(own: Paths, paths: Paths, settings: Settings, uv: Path, around: Circumstances) -> Build:
    """Build in a copy of the checkout, with the cache of ``own``."""
    own.project.mkdir(parents=True)
    for name in _SOURCES:
        shutil.copytree(
            paths.project / name,
            own.project / name,
            ignore=shutil.ignore_patterns("__pycache__", ".*_cache"),
        )
    shutil.copy(paths.versions_sh, own.project)
    recipe = make.recipe(own, versions.load(own.versions_sh), settings)
    wanted = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
    with log.step("root") as step:
        root = roots.ensure(own, wanted, step)
    if around != circumstances.USUAL:
        with log.step("aids"):
            around = circumstances.aided(around, root, own.run("aids"))
    make.deb(own, recipe, uv, settings, around)
    return Build(own, recipe, root, uv)


def _root_changes(first: Build, second: Build) -> list[str]:
    """The Debian packages that the roots have in other versions."""
    here, there = roots.installed(first.root), roots.installed(second.root)
    return [
        f"the roots differ: {name} {here.get(name, 'is not')} and {there.get(name, 'is not')}"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]


def _report(
    first: Build, second: Build, different: list[Binary], causes: list[str], scratch: Path
) -> str:
    """What differs, the earliest cause first, and diffoscope on the first few."""
    lines, pairs = list(causes), []
    if any(binary.is_airflow for binary in different):
        here, there = first.wheels(), second.wheels()
        pairs += [
            Pair(f"the wheel of {name}", here[name].path, there[name].path)
            for name in sorted(here.keys() & there.keys())
            if here[name].sha256 != there[name].sha256
        ]
    for binary in different:
        found = compare.packages(
            first.package(binary), second.package(binary), scratch / binary.name
        )
        lines += [f"{binary.name}: {line}" for line in found.lines]
        pairs += found.causes
        if found.followers:
            lines.append(f"{binary.name}: {found.followers} more files that follow from these")
        if not found.causes and not found.lines:
            lines.append(f"{binary.name}: the files are the same, packed in another way")
    for line in (*lines[:20], *(f"{pair.name} differs" for pair in pairs[:20])):
        log.info(f"  {line}")
    text = "".join(f"{line}\n" for line in (*lines, *(f"{pair.name} differs" for pair in pairs)))
    return text + "\n" + compare.explain(pairs[:_MOST])
