"""`make deb`: from a cell to its packages, stage by stage (see planning.py).

What takes long, and what only airflow is made of, comes last: a mistake in the
host tool is found in seconds.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path

from . import (
    busy,
    commit,
    companions,
    container,
    fetch,
    lockfile,
    log,
    needs,
    planning,
    provenance,
    record,
    roots,
    sbom,
    signing,
    stage,
    wheels,
)
from . import deb as debian
from .binary import Binary, chosen
from .circumstances import USUAL, Circumstances
from .commit import Commit
from .container import Spec
from .errors import DiskError, UsageError
from .paths import Paths, written
from .planning import Plan
from .record import Record
from .settings import Settings
from .signing import Key
from .stage import Recipe
from .versions import Matrix


def recipe(paths: Paths, matrix: Matrix, settings: Settings) -> Recipe:
    """Read all that decides the packages which ``settings`` ask for.

    Raises UsageError or ConfigError for what is unknown, malformed or not locked.
    """
    cell = matrix.cell(settings.version, settings.suite, security=settings.security)
    suite = replace(cell.suite, mirror=settings.mirror or cell.suite.mirror, pin=settings.pin)
    cell = replace(cell, suite=suite)
    own = paths.requirements / cell.version.name
    return Recipe(
        cell=cell,
        lock=lockfile.load(own / f"{cell.lock_name}.lock"),
        tools=lockfile.load(own / f"{cell.suite.name}-build.lock"),
        needs=needs.load(written(own, "debian.txt"), cell.suite.name),
        debian=stage.read_tree(paths.project / "debian"),
        inside=stage.read_tree(paths.project / "build" / "inside"),
        scripts=stage.read_tree(paths.project / "scripts"),
        compression=settings.compression(cell.suite),
    )


def deb(
    paths: Paths, recipe: Recipe, uv: Path, settings: Settings, around: Circumstances = USUAL
) -> None:
    """Do what is not done of ``recipe``'s packages, and say what came out."""
    wanted = chosen(settings.package, settings.name)
    with ExitStack() as locks:
        held = {}
        for binary in wanted:
            if planning.current(paths, recipe, binary) is None:
                held[binary] = locks.enter_context(ExitStack())
                held[binary].enter_context(_hold(paths, recipe, binary, settings))
        # Another run, for which we may have waited, has perhaps done something.
        work = planning.plan(paths, recipe, uv, wanted)
        for kept in work.done:
            where = record.directory(paths.dist, recipe.cell) / kept.package
            log.info(f"airflow-deb: nothing to do: {_relative(where)} is up to date")
        if work.todo:
            # A key that is not there is to be found out before a build of minutes.
            key = locks.enter_context(signing.key(settings.signing_key))
            _deb(paths, work, held, settings, around, key)


def shell(paths: Paths, recipe: Recipe, uv: Path, settings: Settings) -> None:
    """Open a shell in the container that the last build of a package has left.

    Raises UsageError when there is none, or one for each package; BusyError while
    it is being built: who waited for that would find nothing.
    """
    settings = replace(settings, wait=False)
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages).path(paths)
    left = []
    for binary in chosen(settings.package, settings.name):
        spec = debian.specification(paths, recipe, binary, root, uv)
        if spec.upper.is_dir():
            left.append((binary, spec))
    if not left:
        raise UsageError(
            f"there is no build in {paths.run(recipe.cell.name)}",
            hint="a package's build that fails, or KEEP=1, leaves one; a wheel's SHELL_ON_FAIL=1",
        )
    if len(left) > 1:
        names = " or ".join(f"PACKAGE={binary.role}" for binary, _ in left)
        raise UsageError("there is a build of each package", hint=f"add {names}")
    binary, spec = left[0]
    with _hold(paths, recipe, binary, settings):
        container.shell(spec)


def _hold(
    paths: Paths, recipe: Recipe, binary: Binary, settings: Settings
) -> AbstractContextManager[None]:
    """Be the only one to build ``binary``, by whatever name: they share the wheels' build."""
    cell = recipe.cell.name
    lock = paths.run(f"{cell}-{binary.role}.lock")
    return busy.hold(lock, f"{binary.name} of {cell}", wait=settings.wait)


def _deb(
    paths: Paths,
    work: Plan,
    held: Mapping[Binary, ExitStack],
    settings: Settings,
    around: Circumstances,
    key: Key,
) -> None:
    recipe, cell = work.recipe, work.recipe.cell
    stamp = time.strftime("%Y%m%d-%H%M%S")
    log.open_file(paths.cache / "logs" / f"{cell.name}-{stamp}-{os.getpid()}.log")
    names = " and ".join(binary.name for binary in work.todo)
    log.info(f"airflow-deb: building {names} {cell.deb_version} for {cell.suite.name}")
    log.info(f"  {log.where()}")
    check_disk(paths, work)
    # A root takes the processor, downloads the network.
    downloads = fetch.ahead(work.fetch, paths) if work.fetch and work.fetch.missing else None
    with log.step("root") as this:
        root = roots.ensure(paths, work.root, this)
        this.result = root.name
    if downloads is not None:
        with log.step("download"):
            downloads()
    built = []
    for binary in work.todo:
        if binary.is_airflow:
            wheels.clear(paths, cell.name)
        spec = debian.specification(paths, recipe, binary, root, work.uv, around)
        container.kill_leftovers(debian.scratch(paths, recipe, binary))
        container.remove(debian.scratch(paths, recipe, binary))
        built.append(_package(paths, work, binary, spec, settings, around, key))
        held[binary].close()
    for found in built:
        _summary(found, record.directory(paths.dist, cell))


