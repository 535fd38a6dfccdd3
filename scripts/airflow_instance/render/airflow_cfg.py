"""airflow.cfg."""

from __future__ import annotations

from ..instance import Instance
from . import header


def value_text(value: object) -> str:
    """A value as Airflow's parser reads it back: True and False, and % doubled.

    >>> value_text(True), value_text("100%")
    ('True', '100%%')
    """
    return str(value).replace("%", "%%")


def render(instance: Instance) -> str:
    """The file: [core] first, then by name; keys sorted."""
    sections: dict[str, dict[str, str]] = {}
    for (section, key), leaf in instance.config.items():
        sections.setdefault(section, {})[key] = value_text(leaf.value)
    text = header(instance.name)
    for section in sorted(sections, key=lambda name: (name != "core", name)):
        text += f"\n[{section}]\n"
        for key, value in sorted(sections[section].items()):
            text += f"{key} = {value}".rstrip() + "\n"
    return text
