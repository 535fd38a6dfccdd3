"""Builds: ours from a copy of this checkout, against stock tools and against pip."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from airflow_deb import container, lockfile, log, make, record, roots, settings, versions, wheels
from airflow_deb.binary import AIRFLOW
from airflow_deb.container import Bind, Spec
from airflow_deb.errors import BuildError
from airflow_deb.paths import Paths
from airflow_deb.record import Record
from airflow_deb.stage import Recipe
from airflow_deb.versions import Cell
from airflow_deb.wheels import Wheel

_SOURCES = ("build", "debian", "scripts", "requirements")


@dataclass(frozen=True)
class Bench:
    """A copy of the checkout, which packages are built in; the cache is the user's."""

    paths: Paths
    cell: Cell

    def settings(self, **given: str) -> dict[str, str]:
        """What is set on make's command line."""
        return {
            "VERSION": self.cell.version.name,
            "SUITE": self.cell.suite.name,
            "PACKAGE": "airflow",
            **given,
        }

    def recipe(self) -> Recipe:
        """What is built."""
        matrix = versions.load(self.paths.versions_sh)
        return make.recipe(self.paths, matrix, settings.read(self.settings()))

    def deb(self, cache: Path | None = None, **given: str) -> tuple[float, str]:
        """Run `make deb`'s command; the seconds that it took, and what it said.

        Raises BuildError when it fails.
        """
        env = {
            **os.environ,
            "PYTHONPATH": str(self.paths.project / "build"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AIRFLOW_DEB_CACHE": str(cache or self.paths.cache),
            **self.settings(**given),
        }
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "airflow_deb", "deb"],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise BuildError("make deb failed", detail=done.stdout + done.stderr)
        return time.monotonic() - began, done.stdout

    def record(self) -> Record:
        """What the last build left."""
        found = record.load(record.path(self.paths.dist, self.cell, AIRFLOW))
        assert found is not None
        return found

    def forget(self) -> None:
        """Have it build again: without dist nothing is up to date."""
        shutil.rmtree(self.paths.dist, ignore_errors=True)

    def root(self) -> Path:
        """The build root, made when it is not there."""
        wanted = roots.root(self.cell.suite, "buildd", self.recipe().build_packages)
        return roots.ensure(self.paths, wanted)

    def house(self, uv: Path) -> list[Wheel]:
        """The wheel of every locked distribution, as the last build had them."""
        recipe = self.recipe()
        plan = wheels.plan(wheels.Builder(self.paths, self.root(), recipe.tools, uv), recipe.lock)
        assert not plan.missing
        locked = (file for file in recipe.lock.files if file.is_wheel)
        return [
            *(Wheel(f, self.paths.download(f.sha256, f.filename), f.sha256) for f in locked),
            *plan.cached,
        ]


@contextmanager
def bench(paths: Paths, cell: Cell) -> Iterator[Bench]:
    """A `Bench` for ``cell``, gone afterwards."""
    top = paths.run(f"bench/{cell.name}")
    container.remove(top)
    (top / "checkout").mkdir(parents=True)
    for name in _SOURCES:
        shutil.copytree(
            paths.project / name,
            top / "checkout" / name,
            ignore=shutil.ignore_patterns("__pycache__", ".*_cache"),
        )
    shutil.copy(paths.versions_sh, top / "checkout")
    try:
        yield Bench(Paths(top / "checkout", paths.cache), cell)
    finally:
        container.remove(top)


@contextmanager
def repacked(bench: Bench, name: str) -> Iterator[None]:
    """Lock other bytes of the sdist ``name``, as if its pin had changed, for a while.

    The archive is compressed once more, so that nothing has to be downloaded.
    """
    lock = bench.paths.requirements / bench.cell.version.name / f"{bench.cell.suite.name}.lock"
    (old,) = (file for file in lockfile.load(lock).files if file.name == name)
    source = bench.paths.download(old.sha256, old.filename)
    # The time is in the archive: what an earlier run has built of one like it is no help.
    data = gzip.compress(gzip.decompress(source.read_bytes()), mtime=time.time())
    sha256 = hashlib.sha256(data).hexdigest()
    target = bench.paths.download(sha256, old.filename)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    before = lock.read_text(encoding="utf-8")
    text = before.replace(old.sha256, sha256)
    text = text.replace(f"{old.filename} {old.size}", f"{old.filename} {len(data)}")
    lock.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        lock.write_text(before, encoding="utf-8")
        target.unlink()


_PIP = """
python3 -m venv /opt/venv
pip() { /opt/venv/bin/pip --disable-pip-version-check --no-cache-dir --quiet "$@"; }
pip install --no-deps --require-hashes --requirement /airflow-deb/in/tools.lock
pip install --no-deps --require-hashes --no-build-isolation --requirement /airflow-deb/in/lock
"""


def pip(bench: Bench, here: Path) -> float:
    """The seconds that pip takes for a virtual environment of the lock, from the index.

    In the build root, with the locked build tools installed first: with the newest, which
    pip takes by itself, old sdists do not build.
    """
    recipe = bench.recipe()
    container.remove(here)
    (here / "in").mkdir(parents=True)
    (here / "in/lock").write_text(recipe.lock.render(), encoding="utf-8")
    (here / "in/tools.lock").write_text(recipe.tools.render(), encoding="utf-8")
    names = ("PIP_INDEX_URL", "PIP_CERT", "PIP_TRUSTED_HOST", "SSL_CERT_FILE")
    spec = Spec(
        name="airflow-deb-bench-pip",
        layers=(bench.root(),),
        scratch=here / "root",
        binds=(Bind(here / "in", "/airflow-deb/in"),),
        network=True,
        env={name: os.environ[name] for name in names if name in os.environ},
    )
    container.prepare(spec)
    began = time.monotonic()
    container.again(spec, ["sh", "-euc", _PIP], on_line=lambda line: None)
    seconds = time.monotonic() - began
    log.info(f"  pip from the index: {log.duration(seconds)}")
    container.remove(here)
    return seconds
