"""Stands in for pip in dh_virtualenv, and has uv do the work.

dh_virtualenv runs `PYTHON PIP-TOOL install --log=FILE -r REQUIREMENTS`. The
result is the same as pip's from the same wheelhouse; it takes seconds where
pip takes a minute. Nothing comes from anywhere else: no index, no network, no
sdist is built, and every wheel must have the hash that the lock names.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["install"])
    parser.add_argument("-r", dest="requirements", type=Path, required=True)
    # What dh_virtualenv adds and uv has no use for.
    parser.add_argument("--log")
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()

    tree = Path(sys.prefix)
    # Beside the tree, so that files are hard-linked from it and not copied.
    cache = Path("debian/.debhelper/uv-cache").resolve()
    try:
        subprocess.run(
            [
                os.environ["UV"], "pip", "install",
                "--python", sys.executable,
                "--offline", "--no-config", "--no-python-downloads",
                "--no-index", "--find-links", os.environ["WHEELHOUSE"],
                "--no-deps", "--no-build", "--require-hashes",
                "--link-mode", "hardlink", "--cache-dir", str(cache),
                "--no-progress", "--quiet",
                "-r", str(options.requirements),
            ],
            check=True,
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        sys.exit(f"uv_install: uv could not install {options.requirements} (see above): {error}")
    # Gone before the package is packed, so that each file of the tree is its own again; a
    # hundred thousand names take a while, and nobody needs to wait for that.
    subprocess.Popen(["rm", "-rf", str(cache)])
    # uv's lock against a second uv, of no use in a package.
    (tree / ".lock").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
