"""Whether a plugin fits into an Airflow: its requirements and the lock, its files and theirs.

Pure. A plugin is installed into the environment that the lock has filled, beside what is
there: it can bring nothing in another version, and overwrite nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from ..errors import ConflictError
from ..lockfile import Lock
from ..paths import shown
from .metadata import Plugin

_AGREE = "take a release of it that agrees (VERSION=), or build it for another Airflow (FOR=)"


@dataclass(frozen=True)
class Brought:
    """A distribution that another plugin package brings: its version, and that package."""

    version: str
    package: str
    deb_version: str


def environment(python: str) -> dict[str, str]:
    """The variables of PEP 508 markers on a CPython ``python`` (``3.9.2``) of Debian."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": "linux",
        "extra": "",
    }


def check(
    plugin: Plugin, lock: Lock, python: str, brought: Mapping[str, Brought]
) -> tuple[Brought, ...]:
    """The other plugins that ``plugin`` needs beside what ``lock`` has.

    Raises ConflictError with every requirement that neither fulfils.
    """
    wrong = disagreements(plugin, lock, python, brought)
    if wrong:
        raise ConflictError(
            f"{plugin.name} {plugin.version} does not fit {title(lock)}: {'; '.join(wrong)}",
            hint=_AGREE,
        )
    names = {file.name for file in lock.files}
    needed = {canonicalize_name(one.name) for one in _needed(plugin, python)}
    return tuple(brought[name] for name in sorted(needed - names) if name in brought)


def title(lock: Lock) -> str:
    """What ``lock`` is of, as messages name it."""
    other = f" with its security lock, {shown(lock.path)}" if lock.is_security else ""
    return f"Airflow {lock.version} on {lock.suite}{other}"


def disagreements(
    plugin: Plugin, lock: Lock, python: str, brought: Mapping[str, Brought]
) -> list[str]:
    """What of ``plugin`` neither the lock nor other plugins fulfil, a phrase each."""
    locked = {file.name for file in lock.files}
    found = against(plugin, lock, python)
    for one in _needed(plugin, python):
        name = canonicalize_name(one.name)
        if name in brought and name not in locked:
            if not _in(one.specifier, brought[name].version):
                other = brought[name]
                found.append(f"it requires {one}, {other.package} has {other.version}")
        elif name not in locked and not one.url:
            found.append(
                f"it requires {one}, which neither the lock nor a plugin built before has "
                f"(make plugin SOURCE={name} first?)"
            )
    return found


def against(plugin: Plugin, lock: Lock, python: str) -> list[str]:
    """What of ``plugin`` disagrees with what is in the lock, a phrase each."""
    locked = {file.name: file.version for file in lock.files}
    found = []
    if plugin.name in locked:
        found.append(f"the lock has {plugin.name} {locked[plugin.name]} itself")
    if not _admits(plugin.requires_python, python):
        found.append(f"it is for Python {plugin.requires_python}, not {python}")
    for one in _needed(plugin, python):
        name = canonicalize_name(one.name)
        if one.url:
            found.append(f"it requires {name} from an address, which no lock can tell")
        elif name in locked and not _in(one.specifier, locked[name]):
            found.append(f"it requires {one}, the lock has {name} {locked[name]}")
    return found


def first_against(plugin: Plugin, locks: Iterable[Lock], python: str) -> Lock | None:
    """The first of ``locks`` that ``plugin`` disagrees with."""
    return next((lock for lock in locks if against(plugin, lock, python)), None)


def upto(plugin: Plugin, locks: Iterable[Lock], python: str, line: str) -> str:
    """The first Airflow that ``plugin`` does not fit: one of ``locks``, or ``line``.

    ``locks`` are those of later patch levels, in order, ``line`` the next line's first
    version (``2.2``). Those that nobody has locked yet are trusted to be like the last.
    """
    found = first_against(plugin, locks, python)
    return found.version if found else line


def collisions(plugin: Plugin, theirs: Mapping[str, Iterable[str]], prefix: str) -> list[str]:
    """Files of ``plugin`` that are another package's, or in the way of one, a phrase each.

    ``theirs`` are the files of each package, as absolute paths; ``prefix`` is the tree.
    """
    found = []
    own = {f"{prefix}/{path}" for path in plugin.files}
    above = _directories(own)
    for package, files in theirs.items():
        files = set(files)
        same = own & files
        same |= own & _directories(files)  # a module where they have a package of that name
        same |= above & files
        found += [f"{path} is in {package}" for path in sorted(same)]
    return found


def check_files(plugin: Plugin, theirs: Mapping[str, Iterable[str]], prefix: str) -> None:
    """Raise ConflictError when ``plugin`` would overwrite a file; see `collisions`."""
    found = collisions(plugin, theirs, prefix)
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        raise ConflictError(
            f"{plugin.name} {plugin.version} would overwrite files: {'; '.join(found[:5])}{more}",
            hint="rename its modules, or leave them out of its wheel",
        )


def notes(plugin: Plugin, python: str) -> list[str]:
    """What cannot be decided here and a person may want to know."""
    return [
        f"what {one.name}[{','.join(sorted(one.extras))}] requires by its extras is not checked"
        for one in _needed(plugin, python)
        if one.extras and canonicalize_name(one.name) != "apache-airflow"
    ]


def _needed(plugin: Plugin, python: str) -> list[Requirement]:
    variables = environment(python)
    return [one for one in plugin.requires if one.marker is None or one.marker.evaluate(variables)]


def _admits(specifier: str, python: str) -> bool:
    """As pip has it: what cannot be read forbids nothing."""
    try:
        return _in(SpecifierSet(specifier), python)
    except InvalidSpecifier:
        return True


def _in(specifier: SpecifierSet, version: str) -> bool:
    return specifier.contains(Version(version), prereleases=True)


def _directories(files: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in files:
        parent = str(PurePosixPath(path).parent)
        while parent not in found and parent != "/":
            found.add(parent)
            parent = str(PurePosixPath(parent).parent)
    return found
