"""Print as JSON which of the paths on standard input this user can read or change.

The paths are separated by zero bytes. Whoever asks is the one whose rights are tried.
"""

from __future__ import annotations

import json
import os
import stat
import sys


def reaches(path: str) -> bool:
    """Whether the file can be opened, the directory listed, or either written to."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if stat.S_ISLNK(status.st_mode):
        return False
    if os.access(path, os.W_OK) and not stat.S_ISSOCK(status.st_mode):
        return True
    try:
        if stat.S_ISDIR(status.st_mode):
            os.listdir(path)
            return True
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as f:
            return bool(f.read(1)) or stat.S_ISREG(status.st_mode)
    except OSError:
        return False


paths = [os.fsdecode(path) for path in sys.stdin.buffer.read().split(b"\0") if path]
print(json.dumps({"asked": paths, "reached": [path for path in paths if reaches(path)]}))
