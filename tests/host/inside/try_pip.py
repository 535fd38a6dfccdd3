"""Try to install a wheel into the package's environment with pip; print JSON.

Runs on the host under test as root, on the package's own Python. The pip is
the one that virtualenv, which is in the package, carries along for the
environments that it makes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from virtualenv.seed.wheels.embed import get_embed_wheel  # type: ignore[import-not-found]

NAME = "intruder"


def make_wheel(directory: Path) -> Path:
    """A wheel of one empty module."""
    wheel = directory / f"{NAME}-1-py3-none-any.whl"
    info = f"{NAME}-1.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{NAME}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def main() -> None:
    """Install, and look whether it is there."""
    pip = get_embed_wheel("pip", f"{sys.version_info[0]}.{sys.version_info[1]}").path
    with tempfile.TemporaryDirectory() as directory:
        wheel = make_wheel(Path(directory))
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", str(wheel)],
            env={**os.environ, "PYTHONPATH": str(pip)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    importlib.invalidate_caches()
    found = importlib.util.find_spec(NAME) is not None
    print(json.dumps({"status": done.returncode, "output": done.stdout, "installed": found}))


if __name__ == "__main__":
    main()
