"""debian/ as the packaging of a package that NAME= gives another name.

There is one debian/. In it `@NAME@` stands wherever the package's name does, and with
it those of its tree, its command and its documents (`@TITLE@` for its manual page's
heading); files that debhelper finds by the package's name begin with `airflow.`. What
is called airflow whatever the package's name, such as the user, is written out.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

# Columns that lintian grants a description.
_WIDTH = 80
_OWN_FILE = re.compile(r"^((?:bin/)?)airflow(?=\.|$)")
_PARAGRAPH = re.compile(r"^(?: (?!\.$).*\n)+", re.MULTILINE)


def named(files: Mapping[str, tuple[int, bytes]], name: str) -> dict[str, tuple[int, bytes]]:
    """The files of debian/ for the package ``name``, by their names there."""
    found = {}
    for path, (mode, content) in files.items():
        for marker, text in (("@NAME@", name), ("@TITLE@", name.upper())):
            content = content.replace(marker.encode(), text.encode())
        if path == "control":
            content = _PARAGRAPH.sub(_wrapped, content.decode()).encode()
        found[_OWN_FILE.sub(rf"\g<1>{name}", path)] = (mode, content)
    return found


def _wrapped(paragraph: re.Match[str]) -> str:
    """A paragraph of a description; one that a long name has made too wide, filled anew."""
    lines = paragraph[0].splitlines()
    if all(len(line) <= _WIDTH for line in lines):
        return paragraph[0]
    text = " ".join(line.strip() for line in lines)
    width = _WIDTH - 1
    filled = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    return "".join(f" {line}\n" for line in filled)
