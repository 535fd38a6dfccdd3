"""The repository that apt reads, and how it goes from one state to the next.

    airflow-archive-keyring.asc   the public key
    pool/                         the packages; nothing in it is ever changed
    buildinfo/                    what each was built from, and what verifies it
    dists -> .state/7/public/dists    what apt reads first
    .state/7/                     aptly's database, our catalogue, the indices
    .state/pool/                  aptly's pool; links to the same packages

The next state, .state/8, is made beside the one that is published: aptly works on a copy of
its database, what it writes is signed there, new packages are linked into pool/, where no
index names them yet. Then `dists` is replaced by a link to it, by one system call: at every
moment, whatever ends us, apt finds the old state or the new one, for all suites together.
Only afterwards is deleted what is of no use any more.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import catalogue, signing
from .aptly import Aptly
from .catalogue import Catalogue
from .errors import ConfigError
from .paths import write_text
from .signing import Key

KEYRING = "airflow-archive-keyring.asc"
# Where apt keeps keys of others; since Debian 12 it is there beforehand.
KEYRING_ON_HOST = f"/etc/apt/keyrings/{KEYRING}"
_FILENAME = re.compile(r"^Filename: (.+)$", re.MULTILINE)
_DATE = "%a, %d %b %Y %H:%M:%S UTC"


@dataclass(frozen=True)
class Repository:
    """A repository in the directory ``path``, which need not be there yet."""

    path: Path

    @property
    def keyring(self) -> Path:
        """The public key."""
        return self.path / KEYRING

    @property
    def lock(self) -> Path:
        """What is held by who changes the repository."""
        return self.path / ".state" / "lock"

    @property
    def state(self) -> Path | None:
        """The directory of the published state; None before the first.

        Raises ConfigError for a repository that is not one of ours.
        """
        link = self.path / "dists"
        if link.is_symlink():
            return self.path / link.readlink().parents[1]
        for path in (link, self.path / "pool", self.path / "buildinfo"):
            # A first publication that was killed has left no link yet, but a state.
            if path.exists() and (path == link or not (self.path / ".state").is_dir()):
                raise ConfigError(
                    f"{path} is not ours: there is no state of a repository beside it",
                    hint="set REPO to a directory of its own",
                )
        return None

    def catalogue(self) -> Catalogue:
        """All that is and was published."""
        return catalogue.load(self.state / "catalogue.json") if self.state else {}

    @contextmanager
    def next(self) -> Iterator[State]:
        """A copy of the published state, to be changed and published.

        What is not published when the body ends is deleted. Nobody else may do this at
        the same time.
        """
        now = self.state
        there = [int(path.name) for path in (self.path / ".state").glob("[0-9]*")]
        self._sweep()
        new = State(self, self.path / ".state" / str(max(there, default=0) + 1), now)
        try:
            new.begin()
            yield new
        finally:
            self._sweep()

    def _sweep(self) -> None:
        """Delete what the published state does not need."""
        state = self.state
        for path in (self.path / ".state").glob("*"):
            if path.is_symlink():
                path.unlink()  # Not yet `dists`, or not any more.
            elif path.is_dir() and path not in (state, self.path / ".state" / "pool"):
                shutil.rmtree(path)
        named = _named(state / "public" / "dists") if state else set()
        live = [entry for entry in self.catalogue().values() if entry.stage]
        named |= {f"buildinfo/{name}" for e in live for name in (e.buildinfo, *e.papers)}
        for top in ("pool", "buildinfo"):
            for path in sorted((self.path / top).rglob("*"), reverse=True):
                if path.is_dir():
                    if not any(path.iterdir()):
                        path.rmdir()
                elif path.relative_to(self.path).as_posix() not in named:
                    path.unlink()


@dataclass(frozen=True)
class State:
    """A state of ``repository`` in the directory ``path``, made after the one in ``old``."""

    repository: Repository
    path: Path
    old: Path | None

    @property
    def aptly(self) -> Aptly:
        """What holds and indexes this state's packages."""
        return Aptly(self.path, self._public)

    @property
    def _public(self) -> Path:
        return self.path / "public"

    def begin(self) -> None:
        """Make it, as the old one is."""
        top = self.repository.path
        for path in (top / "pool", top / "buildinfo", top / ".state" / "pool", self._public):
            path.mkdir(parents=True, exist_ok=True)
        (self.path / "pool").symlink_to("../pool")
        if self.old:
            shutil.copytree(self.old / "db", self.path / "db")
        self.aptly.configure()

    def publish(
        self, known: Catalogue, papers: Iterable[Path], key: Key, days: int
    ) -> datetime.datetime:
        """Sign what aptly has published here, and put it in the old state's place.

        ``known`` is the new catalogue, ``papers`` are those of what was added.
        The moment (UTC) until which the indices are valid, after ``days``.
        """
        dists = self._public / "dists"
        for link in [path for path in dists.rglob("*") if path.is_symlink()]:
            link.unlink()  # aptly's notes of what it would replace, with our paths in them.
        until = datetime.datetime.min.replace(tzinfo=datetime.UTC)
        for release in sorted(dists.glob("*/Release")):
            after = self._published(release.parent.name)
            text, made, until = dated(release.read_text(encoding="utf-8"), days, after)
            write_text(release, text)
            signing.clearsign(key, release, release.with_name("InRelease"))
            signing.sign(key, release, release.with_name("Release.gpg"))
            for path in (release, release.with_name("InRelease"), release.with_name("Release.gpg")):
                os.utime(path, (made.timestamp(), made.timestamp()))
        self._keep_old_indices()
        catalogue.save(self.path / "catalogue.json", known)
        for paper in papers:
            target = self.repository.path / "buildinfo" / paper.name
            if not target.exists():
                write_text(target, paper.read_text(encoding="utf-8"))
        self._link_packages()
        write_text(self.repository.keyring, signing.public(key))
        os.sync()  # So that also a power failure leaves a whole state.
        self._replace()
        self.aptly.clean()
        return until

    def _published(self, suite: str) -> datetime.datetime | None:
        """When the old state of ``suite`` was made, as a server tells it to a host."""
        path = self.old / "public" / "dists" / suite / "InRelease" if self.old else None
        if path is None or not path.exists():
            return None
        return datetime.datetime.fromtimestamp(int(path.stat().st_mtime), datetime.UTC)

    def _link_packages(self) -> None:
        """Link the packages that aptly has published here into the repository's own pool.

        aptly would want those that are there to be links to its own, which they are no
        longer in a repository that was copied or restored.
        """
        published = self._public / "pool"
        for path in published.rglob("*.deb"):
            target = self.repository.path / "pool" / path.relative_to(published)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.hardlink_to(path)
        shutil.rmtree(published, ignore_errors=True)

    def _keep_old_indices(self) -> None:
        """Keep, by hash, what the old Release names: some host is just about to fetch it."""
        for release in self.old.glob("public/dists/*/Release") if self.old else ():
            lines = release.read_text(encoding="utf-8").splitlines()
            hashes = {line.split()[0] for line in lines if line.startswith(" ")}
            for path in release.parent.rglob("by-hash/*/*"):
                target = self._public / "dists" / path.relative_to(release.parents[1])
                if path.name in hashes and not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.hardlink_to(path)

    def _replace(self) -> None:
        """Let ``dists`` lead here."""
        top = self.repository.path
        link = top / ".state" / "dists"
        link.symlink_to((self._public / "dists").relative_to(top))
        link.replace(top / "dists")


