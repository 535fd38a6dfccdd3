"""Airflow's official constraints: where they come from and how a lock records them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import urllib3

from .errors import NetworkError, UsageError
from .versions import Cell
from .web import Web, public

_RECORDED = re.compile(r"Official constraints: (\S.*), sha256 [0-9a-f]{64}\.")
# Only worth a short wait: a lock can be made without them.
_RETRIES = urllib3.Retry(
    total=2, connect=1, redirect=5, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504)
)


@dataclass(frozen=True)
class Official:
    """The text of official constraints and its name; both are empty without any.

    ``said`` is for the user, who is told when there are none and why.
    """

    name: str
    text: str
    said: str

    @property
    def recorded(self) -> str:
        """How the lock's header records them."""
        if not self.name:
            return "none"
        return f"{self.name}, sha256 {hashlib.sha256(self.text.encode()).hexdigest()}"


def used(header: Iterable[str]) -> str:
    """The name of the official constraints that a lock with ``header`` records; or nothing."""
    found = (_RECORDED.fullmatch(line) for line in header)
    return next((match[1] for match in found if match), "")


def get(template: str, wanted: str, cell: Cell) -> Official:
    """The constraints that ``wanted`` tells: a file, an address, ``none``, or empty.

    Empty is what Airflow publishes at ``template``; that these cannot be reached
    is no error, the result says it. Raises UsageError for a file that cannot be
    read and NetworkError for an address that cannot be reached.
    """
    if wanted == "none":
        return Official("", "", "none, as asked")
    if not wanted:
        if not template:
            return Official("", "", "none, versions.sh has no constraints_url")
        address = template.format(version=cell.version.name, python=cell.suite.python)
        try:
            return _download(address)
        except NetworkError as error:
            return Official("", "", f"none, {error.message}")
    if "://" in wanted:
        return _download(wanted)
    path = Path(wanted).expanduser()
    try:
        return Official(path.name, path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"CONSTRAINTS={wanted} cannot be read: {error}",
            hint="give a file, an address or none",
        ) from error


def _download(address: str) -> Official:
    response = Web(address, connections=1, retries=_RETRIES).get(address)
    text = response.data.decode("utf-8", "replace")
    return Official(public(address), text, public(address))
