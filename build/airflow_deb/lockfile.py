r"""The lock: every file that goes into a package, with its sha256 and size.

It is a requirements file that pip and uv accept with --require-hashes. Each
distribution has exactly one file, the one that is installed or built, named
with its size in a comment behind the hash:

    adal==1.2.7 \
        --hash=sha256:2a7451ed7441ddbc57703042204a3e30ef747478eea022c70f789fc7f084bc3d
        # adal-1.2.7-py2.py3-none-any.whl 55539

No index and no address is written down: files are known by their sha256. All
of this module is pure but for `load`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .choice import fits
from .errors import ConfigError
from .paths import shown

_ENTRY = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?"
    r"\s*==\s*(?P<version>[^\s;]+)(?P<hashes>(?:\s+--hash[= ]\S+)*)"
)
_HASH = re.compile(r"--hash[= ](\S+)")
_FILE = re.compile(r"#\s*(\S+\.(?:whl|zip|tgz|tar\.(?:gz|bz2|xz)))\s+([0-9]+)\s*")
# As pip does: a comment starts at a # that begins the line or follows a space.
_COMMENT = re.compile(r"(^|\s+)#.*$")


@dataclass(frozen=True, order=True)
class Locked:
    """A distribution in a lock: its canonical name and version, and its one file."""

    name: str
    version: str
    sha256: str
    filename: str
    size: int

    @property
    def is_wheel(self) -> bool:
        """Whether the file is a wheel; if not, it is an sdist that must be built."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True)
class Lock:
    """A lock file: where it is, the comment at its top, and the files, by name."""

    path: Path
    header: tuple[str, ...]
    files: tuple[Locked, ...] = field(repr=False)

    @property
    def version(self) -> str:
        """The Airflow version that the lock is for, from its place."""
        return self.path.parent.name

    @property
    def suite(self) -> str:
        """The suite that the lock is for, from its name."""
        return self.path.stem.partition("-")[0]

    @property
    def is_security(self) -> bool:
        """Whether it is the one with the newest patch levels."""
        return self.path.stem.endswith("-security")

    @property
    def is_build(self) -> bool:
        """Whether it locks the build tools and not what is packaged."""
        return self.path.stem.endswith("-build")

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files)

    def render(self) -> str:
        """The text of the lock file."""
        top = "".join(f"# {line}".rstrip() + "\n" for line in self.header)
        return top + self.render_for(self.files)

    def render_for(self, files: Iterable[Locked]) -> str:
        """Requirements text for ``files`` only, sorted by name."""
        return "".join(
            f"{file.name}=={file.version} \\\n"
            f"    --hash=sha256:{file.sha256}\n"
            f"    # {file.filename} {file.size}\n"
            for file in sorted(files)
        )


