"""Writes down the names of the metrics that arrive by UDP: `statsd.py PORT FILE`."""

from __future__ import annotations

import socket
import sys
from pathlib import Path


def main(port: str, file: str) -> None:
    """Listen until somebody ends us; the file has each name once."""
    seen: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", int(port)))
        while True:
            lines = receiver.recv(65536).decode().splitlines()
            new = {line.partition(":")[0] for line in lines} - seen
            if new:
                seen |= new
                Path(file).write_text("\n".join(sorted(seen)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
