"""What a person sees, and the full log in a file.

Quiet by default: one line per step with its time. On a terminal a step's line
is redrawn with its progress; elsewhere (CI) each step prints a plain line when
it starts and one when it ends. Everything else goes to the log file.
"""

from __future__ import annotations

import contextlib
import datetime
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass
class _State:
    file: IO[str] | None = None
    path: Path | None = None
    opened: float = 0.0
    last_draw: float = 0.0


_state = _State()
_lock = threading.Lock()


@dataclass(frozen=True)
class Timing:
    """How long a step took, in seconds, and what it said at its end."""

    name: str
    seconds: float
    result: str


def open_file(path: Path) -> None:
    """Send the full log to ``path``, which is named to the user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _state.file = path.open("a", encoding="utf-8", buffering=1)
    _state.path = path
    _state.opened = time.monotonic()
    stamp = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    debug(f"=== {stamp} {' '.join(sys.argv)}")


def where() -> str:
    """The sentence that tells where the full log is, empty without one."""
    return f"the full log is in {_state.path}" if _state.path else ""


def debug(text: str) -> None:
    """Write ``text`` to the log file only."""
    with _lock:
        if _state.file is not None:
            seconds = f"{time.monotonic() - _state.opened:8.2f}  "
            _state.file.write("".join(f"{seconds}{line}\n" for line in text.splitlines()))


def info(text: str) -> None:
    """Tell the user ``text``, and the log."""
    debug(text)
    print(text, flush=True)


def duration(seconds: float) -> str:
    """``seconds`` as a person reads it: 0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def size(count: int) -> str:
    """``count`` bytes as a person reads it: 12 kB, 366 MB."""
    if count < 1_000_000:
        return f"{count / 1000:.0f} kB"
    if count < 10_000_000:
        return f"{count / 1_000_000:.1f} MB"
    return f"{count / 1_000_000:.0f} MB"


class Step:
    """A running step; ``progress`` redraws it, ``result`` is said at its end."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result = ""
        self.started = time.monotonic()

    def progress(self, text: str) -> None:
        """Show how far the step is; on a terminal only, ten times a second at most."""
        now = time.monotonic()
        if not sys.stdout.isatty() or now - _state.last_draw < 0.1:
            return
        _state.last_draw = now
        width = shutil.get_terminal_size().columns
        print(f"\r\x1b[K{f'  {self.name}: {text}'[: width - 1]}", end="", flush=True)


@contextlib.contextmanager
def step(name: str, timings: list[Timing] | None = None) -> Iterator[Step]:
    """Announce a step, time it, and tell how it ended."""
    this = Step(name)
    terminal = sys.stdout.isatty()
    debug(f"--- {name}")
    if terminal:
        print(f"  {name} …", end="", flush=True)
    else:
        print(f"  {name} …", flush=True)
    try:
        yield this
    except BaseException:
        if terminal:
            print("\r\x1b[K", end="")
        seconds = time.monotonic() - this.started
        info(f"  {name}: failed after {duration(seconds)}")
        raise
    seconds = time.monotonic() - this.started
    if terminal:
        print("\r\x1b[K", end="")
    said = f", {this.result}" if this.result else ""
    info(f"  {name}: {duration(seconds)}{said}")
    if timings is not None:
        timings.append(Timing(name, seconds, this.result))
