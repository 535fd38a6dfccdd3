"""Remove library search paths that lead out of the package.

A module may carry directories to look for its libraries in (RPATH, RUNPATH).
Right for a wheel is $ORIGIN, the place of the module itself. Some carry a
path of the machine they were built on, or one that is relative to the current
directory, from which anybody could then have their library loaded. The entry
of such a module is taken out of its dynamic section, where nothing else
changes; what it needs is found as before, through the module that loads it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import elf
from strip import find


def is_outside(value: str) -> bool:
    """Whether one directory of a search path is none of the package's."""
    return not value.startswith(("$ORIGIN", "${ORIGIN}"))


def without(data: bytes, entry: elf.Entry, section: elf.Segment) -> bytes:
    """The file with one entry less in its dynamic section, the rest moved up."""
    size = elf.ENTRY.size
    end = section.offset + section.file_size
    return data[: entry.offset] + data[entry.offset + size : end] + bytes(size) + data[end:]


def clean(data: bytes) -> tuple[bytes, list[str]]:
    """Remove the search paths that are all outside; returns what was removed."""
    removed: list[str] = []
    while True:
        found = elf.search_paths(data)
        bad = [(entry, path) for entry, path in found if all(map(is_outside, path.split(":")))]
        if not bad:
            return data, removed
        entry, path = bad[0]
        data = without(data, entry, elf.dynamic_section(data))
        removed.append(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args().tree
    for path in find(tree):
        before = path.read_bytes()
        if not elf.supported(before):
            continue
        after, removed = clean(before)
        if removed:
            path.write_bytes(after)
            print(f"  {path.relative_to(tree)}: {', '.join(removed)}")


if __name__ == "__main__":
    main()
