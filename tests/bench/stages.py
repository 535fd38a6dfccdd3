"""Where the time of a build went, from its log.

    python3 tests/bench/stages.py LOG

Each line of the log begins with the seconds since it was opened; a step lasts from the
line that announces it to the next such line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_STEP = re.compile(
    r"^\s*(?P<seconds>[0-9.]+)  (?:"
    r"--- (?P<stage>\S.*)"
    r"|   (?P<helper>dh_\w+)"
    r"|\t?(?:PATH=\S+ )?(?P<direct>dh_virtualenv|dh_builddeb)"
    r"|\S*python3\S* -B debian/lib/(?P<lib>\w+)\.py"
    r"|(?: |TMPDIR=\S+ )(?P<tool>dpkg-gen\w+|dh_builddeb)"
    r"|dpkg-(?:source|buildpackage)(?P<end>: info: binary-only upload)"
    r"|\$ .*(?P<remove>rm -rf)"
    r")"
)


def steps(text: str) -> dict[str, float]:
    """The seconds of each step in the log ``text``, in the order that they came in."""
    found: dict[str, float] = {}
    name, began, last = "", 0.0, 0.0
    for line in text.splitlines():
        head = line[:8].strip()
        last = float(head) if re.fullmatch(r"[0-9.]+", head) else last
        if match := _STEP.match(line):
            if name:
                found[name] = found.get(name, 0.0) + last - began
            kind = match.lastgroup or ""
            name, began = {"end": "after dpkg-buildpackage"}.get(kind, match[kind]), last
    if name:
        found[name] = found.get(name, 0.0) + last - began
    return found


if __name__ == "__main__":
    for name, seconds in steps(Path(sys.argv[1]).read_text("utf-8", "replace")).items():
        print(f"{seconds:8.1f}  {name}")
