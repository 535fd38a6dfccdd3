"""`make test`: two rows at once, and nothing after what failed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests import gate


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `make` is asked for; it fails at what BROKEN names."""
    found: list[str] = []

    class Make:
        def __init__(
            self, words: list[str], *, env: dict[str, str], stdout: int | None, **_: object
        ) -> None:
            assert words[0] == "make"
            assert "MAKEFLAGS" not in env
            found.append(" ".join(words[1:]))
            os.write(1 if stdout is None else stdout, f"made: {found[-1]}\n".encode())
            self.status = 2 if os.environ.get("BROKEN") in words else 0

        def wait(self) -> int:
            return self.status

    monkeypatch.setenv("MAKEFLAGS", "k")
    monkeypatch.setattr(subprocess, "Popen", Make)
    return found


def test_all_rings_run(made: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert gate.main() == 0
    assert made == [" ".join(it) for it in (gate.FIRST, gate.BESIDE, gate.ROW, gate.LAST)]
    said = [f"made: {' '.join(it)}" for it in (gate.FIRST, gate.ROW, gate.BESIDE, gate.LAST)]
    assert capfd.readouterr().out.splitlines() == said


@pytest.mark.parametrize(("broken", "count"), [("lint", 1), ("test-unit", 3), ("test-build", 3)])
def test_what_fails_is_the_end(
    made: list[str], monkeypatch: pytest.MonkeyPatch, broken: str, count: int
) -> None:
    """Both rows come to theirs."""
    monkeypatch.setenv("BROKEN", broken)
    assert gate.main() == 2
    assert len(made) == count


def test_every_ring_of_the_directory_is_somewhere() -> None:
    """But for what only `make test-all` has."""
    targets = {*gate.FIRST, *gate.ROW, *gate.BESIDE, *gate.LAST}
    rings = {path.parent.name for path in Path(gate.__file__).parent.glob("*/test_*.py")}
    renamed = {"lint": "lint", "cell": "test-modern"}
    of_unit = {"fetch", "instance", "clean_logs", "programs"}
    of_all = {"beside", "upgrade", "offline"}
    left = rings - of_unit - of_all
    assert {renamed.get(ring, f"test-{ring}") for ring in left} <= targets
