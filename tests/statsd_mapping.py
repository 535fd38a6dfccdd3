"""What statsd_exporter would make of a metric's name, by the shipped mapping.

No Debian release has statsd_exporter, so that its rules are done here once more: globs
come first, in their order, then regular expressions in theirs; a `*` is one part of a
name, without dots.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

FILE = Path(__file__).parents[1] / "scripts/examples/prometheus/statsd-mapping.yml"
# What statsd_exporter takes for a glob, a metric's name and a label's.
GLOB = re.compile(r"(\*|[a-zA-Z_][a-zA-Z0-9_-]*)(\.(\*|[a-zA-Z_][a-zA-Z0-9_-]*))*")
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True)
class Mapped:
    """A metric as Prometheus gets it; ``name`` is "" when it is dropped."""

    name: str
    labels: dict[str, str]


def load() -> list[dict[str, Any]]:
    """The mappings of the shipped file."""
    mappings: list[dict[str, Any]] = yaml.safe_load(FILE.read_text("utf-8"))["mappings"]
    return mappings


def pattern(mapping: dict[str, Any]) -> re.Pattern[str]:
    """The names that a mapping is for."""
    if mapping.get("match_type") == "regex":
        return re.compile(mapping["match"])
    parts = re.escape(mapping["match"]).replace(r"\*", "([^.]*)")
    return re.compile(f"^{parts}$")


def mapped(name: str) -> Mapped | None:
    """What becomes of the metric ``name``; None when no mapping is for it."""
    mappings = load()
    globs = [m for m in mappings if m.get("match_type") != "regex"]
    for mapping in [*globs, *(m for m in mappings if m not in globs)]:
        match = pattern(mapping).search(name)
        if match is None:
            continue
        if mapping.get("action") == "drop":
            return Mapped("", {})

        def fill(text: str, match: re.Match[str] = match) -> str:
            return re.sub(r"\$\{?(\d)\}?", lambda number: match[int(number[1])], text)

        labels = {label: fill(text) for label, text in mapping.get("labels", {}).items()}
        return Mapped(fill(mapping["name"]), labels)
    return None
