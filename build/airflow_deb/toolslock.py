"""`make lock-tools`: the locks of the project's own Python tools, brought up to date.

They hold every hash of every platform's files, so that a plain ``pip install
--require-hashes`` takes them on whatever machine the builder is started. That of
what plugins are built with is fetched by the builder, and has its form (lockfile.py).
"""

from __future__ import annotations

import datetime
import sysconfig
from pathlib import Path

from . import index, log, resolve
from .candidates import locate
from .choice import Target
from .lockfile import Lock
from .paths import Paths, write_text
from .run import run

# Each lock with the oldest Python that it is for: the builder's own, and that
# of the oldest suite, in whose root pip-tools runs.
LOCKS = {"tools": "3.11", "tests": "3.11", "pip-tools": "3.9"}
# What plugins are built with is of Python alone: what fits the oldest suite fits all.
PLUGINS = "plugins"
_OLDEST = Target("3.9.2", "2.31")


def make(paths: Paths) -> None:
    """Resolve each NAME.in in requirements/ to the newest releases, into NAME.lock.

    Raises BuildError with uv's last lines.
    """
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    for name, python in LOCKS.items():
        with log.step(f"lock {name}"):
            run(
                command(uv, name, python),
                cwd=paths.requirements,
                env={
                    "UV_DEFAULT_INDEX": index.configured(),
                    "UV_CUSTOM_COMPILE_COMMAND": "make lock-tools",
                },
            )
    with log.step(f"lock {PLUGINS}") as step:
        _plugins(paths, uv, step)


def _plugins(paths: Paths, uv: Path, step: log.Step) -> None:
    words = [str(uv), "pip", "compile", f"{PLUGINS}.in", "--python-version", "3.9"]
    words += ["--no-python-downloads", "--only-binary", ":all:", "--quiet"]
    words += ["--no-header", "--no-annotate"]
    source = index.Index(index.configured())
    done = run(words, cwd=paths.requirements, env={"UV_DEFAULT_INDEX": source.url})
    now = datetime.datetime.now(datetime.UTC)
    files = locate(resolve.pins(done.stdout), _OLDEST, now, source, step)
    path = paths.requirements / f"{PLUGINS}.lock"
    header = (
        "What plugins are built with: every file with its sha256 and its size.",
        "Make it again: make lock-tools",
    )
    write_text(path, Lock(path, header, files).render())


def command(uv: Path, name: str, python: str) -> list[str]:
    """The command that makes NAME.lock, in requirements/ (pure)."""
    words = [str(uv), "pip", "compile", f"{name}.in", "--output-file", f"{name}.lock"]
    words += ["--universal", "--python-version", python, "--no-python-downloads"]
    return [*words, "--generate-hashes", "--upgrade", "--quiet"]
