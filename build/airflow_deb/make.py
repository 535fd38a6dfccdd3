"""`make deb`: from a cell to a package, stage by stage.

plan() looks and changes nothing; deb() does what is not done yet.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from . import busy, container, fetch, lockfile, log, needs, record, roots, stage, wheels
from . import deb as debian
from .errors import DiskError
from .paths import Paths
from .record import Record
from .settings import Settings
from .stage import Recipe
from .versions import Cell, Matrix

# Bytes a build needs beside its downloads: a root, and for each byte of locked
# files its copy in the wheelhouse, unpacked, compiled and packed.
_ROOT_BYTES = 1_000_000_000
_GROWTH = 6


@dataclass(frozen=True)
class Stage:
    """A stage of the plan: its name, whether it has work to do, and which."""

    name: str
    to_do: bool
    what: str


@dataclass(frozen=True)
class Plan:
    """What `make deb` would do for a cell, and what it has to know to do it."""

    recipe: Recipe
    record_path: Path
    done: Record | None
    fetch: fetch.FetchPlan
    root: roots.Root
    wheels: wheels.WheelPlan | None
    stages: tuple[Stage, ...]
    disk_bytes: int


def recipe(paths: Paths, matrix: Matrix, settings: Settings) -> Recipe:
    """Read all that decides the package which ``settings`` ask for.

    Raises UsageError or ConfigError for what is unknown, malformed or not locked.
    """
    cell = matrix.cell(settings.version, settings.suite)
    if settings.mirror:
        cell = replace(cell, suite=replace(cell.suite, mirror=settings.mirror))
    own = paths.requirements / cell.version.name
    return Recipe(
        cell=cell,
        lock=lockfile.load(own / f"{cell.suite.name}.lock"),
        tools=lockfile.load(own / f"{cell.suite.name}-build.lock"),
        needs=needs.load(own / "debian.txt", cell.suite.name),
        debian=stage.read_tree(paths.project / "debian"),
        inside=stage.read_tree(paths.project / "build" / "inside"),
        compression=settings.compression(cell.suite),
    )


def plan(paths: Paths, recipe: Recipe, uv: Path) -> Plan:
    """What is to be done for ``recipe``'s package; touches nothing."""
    where = record.path(paths.dist, recipe.cell)
    done = record.current(where, recipe.key)
    files = fetch.plan((recipe.lock, recipe.tools), paths)
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
    has_root = root.path(paths).is_dir()
    # Which wheels are cached depends on what is in the root, so on there being one.
    built = (
        wheels.plan(wheels.Builder(paths, root.path(paths), recipe.tools, uv), recipe.lock)
        if has_root
        else None
    )
    sdists = sum(not file.is_wheel for file in recipe.lock.files)
    to_build = len(built.missing) if built else sdists
    stages = (
        Stage("fetch", bool(files.missing), str(files)),
        Stage(
            "root",
            not has_root,
            f"{root.path(paths).name}, {len(root.packages)} packages asked for",
        ),
        Stage("wheels", to_build > 0, f"{sdists - to_build} of {sdists} sdists built before"),
        Stage("deb", done is None, f"airflow {recipe.cell.deb_version}, {recipe.compression[0]}"),
        Stage("verify", done is None, "lintian"),
    )
    locked = sum(file.size for file in recipe.lock.files)
    disk = files.bytes + (0 if has_root else _ROOT_BYTES) + _GROWTH * locked
    return Plan(recipe, where, done, files, root, built, stages, disk)


def show(plan: Plan) -> None:
    """Print ``plan`` for DRY_RUN=1."""
    log.info(f"airflow-deb: the plan for {plan.recipe.cell.name}")
    if plan.done:
        log.info(f"  nothing to do: {plan.done.package} is up to date")
        return
    for number, part in enumerate(plan.stages, 1):
        log.info(f"  {number}. {part.name:<7} {'to do' if part.to_do else 'done '}  {part.what}")
    log.info(f"  needs up to {log.size(plan.disk_bytes)} of disk while it runs")


def deb(paths: Paths, recipe: Recipe, uv: Path, settings: Settings) -> Record:
    """Do what is not done of ``recipe``'s package, and say what came out."""
    where = record.path(paths.dist, recipe.cell)
    done = record.current(where, recipe.key)
    if done is not None:
        log.info(
            f"airflow-deb: nothing to do: {_relative(where.parent / done.package)} is up to date"
        )
        return done
    cell = recipe.cell.name
    with busy.hold(paths.cache / "run" / f"{cell}.lock", cell, wait=settings.wait):
        done = record.current(where, recipe.key)
        if done is not None:  # The build we waited for was ours.
            log.info(f"airflow-deb: {_relative(where.parent / done.package)} was just built")
            return done
        _clear(paths, recipe.cell)
        return _deb(paths, recipe, uv, settings, where)


