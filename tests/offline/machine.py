"""A machine without a network that has a bundle, Debian 12 and nothing of ours."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from airflow_deb import container, paths, roots, versions
from airflow_deb.container import Bind, Spec

# What `make tools` would install; there is nobody to install it from.
PROGRAMS = (
    *("ca-certificates", "debian-archive-keyring", "git", "gpg", "gpg-agent", "gpgconf", "gpgv"),
    *("make", "mmdebstrap", "procps", "python3-venv", "systemd-container", "util-linux"),
)
_BUILD = """
systemd-machine-id-setup
cd /srv
tar -xf /bundle/{bundle} source
cd source
make deb BUNDLE=/bundle/{bundle} KEYRING=/bundle-key {settings}
"""


def build(bundle: Path, keyring: Path, scratch: Path, *settings: str) -> Path:
    """Take the source out of ``bundle`` there and build from it; the directory of packages.

    ``keyring`` has the keys that are trusted, ``scratch`` is where all is written: the
    container's own directories are an overlay, on which no other can be made.
    """
    places = paths.default()
    suite = versions.load(places.versions_sh).suites["bookworm"]
    root = roots.ensure(places, roots.root(suite, "minbase", PROGRAMS))
    work = scratch / "srv"
    work.mkdir(parents=True)
    spec = Spec(
        name="airflow-deb-offline",
        layers=(root,),
        scratch=scratch / "container",
        binds=(
            Bind(bundle.parent, "/bundle"),
            Bind(keyring, "/bundle-key"),
            Bind(work, "/srv", read_only=False),
        ),
        env={"AIRFLOW_DEB_CACHE": "/srv/cache"},
    )
    words = _BUILD.format(bundle=shlex.quote(bundle.name), settings=shlex.join(settings))
    done = container.execute(spec, ["sh", "-euxc", words])
    assert "installing Debian packages" not in done.stdout + done.stderr
    return work / "source" / "dist"


def checkout(target: Path) -> Path:
    """The files of the checkout under test, committed, as a checkout of their own."""
    project = paths.PROJECT
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listing.stdout.split("\0"):
        if name and (project / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((project / name).read_bytes())
            (target / name).chmod((project / name).stat().st_mode)
    git(target, "init", "--quiet")
    commit(target)
    return target


def commit(checkout: Path) -> str:
    """Commit all that is in ``checkout``; the commit's id."""
    git(checkout, "add", "--all")
    who = ("-c", "user.name=a test", "-c", "user.email=test@example.org")
    git(checkout, *who, "commit", "--quiet", "--allow-empty", "--message=a test")
    return git(checkout, "rev-parse", "HEAD").strip()


def git(checkout: Path, *words: str) -> str:
    """Run git in ``checkout``; what it prints."""
    command = ["git", "-C", str(checkout), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
