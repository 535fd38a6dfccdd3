"""What a tree of examples does not show: mounts, races, depth and sheer number."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_instance.clean_logs import level, sweep
from airflow_instance.clean_logs.level import Report
from airflow_instance.clean_logs.sweep import Sweep

from .conftest import IS_ROOT, NOBODY

LONG_AGO = (1, 1)
YESTERDAY = int(time.time() - 86400) * 10**9


def clean(path: Path, *, dry_run: bool = False) -> Report:
    fd = os.open(path, os.O_RDONLY)
    try:
        return Sweep(YESTERDAY, dry_run=dry_run).run(fd)
    finally:
        os.close(fd)


def old(path: Path) -> Path:
    """A file from 1970, or a directory that was last changed then."""
    if not path.exists():
        path.touch()
    os.utime(path, LONG_AGO)
    return path


# Mounts.

MOUNT = """
    cd "$1"
    mount -t tmpfs none logs/tmpfs
    mkdir logs/tmpfs/inner
    touch -d 1971-01-01 logs/tmpfs/inner/log logs/tmpfs/log
    mount --bind outside logs/bind
    mount --bind outside/log logs/log
    mount --bind logs/itself/old logs/itself/again
    status=0
    setpriv --reuid=$2 --regid=$2 --clear-groups "$3" -I "$4" --json logs 10 || status=$?
    ls logs/tmpfs/inner/log logs/tmpfs/log
    exit $status
