"""The file of each pin, asked of the index, many pins at a time."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed

from . import log
from .choice import Target, best, fits
from .errors import ConfigError, GoneError
from .index import File, Index
from .lockfile import Locked

_THREADS = 16


def locate(
    pins: Mapping[str, str],
    target: Target,
    before: datetime.datetime,
    source: Index,
    step: log.Step | None = None,
) -> tuple[Locked, ...]:
    """The best file of each pin (name: version) for ``target``, by name.

    Raises GoneError for a pin that has none, ConfigError for an index that does
    not tell what a lock needs to know, NetworkError when it does not answer.
    """
    pool = ThreadPoolExecutor(_THREADS)
    try:
        futures = {pool.submit(source.files, name): name for name in pins}
        found = []
        for number, future in enumerate(as_completed(futures), 1):
            name = futures[future]
            found.append(pick(future.result(), name, pins[name], target, before, source.name))
            if step is not None:
                step.progress(f"{number} of {len(pins)}")
        return tuple(sorted(found))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def pick(
    files: tuple[File, ...],
    name: str,
    version: str,
    target: Target,
    before: datetime.datetime,
    where: str,
) -> Locked:
    """The best file of one pin among ``files``; see `locate` for errors."""
    own = [file for file in files if fits(file.filename, name, version)]
    if own and all(file.uploaded is None for file in own):
        raise ConfigError(
            f"the index {where} does not tell when files were uploaded (PEP 700)",
            hint="set PIP_INDEX_URL to one that does for `make lock`",
        )
    chosen = best(own, name, version, target, before)
    if chosen is None:
        raise GoneError(
            f"{name} {version} has no file for Python {target.python} and glibc {target.glibc} "
            f"that was uploaded before {before:%Y-%m-%d}",
            hint=f"write an override or a constraint for {name} with its reason",
        )
    if chosen.sha256 is None or chosen.size is None:
        raise ConfigError(
            f"the index {where} does not tell the sha256 and the size of {chosen.filename}",
            hint="set PIP_INDEX_URL to one that does for `make lock`",
        )
    return Locked(name, version, chosen.sha256, chosen.filename, chosen.size)