def _package(
    paths: Paths,
    work: Plan,
    binary: Binary,
    spec: Spec,
    settings: Settings,
    around: Circumstances,
    key: Key,
) -> Record:
    """Build, check and publish one package."""
    recipe = work.recipe
    started = record.now()
    source = commit.of(paths.project)
    if source is None and settings.commit:
        source = Commit(settings.commit)
    timings: list[log.Timing] = []
    house: list[wheels.Wheel] = []
    if binary.is_airflow:
        house = _wheelhouse(paths, work, spec, timings, around)
        paths.bytecode.mkdir(parents=True, exist_ok=True)
    with log.step(f"deb {binary.name}", timings) as this:
        artifacts = debian.build(
            recipe, binary, spec, house, work.uv, this, around, keep=settings.keep
        )
        if binary.is_airflow:
            debian.keep_bytecode(paths, spec)
    if settings.verify:
        with log.step(f"verify {binary.name}", timings) as this:
            this.result = "FAST=1: no lintian" if settings.fast else debian.lint(spec)
    tree = debian.tree(spec, recipe, binary)
    with log.step(f"attest {binary.name}", timings) as this:
        made = provenance.gather(paths, source, work.root, started, record.now())
        beside = debian.scratch(paths, recipe, binary) / "companions"
        files = companions.write(
            artifacts,
            tree,
            key,
            beside,
            bom=lambda inside, sha256: sbom.make(
                inside,
                sha256=sha256,
                suite=recipe.cell.suite.name,
                python=recipe.cell.suite.python,
                asked=recipe.cell.version.asked,
                epoch=recipe.epoch,
            ),
            statement=lambda sums: provenance.statement(recipe, binary, made, sums),
        )
        this.result = f"signed by {key.fingerprint}{' (development)' * key.development}"
    where = record.path(paths.dist, recipe.cell, binary)
    published = debian.publish([*artifacts, *files], where.parent)
    found = _record(recipe, binary, published, timings, tree)
    record.save(where, found)
    if settings.keep:
        log.info(f"  KEEP=1: the build is in {spec.scratch}; `make shell` opens its container")
    else:
        container.remove(debian.scratch(paths, recipe, binary))
    return found


def _wheelhouse(
    paths: Paths, work: Plan, spec: Spec, timings: list[log.Timing], around: Circumstances
) -> list[wheels.Wheel]:
    """The wheel of every locked distribution, downloaded and built as needed."""
    recipe = work.recipe
    assert work.fetch is not None
    with log.step("fetch", timings) as this:
        fetch.fetch(fetch.plan(work.fetch.locks, paths), paths, this)
        this.result = str(work.fetch)
    with log.step("wheels", timings) as this:
        builder = wheels.Builder(paths, spec.layers[0], recipe.tools, work.uv, around)
        planned = wheels.plan(builder, recipe.lock)
        built = wheels.build(builder, recipe.cell.name, planned.missing, this)
        ready = [
            wheels.Wheel(file, paths.download(file.sha256, file.filename), file.sha256)
            for file in recipe.lock.files
            if file.is_wheel
        ]
        counts = (f"{len(ready)} locked", f"{len(built)} built now")
        this.result = ", ".join((*counts, f"{len(planned.cached)} built before"))
    return [*ready, *planned.cached, *built]


def check_disk(paths: Paths, work: Plan) -> None:
    """Tell what disk the build needs, at most, and what is free.

    Raises DiskError when the cache's disk has not that much.
    """
    paths.cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.cache).free
    if free < work.disk_bytes:
        raise DiskError(
            f"{paths.cache} has {log.size(free)} free, the build needs {log.size(work.disk_bytes)}",
            hint="make room, or set AIRFLOW_DEB_CACHE to a larger disk",
        )
    log.info(f"  needs up to {log.size(work.disk_bytes)} of disk, {log.size(free)} are free")


def _record(
    recipe: Recipe, binary: Binary, published: list[Path], timings: list[log.Timing], tree: Path
) -> Record:
    known: dict[str, str] = {}
    for listing in (path for path in published if path.name.endswith(companions.SUMS)):
        known |= companions.parse(listing.read_text(encoding="utf-8"))
    files = {
        path.name: (known.get(path.name) or companions.sha256(path), path.stat().st_size)
        for path in published
    }
    return Record(
        key=recipe.key(binary),
        package=next(name for name in files if name.endswith(".deb")),
        files=files,
        installed_kib=debian.installed_size(tree),
        distributions=len(recipe.lock.files) if binary.is_airflow else 0,
        seconds={timing.name.split()[0]: round(timing.seconds, 1) for timing in timings},
        date=record.now(),
    )


def _summary(found: Record, directory: Path) -> None:
    sha256, size = found.files[found.package]
    rows: list[tuple[str, str]] = [
        ("file", _relative(directory / found.package)),
        ("size", f"{log.size(size)}, {log.size(found.installed_kib * 1024)} installed"),
        ("sha256", sha256),
        ("time", ", ".join(f"{name} {log.duration(s)}" for name, s in found.seconds.items())),
    ]
    if found.distributions:
        rows.insert(2, ("packages", f"{found.distributions} Python distributions"))
    for name, value in rows:
        log.info(f"  {name:<9}{value}")


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
