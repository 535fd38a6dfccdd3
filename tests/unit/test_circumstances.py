"""What a build is put under."""

from __future__ import annotations

import os

import pytest

from airflow_deb.circumstances import OTHER, USUAL


@pytest.mark.parametrize(("process", "processor"), [(40, "2"), (41, "5")])
def test_the_one_processor_is_one_that_may_be_used(
    monkeypatch: pytest.MonkeyPatch, process: int, processor: str
) -> None:
    """Two builds at once need not share it; in a container the first may be out of bounds."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2})
    monkeypatch.setattr(os, "getpid", lambda: process)
    words = OTHER.wrap(["true"])
    assert words[words.index("--cpu-list") + 1] == processor
    assert "--cpu-list" not in USUAL.wrap(["true"])
