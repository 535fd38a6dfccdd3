"""From an instance's name to findings: what `check` and the watchdog have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..layout import Layout
from . import ask, units
from .rules import LIMITS, OK, WARNING, Finding, Limit, at_rest, judge
from .target import Target
from .units import State

TIMEOUT = 10.0


def look(
    layout: Layout,
    target: Target,
    typed: str,
    *,
    limits: Mapping[str, Limit] = LIMITS,
    timeout: float = TIMEOUT,
) -> tuple[list[Finding], Mapping[str, State] | None]:
    """All findings about ``target``, and its units' states.

    Raises what `ask.look` raises.
    """
    states = units.ask(layout, [daemon.unit for daemon in target.daemons])
    resting = at_rest(target, states)
    if resting:
        return [Finding("units", OK, resting)], states
    parts = [part for part in ask.PARTS if part != "ticket" or target.ccache]
    seen = ask.look(layout, target, parts, timeout, typed)
    seen["unknown"] = unknown_revisions(layout, target, seen.get("database"))
    findings = judge(target, seen, states, limits)
    if not layout.real(target.installation).is_dir():
        text = f"another Airflow was installed; airflow-instance apply {target.name}"
        findings.append(Finding("installation", WARNING, text))
    return findings, states


def unknown_revisions(layout: Layout, target: Target, found: Mapping[str, Any] | None) -> list[str]:
    """The revisions in the database that the Airflow which is installed does not have."""
    rows = (found or {}).get("rows", {})
    have = {t: {str(r[0]) for r in rows.get(f"revisions {t}", ())} for t in target.revisions}
    other = {table for table, wanted in target.revisions.items() if have[table] - set(wanted)}
    if not other:
        return []
    from .. import heads, versions  # only now: reading all migrations takes longer than a check

    packages = layout.real(target.packages)
    unknown: set[str] = set()
    for row in versions.table().migrations:
        if row.table in other:
            unknown |= have[row.table] - heads.known_in(packages / row.directory)
    return sorted(unknown)
