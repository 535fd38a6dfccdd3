#!/usr/bin/python3
"""Make this machine ready for the builder, then become it.

``bootstrap.py [--tests] COMMAND …`` installs the Debian packages that the
builder calls (apt-get, as root or through sudo; it says so first) and a
virtualenv with its locked Python tools, both only when they are missing, and
then executes ``python -m airflow_deb COMMAND …`` in that virtualenv; with
``--tests``, ``python -m COMMAND …`` with pytest, ruff and mypy beside it. The
command ``tools`` ends when the machine is ready; ``matrix``, ``serve``, ``verify`` and
``audit`` only look, and need the virtualenv alone; those that change the repository
need what it is made with, and not root. What is said here goes to stderr, so that
stdout is the command's own.

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

from airflow_deb import bundle, paths  # noqa: E402 - beside this script, not on sys.path
from airflow_deb.errors import AirflowDebError, MissingToolError  # noqa: E402

# What is looked for, and the Debian package that has it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "pkill": "procps",
    "git": "git",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "gpgv": "gpgv",
    "gpgconf": "gpgconf",
}
REPOSITORY_PROGRAMS = {
    "aptly": "aptly",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "gpgconf": "gpgconf",
    "setpriv": "util-linux",
}
REPRODUCE_PROGRAMS = {"disorderfs": "disorderfs", "diffoscope": "diffoscope-minimal"}
# What a ring of tests calls on this machine beside. That of the repository builds packages.
RING_PROGRAMS = {
    "tests/lint": {
        "shellcheck": "shellcheck",
        "puppet-lint": "puppet-lint",
        "ansible-lint": "ansible-lint",
        "ansible-playbook": "ansible-core",
    },
    "tests/build": REPRODUCE_PROGRAMS,
    "tests/repo": {**REPOSITORY_PROGRAMS, "dpkg-buildpackage": "dpkg-dev"},
}
# `make test` has two rings at once, which must not both call apt-get.
_ALL_RINGS = ("tests", "tests.gate")
COMMAND_PROGRAMS = {"reproduce": REPRODUCE_PROGRAMS}
# The commands that need neither root nor Debian packages, and those that need no root.
LOOKING = (["matrix"], ["serve"], ["verify"], ["audit"])
REPOSITORY = (["repo"], ["promote"], ["retract"])


def programs(arguments: list[str]) -> dict[str, str]:
    """What the command ``arguments`` calls, and the Debian package that has it."""
    if arguments in REPOSITORY:
        return REPOSITORY_PROGRAMS
    found = {**PROGRAMS, **COMMAND_PROGRAMS.get(arguments[0], {})}
    for ring, more in RING_PROGRAMS.items():
        if any(word in (*_ALL_RINGS, ring) or word.startswith(f"{ring}/") for word in arguments):
            found.update(more)
    return found


def missing_packages(arguments: list[str]) -> list[str]:
    """The Debian packages that are to be installed for the command, sorted."""
    search = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    wanted = programs(arguments).items()
    missing = {package for name, package in wanted if shutil.which(name, path=search) is None}
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


def environment(lock: str, bundled: Path | None = None) -> Path:
    """The virtualenv that holds exactly ``lock``, made when it is not there.

    From the bundle at ``bundled``, if there is one, and no index then. Raises
    MissingToolError when this python3 cannot make one, AirflowDebError when pip cannot
    fill it.
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
    hint = "its message is above; without an index set PIP_INDEX_URL or pip's configuration"
    if bundled is not None:
        manifest = bundle.load(bundled)
        house = partial / "wheels"
        bundle.extract(
            bundled, manifest, house, lambda n: Path(n).name if n in manifest.tool_files else ""
        )
        pip += ["--no-index", "--find-links", str(house)]
        hint = f"its message is above; the bundle's are for Python {', '.join(manifest.tools)}"
    done = subprocess.run(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        print(done.stdout.decode(errors="replace"), file=sys.stderr)
        shutil.rmtree(partial, ignore_errors=True)
        raise AirflowDebError("pip could not install the locked Python tools", hint=hint)
    shutil.rmtree(partial / "wheels", ignore_errors=True)
    try:
        partial.rename(target)
    except OSError:  # Another run was faster.
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _bundle(arguments: list[str]) -> Path | None:
    """BUNDLE for `make deb`, checked: a bad one is refused before anything is installed."""
    if arguments != ["deb"] or not os.environ.get("BUNDLE", "").strip():
        return None
    path = Path(os.environ["BUNDLE"].strip()).expanduser()
    bundle.check(path, PROJECT)
    return path


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
        bundled = _bundle(arguments)
        looking = arguments in LOOKING and os.environ.get("REBUILD", "") not in ("1", "yes")
        packages = [] if looking else missing_packages(arguments)
        if packages and os.environ.get("DRY_RUN", "") in ("1", "yes"):
            print(f"airflow-deb: would install Debian packages: {' '.join(packages)}")
            print("airflow-deb: the rest of the plan needs them: `make tools` installs them")
            return 0
        if packages:
            install_packages(packages)
        rootless = looking or arguments in REPOSITORY
        if not rootless and os.geteuid() != 0 and not may_sudo():
            raise MissingToolError(
                "the builder makes mounts and containers, which needs root",
                hint="run it as root, or as a user who may sudo",
            )
        python = environment(lock, bundled) / "bin" / "python"
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
