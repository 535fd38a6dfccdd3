#!/usr/bin/python3
"""Build wheels from sdists, inside the build root, without a network.

Reads jobs from a JSON file: a list of {"name", "sdist"}. Each sdist is unpacked
at a fixed place, so that no random directory ends up in what is compiled, and
built by uv with the locked tools of one virtualenv (PEP 517, no isolation: a
build environment of its own for each would be filled from the same lock).
Prints one line per finished job: ``ok NAME FILE`` or ``failed NAME``.

Runs on the suite's own Python with the standard library only.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

SOURCES = Path("/airflow-deb/src")
OUT = Path("/airflow-deb/out")
# One second after the start of 1980, the first day that a zip file can hold
# everywhere on earth; the same for every wheel, so that a wheel is a function
# of its sdist and its tools alone.
EPOCH = "315619200"


def unpack(sdist: Path, name: str) -> Path:
    """Unpack ``sdist`` below a directory of its own and return its top directory."""
    target = SOURCES / name
    target.mkdir(parents=True)
    if sdist.suffix == ".zip":
        with zipfile.ZipFile(sdist) as archive:
            archive.extractall(target)
    else:
        with tarfile.open(sdist) as archive:
            for member in archive.getmembers():
                # Some old sdists hold files nobody may read.
                member.mode |= 0o755 if member.isdir() else 0o644
                path = (target / member.name).resolve()
                if target.resolve() not in (path, *path.parents):
                    raise ValueError(f"{sdist.name}: {member.name} would leave its directory")
            archive.extractall(target)
    tops = [path for path in target.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise ValueError(f"{sdist.name}: {len(tops)} directories at its top, not one")
    return tops[0]


def build(job: dict[str, str], uv: str, venv: str) -> bool:
    """Build the wheel of ``job``; its output goes to OUT/NAME.log."""
    name = job["name"]
    out = OUT / name
    out.mkdir(parents=True)
    env = dict(os.environ)
    flags = f"-g0 -ffile-prefix-map={SOURCES}=."
    env.update(
        SOURCE_DATE_EPOCH=EPOCH,
        PYTHONHASHSEED="0",
        # Tools that install bytecode beside what they build would put it, with
        # its time stamps, into the wheel.
        PYTHONDONTWRITEBYTECODE="1",
        CFLAGS=flags,
        CXXFLAGS=flags,
        PATH=f"{venv}/bin:{env['PATH']}",
        VIRTUAL_ENV=venv,
    )
    with (OUT / f"{name}.log").open("w") as log:
        try:
            top = unpack(Path(job["sdist"]), name)
        except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
            log.write(f"{error}\n")
            return False
        done = subprocess.run(
            [
                *(
                    uv,
                    "build",
                    "--wheel",
                    "--no-build-isolation",
                    "--offline",
                    "--no-config",
                    "--no-create-gitignore",
                ),
                *("--python", f"{venv}/bin/python", "--out-dir", str(out), str(top)),
            ],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    shutil.rmtree(SOURCES / name)
    return done.returncode == 0 and len(list(out.glob("*.whl"))) == 1


def main() -> int:
    """Build all jobs, the largest sdist first; status 1 when one failed."""
    parser = argparse.ArgumentParser(description="build wheels from sdists")
    parser.add_argument("jobs", type=Path, help="the jobs, a JSON file")
    parser.add_argument("--uv", required=True, help="the path of uv")
    parser.add_argument("--venv", required=True, help="the virtualenv with the build tools")
    options = parser.parse_args()
    jobs: list[dict[str, str]] = json.loads(options.jobs.read_text())
    jobs.sort(key=lambda job: -os.stat(job["sdist"]).st_size)
    failed = 0
    # A wheel keeps the modes of the files that it was made of.
    os.umask(0o022)
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        running = {pool.submit(build, job, options.uv, options.venv): job for job in jobs}
        for done in concurrent.futures.as_completed(running):
            name = running[done]["name"]
            if done.result():
                wheel = next((OUT / name).glob("*.whl"))
                print(f"ok {name} {wheel.name}", flush=True)
            else:
                print(f"failed {name}", flush=True)
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
