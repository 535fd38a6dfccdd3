"""`make plugin`: from SOURCE= to a package for the Airflow of FOR=."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from .. import (
    busy,
    commit,
    container,
    fetch,
    index,
    log,
    provenance,
    record,
    roots,
    signing,
    wheels,
)
from .. import deb as debian
from ..choice import Target
from ..container import Bind, Spec
from ..errors import BuildError
from ..lock import end_of, target_of
from ..lockfile import Lock, Locked
from ..paths import Paths
from ..record import Record
from ..run import run
from ..settings import Settings
from ..signing import Key
from ..versions import Matrix
from ..wheels import Wheel
from . import neighbours, papers, planning
from . import source as sources
from .planning import Context
from .skeleton import Package, write
from .source import Source

_BUILD = """
cp -r --no-preserve=ownership /airflow-deb/in/. /build/
chmod -R u=rwX,go=rX /build
cd /build/stub
python3 -B setup.py --quiet --command-packages=stdeb.command debianize
cd "../$1"
cp ../stub/debian/changelog debian/
sed -f ../stub/control.sed ../stub/debian/control > debian/control
dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary
mkdir /build/out
mv /build/*.deb /build/*.buildinfo /build/*.changes /build/out/
"""


def make(paths: Paths, matrix: Matrix, settings: Settings, uv: Path) -> None:
    """Build the package that ``settings`` ask for, or show what is to be done.

    Raises UsageError for a SOURCE or FOR that is not there, ConflictError for a plugin
    that does not fit, BuildError or VerifyError.
    """
    this = planning.context(paths, matrix, settings, uv)
    # Before anything is downloaded: without its files nothing can be checked.
    installed = neighbours.airflow(paths, this.recipe.cell, this.airflow)
    found = sources.local(paths, settings.source)
    if settings.dry_run:
        _show(this, found, installed)
        return
    cell = this.recipe.cell
    lock = paths.run(f"{cell.name}-plugin.lock")
    with busy.hold(lock, f"a plugin for {cell.name}", wait=settings.wait):
        stamp = time.strftime("%Y%m%d-%H%M%S")
        log.open_file(paths.cache / "logs" / f"{cell.name}-plugin-{stamp}-{os.getpid()}.log")
        log.info(f"airflow-deb: packaging {settings.source} for {this.airflow.name} {cell.name}")
        log.info(f"  {log.where()}")
        with log.step("root") as step:
            root = roots.ensure(paths, this.root, step)
            target = target_of(roots.installed(root), cell.suite.python)
        chosen = found or _indexed(this, target)
        wheel = _wheel(this, chosen, root)
        package = planning.check(this, wheel, target, installed)
        planning.check_version(settings, package)
        # A key that is not there is to be found out before a build.
        with signing.key(settings.signing_key) as key:
            _package(this, package, root, key)


def _indexed(this: Context, target: Target) -> Source:
    with log.step("source") as step:
        found = sources.indexed(
            index.Index(index.configured()),
            this.settings.source,
            this.settings.version,
            target,
            end_of(this.recipe.cell.version.asof),
        )
        step.result = found.file.filename
    return found


def _wheel(this: Context, source: Source, root: Path) -> Wheel:
    """The wheel of ``source``, downloaded and built as needed."""
    file = source.file
    wanted: tuple[Locked, ...] = (file,) if source.downloaded else ()
    wanted += () if file.is_wheel else this.tools.files
    with log.step("fetch") as step:
        plan = fetch.plan([Lock(this.tools.path, (), wanted)], this.paths)
        fetch.fetch(plan, this.paths, step)
        step.result = str(plan)
    if file.is_wheel:
        return Wheel(file, this.paths.download(file.sha256, file.filename), file.sha256)
    sources.check_buildable(this.paths, source, this.tools)
    with log.step("wheel") as step:
        builder = wheels.Builder(this.paths, root, this.tools, this.uv)
        cached = builder.cached(file)
        if cached is not None:
            step.result = f"{cached.path.name}, built before"
            return cached
        run = f"{this.recipe.cell.name}-plugin"
        wheels.clear(this.paths, run)
        try:
            (built,) = wheels.build(builder, run, [file], step)
        except BuildError as error:
            error.hint = f"{error.hint}; or build its wheel yourself and give that as SOURCE="
            raise
        step.result = built.path.name
    return built


def _package(this: Context, package: Package, root: Path, key: Key) -> None:
    """Build, check and publish ``package``, unless that was done before."""
    where = this.directory / f"{package.stem}.json"
    own = planning.key(package, root)
    kept = record.current(where, own)
    if kept is not None:
        log.info(f"airflow-deb: nothing to do: {_relative(where.parent / kept.package)}")
        return
    scratch = this.paths.run(f"{this.recipe.cell.name}/plugin")
    spec = Spec(
        name=f"airflow-deb-{this.recipe.cell.name}-plugin",
        layers=(root,),
        scratch=scratch / "deb",
        binds=(Bind(scratch / "source", "/airflow-deb/in"), Bind(this.uv, "/airflow-deb/uv")),
        env={
            "SOURCE_DATE_EPOCH": str(this.recipe.epoch),
            "DEB_BUILD_OPTIONS": f"parallel={os.cpu_count()}",
            "DEBIAN_FRONTEND": "noninteractive",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        workdir=f"/build/{package.name}",
    )
    timings: list[log.Timing] = []
    started = record.now()
    with log.step("deb", timings):
        container.kill_leftovers(scratch)
        container.remove(scratch)
        write(package, scratch / "source")
        container.prepare(spec)
        # For --chdir, which nspawn checks before it starts.
        (spec.upper / "build" / package.name).mkdir(parents=True)
        try:
            command = ["sh", "-euc", _BUILD, "build", package.name]
            container.again(spec, command, on_line=lambda line: None)
        except BuildError as error:
            error.message = f"dpkg-buildpackage failed for {package.name}"
            raise
    artifacts = sorted((spec.upper / "build" / "out").iterdir())
    with log.step("verify", timings) as step:
        step.result = "FAST=1: no lintian"
        if not this.settings.fast:
            # What a package's author has written, whoever packages it cannot change.
            step.result = debian.lint(spec, fail_on="error", without=())
    with log.step("attest", timings) as step:
        source = commit.of(this.paths.project)
        made = provenance.gather(this.paths, source, this.root, started, record.now())
        tree = spec.upper / "build" / package.name / "debian" / package.name
        beside = scratch / "companions"
        made_beside = papers.write(this, package, made, key, own, artifacts, tree, beside)
        step.result = f"signed by {key.fingerprint}{' (development)' * key.development}"
    published = debian.publish([*artifacts, *made_beside], this.directory)
    files = {path.name: (_sha256(path), path.stat().st_size) for path in published}
    deb = next(name for name in files if name.endswith(".deb"))
    found = Record(
        key=own,
        package=deb,
        files=files,
        installed_kib=_installed_kib(where.parent / deb),
        distributions=1,
        seconds={timing.name: round(timing.seconds, 1) for timing in timings},
        date=record.now(),
    )
    record.save(where, found)
    container.remove(scratch)
    for name, value in (
        ("file", _relative(this.directory / deb)),
        ("size", log.size(files[deb][1])),
        ("sha256", files[deb][0]),
        ("depends", package.depends),
    ):
        log.info(f"  {name:<9}{value}")


def _show(this: Context, found: Source | None, installed: neighbours.Package) -> None:
    """Print what `make` would do; download and build nothing."""
    log.info(f"airflow-deb: the plan for {this.settings.source} in {this.recipe.cell.name}")

    def say(stage: str, done: bool, what: str) -> None:
        log.info(f"  {stage:<7} {'done ' if done else 'to do'}  {what}")

    place = this.root.path(this.paths)
    say("root", place.is_dir(), place.name)
    if not place.is_dir():
        log.info("  the rest depends on the root's Python")
        return
    target = target_of(roots.installed(place), this.recipe.cell.suite.python)
    file = (found or _indexed(this, target)).file
    path = this.paths.download(file.sha256, file.filename)
    say("source", path.is_file(), file.filename)
    wheel = None
    if file.is_wheel:
        wheel = Wheel(file, path, file.sha256) if path.is_file() else None
    else:
        wheel = wheels.Builder(this.paths, place, this.tools, this.uv).cached(file)
        say("wheel", wheel is not None, wheel.path.name if wheel else f"from {file.filename}")
    if wheel is None:
        say("check", False, f"its requirements, and its files beside those of {installed.name}")
        say("deb", False, "with stdeb's description")
        return
    package = planning.check(this, wheel, target, installed)
    planning.check_version(this.settings, package)
    say("check", True, f"it fits: {package.depends}")
    kept = record.current(this.directory / f"{package.stem}.json", planning.key(package, place))
    say("deb", kept is not None, f"{package.stem}.deb")


def _installed_kib(deb: Path) -> int:
    return int(run(["dpkg-deb", "--field", deb, "Installed-Size"]).stdout)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
