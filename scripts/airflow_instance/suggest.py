"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str:
    """The word of ``known`` that ``word`` most likely meant; "" when none is near.

    >>> closest("service_usr", ["service_user", "service_group"])
    'service_user'
    """
    choices = {choice.lower(): choice for choice in sorted(known)}
    near = difflib.get_close_matches(word.lower(), choices, n=1, cutoff=0.7)
    return choices[near[0]] if near else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question for the end of a message; "" when nothing is near."""
    choice = closest(word, known)
    return f"did you mean {choice}?" if choice else ""
