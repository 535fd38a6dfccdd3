"""Wheels for what has none: built once, in the suite's root, without a network.

A wheel is a function of its sdist, the locked build tools, the packages in the
root and the recipe (build/inside/build_wheels.py); the hash of all these is
its place in the cache, so that a changed pin rebuilds one wheel and cells that
share an sdist share the wheel.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import container, log, roots
from .circumstances import USUAL, Circumstances
from .container import Bind
from .errors import BuildError
from .lockfile import Lock, Locked
from .paths import Paths

_RECIPE = "inside/build_wheels.py"
_UV = "/airflow-deb/uv"
_VENV = "/airflow-deb/venv"
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([^']+)'", re.MULTILINE)


@dataclass(frozen=True)
class Wheel:
    """An installable wheel on disk, and the locked file that it comes from."""

    locked: Locked
    path: Path
    sha256: str


@dataclass(frozen=True)
class WheelPlan:
    """The wheels a lock needs to have built: those in the cache, those to build."""

    cached: tuple[Wheel, ...]
    missing: tuple[Locked, ...]


@dataclass(frozen=True)
class Builder:
    """What all wheels of a cell are built with."""

    paths: Paths
    root: Path
    tools: Lock
    uv: Path
    around: Circumstances = USUAL

    def key(self, sdist: Locked) -> str:
        """The hash of all that decides the bytes of ``sdist``'s wheel."""
        return hashlib.sha256(f"{sdist.sha256} {self._common}".encode()).hexdigest()[:32]

    @functools.cached_property
    def _common(self) -> str:
        packages = sorted(roots.installed(self.root).items())
        recipe = (self.paths.project / "build" / _RECIPE).read_text(encoding="utf-8")
        tools = sorted(tool.sha256 for tool in self.tools.files)
        parts = (json.dumps(packages), json.dumps(tools), _SET_UP, recipe, _sha256(self.uv))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def cached(self, sdist: Locked) -> Wheel | None:
        """The cached wheel of ``sdist``, None when it is to be built."""
        for path in (self.paths.wheels / self.key(sdist)).glob("*.whl"):
            return Wheel(sdist, path, _sha256(path))
        return None


def plan(builder: Builder, lock: Lock) -> WheelPlan:
    """Which sdists of ``lock`` have their wheel in the cache, and which have not."""
    sdists = [file for file in lock.files if not file.is_wheel]
    found = {sdist: builder.cached(sdist) for sdist in sdists}
    return WheelPlan(
        tuple(wheel for wheel in found.values() if wheel is not None),
        tuple(sdist for sdist, wheel in found.items() if wheel is None),
    )


def build(builder: Builder, cell: str, sdists: Sequence[Locked], step: log.Step) -> list[Wheel]:
    """Build the wheels of ``sdists`` and put them into the cache.

    Raises BuildError for the first that fails, after all others were tried and
    kept, with its last lines and the -dev package that it probably lacks.
    """
    if not sdists:
        return []
    inputs = builder.paths.run(f"{cell}/wheels-in")
    spec = _specification(builder, cell, inputs)
    _write_inputs(builder, sdists, inputs)
    done = 0

    def follow(line: str) -> None:
        nonlocal done
        if line.startswith(("ok ", "failed ")):
            done += 1
            step.progress(f"{done} of {len(sdists)}, {line.split()[1]}")

    around = builder.around
    container.execute(spec, ["sh", "-euc", _SET_UP, "set-up", around.user])
    result = container.again(spec, around.wrap(["sh", "-c", _BUILD]), on_line=follow)
    succeeded = {line.split()[1] for line in result.stdout.splitlines() if line.startswith("ok ")}
    out = spec.upper / "airflow-deb" / "out"
    wheels = [
        _keep(builder, sdist, out / sdist.name) for sdist in sdists if sdist.name in succeeded
    ]
    for sdist in sdists:
        if sdist.name not in succeeded:
            container.shell_on_fail(spec)
            raise _failure(sdist, out / f"{sdist.name}.log", builder.paths)
    container.remove(spec.scratch)
    container.remove(inputs)
    return wheels


def clear(paths: Paths, cell: str) -> None:
    """Take away what a build of ``cell``'s wheels that failed has left."""
    container.kill_leftovers(paths.run(f"{cell}/wheels"))
    for name in ("wheels", "wheels-in"):
        container.remove(paths.run(f"{cell}/{name}"))


def _specification(builder: Builder, cell: str, inputs: Path) -> container.Spec:
    paths = builder.paths
    return container.Spec(
        name=f"airflow-deb-wheels-{cell}",
        layers=(builder.root,),
        scratch=paths.run(f"{cell}/wheels"),
        binds=(
            Bind(paths.downloads, "/airflow-deb/downloads"),
            Bind(inputs, "/airflow-deb/in"),
            Bind(paths.project / "build" / "inside", "/airflow-deb/inside"),
            Bind(builder.uv, _UV),
            *builder.around.binds,
        ),
        env={
            **builder.around.environment(),
            **{"UV_OFFLINE": "1", "UV_NO_PROGRESS": "1", "UV_PYTHON_DOWNLOADS": "never"},
            "UV_NO_CACHE": "1",
        },
        hostname=builder.around.hostname,
    )


