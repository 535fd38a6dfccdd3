"""How clean_logs compares with find on a million files: time and memory.

    python3 tests/bench/clean_logs.py [--files N] [--rounds N] [--shape deep|flat] [--where DIR]

Run by root, with e2fsprogs. Two shapes of a tree: a thousand files in each of a thousand
directories, and all of them in one. In each round both get a fresh copy, each on an ext4
of its own, so that none has to search for free inodes among those of the one before. They
run one right after the other and take turns in being first: what is compared is the median
of the rounds' ratios, for a machine may be twice as fast a few minutes later. Each file is
a small log: one inode, one block.

Exit status 1: clean_logs took more than 1.2 times the processor's time, or more than
50 MB. The wall clock is shown too; on a busy machine it measures the others.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(__file__).resolve().parents[2] / "scripts" / "clean_logs"
# What hosts run it with; a Python elsewhere may begin with a detour.
PYTHON = "/usr/bin/python3"
NOBODY = 65534
MAX_RATIO = 1.2
MAX_MEMORY = 50  # MB
LONG_AGO = (1, 1)
LINE = b"[2021-01-01 00:00:00,000] {taskinstance.py:1112} INFO - Marking task as SUCCESS.\n"
BLOCK = 4096


@dataclass(frozen=True)
class Run:
    """One deletion: seconds by the wall clock and of the processor, and MB at most."""

    wall: float
    processor: float
    memory: float


@contextmanager
def disk(where: Path, files: int) -> Iterator[Path]:
    """A new file system with room for ``files``, mounted below ``where``; gone afterwards."""
    image, mounted = where / "image", where / "mounted"
    mounted.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(files * 2 * BLOCK + 2**28)
    tuned = ["-b", str(BLOCK), "-N", str(files + files // 10 + 1000)]
    subprocess.run(["mkfs.ext4", "-q", *tuned, str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
        image.unlink()
        mounted.rmdir()


def plant(top: Path, directories: int, files: int) -> None:
    """``directories`` with ``files`` old logs in each, all of them nobody's."""
    top.mkdir()
    for index in range(directories):
        directory = top / f"dag_{index:04d}"
        directory.mkdir()
        fd = os.open(directory, os.O_RDONLY)
        for number in range(files):
            name = f"attempt={number:07d}.log"
            log = os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=fd)
            os.write(log, LINE)
            os.fchown(log, NOBODY, NOBODY)
            os.utime(log, LONG_AGO)
            os.close(log)
        os.fchown(fd, NOBODY, NOBODY)
        os.utime(fd, LONG_AGO)
        os.close(fd)
    os.chown(top, NOBODY, NOBODY)


@contextmanager
def planted(where: Path, directories: int, files: int) -> Iterator[Path]:
    """Such a tree on a disk of its own below ``where``, written and ready to be deleted."""
    with disk(where, directories * files) as mounted:
        plant(mounted / "tree", directories, files)
        os.sync()
        # The file system has its own copy in memory; nobody reads that of the image.
        with (where / "image").open("rb") as image:
            os.posix_fadvise(image.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        yield mounted / "tree"


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
        # clean_logs refuses root; so find is nobody's, too.
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


def measure(where: Path, directories: int, files: int, rounds: int) -> list[tuple[Run, Run]]:
    """What clean_logs and find took, round by round."""
    found = []
    for index in range(rounds):
        with (
            planted(where / "ours", directories, files) as one,
            planted(where / "finds", directories, files) as other,
        ):
            if index % 2:
                its, mine = run(finds(other), other), run(ours(one), one)
            else:
                mine, its = run(ours(one), one), run(finds(other), other)
        found.append((mine, its))
    return found


def median(runs: Iterable[Run]) -> Run:
    """The medians of the times, and the most memory."""
    walls, processors, memories = zip(*((r.wall, r.processor, r.memory) for r in runs), strict=True)
    return Run(statistics.median(walls), statistics.median(processors), max(memories))


def main() -> int:
    parser = argparse.ArgumentParser(description="clean_logs against find, on many files.")
    parser.add_argument("--files", type=int, default=1_000_000, help="in all; default 1000000")
    parser.add_argument("--rounds", type=int, default=5, help="of which the median; default 5")
    parser.add_argument("--shape", choices=["deep", "flat"], help="only this one")
    parser.add_argument("--where", default=None, help="a directory on the disk to measure")
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a file system is made and mounted for this: run it as root")
    where = Path(tempfile.mkdtemp(prefix="bench-clean-logs-", dir=args.where))
    where.chmod(0o755)
    side = max(1, round(args.files**0.5))
    good = True
    print(f"{'shape':<14}{'':<12}{'wall s':>8}{'ratio':>8}{'cpu s':>8}{'ratio':>8}{'MB':>8}")
    try:
        for shape in ["deep", "flat"] if args.shape is None else [args.shape]:
            directories = side if shape == "deep" else 1
            files = args.files // directories
            rounds = measure(where, directories, files, args.rounds)
            ratio = statistics.median(mine.wall / its.wall for mine, its in rounds)
            effort = statistics.median(mine.processor / its.processor for mine, its in rounds)
            mine, its = (median(runs) for runs in zip(*rounds, strict=True))
            enough = effort <= MAX_RATIO and mine.memory <= MAX_MEMORY
            name = f"{directories} x {files}"
            print(
                f"{name:<14}{'clean_logs':<12}{mine.wall:8.2f}{ratio:8.2f}"
                f"{mine.processor:8.2f}{effort:8.2f}{mine.memory:8.1f}"
                f"  {'yes' if enough else 'no'}\n"
                f"{'':<14}{'find':<12}{its.wall:8.2f}{'':8}{its.processor:8.2f}{'':8}"
                f"{its.memory:8.1f}",
                flush=True,
            )
            good = good and enough
    finally:
        shutil.rmtree(where)
    print(
        f"wanted: a ratio of processor time of at most {MAX_RATIO}, memory at most {MAX_MEMORY} MB"
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
