#!/usr/bin/python3
"""Make this machine ready for the builder, then become it.

``bootstrap.py [--tests] COMMAND …`` installs the Debian packages that the
builder calls (apt-get, as root or through sudo; it says so first) and a
virtualenv with its locked Python tools, both only when they are missing, and
then executes ``python -m airflow_deb COMMAND …`` in that virtualenv; with
``--tests``, ``python -m COMMAND …`` with pytest, ruff and mypy beside it. The
command ``tools`` ends when the machine is ready; ``matrix`` only looks, and needs
the virtualenv alone. What is said here goes to stderr, so that stdout is the
command's own.

Standard library only: it is what runs on a machine where nothing of ours is.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "build"))

from airflow_deb import paths  # noqa: E402 - it lies beside this script, not on sys.path
from airflow_deb.errors import AirflowDebError, MissingToolError  # noqa: E402

# What is looked for, and the Debian package that has it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "pkill": "procps",
    "git": "git",
}
TEST_PROGRAMS = {"shellcheck": "shellcheck"}
COMMAND_PROGRAMS = {
    "reproduce": {"disorderfs": "disorderfs", "diffoscope": "diffoscope-minimal"},
}
# The commands that need neither root nor Debian packages.
LOOKING = (["matrix"],)


def missing_packages(tests: bool, command: str) -> list[str]:
    """The Debian packages that are to be installed, sorted."""
    programs = {**PROGRAMS, **(TEST_PROGRAMS if tests else COMMAND_PROGRAMS.get(command, {}))}
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {p for name, p in programs.items() if shutil.which(name, path=search) is None}
    # Debian's python3 has venv, but without python3-venv it makes no pip.
    if subprocess.run(
        [sys.executable, "-c", "import ensurepip"], capture_output=True, check=False
    ).returncode:
        missing.add("python3-venv")
    if not Path("/etc/ssl/certs/ca-certificates.crt").exists():
        missing.add("ca-certificates")
    return sorted(missing)


def install_packages(packages: list[str]) -> None:
    """Install ``packages`` with apt-get.

    Raises MissingToolError, naming them, without apt-get or the right to use it.
    """
    names = " ".join(packages)
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    hint = f"apt install {names}"
    if shutil.which("apt-get") is None:
        raise MissingToolError(f"missing Debian packages: {names}", hint=hint)
    if sudo and not may_sudo():
        raise MissingToolError(f"missing Debian packages: {names}", hint=f"as root: {hint}")
    print(f"airflow-deb: installing Debian packages: {names}", file=sys.stderr)
    quiet = ["-o", "Dpkg::Use-Pty=0", "-qq", "--no-install-recommends"]
    env = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive"]
    for words in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", *quiet, *packages]):
        done = subprocess.run(
            [*env, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode != 0:
            print(done.stdout.decode(errors="replace"), file=sys.stderr)
            raise MissingToolError(f"{' '.join(words[:2])} failed for: {names}", hint=hint)


def may_sudo() -> bool:
    """Whether sudo works; asks for the password when there is somebody to ask."""
    if shutil.which("sudo") is None:
        return False
    ask = ["sudo", "-v"] if sys.stdin.isatty() else ["sudo", "-n", "true"]
    return subprocess.run(ask, stderr=subprocess.DEVNULL, check=False).returncode == 0


def environment(lock: str) -> Path:
    """The virtualenv that holds exactly ``lock``, made when it is not there.

    Raises MissingToolError when this python3 cannot make one, AirflowDebError
    when pip cannot fill it.
    """
    file = PROJECT / "requirements" / lock
    key = hashlib.sha256(sys.version.encode() + file.read_bytes()).hexdigest()[:16]
    target = paths.cache() / "tools" / key
    if target.is_dir():
        return target
    print(f"airflow-deb: installing the locked Python tools of {lock}", file=sys.stderr)
    partial = target.with_suffix(f".partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(partial)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if made.returncode != 0:
        print(made.stdout.decode(errors="replace"), file=sys.stderr)
        shutil.rmtree(partial, ignore_errors=True)
        raise MissingToolError("python3 cannot make a virtualenv", hint="apt install python3-venv")
    pip = [str(partial / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:"]
    pip += ["--requirement", str(file)]
    done = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace"), file=sys.stderr)
        shutil.rmtree(partial, ignore_errors=True)
        raise AirflowDebError(
            "pip could not install the locked Python tools",
            hint="its message is above; without an index set PIP_INDEX_URL or pip's configuration",
        )
    try:
        partial.rename(target)
    except OSError:  # Another run was faster.
        shutil.rmtree(partial, ignore_errors=True)
    return target


def main(arguments: list[str]) -> int:
    """Get ready, then execute the builder or the test tool."""
    tests = arguments[:1] == ["--tests"]
    lock = "tests.lock" if tests else "tools.lock"
    try:
        if sys.version_info < (3, 11):  # noqa: UP036 - it is what we are here to find out
            raise MissingToolError(
                f"this python3 is {sys.version.split()[0]}",
                hint="the builder needs 3.11 or newer, which Debian 12 has",
            )
        looking = arguments in LOOKING
        packages = [] if looking else missing_packages(tests, arguments[0])
        if packages and os.environ.get("DRY_RUN", "") in ("1", "yes"):
            print(f"airflow-deb: would install Debian packages: {' '.join(packages)}")
            print("airflow-deb: the rest of the plan needs them: `make tools` installs them")
            return 0
        if packages:
            install_packages(packages)
        if not looking and os.geteuid() != 0 and not may_sudo():
            raise MissingToolError(
                "the builder makes mounts and containers, which needs root",
                hint="run it as root, or as a user who may sudo",
            )
        python = environment(lock) / "bin" / "python"
    except AirflowDebError as error:
        print(f"airflow-deb: error: {error}", file=sys.stderr)
        return error.status
    if arguments == ["tools"]:
        print(f"airflow-deb: the builder's tools are in {python.parents[1]}")
        return 0
    module = arguments[1:] if tests else ["airflow_deb", *arguments]
    os.environ["PYTHONPATH"] = str(PROJECT / "build")
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    os.execv(python, [str(python), "-m", *module])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
