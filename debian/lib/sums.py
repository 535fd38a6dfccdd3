"""Print the MD5, SHA-1 and SHA-256 of a file, one a line after its name.

For Sums.pm, which says why. Each has a thread: hashlib lets the others run meanwhile.
"""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor

# What dpkg's papers have, by hashlib's names.
_NAMES = ("md5", "sha1", "sha256")
_CHUNK = 2**20


def sum_of(name: str, path: str) -> str:
    """The checksum ``name`` of the file ``path``. Raises OSError."""
    digest = hashlib.new(name)
    buffer = memoryview(bytearray(_CHUNK))
    with open(path, "rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
    return digest.hexdigest()


def main() -> None:
    """The command line: one file."""
    (path,) = sys.argv[1:]
    with ThreadPoolExecutor(len(_NAMES)) as pool:
        for name, found in zip(_NAMES, pool.map(lambda name: sum_of(name, path), _NAMES)):
            print(name, found)


main()
