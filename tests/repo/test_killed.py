"""Publishing that is cut off: hosts find what was there before, or all that is new."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from tests.repo.conftest import take
from tests.repo.whole import require_whole, sound
from tests.repo.workshop import Workshop

# In a tool's place: kills its caller, the builder, at a call.
_KILLS = """\
#!/bin/sh
echo . >> "{calls}"
if [ "$(wc -l < "{calls}")" -eq {number} ]; then kill -KILL "$PPID"; exit 1; fi
exec {real} "$@"
"""
# Another: does something when it is to sign.
_WHEN_SIGNING = """\
#!/bin/sh
case "$*" in *--clearsign*) {what} ;; esac
exec {real} "$@"
"""


@pytest.fixture
def tools(shop: Workshop, built: Path) -> Path:
    """A directory for PATH, for stand-ins of tools; there is something new to publish."""
    for suite, version in (("bullseye", "2.1.4"), ("bookworm", "2.11.2"), ("trixie", "3.3.2")):
        take(built, shop, suite, version)
    path = shop.path / "tools"
    path.mkdir()
    return path


def put(tools: Path, name: str, script: str, **facts: str) -> dict[str, str]:
    """Write a stand-in for the tool ``name``; the environment that it is found in."""
    text = script.format(real=shutil.which(name), **facts)
    (tools / name).write_text(text, encoding="utf-8")
    (tools / name).chmod(0o755)
    return {"PATH": f"{tools}:{os.environ['PATH']}"}


def test_killed_at_any_step_all_is_old_or_all_is_new(shop: Workshop, tools: Path) -> None:
    """At every third call of aptly (through setpriv) or gpg, until it is not killed any more."""
    old = require_whole(shop)
    calls = shop.path / "calls"
    found = []
    for number in range(1, 1000, 3):
        calls.unlink(missing_ok=True)
        for name in ("setpriv", "gpg"):
            env = put(tools, name, _KILLS, calls=str(calls), number=str(number))
        done = shop.builder("repo", **env)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stdout + done.stderr
        found.append(sound(shop, shop.repo)[0])
    new = require_whole(shop)
    assert new != old
    assert all(state in (old, new) for state in found)
    assert found[:8] == [old] * 8  # It was killed all along the way.
    assert sorted(path.name for path in (shop.repo / ".state").iterdir())[1:] == ["lock", "pool"]


def test_interrupted_it_says_so_and_publishes_nothing(shop: Workshop, tools: Path) -> None:
    env = put(tools, "gpg", _WHEN_SIGNING, what='kill -INT "$PPID"; sleep 1')
    old = require_whole(shop)
    done = shop.builder("repo", **env)
    assert done.returncode == 130, done.stderr
    assert "interrupted; run it again" in done.stderr
    assert require_whole(shop) == old
    shop.done("repo")
    assert len(require_whole(shop)["trixie"]) == 4


def test_with_a_key_that_does_not_sign_nothing_is_published(shop: Workshop, tools: Path) -> None:
    old = require_whole(shop)
    done = shop.builder("repo", **put(tools, "gpg", _WHEN_SIGNING, what="exit 2"))
    assert done.returncode == 13
    assert done.stderr.startswith("airflow-deb: error: the key ")
    assert require_whole(shop) == old