"""


def test_no_other_file_system_is_entered(place: Path, tools: str) -> None:
    """Nor the same one, mounted in a second place."""
    if not IS_ROOT:
        pytest.skip("only root can mount something")
    for name in ("tmpfs", "bind", "itself/old", "itself/again"):
        (place / "logs" / name).mkdir(parents=True)
    (place / "outside/inner").mkdir(parents=True)
    kept = [old(place / "outside/log"), old(place / "outside/inner/log")]
    gone = [old(place / "logs/itself/old/log"), old(place / "logs/log")]
    for name in ("bind", "tmpfs", "itself/again", "itself/old", "itself"):
        old(place / "logs" / name)
    os.seteuid(0)
    words = ["unshare", "--mount", "--propagation=private", "sh", "-euc", MOUNT, "sh", str(place)]
    words += [str(NOBODY), sys.executable, f"{tools}/clean_logs"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"files": 1, ' in done.stdout
    assert '"failed": 0' in done.stdout
    assert '"mounts": 4, ' in done.stdout
    assert all(path.exists() for path in kept)
    # Behind the mounts there is what was there before.
    assert [path.exists() for path in gone] == [False, True]
    assert not (place / "logs/itself/old").exists()
    assert (place / "logs/itself/again").is_dir()


def test_without_proc_it_does_not_start(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There would be no telling one mount from another."""
    path = old(place / "log")

    def no_proc(*_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory", "/proc/self/fdinfo/3")

    monkeypatch.setattr(sweep, "mount_id", no_proc)
    with pytest.raises(FileNotFoundError):
        clean(place)
    assert path.exists()


# Depth and number.


@pytest.fixture
def few_files() -> Iterator[None]:
    """As few open files as a process can be given and still do something."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(map(int, os.listdir("/proc/self/fd")))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + sweep.KEPT_OPEN + 10, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_files")
def test_a_tree_deeper_than_any_path(place: Path) -> None:
    depth = 3000
    fd = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.close(os.open("log", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
        os.utime("log", LONG_AGO, dir_fd=fd)
        os.mkdir("d", dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    while not os.path.samestat(os.fstat(fd), os.stat(place)):
        os.utime(fd, LONG_AGO)
        above = os.open("..", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = above
    os.close(fd)
    report = clean(place)
    assert (report.files, report.directories, report.failed) == (depth, depth, 0)
    assert list(place.iterdir()) == []


def peak(place: Path, make: Callable[[Path], object], number: int) -> int:
    """The bytes that Python needs at most to clean ``number`` things."""
    place.mkdir()
    for index in range(number):
        path = place / f"a_rather_long_name_of_a_run_{index:08d}"
        make(path)
        os.utime(path, LONG_AGO)
    clean(place, dry_run=True)
    tracemalloc.start()
    report = clean(place)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.files + report.directories == number
    return most


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["files", "directories"])
def test_memory_does_not_grow_with_the_number(
    make: Callable[[Path], object], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "NAMES", 256)
    monkeypatch.setattr(level, "BATCH", 25600)
    few = peak(place / "few", make, 1000)
    many = peak(place / "many", make, 10000)
    assert many < few + 20000


# Races.


# How often the other one acts, at most: what it makes has to be looked at each time.
TURNS = 3000
ROUNDS = 60


@contextlib.contextmanager
def meanwhile(act: Callable[[int], object]) -> Iterator[None]:
    """Do ``act`` over and over in a thread; what it raises is raised at the end."""
    over = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            for turn in range(TURNS):
                if over.is_set():
                    break
                act(turn)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if raised:
        raise raised[0]


def test_what_is_made_meanwhile_stays(place: Path) -> None:
    """A task makes its directory, then a log in it: neither may be gone before."""
    made: list[Path] = []

    def task(turn: int) -> None:
        directory = place / f"dag_{turn % 7}" / f"run_{turn}"
        # The DAG's own directory, which is old, may go between these two steps.
        with contextlib.suppress(FileNotFoundError):
            directory.parent.mkdir(exist_ok=True)
            directory.mkdir()
            log = directory / "1.log"
            try:
                log.touch()
            except FileNotFoundError:
                raise AssertionError(f"{directory} was taken away") from None
            made.append(log)

    with meanwhile(task):
        for turn in range(ROUNDS):
            for dag in range(7):
                stale = place / f"dag_{dag}" / f"old_{turn}"
                stale.mkdir(parents=True, exist_ok=True)
                old(stale / "1.log")
                old(stale)
                old(stale.parent)
            assert clean(place).failed == 0
    assert made
    assert [path for path in made if not path.exists()] == []
    assert list(place.glob("dag_*/old_*")) == []


def test_another_who_deletes_the_same_is_no_failure(place: Path) -> None:
    def rival(turn: int) -> None:
        # What it has seen may be gone as well.
        for directory in place.iterdir():
            with contextlib.suppress(OSError):
                for path in directory.iterdir():
                    with contextlib.suppress(OSError):
                        path.unlink()
                directory.rmdir()

    with meanwhile(rival):
        for turn in range(ROUNDS):
            with contextlib.suppress(FileNotFoundError):
                directory = place / str(turn)
                directory.mkdir()
                for name in range(20):
                    old(directory / str(name))
                old(directory)
            assert clean(place).failed == 0


def test_a_link_put_in_place_of_a_directory_leads_nowhere(place: Path) -> None:
    victim = place / "victim"
    victim.mkdir()
    precious = [old(victim / str(number)) for number in range(5)]
    logs = place / "logs"
    logs.mkdir()

    def swap(turn: int) -> None:
        # The other side makes and fills the directory at any moment, too.
        with contextlib.suppress(OSError):
            (logs / "d").rename(place / "aside")
            (logs / "d").symlink_to(victim)
            (logs / "d").unlink()
            (place / "aside").rename(logs / "d")
        shutil.rmtree(place / "aside", ignore_errors=True)

    with meanwhile(swap):
        for _ in range(ROUNDS):
            with contextlib.suppress(OSError):
                (logs / "d").mkdir()
                for name in range(20):
                    old(logs / "d" / str(name))
            clean(logs)
    assert [path for path in precious if not path.exists()] == []


def test_a_directory_moved_away_ends_that_branch_only(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way back by ".." would lead to where it was moved."""
    monkeypatch.setattr(sweep, "KEPT_OPEN", 1)
    logs, elsewhere = place / "logs", place / "elsewhere"
    (logs / "a/b/c").mkdir(parents=True)
    (logs / "z").mkdir()
    elsewhere.mkdir()
    precious = old(elsewhere / "precious")
    moved, other = old(logs / "a/b/c/log"), old(logs / "z/log")
    for name in ("a/b/c", "a/b", "a", "z"):
        old(logs / name)
    problems = []

    def deleted(path: str) -> None:
        if path == "a/b/c/log":
            (logs / "a/b/c").rename(elsewhere / "c")

    fd = os.open(logs, os.O_RDONLY)
    work = Sweep(YESTERDAY, deleted=deleted, problem=lambda *words: problems.append(words))
    report = work.run(fd)
    os.close(fd)
    assert [path.exists() for path in (moved, precious, other)] == [False, True, False]
    assert (elsewhere / "c").is_dir()
    assert report.failed == 1
    assert "was moved" in problems[0][1]


# Links.


def test_the_scheduler_s_latest_goes_with_what_it_leads_to(place: Path) -> None:
    day = place / "2021-05-21"
    day.mkdir()
    old(day / "dag.log")
    (place / "latest").symlink_to("2021-05-21")
    os.utime(place / "latest", LONG_AGO, follow_symlinks=False)
    old(day)
    (place / "today").mkdir()
    report = clean(place)
    assert (report.files, report.directories, report.links) == (1, 1, 1)
    assert [path.name for path in place.iterdir()] == ["today"]


def test_hard_links_free_nothing_before_the_last(place: Path) -> None:
    first = place / "first"
    first.write_bytes(b"x" * 100_000)
    os.link(first, place / "second")
    old(first)
    size = first.stat().st_blocks * 512
    assert clean(place).bytes == size