def dated(
    release: str, days: int, after: datetime.datetime | None
) -> tuple[str, datetime.datetime, datetime.datetime]:
    """``release``, a Release file's text, with its two moments (UTC): it, Date, Valid-Until.

    Date is later than ``after``, the Date of the one before, be it that both were made
    within a second or that the clock was set back: a host asks only for what was modified
    since, in whole seconds, and takes no older one for a newer one.

    Valid-Until is what keeps somebody between the repository and a host from hiding newer
    versions by showing an old index for ever.
    """
    lines = release.splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("Date: "))
    made = datetime.datetime.strptime(lines[number].removeprefix("Date: "), _DATE)
    made = made.replace(tzinfo=datetime.UTC)
    if after:
        made = max(made, after + datetime.timedelta(seconds=1))
    until = made + datetime.timedelta(days=days)
    lines[number] = f"Date: {made.strftime(_DATE)}"
    lines.insert(number + 1, f"Valid-Until: {until.strftime(_DATE)}")
    return "\n".join(lines) + "\n", made, until


def _named(dists: Path) -> set[str]:
    """The packages that the indices in ``dists`` name, as paths below the repository."""
    return {
        name
        for index in dists.glob("*/*/*/Packages")
        for name in _FILENAME.findall(index.read_text(encoding="utf-8"))
    }
