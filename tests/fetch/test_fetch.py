"""Fetching: exactly the locked bytes, whatever the network and the disk do."""

from __future__ import annotations

import collections
import hashlib
import os
import shutil
import signal
import time
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
from tests.fake_index import QUICK, FakeIndex, lock_of

from airflow_deb import fetch, log
from airflow_deb.errors import DiskError, GoneError, HashError, NetworkError
from airflow_deb.index import Index
from airflow_deb.lockfile import Lock, Locked
from airflow_deb.part import part_path
from airflow_deb.paths import Paths

BIG = bytes(range(256)) * 8192  # 2 MiB


def _fetch(lock: Lock, paths: Paths, index: Index) -> None:
    fetch.fetch(fetch.plan([lock], paths), paths, None, index)


def _path(file: Locked, paths: Paths) -> Path:
    return paths.download(file.sha256, file.filename)


def _nothing_is_kept(file: Locked, paths: Paths) -> bool:
    path = _path(file, paths)
    return not path.exists() and not part_path(path).exists()


def test_what_is_missing_is_downloaded_once(
    fake: FakeIndex, index: Index, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [fake.add(f"p{n}", "1.0", bytes([n]) * 1000 * n, wheel=n % 2 == 0) for n in range(30)]
    lock, tools = lock_of(*files), lock_of(files[3], name="bullseye-build.lock")
    plan = fetch.plan([lock, tools], paths)
    assert (len(plan.cached), len(plan.missing), plan.bytes) == (0, 30, 435_000)
    assert str(plan) == "30 of 30 files to download, 435 kB"
    said: list[str] = []
    step = log.Step("fetch")
    monkeypatch.setattr(step, "progress", said.append)
    fetch.fetch(plan, paths, step, index)
    assert said[-1] == "30 of 30 files, 435 kB of 435 kB"
    for file in files:
        assert _path(file, paths).read_bytes() == fake.files[file.filename]
        assert _path(file, paths).stat().st_mode & 0o777 == 0o444
        assert not part_path(_path(file, paths)).exists()
    again = fetch.plan([lock, tools], paths)
    assert (len(again.cached), len(again.missing)) == (30, 0)
    assert str(again) == "30 files, all cached"
    fake.requests.clear()
    fetch.fetch(again, paths, None, index)
    assert fake.requests == []


def test_what_is_fetched_ahead_is_there_after_the_wait(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    fetch.ahead(fetch.plan([lock_of(file)], paths), paths, index)()
    assert _path(file, paths).read_bytes() == BIG


def test_what_goes_wrong_ahead_is_raised_by_the_wait(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    fake.faults["/simple/a/"] = [503] * 50
    wait = fetch.ahead(fetch.plan([lock_of(file)], paths), paths, index)
    with pytest.raises(NetworkError, match="0 of 1 files are cached"):
        wait()


def test_a_plan_touches_nothing(fake: FakeIndex, paths: Paths) -> None:
    fetch.plan([lock_of(fake.add("a", "1", BIG))], paths)
    assert fake.requests == []
    assert not paths.cache.exists()


def test_an_interrupted_download_goes_on_where_it_was(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    part = part_path(_path(file, paths))
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG[:700_000])
    _fetch(lock_of(file), paths, index)
    assert fake.downloads(file.filename) == ["bytes=700000-"]
    assert _path(file, paths).read_bytes() == BIG


def test_a_finished_part_needs_no_byte_more(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    part = part_path(_path(file, paths))
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG)
    _fetch(lock_of(file), paths, index)
    assert fake.downloads(file.filename) == []
    assert _path(file, paths).read_bytes() == BIG


@pytest.mark.parametrize("left", [b"x" * 700_000, BIG + b"x", b"x" * len(BIG)])
def test_a_part_with_wrong_bytes_is_thrown_away(
    fake: FakeIndex, index: Index, paths: Paths, left: bytes
) -> None:
    file = fake.add("a", "1", BIG)
    part = part_path(_path(file, paths))
    part.parent.mkdir(parents=True)
    part.write_bytes(left)
    _fetch(lock_of(file), paths, index)
    assert _path(file, paths).read_bytes() == BIG


def test_a_server_without_ranges_sends_it_all_again(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    fake.ranges = False
    file = fake.add("a", "1", BIG)
    part = part_path(_path(file, paths))
    part.parent.mkdir(parents=True)
    part.write_bytes(BIG[:700_000])
    _fetch(lock_of(file), paths, index)
    assert _path(file, paths).read_bytes() == BIG


def test_a_broken_connection_is_gone_on_with(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    fake.faults[f"/files/{file.filename}"] = ["cut", "cut"]
    _fetch(lock_of(file), paths, index)
    first, *later = fake.downloads(file.filename)
    assert first == ""
    assert later == ["bytes=1048576-", "bytes=1572864-"]
    assert _path(file, paths).read_bytes() == BIG


def test_a_connection_that_always_breaks_is_given_up(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    fake.faults[f"/files/{file.filename}"] = ["cut"] * 50
    with pytest.raises(NetworkError, match="broke off 5 times"):
        _fetch(lock_of(file), paths, index)
    assert part_path(_path(file, paths)).stat().st_size > 0


def test_a_passing_fault_is_tried_again_when_the_server_says(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    fake.faults = {"/simple/a/": [503, 429], f"/files/{file.filename}": [503]}
    fake.retry_after = "1"
    started = time.monotonic()
    _fetch(lock_of(file), paths, index)
    assert time.monotonic() - started >= 3
    assert _path(file, paths).read_bytes() == BIG


def test_a_fault_that_stays_is_an_error(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    fake.faults["/simple/a/"] = [503] * 50
    with pytest.raises(NetworkError, match="0 of 1 files are cached, 1 are missing"):
        _fetch(lock_of(file), paths, index)
    assert len(fake.requests) == 5


def test_wrong_bytes_are_named_and_not_kept(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    fake.listed_sha256[file.filename] = file.sha256
    fake.files[file.filename] = b"evil" + BIG[4:]
    with pytest.raises(HashError) as caught:
        _fetch(lock_of(file), paths, index)
    got = hashlib.sha256(fake.files[file.filename]).hexdigest()
    assert f"{file.filename} has another sha256" in caught.value.message
    assert f"expected {file.sha256}, got {got}" in caught.value.message
    assert _nothing_is_kept(file, paths)


def test_too_many_bytes_are_not_read_to_their_end(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", b"small")
    fake.listed_sha256[file.filename] = file.sha256
    fake.files[file.filename] = BIG
    with pytest.raises(HashError):
        _fetch(lock_of(file), paths, index)
    assert _nothing_is_kept(file, paths)


def test_a_hash_that_the_index_itself_changed_stops_before_the_download(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    fake.listed_sha256[file.filename] = "e" * 64
    with pytest.raises(HashError, match=f"expected {file.sha256}, got {'e' * 64}"):
        _fetch(lock_of(file), paths, index)
    assert fake.downloads(file.filename) == []
    assert _nothing_is_kept(file, paths)


def test_a_gone_file_is_named_with_the_override_to_write(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "8.0.22", BIG)
    del fake.files[file.filename]
    for version in ("8.0.5", "8.0.23", "8.0.25"):
        fake.add("a", version, BIG)
    with pytest.raises(GoneError) as caught:
        _fetch(lock_of(file), paths, index)
    assert "a-8.0.22-py3-none-any.whl" in caught.value.message
    assert "write this line into requirements/2.1.0/overrides.txt: a==8.0.23  #" in str(
        caught.value
    )
    assert "make lock VERSION=2.1.0 SUITE=bullseye" in caught.value.hint


def test_a_gone_build_tool_is_overridden_elsewhere(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "2", BIG)
    del fake.files[file.filename]
    fake.add("a", "1", BIG)
    with pytest.raises(GoneError, match=r"requirements/2\.1\.0/build-tools\.txt: a==1  #"):
        _fetch(lock_of(file, name="bullseye-build.lock"), paths, index)


def test_a_gone_project_says_so(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    fake.files.clear()
    with pytest.raises(GoneError, match="nothing is left of a"):
        _fetch(lock_of(file), paths, index)


def test_a_file_that_is_listed_but_gone_is_gone(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    file = fake.add("a", "1", BIG)
    fake.gone.add(file.filename)
    with pytest.raises(GoneError, match="other files of 1 are there"):
        _fetch(lock_of(file), paths, index)


def test_an_unreachable_index_says_what_is_there_and_what_is_not(
    fake: FakeIndex, index: Index, paths: Paths
) -> None:
    cached = [fake.add(f"c{n}", "1", bytes([n])) for n in range(3)]
    _fetch(lock_of(*cached), paths, index)
    missing = [fake.add(f"m{n}", "1", bytes([n])) for n in range(5)]
    closed = Index("http://127.0.0.1:9/simple", retries=QUICK)
    with pytest.raises(NetworkError) as caught:
        _fetch(lock_of(*cached, *missing), paths, closed)
    message = caught.value.message
    assert "3 of 8 files are cached, 5 are missing (m0-1" in message
    assert "m2-1-py3-none-any.whl, …)" in message
    assert "127.0.0.1:9" in message
    assert "PIP_INDEX_URL" in caught.value.hint


def test_a_full_cache_needs_no_index(fake: FakeIndex, index: Index, paths: Paths) -> None:
    lock = lock_of(fake.add("a", "1", BIG))
    _fetch(lock, paths, index)
    _fetch(lock, paths, Index("http://127.0.0.1:9/simple", retries=QUICK))


def test_a_small_disk_is_found_out_before(
    fake: FakeIndex, index: Index, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 51_000_000))
    _fetch(lock_of(fake.add("a", "1", b"x" * 1_000_000)), paths, index)
    fake.requests.clear()
    with pytest.raises(DiskError, match="51 MB free and the downloads need 52 MB") as caught:
        _fetch(lock_of(fake.add("b", "1", BIG)), paths, index)
    assert "AIRFLOW_DEB_CACHE" in caught.value.hint
    assert fake.requests == []


def test_a_disk_that_fills_up_is_told(
    fake: FakeIndex, index: Index, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match="No space left"):
        _fetch(lock_of(fake.add("a", "1", BIG)), paths, index)


def test_damage_in_the_cache_is_mended(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    _fetch(lock_of(file), paths, index)
    path = _path(file, paths)
    path.chmod(0o644)
    path.write_bytes(b"x" + BIG[1:])  # The same size: a plan does not see it.
    _fetch(lock_of(file), paths, index)
    assert path.read_bytes() == BIG
    path.chmod(0o644)
    path.write_bytes(BIG[:-1])
    assert fetch.plan([lock_of(file)], paths).missing == (file,)
    _fetch(lock_of(file), paths, index)
    assert path.read_bytes() == BIG


def _in_a_process(lock: Lock, paths: Paths, url: str) -> ForkProcess:
    index = Index(f"{url}/simple", retries=QUICK)
    process = ForkProcess(target=_fetch, args=(lock, paths, index))
    process.start()
    return process


def test_two_processes_download_a_file_once(fake: FakeIndex, paths: Paths) -> None:
    fake.chunk_delay = 0.01
    files = [fake.add(name, "1", name.encode() + BIG) for name in "ab"]
    processes = [_in_a_process(lock_of(*files), paths, fake.url) for _ in range(3)]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    for file in files:
        assert fake.downloads(file.filename) == [""]
        assert _path(file, paths).read_bytes() == fake.files[file.filename]
        assert os.listdir(_path(file, paths).parent) == [file.filename]


def test_kill_9_leaves_nothing_that_disturbs(fake: FakeIndex, index: Index, paths: Paths) -> None:
    file = fake.add("a", "1", BIG)
    fake.chunk_delay = 0.02
    part = part_path(_path(file, paths))
    process = _in_a_process(lock_of(file), paths, fake.url)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 300_000):
        time.sleep(0.005)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    assert fetch.plan([lock_of(file)], paths).missing == (file,)
    left = part.stat().st_size
    assert 0 < left < len(BIG)
    fake.chunk_delay = 0.0
    _fetch(lock_of(file), paths, index)
    assert fake.downloads(file.filename)[-1] == f"bytes={left}-"
    assert _path(file, paths).read_bytes() == BIG