def shell(paths: Paths, recipe: Recipe, uv: Path, settings: Settings) -> None:
    """Open a shell in the container of ``recipe``'s last build, if it was left.

    Raises UsageError when there is none, BusyError while it is being built.
    """
    cell = recipe.cell.name
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages).path(paths)
    with busy.hold(paths.cache / "run" / f"{cell}.lock", cell, wait=settings.wait):
        debian.open_shell(debian.specification(paths, recipe, root, uv))


def _deb(paths: Paths, recipe: Recipe, uv: Path, settings: Settings, where: Path) -> Record:
    cell = recipe.cell
    stamp = time.strftime("%Y%m%d-%H%M%S")
    log.open_file(paths.cache / "logs" / f"{cell.name}-{stamp}-{os.getpid()}.log")
    log.info(f"airflow-deb: building airflow {cell.deb_version} for {cell.suite.name}")
    log.info(f"  {log.where()}")
    work = plan(paths, recipe, uv)
    check_disk(paths, work)
    timings: list[log.Timing] = []

    def step(name: str) -> AbstractContextManager[log.Step]:
        return log.step(name, timings)

    with step("fetch") as this:
        fetch.fetch(work.fetch, paths, this)
        this.result = str(work.fetch)
    with step("root") as this:
        root = roots.ensure(paths, work.root, this)
        this.result = root.name
    with step("wheels") as this:
        house = _wheelhouse(paths, recipe, root, uv, this)
    spec = debian.specification(paths, recipe, root, uv)
    with step("deb") as this:
        artifacts = debian.build(paths, recipe, spec, house, this)
    with step("verify") as this:
        this.result = "FAST=1: no lintian" if settings.fast else debian.lint(spec)
    published = debian.publish(artifacts, where.parent)
    found = _record(recipe, published, timings, spec.upper)
    record.save(where, found)
    if settings.keep:
        log.info(f"  KEEP=1: the build is in {spec.upper}; `make shell` opens its container")
    else:
        _clear(paths, cell)
    _summary(found, where)
    return found


def _wheelhouse(
    paths: Paths, recipe: Recipe, root: Path, uv: Path, step: log.Step
) -> list[wheels.Wheel]:
    builder = wheels.Builder(paths, root, recipe.tools, uv)
    planned = wheels.plan(builder, recipe.lock)
    built = wheels.build(builder, recipe.cell.name, planned.missing, step)
    ready = [
        wheels.Wheel(file, paths.download(file.sha256, file.filename), file.sha256)
        for file in recipe.lock.files
        if file.is_wheel
    ]
    step.result = f"{len(ready)} locked, {len(built)} built now, {len(planned.cached)} built before"
    return [*ready, *planned.cached, *built]


def check_disk(paths: Paths, work: Plan) -> None:
    paths.cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(paths.cache).free
    if free < work.disk_bytes:
        raise DiskError(
            f"{paths.cache} has {log.size(free)} free, the build needs {log.size(work.disk_bytes)}",
            hint="make room, or set AIRFLOW_DEB_CACHE to a larger disk",
        )


def _clear(paths: Paths, cell: Cell) -> None:
    container.kill_leftovers(paths.run(cell.name))
    container.remove(paths.run(cell.name))


def _record(
    recipe: Recipe, published: list[Path], timings: list[log.Timing], upper: Path
) -> Record:
    files = {}
    for path in published:
        with path.open("rb") as file:
            files[path.name] = (
                hashlib.file_digest(file, "sha256").hexdigest(),
                path.stat().st_size,
            )
    return Record(
        key=recipe.key,
        package=next(name for name in files if name.endswith(".deb")),
        files=files,
        installed_kib=debian.installed_size(upper, recipe.source_name),
        distributions=len(recipe.lock.files),
        seconds={timing.name: round(timing.seconds, 1) for timing in timings},
    )


def _summary(found: Record, where: Path) -> None:
    sha256, size = found.files[found.package]
    rows: list[tuple[str, str]] = [
        ("file", _relative(where.parent / found.package)),
        ("size", f"{log.size(size)}, {log.size(found.installed_kib * 1024)} installed"),
        ("packages", f"{found.distributions} Python distributions"),
        ("sha256", sha256),
        ("time", ", ".join(f"{name} {log.duration(s)}" for name, s in found.seconds.items())),
    ]
    for name, value in rows:
        log.info(f"  {name:<9}{value}")


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
