"""`make lock-tools`: the locks of the project's own Python tools, brought up to date.

They hold every hash of every platform's files, so that a plain ``pip install
--require-hashes`` takes them on whatever machine the builder is started.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

from . import index, log
from .paths import Paths
from .run import run

# Each lock with the oldest Python that it is for: the builder's own, and that
# of the oldest suite, in whose root pip-tools runs.
LOCKS = {"tools": "3.11", "tests": "3.11", "pip-tools": "3.9"}


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


def command(uv: Path, name: str, python: str) -> list[str]:
    """The command that makes NAME.lock, in requirements/ (pure)."""
    words = [str(uv), "pip", "compile", f"{name}.in", "--output-file", f"{name}.lock"]
    words += ["--universal", "--python-version", python, "--no-python-downloads"]
    return [*words, "--generate-hashes", "--upgrade", "--quiet"]
