"""The rows of `make bench`: what was measured, beside what, and whether that is enough."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_deb import log


@dataclass(frozen=True)
class Row:
    """One comparison: two figures in words, what they come to, and what was wanted."""

    work: str
    ours: str
    theirs: str
    found: str
    wanted: str
    good: bool


def shorter(work: str, ours: Sequence[float], theirs: Sequence[float], times: float) -> Row:
    """A row for work that is to take at most 1/``times`` of theirs, seconds, by medians."""
    mine, its = statistics.median(ours), statistics.median(theirs)
    return Row(
        work,
        _seconds(ours),
        _seconds(theirs),
        f"{its / mine:.1f} × faster",
        f"≥ {times:g} ×",
        its / mine >= times,
    )


def ratio(work: str, ours: Sequence[float], theirs: Sequence[float], most: float) -> Row:
    """A row for work that may take at most ``most`` times as long as theirs, by medians."""
    mine, its = statistics.median(ours), statistics.median(theirs)
    return Row(
        work,
        _seconds(ours),
        _seconds(theirs),
        f"{mine / its:.2f} ×",
        f"≤ {most:g} ×",
        mine / its <= most,
    )


def in_turns(work: str, ours: Sequence[float], theirs: Sequence[float], most: float) -> Row:
    """As `ratio`, of what ran in turns, by the median of the rounds' ratios.

    A machine that others use too may be half as fast a few minutes later; a round is short.
    """
    found = statistics.median(mine / its for mine, its in zip(ours, theirs, strict=True))
    return Row(
        work, _seconds(ours), _seconds(theirs), f"{found:.2f} ×", f"≤ {most:g} ×", found <= most
    )


def smaller(work: str, ours: int, theirs: int, most: float) -> Row:
    """A row for a file that may have at most ``most`` times the bytes of theirs."""
    found = ours / theirs
    return Row(
        work, log.size(ours), log.size(theirs), f"{found:.2f} ×", f"≤ {most:g} ×", found <= most
    )


def below(work: str, ours: Sequence[float], most: float) -> Row:
    """A row for work that may take at most ``most`` seconds, by the median."""
    mine = statistics.median(ours)
    return Row(work, _seconds(ours), "–", f"{mine:.2f} s", f"< {most:g} s", mine < most)


def markdown(rows: Sequence[Row], command: str) -> str:
    """The rows as docs/benchmarks.md has them, with machine, date and command."""
    model = next(
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    day = datetime.datetime.now(datetime.UTC).date()
    lines = [
        f"{day}, {os.cpu_count()} × {model}, {memory:.0f} GiB, Linux {platform.release()}: "
        f"`{command}`",
        "",
        "| Work | Ours | Against | Found | Wanted | |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(line, rows)]) + "\n"


def line(row: Row) -> str:
    """A row as Markdown."""
    good = "yes" if row.good else "**no**"
    cells = (row.work, row.ours, row.theirs, row.found, row.wanted, good)
    return f"| {' | '.join(cells)} |"


def _seconds(measured: Sequence[float]) -> str:
    """The median, and of how many."""
    middle = statistics.median(measured)
    text = f"{middle:.2f} s" if middle < 10 else log.duration(middle)
    return f"{text} ({len(measured)})" if len(measured) > 1 else text
