"""`make bundle`: all that a cell is built from, in one file (bundle.py).

The same commit, root and tools make the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from . import (
    busy,
    commit,
    companions,
    fetch,
    lockfile,
    log,
    make,
    record,
    roots,
    signing,
    tools,
)
from .binary import Binary, chosen
from .bundle import MANIFEST, Manifest
from .errors import DiskError, UsageError
from .paths import Paths
from .run import run
from .settings import Settings
from .stage import Recipe
from .versions import Matrix

_ENDING = ".bundle.tar"


@dataclass(frozen=True)
class _Member:
    """A file of the bundle: its name there, and where it is now."""

    name: str
    path: Path
    executable: bool = False


def bundle(paths: Paths, matrix: Matrix, settings: Settings) -> Path:
    """Write the bundle of the cell and packages that ``settings`` ask for; its path.

    Raises UsageError when the checkout has changes that no commit has, DiskError when
    dist/ has no room, NetworkError when something that is not cached cannot be had.
    """
    recipe = make.recipe(paths, matrix, settings)
    wanted = chosen(settings.package, settings.name)
    source = _source(paths.project)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    log.open_file(paths.cache / "logs" / f"bundle-{recipe.cell.name}-{stamp}-{os.getpid()}.log")
    log.info(f"airflow-deb: bundling {recipe.cell.name} at {source.id}")
    log.info(f"  {log.where()}")
    root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
    lock = paths.run(f"bundle-{recipe.cell.name}.lock")
    with busy.hold(lock, f"the bundle of {recipe.cell.name}", wait=settings.wait):
        with log.step("root") as this:
            roots.ensure(paths, root, this)
            this.result = f"{len(roots.packages(root.kept(paths)))} packages"
        own = tools.locked(paths)
        airflow = any(binary.is_airflow for binary in wanted)
        with log.step("fetch") as this:
            found = fetch.plan([*((recipe.lock, recipe.tools) if airflow else ()), own], paths)
            fetch.fetch(found, paths, this)
            this.result = str(found)
        with tempfile.TemporaryDirectory(dir=_made(paths.cache / "run")) as scratch:
            # Which files were cached before is not to be seen.
            files = [
                *_downloads(paths, sorted((*found.cached, *found.missing))),
                *_root(root.kept(paths)),
                *_checkout(paths.project, source.id, Path(scratch)),
            ]
            target = _target(paths, recipe, wanted)
            with log.step("bundle") as this:
                manifest = _manifest(files, source.id, recipe, wanted, own, this)
                _write(target, files, manifest, this)
                this.result = f"{len(files)} files"
        with signing.key(settings.signing_key) as key:
            signing.sign(key, target, target.with_name(f"{target.name}.asc"))
    _summary(target, manifest, key)
    return target


def pin(archives: Iterable[tuple[str, str]]) -> str:
    """What tells a root made of ``archives``, names with their sha256, from others."""
    text = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(archives))
    return hashlib.sha256(text.encode()).hexdigest()


def _source(project: Path) -> commit.Commit:
    source = commit.of(project)
    if source is None:
        raise UsageError("a bundle is of a commit, and this is no git checkout")
    if source.changed:
        raise UsageError(
            f"{len(source.changed)} files are in no commit, the first: {source.changed[0]}",
            hint="commit them, or git stash --include-untracked",
        )
    return source


def _downloads(paths: Paths, files: Iterable[lockfile.Locked]) -> Iterator[_Member]:
    for file in files:
        place = f"downloads/{file.sha256}/{file.filename}"
        yield _Member(place, paths.download(file.sha256, file.filename))


def _root(kept: Path) -> Iterator[_Member]:
    for path in sorted(kept.glob("*/*")):
        yield _Member(f"root/{path.parent.name}/{path.name}", path)


def _checkout(project: Path, id_: str, scratch: Path) -> Iterator[_Member]:
    """The commit's own files, not the checkout's: what git ignores is not among them."""
    archive = scratch / "source.tar"
    run(["git", "-C", project, "archive", "--format=tar", f"--output={archive}", id_])
    with tarfile.open(archive) as tar:
        members = sorted((m for m in tar if m.isfile()), key=lambda member: member.name)
        for member in members:
            tar.extract(member, scratch)
            executable = bool(member.mode & 0o100)
            yield _Member(f"source/{member.name}", scratch / member.name, executable)


def _target(paths: Paths, recipe: Recipe, wanted: tuple[Binary, ...]) -> Path:
    name = wanted[-1].name if len(wanted) > 1 else wanted[0].name
    stem = f"{name}_{recipe.cell.deb_version}"
    return record.directory(paths.dist, recipe.cell) / f"{stem}{_ENDING}"


def _manifest(
    files: list[_Member],
    id_: str,
    recipe: Recipe,
    wanted: tuple[Binary, ...],
    own: lockfile.Lock,
    step: log.Step,
) -> Manifest:
    facts = {}
    for number, member in enumerate(files, 1):
        step.progress(f"hashing {number} of {len(files)} files")
        size = member.path.stat().st_size
        facts[member.name] = (companions.sha256(member.path), size, member.executable)
    archives = [
        (name.removeprefix("root/archives/"), sha256)
        for name, (sha256, _, _) in facts.items()
        if name.startswith("root/archives/")
    ]
    return Manifest(
        commit=id_,
        version=recipe.cell.version.name,
        suite=recipe.cell.suite.name,
        security=recipe.cell.security,
        packages=tuple(binary.role for binary in wanted),
        name=wanted[-1].name if wanted[-1].is_airflow else "airflow",
        mirror=recipe.cell.suite.mirror,
        pin=pin(archives),
        tools=tools.PYTHONS,
        tool_files=tuple(f"downloads/{file.sha256}/{file.filename}" for file in own.files),
        files=facts,
    )


def _write(target: Path, files: list[_Member], manifest: Manifest, step: log.Step) -> None:
    """Write the tar; it appears whole or not at all."""
    size = sum(size for _, size, _ in manifest.files.values())
    free = shutil.disk_usage(_made(target.parent)).free
    if free < size * 1.01:
        raise DiskError(
            f"{target.parent} has {log.size(free)} free, the bundle needs {log.size(size)}",
            hint="make room",
        )
    partial = target.with_name(f".{target.name}.partial")
    try:
        with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
            text = manifest.render().encode()
            tar.addfile(_header(MANIFEST, len(text), False), io.BytesIO(text))
            for number, member in enumerate(files, 1):
                step.progress(f"writing {number} of {len(files)} files")
                with member.path.open("rb") as opened:
                    header = _header(member.name, manifest.files[member.name][1], member.executable)
                    tar.addfile(header, opened)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _header(name: str, size: int, executable: bool) -> tarfile.TarInfo:
    """A header that depends on nothing else: no time, no user."""
    header = tarfile.TarInfo(name)
    header.size = size
    header.mode = 0o755 if executable else 0o644
    return header


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _summary(target: Path, manifest: Manifest, key: signing.Key) -> None:
    for name, value in (
        ("file", str(target)),
        ("size", f"{log.size(target.stat().st_size)}, {len(manifest.files)} files"),
        ("sha256", companions.sha256(target)),
        ("signed", f"{target.name}.asc, by {key.fingerprint}"),
        ("use", f"make deb BUNDLE={target.name}, at the commit {manifest.commit}"),
    ):
        log.info(f"  {name:<9}{value}")
