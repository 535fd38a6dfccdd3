"""Where things are: the checkout, the caches, a run's own directory.

The cache is safe to delete at any time, is shared by all cells, and is
addressed by content:

    downloads/ab/abcd…/FILE    a locked file, under its sha256
    roots/NAME-KEY/            a Debian root, under the hash of what it was asked to hold
    wheels/KEY/FILE.whl        a wheel we built, under the hash of all that went into it
    bytecode/ab/abcd…          some modules compiled, or what some libraries need, under
                               the hash of all that this depends on
    tools/KEY/                 the builder's own virtualenv, under the hash of its lock
    run/CELL/                  what a build is at; emptied when the next one starts
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """The cache's directory: AIRFLOW_DEB_CACHE, or airflow-deb in the XDG cache."""
    own = os.environ.get("AIRFLOW_DEB_CACHE")
    if own:
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "airflow-deb"


@dataclass(frozen=True)
class Paths:
    """The checkout's and the cache's places, as properties.

    ``published`` is where packages end up instead of the checkout's dist; ``made``
    where what we built and compiled ourselves is kept instead of the cache.
    """

    project: Path
    cache: Path
    published: Path | None = None
    made: Path | None = None

    @property
    def versions_sh(self) -> Path:
        """The list of cells."""
        return self.project / "versions.sh"

    @property
    def requirements(self) -> Path:
        """What is asked for and what is locked, a directory for each version."""
        return self.project / "requirements"

    @property
    def dist(self) -> Path:
        """Where packages end up, a directory for each suite."""
        return self.published or self.project / "dist"

    @property
    def downloads(self) -> Path:
        """Locked files under their sha256."""
        return self.cache / "downloads"

    @property
    def roots(self) -> Path:
        """Debian roots."""
        return self.cache / "roots"

    @property
    def wheels(self) -> Path:
        """Wheels built from sdists."""
        return (self.made or self.cache) / "wheels"

    @property
    def bytecode(self) -> Path:
        """What debian/lib/bytecode.py has compiled, and debian/lib/shlibs.py found out."""
        return (self.made or self.cache) / "bytecode"

    def download(self, sha256: str, filename: str) -> Path:
        """Where the file with ``sha256`` is cached."""
        return self.downloads / sha256[:2] / sha256 / filename

    def run(self, name: str) -> Path:
        """The directory of a running build or test."""
        return self.cache / "run" / name


def default() -> Paths:
    """The paths of this checkout with the configured cache."""
    return Paths(PROJECT, cache())


def written(directory: Path, name: str) -> Path:
    """The file ``name`` that a version's ``directory`` has, or else requirements/default.

    Most versions need the same of Debian and of build tools: one that needs something
    else has the whole file of its own.
    """
    own = directory / name
    return own if own.exists() else directory.parent / "default" / name


def write_text(path: Path, text: str) -> None:
    """Replace the content of ``path`` by ``text``, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def shown(path: Path) -> str:
    """``path`` as errors name it: from requirements/ on, when it is below one."""
    below = f"/{path.as_posix()}".rpartition("/requirements/")
    return f"requirements/{below[2]}" if below[1] else path.name
