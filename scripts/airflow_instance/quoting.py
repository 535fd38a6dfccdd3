"""Text that several readers must understand the same way."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MOVES = re.compile(r"\033\[[0-9;]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")
_YAML_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# What YAML calls unprintable or a line break; all else may stand as it is.
_YAML_SPECIAL = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]')


def has_control(text: str) -> bool:
    """Whether ``text`` has a line break or another control character."""
    return bool(_CONTROL.search(text))


def plain(text: str) -> str:
    r"""What others wrote, for a terminal: without what would colour or move it.

    >>> plain("\033[31mred\033[0m \a")
    'red '
    """
    return _MOVES.sub("", text)


def environment(text: str) -> str:
    """``text`` for a line that both a shell and systemd's EnvironmentFile= read.

    Within double quotes both take a backslash before one of "\\$` as an escape,
    and everything else as it is.

    Raises ValueError for control characters, which the two read differently.
    """
    if has_control(text):
        raise ValueError("a line break or another control character")
    return '"' + re.sub(r'(["\\$`])', r"\\\1", text) + '"'


def yaml(text: str) -> str:
    """``text`` as a double-quoted YAML scalar, which JSON's form is not quite."""

    def escape(match: re.Match[str]) -> str:
        return _YAML_ESCAPES.get(match[0]) or f"\\u{ord(match[0]):04x}"

    return '"' + _YAML_SPECIAL.sub(escape, text) + '"'
