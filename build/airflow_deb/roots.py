"""Debian roots: made once by mmdebstrap, cached under what they were asked to hold.

A root is only ever a read-only layer; see container.py. Beside a root that packages
are built in lies NAME.debs: the very packages that it was made of and apt's lists, as
apt had verified them. From these it can be made again, the same, without a network and
after the mirror has moved on.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import busy, log
from .container import namespace, remove
from .errors import AirflowDebError, BuildError, NetworkError
from .paths import Paths
from .run import require, run
from .versions import Suite

# Raise it when the way a root is made changes: it is part of every root's key.
_FORMAT = "2"
# The variant of roots that packages are built in; those of tests need not be made again.
_BUILDS = "buildd"
# What apt prints when it is the mirror's or the network's fault.
_UNREACHABLE = re.compile(
    r"Temporary failure resolving|Could not (resolve|connect)|Connection (failed|refused|timed out)"
    r"|Unable to connect|Network is unreachable|Failed to fetch",
)


@dataclass(frozen=True)
class Root:
    """What a root is asked to hold: a suite, a variant of it, packages on top."""

    suite: Suite
    variant: str
    packages: tuple[str, ...]

    @property
    def key(self) -> str:
        """Twelve hex digits for all that decides what is in the root."""
        asked = (_FORMAT, self.suite.name, self.variant, self.suite.mirror, *self.packages)
        return hashlib.sha256("\n".join(asked).encode()).hexdigest()[:12]

    def path(self, paths: Paths) -> Path:
        """Where the root is in the cache."""
        return paths.roots / f"{self.suite.name}-{self.variant}-{self.key}"

    def kept(self, paths: Paths) -> Path:
        """Where what it was made of is in the cache: ``archives`` and apt's ``lists``."""
        return paths.roots / f"{self.path(paths).name}.debs"


@dataclass(frozen=True, order=True)
class Package:
    """A Debian package that a root was made of, and its .deb."""

    name: str
    version: str
    architecture: str
    file: Path


def root(suite: Suite, variant: str, packages: Iterable[str]) -> Root:
    """The root of ``suite`` with ``packages``, in whatever order they are named."""
    return Root(suite, variant, tuple(sorted(set(packages))))


def ensure(paths: Paths, wanted: Root, step: log.Step | None = None) -> Path:
    """The directory of ``wanted``, made now when the cache does not have it.

    Two builds that need the same root make it once: the second waits.
    Raises NetworkError when the mirror cannot be reached, BuildError when
    mmdebstrap fails for another reason.
    """
    target = wanted.path(paths)
    if target.is_dir():
        return target
    require("mmdebstrap")
    with busy.hold(paths.roots / f"{target.name}.lock", f"the root {target.name}", wait=True):
        if target.is_dir():
            return target
        partial, kept = target.with_suffix(".partial"), wanted.kept(paths)
        keeping = kept.with_suffix(".debs.partial")
        remove(partial)
        remove(keeping)
        again = kept.is_dir()
        words = _from_kept(kept) if again else _keeping(keeping) if _is_kept(wanted) else []
        try:
            run(
                [*namespace(), *_mmdebstrap(wanted, partial, words)],
                root=True,
                on_line=step.progress if step else lambda line: None,
                env={"SOURCE_DATE_EPOCH": "0", "DEBIAN_FRONTEND": "noninteractive"},
            )
        except BuildError as error:
            raise explained(error, target.name) from error
        if keeping.is_dir():
            run(["mv", "-T", keeping, kept], root=True)
        run(["mv", "-T", partial, target], root=True)
    return target


def packages(kept: Path) -> tuple[Package, ...]:
    """What the root that has ``kept`` (see `Root.kept`) was made of, by name."""
    found = []
    for file in (kept / "archives").glob("*.deb"):
        # apt writes the colon of an epoch as %3a.
        name, version, architecture = urllib.parse.unquote(file.stem).split("_")
        found.append(Package(name, version, architecture, file))
    return tuple(sorted(found))


def installed(path: Path) -> dict[str, str]:
    """The packages in the root at ``path`` with their versions, from dpkg's status file."""
    found: dict[str, str] = {}
    name = ""
    for line in (path / "var/lib/dpkg/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("Package: "):
            name = line[9:]
        elif line.startswith("Version: "):
            found[name] = line[9:]
    return found


def explained(error: BuildError, name: str) -> AirflowDebError:
    """What mmdebstrap's failure to make the root ``name`` was about (pure)."""
    if _UNREACHABLE.search(error.detail):
        return NetworkError(
            f"the Debian mirror cannot be reached for the root {name}",
            hint="check the network and the proxy, or set MIRROR",
            detail=error.detail,
        )
    return BuildError(
        f"mmdebstrap could not make the root {name}", hint=log.where(), detail=error.detail
    )


def _is_kept(wanted: Root) -> bool:
    return wanted.variant == _BUILDS


def _keeping(kept: Path) -> list[str]:
    """The options with which mmdebstrap leaves what it used in ``kept``."""
    where = shlex.quote(str(kept))
    copy = (
        f"mkdir -p {where}/lists {where}/archives"
        f' && cp "$1"/var/lib/apt/lists/*_InRelease "$1"/var/lib/apt/lists/*_Packages {where}/lists'
        f' && cp "$1"/var/cache/apt/archives/*.deb {where}/archives && chmod -R a+rX {where}'
    )
    return ["--skip=essential/unlink", f"--customize-hook={copy}"]


def _from_kept(kept: Path) -> list[str]:
    """The options with which mmdebstrap asks no mirror: apt finds all in ``kept`` (pure)."""
    where = shlex.quote(str(kept))
    copy = (
        'mkdir -p "$1"/var/cache/apt/archives'
        f' && cp {where}/lists/* "$1"/var/lib/apt/lists'
        f' && cp {where}/archives/* "$1"/var/cache/apt/archives'
    )
    return ["--skip=update", f"--setup-hook={copy}"]


def _mmdebstrap(wanted: Root, target: Path, options: Iterable[str]) -> list[str]:
    words = ["mmdebstrap", "--mode=root", f"--variant={wanted.variant}", *options]
    words += [f"--include={','.join(wanted.packages)}"] if wanted.packages else []
    # mmdebstrap copies the host's name into the root: what is built there must
    # not know on which machine.
    words += ["--customize-hook=echo airflow-deb > $1/etc/hostname"]
    words += ["--customize-hook=echo 127.0.0.1 localhost airflow-deb > $1/etc/hosts"]
    if not wanted.suite.mirror:
        return [*words, wanted.suite.name, str(target)]
    # A mirror that is set may be an archive, whose Release files have expired.
    words += ['--aptopt=Acquire::Check-Valid-Until "false"']
    return [*words, wanted.suite.name, str(target), wanted.suite.mirror]
