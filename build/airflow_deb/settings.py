"""What a user sets on the command line of make, as one value.

``make deb VERSION=2.1.0 FAST=1`` puts VERSION and FAST into the environment;
this module is the only place that reads them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from .binary import named
from .errors import UsageError
from .versions import Suite

_FLAGS = {"": False, "0": False, "no": False, "1": True, "yes": True}
_BEST = {"xz": "xz:9", "zstd": "zstd:19", "none": "none:0"}
# The lightest costs less than what it saves: a package is written twice and hashed six
# times. xz has none that is light.
_FAST = {"xz": "none:0", "zstd": "zstd:1", "none": "none:0"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of one run; `make help` says what each is for."""

    version: str = ""
    suite: str = ""
    package: str = ""
    name: str = "airflow"
    constraints: str = ""
    resolver: str = "uv"
    format: str = "text"
    mirror: str = ""
    compress: str = ""
    dry_run: bool = False
    fast: bool = False
    keep: bool = False
    verify: bool = True
    wait: bool = True

    def compression(self, suite: Suite) -> tuple[str, int]:
        """Method and level to pack with: the suite's, hardly any for FAST, or COMPRESS's."""
        usual = suite.compression.split(":")[0]
        text = _FAST[usual] if self.fast else self.compress or suite.compression
        if text == "best":
            text = _BEST[usual]
        method, _, level = text.partition(":")
        if method not in _BEST or not level.isdigit():
            raise UsageError(f"COMPRESS={text!r} is not known", hint="write best, xz:6 or zstd:10")
        if method == "zstd" and not suite.compression.startswith("zstd"):
            raise UsageError(
                f"COMPRESS={text!r}: {suite.name}'s dpkg cannot read zstd", hint="write xz:6"
            )
        return method, int(level)


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in ``environ``; UsageError for a value that is none of those there are."""
    return Settings(
        version=environ.get("VERSION", "").strip(),
        suite=environ.get("SUITE", "").strip(),
        package=environ.get("PACKAGE", "").strip(),
        name=named(environ.get("NAME", "").strip() or "airflow").name,
        constraints=environ.get("CONSTRAINTS", "").strip(),
        resolver=_one_of(environ, "RESOLVER", "uv", "pip-tools"),
        format=_one_of(environ, "FORMAT", "text", "json"),
        mirror=environ.get("MIRROR", "").strip(),
        compress=environ.get("COMPRESS", "").strip(),
        dry_run=_flag(environ, "DRY_RUN"),
        fast=_flag(environ, "FAST"),
        keep=_flag(environ, "KEEP"),
        wait=not _flag(environ, "NO_WAIT"),
    )


def _one_of(environ: Mapping[str, str], name: str, default: str, other: str) -> str:
    value = environ.get(name, "").strip() or default
    if value not in (default, other):
        raise UsageError(f"{name}={value!r} is not known", hint=f"write {default} or {other}")
    return value


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").strip().lower()
    if value not in _FLAGS:
        raise UsageError(
            f"{name}={value!r} is not a switch", hint=f"write {name}=1 or leave it out"
        )
    return _FLAGS[value]
