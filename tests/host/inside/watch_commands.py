"""Write every command line that is seen in /proc to a file, until ended.

``watch_commands.py FILE``, as root. What lives shorter than a look at all processes
takes may be missed.
"""

from __future__ import annotations

import os
import sys
import time

seen = set()
with open(sys.argv[1], "wb", buffering=0) as out:
    while True:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read()
            except OSError:
                continue
            if words and words not in seen:
                seen.add(words)
                out.write(words.replace(b"\0", b" ") + b"\n")
        time.sleep(0.02)
