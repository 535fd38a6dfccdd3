"""The end of a scheduler that is told to while it starts."""

from __future__ import annotations

import subprocess
import sys

import pytest
from airflow_instance.inside import finish_start

# Begins to handle signals in the order in which Airflow does, once it is told to go on.
SCHEDULER = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
print("begun", flush=True)
sys.stdin.readline()
signal.signal(signal.SIGUSR2, lambda *_: None)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    signal.pause()
"""


@pytest.mark.parametrize("up", [False, True])
def test_a_start_is_waited_for(*, up: bool) -> None:
    scheduler = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert scheduler.stdin
    assert scheduler.stdout
    assert scheduler.stdout.readline() == "begun\n"
    assert not finish_start.started(scheduler.pid)
    if up:
        scheduler.stdin.write("\n")
        scheduler.stdin.flush()
        while not finish_start.started(scheduler.pid):
            pass
    waiter = subprocess.Popen(
        [sys.executable, "-I", finish_start.__file__, str(scheduler.pid)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiter.stdout
    if not up:
        assert waiter.stdout.readline() == "waiting for its start to be over\n"
        assert waiter.poll() is None
        scheduler.stdin.write("\n")
        scheduler.stdin.flush()
    assert waiter.stdout.read() == ""
    assert waiter.wait() == 0
    scheduler.terminate()
    assert scheduler.wait() == 0


def test_a_scheduler_that_is_gone_is_no_error() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    finish_start.main(ended.pid)


def test_a_scheduler_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finish_start, "PATIENCE", 0.3)
    hanging = subprocess.Popen(["sleep", "60"])
    finish_start.main(hanging.pid)
    hanging.kill()
    hanging.wait()
    assert "waiting" in capsys.readouterr().out
