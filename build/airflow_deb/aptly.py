"""aptly, told what to do: keep packages in distributions, and write apt's indices of them.

It keeps a database and a pool of packages in one directory. The database holds no path:
a copy of it is as good as the first. What aptly publishes here is not signed yet; see
repository.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import log
from .binary import AIRFLOW
from .errors import AirflowDebError, BuildError
from .paths import write_text
from .run import run

_PLACE = "filesystem:repository:."
# No list of the files in the packages: an Airflow has 50,000, which nobody looks for.
_OPTIONS = ("-skip-bz2", "-skip-contents", "-skip-signing")


@dataclass(frozen=True)
class Aptly:
    """An aptly whose database and pool are in ``home``; it publishes to ``public``."""

    home: Path
    public: Path

    def configure(self) -> None:
        """Write its configuration; before anything else, wherever ``home`` has come to be."""
        place = {"rootDir": str(self.public), "linkMethod": "hardlink"}
        configuration = {
            "rootDir": str(self.home),
            "FileSystemPublishEndpoints": {"repository": place},
            "gpgProvider": "internal",  # Else it looks for a gpg each time, to no purpose.
        }
        write_text(self._configuration, json.dumps(configuration, indent=1) + "\n")

    def create(self, distributions: Sequence[str]) -> None:
        """Make those of ``distributions`` that there are not yet, empty."""
        there = self._call("repo", "list", "-raw").split()
        for name in distributions:
            if name not in there:
                self._call("repo", "create", f"-distribution={name}", "-component=main", name)

    def add(self, distribution: str, debs: Iterable[Path]) -> None:
        """Add the packages ``debs`` to ``distribution``."""
        self._call("repo", "add", distribution, *map(str, debs))

    def move(self, source: str, target: str, packages: Iterable[str]) -> None:
        """Move ``packages``, named as in ``airflow_2.1.0-1_amd64``, to another distribution."""
        self._call("repo", "move", source, target, *packages)

    def remove(self, distribution: str, packages: Iterable[str]) -> None:
        """Take ``packages`` out of ``distribution``."""
        self._call("repo", "remove", distribution, *packages)

    def publish(self, distributions: Sequence[str]) -> None:
        """Write the indices of ``distributions``, and link their packages, below ``public``."""
        published = self._call("publish", "list", "-raw").splitlines()
        for name in distributions:
            if f"{_PLACE} {name}" in published:
                self._call("publish", "update", *_OPTIONS, "-skip-cleanup", name, _PLACE)
                continue
            about = ["-acquire-by-hash", "-origin=airflow-deb", "-label=airflow-deb"]
            # aptly takes the architectures of what is there, and at first nothing is.
            about += [f"-architectures={AIRFLOW.architecture}"]
            self._call("publish", "repo", *_OPTIONS, *about, name, _PLACE)

    def clean(self) -> None:
        """Delete from its pool the packages that are in no distribution."""
        self._call("db", "cleanup")

    @property
    def _configuration(self) -> Path:
        return self.home / "aptly.json"

    def _call(self, *words: str) -> str:
        # It ends with us: what it goes on to write would be in the way of the next run.
        tied = ["setpriv", "--pdeathsig", "KILL", "aptly"]
        try:
            return run([*tied, f"-config={self._configuration}", *words]).stdout
        except BuildError as error:
            raise AirflowDebError(
                f"aptly {' '.join(words[:2])} failed", hint=log.where(), detail=error.detail
            ) from error