def _write_inputs(builder: Builder, sdists: Sequence[Locked], inputs: Path) -> None:
    """What the container reads: the jobs, the build tools and their lock."""
    container.remove(inputs)
    inputs.mkdir(parents=True)
    jobs = [{"name": s.name, "sdist": f"/airflow-deb/downloads/{_place(s)}"} for s in sdists]
    (inputs / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    (inputs / "tools.lock").write_text(builder.tools.render(), encoding="utf-8")
    tools = builder.tools.files
    cached = ((builder.paths.download(t.sha256, t.filename), t.filename) for t in tools)
    gather(inputs / "tools", cached)


# A failed wheel is found, and told apart, by the job that did not end with "ok".
_BUILD = f"""
/airflow-deb/inside/build_wheels.py /airflow-deb/in/jobs.json --uv {_UV} --venv {_VENV} || true
"""
# Cython infers the types of variables that depend on each other in the order of a set of
# objects, which is that of their addresses: a longer environment gave another wheel of
# gssapi. Here it is that of the source.
_SET_UP = f"""
{_UV} venv --quiet --no-config --offline --python /usr/bin/python3 {_VENV}
{_UV} pip install --quiet --no-config --offline --no-index --find-links /airflow-deb/in/tools \
    --require-hashes --no-deps --python {_VENV}/bin/python --requirements /airflow-deb/in/tools.lock
for file in {_VENV}/lib/python3*/site-packages/Cython/Compiler/TypeInference.py; do
    [ -e "$file" ] || continue
    sed -i "$file" \
        -e 's/ in assignments:/ in sorted(assignments, key=lambda one: (one.pos or (0,))[1:]):/' \
        -e 's/ in inferred:/ in sorted(inferred, key=lambda one: one.name or ""):/'
    grep -q ' in sorted(assignments' "$file"
    grep -q ' in sorted(inferred' "$file"
done
mkdir -p /airflow-deb/src /airflow-deb/out
chown "$1:" /airflow-deb/src /airflow-deb/out
"""


def gather(directory: Path, files: Iterable[tuple[Path, str]]) -> None:
    """Hard-link (or copy) each file into ``directory`` under its name."""
    directory.mkdir(parents=True)
    for source, name in files:
        link(source, directory / name)


def link(source: Path, target: Path) -> None:
    """Make ``target`` a hard link to ``source``; a copy where that cannot be.

    It cannot on another disk, nor for a user who does not own the file.
    """
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def likely_package(text: str) -> str:
    """The -dev package whose absence ``text``, a compiler's output, points at."""
    table = (Path(__file__).parent / "headers.txt").read_text(encoding="utf-8")
    for line in table.splitlines():
        if line and not line.startswith("#"):
            pattern, package = line.rsplit(maxsplit=1)
            if re.search(pattern, text):
                return package
    return ""


def _keep(builder: Builder, sdist: Locked, out: Path) -> Wheel:
    (built,) = out.glob("*.whl")
    target = builder.paths.wheels / builder.key(sdist)
    partial = target.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    shutil.copyfile(built, partial / built.name)
    if target.is_dir():
        shutil.rmtree(partial)
    else:
        partial.rename(target)
    return Wheel(sdist, target / built.name, _sha256(target / built.name))


def _failure(sdist: Locked, build_log: Path, paths: Paths) -> BuildError:
    text = build_log.read_text(encoding="utf-8", errors="replace") if build_log.exists() else ""
    kept = paths.cache / "logs" / f"{sdist.name}-{sdist.version}.log"
    kept.write_text(text, encoding="utf-8")
    return BuildError(
        f"the wheel of {sdist.filename} does not build",
        hint=f"{_remedy(text)}its log is {kept}",
        detail="\n".join(text.rstrip().splitlines()[-15:]),
    )


def _remedy(text: str) -> str:
    """What a build that printed ``text`` probably lacks, and where to ask for it; or nothing."""
    if package := likely_package(text):
        return (
            f"it probably needs {package}: add it as a build line to "
            "requirements/VERSION/debian.txt; "
        )
    if module := _NO_MODULE.search(text):
        return (
            f"it is built with the Python module {module[1]}: add the distribution that has it to "
            "requirements/VERSION/build-tools.txt, which begins as a copy of "
            "requirements/default/build-tools.txt, and lock again; "
        )
    return ""


def _place(file: Locked) -> str:
    return f"{file.sha256[:2]}/{file.sha256}/{file.filename}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
