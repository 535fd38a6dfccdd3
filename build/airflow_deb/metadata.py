"""What each locked file requires, for little: from the cache, or from the index's metadata.

A wheel has it in its METADATA, which an index may offer by itself (PEP 658, 714); an
sdist in PKG-INFO or, an old one, in setuptools' requires.txt. No code of a package runs.
"""

from __future__ import annotations

import email.parser
import re
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import fetch, log
from .errors import ConfigError
from .index import Index
from .lockfile import Lock, Locked
from .paths import Paths

_THREADS = 16
_SECTION = re.compile(r"^\[(?P<extra>[^\]:]*)(?::(?P<marker>[^\]]*))?\]$")


def requires(
    lock: Lock, paths: Paths, source: Index, step: log.Step | None = None
) -> dict[str, tuple[str, ...]]:
    """The Requires-Dist lines of each distribution in ``lock``, by canonical name.

    What is neither cached nor offered as metadata is downloaded. Raises NetworkError,
    GoneError, HashError or DiskError when that fails.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        told = dict(
            zip(lock.files, pool.map(lambda f: _told(f, paths, source), lock.files), strict=True)
        )
    left = tuple(file for file, lines in told.items() if lines is None)
    if left:
        fetch.fetch(fetch.plan([Lock(lock.path, (), left)], paths), paths, step, source)
    return {
        file.name: lines if lines is not None else of_file(_cached(file, paths))
        for file, lines in told.items()
    }


def of_file(path: Path) -> tuple[str, ...]:
    """The Requires-Dist lines of the wheel or sdist at ``path``."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
            name = next(n for n in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
            return _lines(wheel.read(name).decode("utf-8", "replace"))
    texts = dict(_texts(path))
    lines = _lines(texts.get("PKG-INFO", ""))
    return lines or tuple(_setuptools(texts.get("requires.txt", "")))


def _told(file: Locked, paths: Paths, source: Index) -> tuple[str, ...] | None:
    path = _cached(file, paths)
    if path.exists():
        return of_file(path)
    if not file.is_wheel:
        return None
    for offered in source.files(file.name):
        if offered.filename == file.filename and offered.has_metadata:
            return _lines(source.metadata(offered))
    return None


def _cached(file: Locked, paths: Paths) -> Path:
    return paths.download(file.sha256, file.filename)


def _lines(text: str) -> tuple[str, ...]:
    found = email.parser.HeaderParser().parsestr(text).get_all("Requires-Dist", [])
    return tuple(str(line) for line in found)


def _texts(sdist: Path) -> Iterator[tuple[str, str]]:
    """PKG-INFO at the top of ``sdist``, and the first requires.txt of an egg-info."""
    wanted = re.compile(r"[^/]+/(?:(PKG-INFO)|.*\.egg-info/(requires\.txt))")
    try:
        if sdist.suffix == ".zip":
            with zipfile.ZipFile(sdist) as archive:
                for name in archive.namelist():
                    if match := wanted.fullmatch(name):
                        yield match[1] or match[2], archive.read(name).decode("utf-8", "replace")
            return
        with tarfile.open(sdist) as archive_:
            for member in archive_:
                match = wanted.fullmatch(member.name)
                opened = archive_.extractfile(member) if match else None
                if match and opened:
                    yield match[1] or match[2], opened.read().decode("utf-8", "replace")
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{sdist.name} cannot be read: {error}") from error


def _setuptools(text: str) -> Iterator[str]:
    """requires.txt as Requires-Dist: sections are ``[extra:marker]``."""
    extra = marker = ""
    for raw in text.splitlines():
        line = raw.strip()
        if section := _SECTION.match(line):
            extra, marker = section["extra"], section["marker"] or ""
        elif line:
            own, _, inner = (part.strip() for part in line.partition(";"))
            parts = [f"({part})" for part in (inner, marker) if part]
            parts += [f'extra == "{extra}"'] if extra else []
            yield f"{own} ; {' and '.join(parts)}" if parts else own