@dataclass(frozen=True)
class Changes:
    """What is different between two locks, a line for each distribution.

    ``new`` tells that there was no lock before; then all is added and not listed.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    header: bool
    new: bool = False

    def __bool__(self) -> bool:
        return self.new or bool(self.added or self.removed or self.changed or self.header)

    def summary(self) -> str:
        """The changes as a person reads them; ``unchanged`` when there are none."""
        if not self:
            return "unchanged"
        if self.new:
            return f"new, {len(self.added)} packages"
        counts = [
            f"{len(lines)} {word}"
            for word, lines in (
                ("added", self.added),
                ("removed", self.removed),
                ("changed", self.changed),
            )
            if lines
        ]
        signed = (("+", self.added), ("-", self.removed), ("~", self.changed))
        lines = [f"  {sign} {line}" for sign, group in signed for line in group]
        return "\n".join([", ".join(counts) or "only its header changed", *lines])


def diff(old: Lock | None, new: Lock) -> Changes:
    """What changes when ``new`` takes the place of ``old`` (None: there was no lock)."""
    before = {file.name: file for file in old.files} if old else {}
    after = {file.name: file for file in new.files}
    changed = []
    for name in sorted(before.keys() & after.keys()):
        was, now = before[name], after[name]
        if was.version != now.version:
            changed.append(f"{name} {was.version} → {now.version}")
        elif was.filename != now.filename:
            changed.append(f"{name} {now.version}: {was.filename} → {now.filename}")
        elif was != now:
            changed.append(f"{name} {now.version}: another sha256 for {now.filename}")
    return Changes(
        added=tuple(f"{n} {after[n].version}" for n in sorted(after.keys() - before.keys())),
        removed=tuple(f"{n} {before[n].version}" for n in sorted(before.keys() - after.keys())),
        changed=tuple(changed),
        header=old is not None and old.header != new.header,
        new=old is None,
    )


def load(path: Path) -> Lock:
    """The lock at ``path``.

    Raises ConfigError when it is not there, or with file, line, key and remedy
    when it is malformed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        remake = _remake(path)
        raise ConfigError(f"{shown(path)} does not exist", hint=f"make it: {remake}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{shown(path)} cannot be read: {error}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Lock:
    """The lock that ``text``, the content of ``path``, holds; see `load` for errors."""
    header: list[str] = []
    found: dict[str, tuple[int, Locked]] = {}
    pending: tuple[int, str, str, str] | None = None
    for number, line in _logical_lines(text):
        comment = _FILE.fullmatch(line)
        if line.startswith("#") and not (comment and pending):
            if not found and not pending:
                header.append(line[1:].removeprefix(" "))
            continue
        if comment and pending:
            first, name, version, sha256 = pending
            locked = Locked(name, version, sha256, comment[1], int(comment[2]))
            _check_filename(locked, path, number)
            found[name] = (first, locked)
            pending = None
            continue
        if pending:
            break
        name, version, sha256 = _entry(_COMMENT.sub("", line).strip(), path, number)
        if name in found:
            raise _error(
                path, number, f"{name} was already locked on line {found[name][0]}", "delete one"
            )
        pending = (number, name, version, sha256)
    if pending:
        raise _error(path, pending[0], f"{pending[1]} has no file", "add the line: # FILENAME SIZE")
    return Lock(path, tuple(header), tuple(sorted(locked for _, locked in found.values())))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines stripped, with their numbers, continued ones joined as pip joins them."""
    start, joined = 0, ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if joined and not line.startswith("#"):
            joined = f"{joined} {line}"
        else:
            if joined:
                yield start, joined
            start, joined = number, line
        if joined.startswith("#") or not joined.endswith("\\"):
            if joined:
                yield start, joined
            joined = ""
        else:
            joined = joined[:-1].rstrip()
    if joined:
        yield start, joined


def _entry(line: str, path: Path, number: int) -> tuple[str, str, str]:
    """The canonical name, the version and the sha256 of the requirement in ``line``."""
    if line.startswith("-"):
        raise _error(
            path,
            number,
            f"the option {line.split(maxsplit=1)[0]} does not belong in a lock",
            "delete it",
        )
    if ";" in line:
        raise _error(
            path, number, f"a marker: {line[:80]!r}", "a lock is for one Python: delete it"
        )
    match = _ENTRY.fullmatch(line)
    if match is None:
        raise _error(
            path, number, f"not a locked requirement: {line[:80]!r}", "write NAME==VERSION"
        )
    name = canonicalize_name(match["name"])
    try:
        Version(match["version"])
    except InvalidVersion as error:
        raise _error(
            path, number, f"{name}: {match['version']!r} is not a version", "write it like 1.2.7"
        ) from error
    hashes = _HASH.findall(match["hashes"])
    if len(hashes) != 1:
        raise _error(
            path,
            number,
            f"{name} has {len(hashes)} hashes",
            "a lock has one file, so one --hash=sha256:…, for each",
        )
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", hashes[0]):
        raise _error(
            path, number, f"{name}: {hashes[0][:80]!r} is not a sha256", "write 64 hex digits"
        )
    return name, match["version"], hashes[0].removeprefix("sha256:")


def _check_filename(locked: Locked, path: Path, number: int) -> None:
    """Raise ConfigError when the file is not one of the locked distribution."""
    if fits(locked.filename, locked.name, locked.version):
        return
    raise _error(
        path,
        number,
        f"{locked.filename} is not a file of {locked.name} {locked.version}",
        "correct the name, or lock again",
    )


def _remake(path: Path) -> str:
    lock = Lock(path, (), ())
    return f"make lock VERSION={lock.version} SUITE={lock.suite}" + " SECURITY=1" * lock.is_security


def _error(path: Path, number: int, what: str, hint: str) -> ConfigError:
    return ConfigError(f"{shown(path)}:{number}: {what}", hint=hint)
