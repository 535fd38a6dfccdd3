"""What a wheel says of itself: its metadata, its files, and where those are installed.

Pure but for opening the file. Core metadata, PEP 566 and later; wheels, PEP 427.
"""

from __future__ import annotations

import configparser
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from ..errors import BuildError, ConfigError

# Where a wheel's .data directories go, below the tree (sysconfig's scheme venv).
_DATA = {"scripts": "bin", "data": ""}
# At the top of site-packages by mistake: names that any DAG repository and the next
# plugin may have, too.
_EVERYBODYS = re.compile(r"lib/python[^/]+/site-packages/(docs|examples|tests?)/")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A distribution that becomes a package: its canonical name, version, and the rest.

    ``files`` are paths below the tree it is installed into, without what an installer
    adds and without those below ``left_out``; ``entry_points`` are lines
    like ``airflow.plugins: name = module:object``.
    """

    name: str
    version: str
    summary: str
    homepage: str
    author: str
    licence: str
    requires: tuple[Requirement, ...]
    requires_python: str
    entry_points: tuple[str, ...]
    files: frozenset[str]
    left_out: tuple[str, ...]
    pure: bool

    @property
    def architecture(self) -> str:
        """Debian's word for where it runs."""
        return "all" if self.pure else "amd64"


def read(wheel: Path, python: str) -> Plugin:
    """The plugin in ``wheel``, to be installed for ``python`` (``3.9``).

    Raises ConfigError for a wheel that is not one, or whose metadata makes no sense.
    """
    try:
        name, version, _, tags = parse_wheel_filename(wheel.name)
        with zipfile.ZipFile(wheel) as archive:
            names = [entry for entry in archive.namelist() if not entry.endswith("/")]
            info = _dist_info(names, name, version)
            raw, _ = parse_email(archive.read(f"{info}/METADATA"))
            entries = f"{info}/entry_points.txt"
            files = [_installed(entry, info, python, name) for entry in names]
            text = archive.read(entries).decode("utf-8") if entries in names else ""
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise ConfigError(f"{wheel.name} is no wheel that can be read: {error}") from error
    left_out = {match[0] for path in files if (match := _EVERYBODYS.match(path))}
    points = _entry_points(text, wheel)
    scripts = {
        f"bin/{line.split()[1]}"
        for line in points
        if line.startswith(("console_scripts:", "gui_scripts:"))
    }
    return Plugin(
        name=name,
        version=str(version),
        summary=_line(raw.get("summary")),
        homepage=_homepage(raw),
        author=_line(raw.get("author") or raw.get("author_email")),
        licence=_line(raw.get("license_expression") or raw.get("license")),
        requires=_requirements(raw.get("requires_dist", []), wheel),
        requires_python=raw.get("requires_python", ""),
        entry_points=points,
        files=frozenset({path for path in files if not _EVERYBODYS.match(path)} | scripts),
        left_out=tuple(sorted(left_out)),
        pure=all(tag.abi == "none" and tag.platform == "any" for tag in tags),
    )


def check_named(plugin: Plugin) -> None:
    """Raise BuildError for what setuptools makes of a source that it does not understand."""
    if plugin.name == "unknown" or plugin.version in ("0", "0.0.0"):
        raise BuildError(
            f"the source was built as {plugin.name} {plugin.version}",
            hint="it does not say its name or version in a way that works outside of git: "
            "build its wheel yourself and give that as SOURCE=",
        )


def _dist_info(names: list[str], name: str, version: Version) -> str:
    for entry in names:
        top, _, rest = entry.partition("/")
        match = re.fullmatch(r"(.+)-([^-]+)\.dist-info", top)
        if match and rest == "METADATA" and canonicalize_name(match[1]) == name:
            return top
    raise ValueError(f"it has no metadata of {name} {version}")


def _installed(entry: str, info: str, python: str, name: str) -> str:
    """Where a member of the wheel comes to lie, below the tree."""
    site = f"lib/python{python}/site-packages"
    data = info.removesuffix(".dist-info") + ".data"
    path = PurePosixPath(entry)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{entry} would leave its directory")
    if path.parts[0] != data or len(path.parts) < 3:
        return f"{site}/{entry}"
    kind, rest = path.parts[1], "/".join(path.parts[2:])
    if kind == "headers":
        return f"include/site/python{python}/{name}/{rest}"
    return f"{_DATA.get(kind, site)}/{rest}".lstrip("/")


def _entry_points(text: str, wheel: Path) -> tuple[str, ...]:
    # Values may have colons and per cent signs; indented lines are entries, not continuations.
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string("\n".join(line.strip() for line in text.splitlines()))
    except configparser.Error as error:
        raise ConfigError(f"{wheel.name}: its entry points cannot be read: {error}") from error
    return tuple(
        f"{group}: {key} = {' '.join(value.split())}"
        for group in sorted(parser.sections())
        for key, value in sorted(parser.items(group))
    )


def _requirements(texts: list[str], wheel: Path) -> tuple[Requirement, ...]:
    found = []
    for text in texts:
        try:
            found.append(Requirement(text))
        except InvalidRequirement as error:
            raise ConfigError(
                f"{wheel.name}: its requirement {text!r} is malformed",
                hint="correct it at its author's, or in a wheel of your own",
            ) from error
    return tuple(found)


def _homepage(raw: RawMetadata) -> str:
    urls = {key.lower(): value for key, value in raw.get("project_urls", {}).items()}
    found = raw.get("home_page") or urls.get("homepage") or urls.get("source") or ""
    return found if re.fullmatch(r"https?://[!-~]+", found) else ""


def _line(text: str | None) -> str:
    """One line of a field; metadata says UNKNOWN for what it does not."""
    line = " ".join((text or "").split())
    return "" if line == "UNKNOWN" else line
