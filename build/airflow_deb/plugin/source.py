"""SOURCE=, the thing to be packaged: a wheel, an sdist, a directory or a name on the index.

Whatever it was, it ends as a file in the cache, under its sha256: a directory as a tar
of what is in it. Nothing of it is run.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import os
import re
import shutil
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..candidates import pick
from ..choice import SDIST_SUFFIXES, Target, best, releases
from ..errors import ConfigError, GoneError, UsageError
from ..index import File, Index
from ..lockfile import Lock, Locked
from ..paths import Paths

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# What tools leave in a working tree, and no build reads.
_LEFT_OUT = frozenset(["__pycache__", "node_modules", "venv"])
_LEFT_OUT_ON_TOP = frozenset(["build", "dist"])


@dataclass(frozen=True)
class Source:
    """A file to package: as locked files are known, and what a person called it."""

    file: Locked
    said: str
    downloaded: bool = False


def local(paths: Paths, text: str) -> Source | None:
    """The file or directory ``text``, brought into the cache; None when it is a name.

    Raises UsageError for a path where there is nothing that can be packaged.
    """
    path = Path(text).expanduser()
    if not path.exists():
        if _NAME.fullmatch(text):
            return None
        raise UsageError(
            f"SOURCE={text!r}: there is no such file",
            hint="write the path of a wheel, an sdist or a directory, or a name on the index",
        )
    if path.is_dir():
        if not any((path / name).is_file() for name in ("pyproject.toml", "setup.py")):
            raise UsageError(
                f"SOURCE={text!r} has neither pyproject.toml nor setup.py",
                hint="write the directory that has one, or give a wheel",
            )
        # Not by its own name: what is built of a tree does not depend on where it is.
        return Source(_keep(paths, _tar(path, "source"), "source", "source.tar"), str(path))
    if path.name.endswith((".whl", *SDIST_SUFFIXES)):
        name = canonicalize_name(path.name.split("-")[0])
        return Source(_keep(paths, path.read_bytes(), name, path.name), str(path))
    raise UsageError(
        f"SOURCE={text!r} is no wheel, sdist or directory",
        hint=f"its name is to end in .whl or one of {', '.join(SDIST_SUFFIXES)}",
    )


def indexed(
    source: Index, name: str, version: str, target: Target, before: datetime.datetime
) -> Source:
    """The file of ``name`` on the index, of ``version`` or else of its newest release.

    That is the newest that was uploaded before ``before``, as what is locked was, and
    is no pre-release. A version that is asked for may be of any day. Raises UsageError
    or GoneError for what is not there, NetworkError when the index does not answer.
    """
    files = source.files(name)
    if not files:
        raise UsageError(
            f"SOURCE={name!r} is neither a path here nor a name on the index",
            hint="write a path with a / in it, as in ./NAME, or correct the name",
        )
    canonical = canonicalize_name(name)
    if version:
        before = datetime.datetime.now(datetime.UTC)
    else:
        version = _newest(files, canonical, target, before)
    try:
        locked = pick(files, canonical, version, target, before, source.name)
    except GoneError as error:
        known = ", ".join(str(found) for found in _releases(files, canonical)[-5:])
        error.hint = f"write VERSION=, one of its releases: … {known}"
        raise
    return Source(locked, f"{canonical} {version}", downloaded=True)


def _newest(files: tuple[File, ...], name: str, target: Target, before: datetime.datetime) -> str:
    for version in reversed(_releases(files, name)):
        own = [f for f in files if not f.yanked and version in releases(f.filename, name)]
        if not version.is_prerelease and best(own, name, str(version), target, before):
            return str(version)
    raise GoneError(
        f"{name} has no release for Python {target.python} that is older than {before:%Y-%m-%d}",
        hint="name one with VERSION=",
    )


def _releases(files: tuple[File, ...], name: str) -> list[Version]:
    return sorted({version for file in files for version in releases(file.filename, name)})


def check_buildable(paths: Paths, source: Source, tools: Lock) -> None:
    """Raise ConfigError when ``source`` is built with something that is not in ``tools``.

    Without it a build ends with an error that tells less, or goes wrong in silence.
    """
    data = _pyproject(paths.download(source.file.sha256, source.file.filename))
    try:
        asked = tomllib.loads(data.decode("utf-8")).get("build-system", {}).get("requires", [])
        needed = [Requirement(text) for text in asked]
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, InvalidRequirement, TypeError) as error:
        raise ConfigError(f"{source.said}: pyproject.toml cannot be read: {error}") from error
    known = {tool.name for tool in tools.files}
    missing = sorted(
        str(one)
        for one in needed
        if canonicalize_name(one.name) not in known and (not one.marker or one.marker.evaluate())
    )
    if missing:
        raise ConfigError(
            f"{source.said} is built with {', '.join(missing)}, which plugins.lock has not",
            hint="build its wheel yourself and give that as SOURCE=, or add it to "
            "requirements/plugins.in and make lock-tools",
        )


def _pyproject(path: Path) -> bytes:
    """pyproject.toml at the top of an archive; nothing when it has none."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _is_pyproject(name)]
            return archive.read(names[0]) if names else b""
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member) if _is_pyproject(member.name) else None
            if file:
                return file.read()
    return b""


def _is_pyproject(name: str) -> bool:
    return re.fullmatch(r"(?:\./)?[^/]+/pyproject\.toml", name) is not None


def _tar(top: Path, name: str) -> bytes:
    """All of ``top`` as a tar with the same bytes for the same contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _walk(top):
            info = archive.gettarinfo(path, f"{name}/{path.relative_to(top).as_posix()}")
            info.mtime = info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.mode & 0o100 else 0o644
            if info.isreg():
                with path.open("rb") as file:
                    archive.addfile(info, file)
            elif info.issym():
                archive.addfile(info)
    return buffer.getvalue()


def _walk(top: Path) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(top):
        at_top = Path(directory) == top
        subdirectories[:] = sorted(
            name
            for name in subdirectories
            if not name.startswith(".")
            and name not in _LEFT_OUT
            and not name.endswith(".egg-info")
            and not (at_top and name in _LEFT_OUT_ON_TOP)
        )
        links = [n for n in subdirectories if (Path(directory) / n).is_symlink()]
        for name in sorted([*names, *links]):
            if not name.endswith(".pyc"):
                yield Path(directory) / name


def _keep(paths: Paths, data: bytes, name: str, filename: str) -> Locked:
    """Put ``data`` where downloads are, under its sha256."""
    sha256 = hashlib.sha256(data).hexdigest()
    target = paths.download(sha256, filename)
    locked = Locked(name, _version(filename, name), sha256, filename, len(data))
    if target.is_file() and target.stat().st_size == len(data):
        return locked
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=target.parent)
    with os.fdopen(handle, "wb") as file:
        shutil.copyfileobj(io.BytesIO(data), file)
    Path(partial).chmod(0o644)
    Path(partial).replace(target)
    return locked


def _version(filename: str, name: str) -> str:
    try:
        found = releases(filename, name)
    except InvalidVersion:
        found = ()
    return str(found[0]) if found else ""
