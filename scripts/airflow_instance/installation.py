"""Which Airflow is in an installation, and which options it knows.

Nothing of it is started or imported: its files are read as data.
"""

from __future__ import annotations

import ast
import functools
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import InstallationError
from .layout import PACKAGES, Layout, package_of
from .versions import Option, Version, parse
from .yamlevents import YamlError, load_data

_DIST_INFO = re.compile(r"apache_airflow-([^-]+)\.dist-info")


@dataclass(frozen=True)
class Installation:
    """An Airflow in a virtual environment. ``prefix`` is as instances see it."""

    prefix: str
    version: Version
    packages: Path  # its site-packages, from here

    @property
    def bin_dir(self) -> str:
        return f"{self.prefix}/bin"

    @property
    def airflow(self) -> str:
        """The airflow command."""
        return f"{self.prefix}/bin/airflow"

    @property
    def seen_packages(self) -> str:
        """Its site-packages, as instances see them."""
        return f"{self.prefix}/lib/{self.packages.parent.name}/{self.packages.name}"

    @property
    def metadata(self) -> str:
        """Airflow's own dist-info there: another one is another Airflow."""
        return f"{self.seen_packages}/apache_airflow-{self.version}.dist-info"


def find(layout: Layout, prefix: str) -> Installation:
    """The Airflow in ``prefix``.

    Raises InstallationError when there is none, or more than one.
    """
    found = _found(layout, prefix)
    if not found:
        others = [install.prefix for install in find_all(layout)]
        hint = f"apt install {package_of(prefix)}"
        if others:
            hint = f"set installation: to {' or '.join(others)}; or: {hint}"
        raise InstallationError(f"there is no Airflow in {prefix}", hint=hint)
    if len(found) > 1:
        versions = " and ".join(str(install.version) for install in found)
        raise InstallationError(
            f"{prefix} holds Airflow {versions} at once", hint="reinstall its package"
        )
    return found[0]


def find_all(layout: Layout) -> list[Installation]:
    """Every Airflow of a package: /usr/lib/airflow and /usr/lib/airflow-*."""
    prefixes = [layout.seen(path) for path in sorted(layout.real(PACKAGES).glob("airflow*"))]
    return [install for prefix in prefixes for install in _found(layout, prefix)]


def _found(layout: Layout, prefix: str) -> list[Installation]:
    return [
        Installation(prefix, version, packages)
        for packages in sorted(layout.real(prefix).glob("lib/python3*/site-packages"))
        for version in _airflows(packages, packages.stat().st_mtime_ns)
    ]


@functools.lru_cache(maxsize=8)
def _airflows(packages: Path, changed: int) -> list[Version]:
    """The Airflows in a directory of a thousand names, which is read again when it has changed."""
    matches = map(_DIST_INFO.fullmatch, sorted(os.listdir(packages)))
    return [parse(match[1]) for match in matches if match]


@functools.lru_cache(maxsize=8)
def known_options(installation: Installation) -> Mapping[str, frozenset[str]]:
    """The options of each section that this Airflow and its providers have a default for.

    Empty when the default configuration cannot be read: then nothing is unknown.
    """
    known: dict[str, set[str]] = {}
    for section, option in _core_options(installation.packages / "airflow"):
        known.setdefault(section, set()).add(option)
    if known:
        for section, option in _provider_options(installation.packages / "airflow"):
            known.setdefault(section, set()).add(option)
    return {section: frozenset(options) for section, options in known.items()}


@functools.lru_cache(maxsize=8)
def renamed_options(installation: Installation) -> Mapping[Option, Option]:
    """What this Airflow itself says was renamed: from the old option to the new."""
    package = installation.packages / "airflow"
    for name in ("configuration.py", "_shared/configuration/parser.py"):
        for value in _literals(package / name, "deprecated_options"):
            if isinstance(value, dict):
                return {
                    (str(old[0]), str(old[1])): (str(new[0]), str(new[1]))
                    for new, old in value.items()
                }
    return {}


def _core_options(package: Path) -> Iterator[Option]:
    try:
        data = load_data((package / "config_templates/config.yml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, YamlError):
        return
    # A list of sections up to 2.5, a mapping since.
    sections = data.items() if isinstance(data, dict) else ()
    if isinstance(data, list):
        sections = {row["name"]: row for row in data}.items()
    for section, row in sections:
        options = row.get("options") or {}
        names = options if isinstance(options, dict) else [option["name"] for option in options]
        for name in names:
            yield section, name


def _provider_options(package: Path) -> Iterator[Option]:
    """Options of providers, from the literal that each provider's metadata returns."""
    for depth in ("*", "*/*"):
        for path in package.glob(f"providers/{depth}/get_provider_info.py"):
            for info in _literals(path, "get_provider_info"):
                config = info.get("config") if isinstance(info, dict) else None
                for section, row in (config or {}).items():
                    for name in row.get("options") or {}:
                        yield section, name
    for name in ("provider_config_fallback_defaults.cfg", "pre_2_7_defaults.cfg"):
        yield from _cfg_options(package / "config_templates" / name)


def _cfg_options(path: Path) -> Iterator[Option]:
    section = ""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return
    for line in text.splitlines():
        if match := re.match(r"\[(.+)\]$", line):
            section = match[1]
        elif match := re.match(r"([A-Za-z_][\w.]*) *=", line):
            yield section, match[1]


def _literals(path: Path, name: str) -> Iterator[object]:
    """The literal values that ``name`` is assigned to, or returns, in a Python file."""
    try:
        text = path.read_text("utf-8")
        if name == "get_provider_info" and '"config"' not in text and "'config'" not in text:
            return
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError):
        return
    for node in ast.walk(tree):
        value: ast.expr | None = None
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            value = node.value if getattr(target, "id", "") == name else None
        elif isinstance(node, ast.FunctionDef) and node.name == name:
            last = node.body[-1]
            value = last.value if isinstance(last, ast.Return) else None
        if value is not None:
            try:
                yield ast.literal_eval(value)
            except ValueError:
                continue
