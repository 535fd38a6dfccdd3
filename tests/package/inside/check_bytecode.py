"""Check the bytecode of every module below a directory; print the result as JSON.

Runs in the suite's root on the suite's own Python, which alone can say what
its bytecode must be and what it cannot compile.
"""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# PEP 552: bytecode bound to its source by hash, and not to be checked again.
UNCHECKED_HASH = b"\x01\x00\x00\x00"
HEADER = 16


def fault(source: Path, cached: Path) -> str:
    """What is wrong with the bytecode ``cached`` of ``source``, if anything."""
    data = cached.read_bytes()
    if data[:4] != importlib.util.MAGIC_NUMBER:
        return "of another Python"
    if data[4:8] != UNCHECKED_HASH:
        return f"has the flags {data[4:8].hex()}"
    if data[8:HEADER] != importlib.util.source_hash(source.read_bytes()):
        return "is not of this source"
    code = marshal.loads(data[HEADER:])  # noqa: S302 - the bytecode under test, in a container
    if code.co_filename != str(source):
        return f"says it is {code.co_filename}"
    return ""


def refused(source: Path) -> bool:
    """Whether this Python cannot compile ``source``."""
    try:
        compile(source.read_bytes(), str(source), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return True
    return False


def look(directory: str, names: list[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """The modules ``names`` of ``directory``: faults, refused and uncompiled ones."""
    wrong, invalid, uncompiled = {}, [], []
    for name in names:
        source = Path(directory, name)
        cached = Path(importlib.util.cache_from_source(str(source)))
        if cached.is_file():
            said = fault(source, cached)
            if said:
                wrong[str(cached)] = said
        elif refused(source):
            invalid.append(str(source))
        else:
            uncompiled.append(str(source))
    return wrong, invalid, uncompiled


def orphan(cached: Path) -> bool:
    """Whether ``cached`` is the bytecode of nothing."""
    try:
        return not Path(importlib.util.source_from_cache(str(cached))).is_file()
    except ValueError:
        return True


def main() -> None:
    """Look at all, on all processors."""
    directories, modules, cached = [], [], []
    for directory, _, files in os.walk(sys.argv[1]):
        if names := sorted(name for name in files if name.endswith(".py")):
            directories.append(directory)
            modules.append(names)
        cached += [Path(directory, name) for name in files if name.endswith(".pyc")]
    faults: dict[str, str] = {}
    invalid: list[str] = []
    uncompiled: list[str] = []
    with ProcessPoolExecutor() as pool:
        for seen in pool.map(look, directories, modules, chunksize=50):
            faults.update(seen[0])
            invalid += seen[1]
            uncompiled += seen[2]
    report = {
        "wrong": faults,
        "refused": sorted(invalid),
        "uncompiled": sorted(uncompiled),
        "orphans": sorted(str(path) for path in cached if orphan(path)),
        "checked": len(cached),
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
