"""From the files of /etc/airflow to one merged, checked declaration per instance."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import document, names, readfile, schema, secrecy
from .errors import DeclarationError, InstanceError, UnknownInstanceError, raise_all
from .layout import Layout
from .leaves import Leaf, Leaves, flatten, lines, merge
from .suggest import did_you_mean

# What editors and dpkg leave beside a file; everything else is worth a word.
_DEBRIS = ("~", ".swp", ".swo", ".bak", ".orig", ".rej", ".dpkg-old", ".dpkg-dist", ".dpkg-new")


@dataclass(frozen=True)
class Declared:
    """An instance as its files say: merged, not yet expanded or given defaults.

    ``complete`` is false when the secrets were left unread.
    """

    name: str
    leaves: Leaves
    complete: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def absent(self) -> bool:
        leaf = self.leaves.get(("ensure",))
        return leaf is not None and leaf.value == "absent"

    def with_installation(self, prefix: str) -> Declared:
        """The same for another Airflow than the files say."""
        leaf = Leaf(prefix, "as applied", literal=True)
        return replace(self, leaves={**self.leaves, ("installation",): leaf})


def listed(layout: Layout) -> tuple[list[str], list[InstanceError], list[str]]:
    """The instances that have a file, what is wrong with names, and warnings."""
    found: list[str] = []
    problems: list[InstanceError] = []
    warnings: list[str] = []
    for entry in _entries(layout, layout.instances_dir, problems):
        where = layout.seen(layout.instances_dir / entry)
        if entry.startswith(".") or entry.endswith(_DEBRIS):
            continue
        if not entry.endswith(".yaml"):
            warnings.append(f"{where}: ignored; a declaration is called NAME.yaml")
            continue
        name = entry[: -len(".yaml")]
        try:
            found.append(names.check(name))
        except DeclarationError as error:
            problems.append(DeclarationError(f"{where}: {error.message}", hint=error.hint))
    for entry in _entries(layout, layout.secrets_dir, []):
        if entry.endswith(".yaml") and entry[: -len(".yaml")] not in found:
            where = layout.seen(layout.secrets_dir / entry)
            warnings.append(f"{where}: secrets of an instance that is not declared")
    return sorted(found), problems, warnings


def _entries(layout: Layout, path: Path, problems: list[InstanceError]) -> list[str]:
    """The names in a directory that only root may write to."""
    where = layout.seen(path)
    try:
        entries = sorted(os.listdir(path))
        status = os.stat(path)
    except FileNotFoundError:
        return []
    except PermissionError:  # secrets.d for anyone but root
        return []
    except NotADirectoryError:
        problems.append(DeclarationError(f"{where}: is no directory", hint="put one there"))
        return []
    if status.st_uid not in (0, os.geteuid()) or stat.S_IMODE(status.st_mode) & 0o022:
        problems.append(
            DeclarationError(
                f"{where}: others than root may write there",
                hint=f"chown root: {where} && chmod go-w {where}",
            )
        )
    return entries


def load(layout: Layout, name: str, *, secrets: bool = True) -> Declared:
    """The declaration of the instance ``name``, with what every layer says.

    Without ``secrets`` the secrets are left unread, for callers who may not.

    Raises DeclarationError or Problems for what is wrong with the files,
    UnknownInstanceError when there is no such instance.
    """
    names.check(name)
    problems: list[InstanceError] = []
    defaults = _layer(layout, layout.defaults_file, problems, public=True)
    instance = _layer(layout, layout.instance_file(name), problems, public=True, required=True)
    secret = (
        _layer(layout, layout.secrets_file(name), problems, public=False) if secrets else _EMPTY
    )
    raise_all(problems)
    if instance is None:
        known, _, _ = listed(layout)
        raise UnknownInstanceError(
            f"there is no instance {name}",
            hint=did_you_mean(name, known) or "airflow-instance ls shows those that are declared",
        )
    return Declared(
        name=name,
        leaves=merge([defaults or _EMPTY, instance, secret or _EMPTY]),
        complete=secrets,
    )


def defaults(layout: Layout) -> Leaves:
    """What the site's defaults say, as far as they can be read."""
    return _layer(layout, layout.defaults_file, [], public=True) or _EMPTY


_EMPTY: dict[tuple[str, ...], Leaf] = {}


def _layer(
    layout: Layout,
    path: Path,
    problems: list[InstanceError],
    *,
    public: bool,
    required: bool = False,
) -> Leaves | None:
    """The leaves of one file; None when there is none. What is wrong is added to ``problems``."""
    where = layout.seen(path)
    try:
        source = readfile.read(path, where, secret=not public)
        if source is None:
            return None
        root = document.parse(source.text, where)
    except InstanceError as error:
        problems.append(error)
        return None
    if root is None:
        if required:
            problems.append(
                DeclarationError(
                    f"{where}: is empty", hint="write ensure: present for an instance with defaults"
                )
            )
        return {}
    return check(root, where, problems, everyone=bool(source.mode & 0o004), literal=not public)


def check(
    root: document.Mapping,
    where: str,
    problems: list[InstanceError],
    *,
    everyone: bool,
    literal: bool = False,
) -> Leaves:
    """The leaves of a parsed file; what is wrong with them is added to ``problems``.

    ``everyone`` says that anyone may read the file, so that it may hold no secret.
    """
    leaves = flatten(root, where, literal=literal)
    problems += schema.validate(document.plain(root), _places(root, where), templates=True)
    for path, leaf in leaves.items():
        if path == ("ensure",) and where.endswith("/defaults.yaml"):
            problems.append(
                DeclarationError(
                    f"{leaf.origin}: ensure cannot be a default", hint="say it of each instance"
                )
            )
        if everyone and schema.at(path) is not None and secrecy.exposed(path, leaf.value):
            problems.append(
                DeclarationError(
                    f"{leaf.origin}: {'.'.join(path)} is a secret in a file that everyone can read",
                    hint=f"move it to /etc/airflow/secrets.d/, or chmod 0600 {where}",
                )
            )
    return leaves


def _places(root: document.Mapping, where: str) -> Callable[[schema.Path], str]:
    numbers = lines(root)

    def place(path: schema.Path) -> str:
        return f"{where}:{numbers[path]}" if path in numbers else where

    return place


def load_all(
    layout: Layout, wanted: Sequence[str] = (), *, secrets: bool = True
) -> tuple[list[Declared], list[str]]:
    """The declarations of ``wanted``, or of all, and warnings.

    All are read before anything is said, so that one run shows every problem.

    Raises what `load` raises; problems of other instances than those wanted are
    warnings, because one team's mistake must not stop another team.
    """
    found, problems, warnings = listed(layout)
    if wanted:
        warnings += [str(problem) for problem in problems]
        problems = []
    loaded = []
    for name in wanted or found:
        try:
            loaded.append(load(layout, name, secrets=secrets))
        except InstanceError as error:
            problems.append(error)
    unique = {str(problem): problem for problem in problems}
    raise_all(list(unique.values()))
    return loaded, warnings
