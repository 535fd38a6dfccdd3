"""What a daemon is doing, said before it is restarted.

Runs as the instance's user: /proc shows a process to its own user, and root's rights
need not be lent to anything. Reads {"pid"} from standard input and prints {"lines": […]}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_MAX_PROCESSES = 40
_PROC = Path("/proc")


def text(pid: int, name: str) -> str:
    """A file of a process; "" when it may not be read, or the process has ended."""
    try:
        return (_PROC / str(pid) / name).read_text("utf-8", "replace").strip("\0\n ")
    except OSError:
        return ""


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status as a mapping."""
    rows = (line.partition(":") for line in text(pid, "status").splitlines())
    return {key: value.strip() for key, _, value in rows}


def children() -> dict[int, list[int]]:
    """The processes that each process has started."""
    found: dict[int, list[int]] = {}
    for name in sorted(filter(str.isdigit, os.listdir(_PROC)), key=int):
        parent = status(int(name)).get("PPid", "")
        if parent.isdigit():
            found.setdefault(int(parent), []).append(int(name))
    return found


def describe(pid: int, depth: int) -> str:
    """A process on one line: state, where in the kernel it waits, memory, descriptors."""
    about = status(pid)
    try:
        count = str(len(os.listdir(_PROC / str(pid) / "fd")))
    except OSError:
        count = "?"
    call = text(pid, "syscall").split(" ")[0]
    waits = text(pid, "wchan")
    return (
        f"{'  ' * depth}{pid} {about.get('State', 'gone')}, waits in {waits or '?'}"
        f" (system call {call or '?'}), {about.get('Threads', '?')} threads,"
        f" {about.get('VmRSS', '?')}, {count} descriptors: {title(pid, about.get('Name', ''))}"
    )


def title(pid: int, name: str) -> str:
    """What Airflow and gunicorn call themselves; of all others the ``name`` only: a task's
    command line is the team's business, and may have a password in it."""
    words = text(pid, "cmdline").replace("\0", " ").split()
    for at, word in enumerate(words[:2]):
        if word.rsplit("/", 1)[-1] in ("airflow", "gunicorn:"):
            return " ".join(words[at:])[:120]
    return name


def tree(pid: int) -> list[str]:
    """``pid`` and all below it, one line each."""
    below = children()
    lines: list[str] = []
    todo = [(pid, 0)]
    while todo and len(lines) < _MAX_PROCESSES:
        here, depth = todo.pop()
        lines.append(describe(here, depth))
        todo += [(child, depth + 1) for child in reversed(below.get(here, []))]
    if todo:
        lines.append(f"… and {len(todo)} more")
    return lines


def main() -> None:
    print(json.dumps({"lines": tree(int(json.load(sys.stdin)["pid"]))}))
