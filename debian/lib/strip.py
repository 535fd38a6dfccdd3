"""Remove debugging data from compiled modules, where that is proved harmless.

strip(1) is known to corrupt libraries that patchelf has rewritten, and the
vendored ones of manylinux wheels are; dh_strip would damage them unnoticed.
Yet debugging data is a good third of all compiled code here. So each file is
stripped into a copy, and the copy replaces the file only if what the loader
sees (see elf.image) is the same to the last byte.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import elf


def find(tree: Path) -> list[Path]:
    """Every ELF file of the tree, in a fixed order."""
    found = []
    for directory, _, names in os.walk(tree):
        for path in (Path(directory, name) for name in names):
            if not path.is_symlink() and elf.is_elf(path):
                found.append(path)
    return sorted(found)


def strip(path: Path) -> tuple[int, str]:
    """Strip one file; returns the bytes saved, or the reason for leaving it."""
    before = path.read_bytes()
    if not elf.supported(before):
        return 0, "of another architecture"
    copy = path.with_name(path.name + ".stripped")
    try:
        result = subprocess.run(
            ["strip", "--strip-unneeded", "-o", str(copy), str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode or result.stderr:
            return 0, f"strip says: {result.stderr.strip()}"
        after = copy.read_bytes()
        image = elf.image(after)
        if not image.mappable or image != elf.image(before):
            return 0, "stripping would change what is loaded"
        if len(after) >= len(before):
            return 0, ""
        copy.chmod(path.stat().st_mode)
        copy.replace(path)
        return len(before) - len(after), ""
    finally:
        copy.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    tree = parser.parse_args().tree
    files = find(tree)
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = list(pool.map(strip, files, chunksize=10))
    for path, (_, reason) in zip(files, results):
        if reason:
            print(f"  left as it is: {path.relative_to(tree)}: {reason}")
    print(f"  {sum(saved for saved, _ in results) / 1e6:.1f} MB from {len(files)} files")


if __name__ == "__main__":
    main()
