"""A declaration's options in the spelling of the Airflow that is installed."""

from __future__ import annotations

from collections.abc import Mapping

from . import document, edit
from .leaves import Path
from .lint import respelled
from .parameters import expand
from .site import Site


def respell(site: Site, name: str, texts: Mapping[str, str]) -> dict[str, str]:
    """The files ``texts`` of an instance, by path, with the options in them renamed.

    What the site's defaults say stays: other instances may run another Airflow.

    Raises DeclarationError for what cannot be edited safely, and what `expand` raises.
    """
    declared = site.load(name)
    parameters, _ = expand(declared, site.facts)
    moves = respelled(parameters, site.installation(declared))
    return {file: _renamed(text, moves, file) for file, text in texts.items()}


def _renamed(text: str, moves: Mapping[tuple[str, str], tuple[str, str]], where: str) -> str:
    for old, new in moves.items():
        was: Path = ("airflow_config", *old)
        root = document.parse(text, where) if text else None
        found, value = _at(document.plain(root) if root else {}, was)
        if found:
            text = edit.set_value(text, ("airflow_config", *new), value, where)
            text = edit.unset(text, _whole(text, was, where), where)
    return text


def _at(value: object, path: Path) -> tuple[bool, document.Plain]:
    """Whether there is something at ``path``, and what."""
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return False, None
        value = value[key]
    return True, value  # type: ignore[return-value]


def _whole(text: str, path: Path, where: str) -> Path:
    """What to take away for nothing empty to be left: ``path``, or a mapping with it alone."""
    root = document.parse(text, where)
    value: object = document.plain(root) if root else {}
    alone = len(path)
    for depth, key in enumerate(path):
        if not isinstance(value, dict):
            break
        alone = depth + 1 if len(value) > 1 else alone
        value = value[key]
    return path[:alone]
