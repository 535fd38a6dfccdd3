"""Ask the dynamic linker for the libraries of every compiled file; print JSON.

Runs on the host under test, on the package's own Python. Private libraries in
a ``*.libs`` directory are left out: they are found through the modules that
they belong to, which are asked about.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

BATCH = 50


def compiled(top: Path) -> Iterator[Path]:
    """Every ELF file below ``top``."""
    for directory, _, names in os.walk(top):
        for path in (Path(directory, name) for name in names):
            if path.is_symlink() or path.parent.name.endswith(".libs"):
                continue
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def unresolved(files: list[str]) -> dict[str, list[str]]:
    """Which of ``files`` need what is nowhere."""
    said = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    found: dict[str, set[str]] = {}
    current = files[0]
    for line in said.splitlines():
        if not line.startswith("\t"):
            current = line.rstrip(":")
        elif line.endswith("not found"):
            found.setdefault(current, set()).add(line.split()[0])
    return {file: sorted(names) for file, names in found.items()}


def main() -> None:
    """Ask in batches, each a process of ldd."""
    site = sysconfig.get_path("purelib")
    files = [str(path) for path in sorted(compiled(Path(sys.prefix)))]
    missing: dict[str, list[str]] = {}
    for start in range(0, len(files), BATCH):
        missing.update(unresolved(files[start : start + BATCH]))
    report = {os.path.relpath(file, site): names for file, names in missing.items()}
    print(json.dumps({"files": len(files), "unresolved": report}))


if __name__ == "__main__":
    main()
