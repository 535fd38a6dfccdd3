"""How clean_logs compares with find on a million files: time and memory.

    python3 tests/bench/clean_logs.py [--files N] [--rounds N] [--shape deep|flat] [--where DIR]

Two shapes of a tree: a thousand files in each of a thousand directories, and all of
them in one. For each the two take turns on fresh copies, which are made on the
same file system right before; the medians are compared. The files are hard links to
a few: that is find's best case, since there is nothing for the kernel to free, for
which both would have to wait; and they are made in seconds, where ext4 searches
minutes for a million inodes that were not deleted lately.

Exit status 1: clean_logs took more than 1.2 times the processor's time, or more than
50 MB. The wall clock is shown too; on a busy machine it measures the others.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(__file__).resolve().parents[2] / "scripts" / "clean_logs"
# What hosts run it with; a Python elsewhere may begin with a detour.
PYTHON = "/usr/bin/python3"
NOBODY = 65534
MAX_RATIO = 1.2
MAX_MEMORY = 50  # MB
LONG_AGO = (1, 1)
LINKS = 60_000  # that a file may have on ext4, or nearly


@dataclass(frozen=True)
class Run:
    """One deletion: seconds by the wall clock and of the processor, and MB at most."""

    wall: float
    processor: float
    memory: float


def plant(top: Path, directories: int, files: int) -> None:
    """``directories`` with ``files`` old names in each, of files beside ``top``."""
    top.mkdir()
    source, count = top, 0
    for index in range(directories):
        directory = top / f"dag_{index:04d}"
        directory.mkdir()
        fd = os.open(directory, os.O_RDONLY)
        for number in range(files):
            if count % LINKS == 0:
                source = top.with_name(f"source{count // LINKS}")
                source.touch()
                os.utime(source, LONG_AGO)
            os.link(source, f"attempt={number:07d}.log", dst_dir_fd=fd)
            count += 1
        os.utime(fd, LONG_AGO)
        os.close(fd)
    if os.geteuid() == 0:
        # clean_logs is nobody's, and refuses root; so find is nobody's, too.
        for path, _, _ in os.walk(top):
            os.chown(path, NOBODY, NOBODY)


def run(commands: list[list[str]], top: Path) -> Run:
    """Run ``commands`` one after the other, on a tree that has been written to the disk."""
    os.sync()
    wall = processor = memory = 0.0
    for command in commands:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _become(command)
        _, status, usage = os.wait4(child, 0)
        wall += time.monotonic() - began
        processor += usage.ru_utime + usage.ru_stime
        memory = max(memory, usage.ru_maxrss / 1024)
        if status != 0:
            raise SystemExit(f"{command[0]} failed with {status}")
    if any(top.iterdir()):
        raise SystemExit(f"{commands[0][0]} left something in {top}")
    return Run(wall, processor, memory)


def _become(command: list[str]) -> None:
    """Replace this process, as the user of the files, with its output thrown away."""
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(127)


def ours(top: Path) -> list[list[str]]:
    return [[PYTHON, "-I", str(COMMAND), str(top), "90"]]


def finds(top: Path) -> list[list[str]]:
    return [
        ["find", str(top), "-type", "f", "-mtime", "+90", "-delete"],
        ["find", str(top), "-mindepth", "1", "-type", "d", "-empty", "-delete"],
    ]


def measure(where: Path, directories: int, files: int, rounds: int) -> tuple[Run, Run]:
    """The medians of clean_logs and of find."""
    found: dict[Callable[[Path], list[list[str]]], list[Run]] = {ours: [], finds: []}
    for index in range(rounds):
        order = [ours, finds] if index % 2 == 0 else [finds, ours]
        for commands in order:
            top = where / "tree"
            plant(top, directories, files)
            found[commands].append(run(commands(top), top))
            top.rmdir()
            for source in where.iterdir():
                source.unlink()
    return _median(found[ours]), _median(found[finds])


def _median(runs: list[Run]) -> Run:
    return Run(
        statistics.median(run.wall for run in runs),
        statistics.median(run.processor for run in runs),
        max(run.memory for run in runs),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="clean_logs against find, on many files.")
    parser.add_argument("--files", type=int, default=1_000_000, help="in all; default 1000000")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median; default 3")
    parser.add_argument("--shape", choices=["deep", "flat"], help="only this one")
    parser.add_argument("--where", default=None, help="a directory on the disk to measure")
    args = parser.parse_args()
    where = Path(tempfile.mkdtemp(prefix="bench-clean-logs-", dir=args.where))
    where.chmod(0o755)
    side = max(1, round(args.files**0.5))
    good = True
    print(f"{'shape':<14}{'':<12}{'wall s':>8}{'ratio':>8}{'cpu s':>8}{'ratio':>8}{'MB':>8}")
    try:
        for shape in ["deep", "flat"] if args.shape is None else [args.shape]:
            directories = side if shape == "deep" else 1
            files = args.files // directories
            mine, its = measure(where, directories, files, args.rounds)
            ratio, effort = mine.wall / its.wall, mine.processor / its.processor
            name = f"{directories} x {files}"
            print(
                f"{name:<14}{'clean_logs':<12}{mine.wall:8.2f}{ratio:8.2f}"
                f"{mine.processor:8.2f}{effort:8.2f}{mine.memory:8.1f}\n"
                f"{'':<14}{'find':<12}{its.wall:8.2f}{'':8}{its.processor:8.2f}{'':8}"
                f"{its.memory:8.1f}",
                flush=True,
            )
            good = good and effort <= MAX_RATIO and mine.memory <= MAX_MEMORY
    finally:
        shutil.rmtree(where)
    print(
        f"wanted: a ratio of processor time of at most {MAX_RATIO}, memory at most {MAX_MEMORY} MB"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
