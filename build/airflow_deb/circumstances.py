"""What a package must not depend on: where, when and by whom it is built.

`USUAL` is how `make deb` builds. `OTHER` differs from it in everything that can be
made to differ; `make reproduce` builds under both and compares.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from . import container
from .container import Bind, Spec

# Where the suite's own libfaketime and a locale are seen inside.
_AIDS = "/airflow-deb/aids"
_FAKETIME = f"{_AIDS}/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
_FETCH = f"""
apt-get -qq update
mkdir -p {_AIDS}
cd {_AIDS}
apt-get -qq download libfaketime locales
for package in *.deb; do dpkg-deb --extract "$package" .; done
rm -- *.deb
mkdir -p usr/lib/locale
I18NPATH={_AIDS}/usr/share/i18n localedef --no-archive -i "$1" -f UTF-8 "usr/lib/locale/$1.UTF-8"
"""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """Where, when and by whom a package is built.

    ``build`` is the directory that the source tree lies in; ``processors`` how many
    there are, 0 for all of the machine; ``days`` how far the clock is ahead; ``shuffled``
    whether directories list their entries in another order each time. ``own_umask`` is
    the builder's, ``umask`` that of the build. ``binds`` are what containers
    need to see for it, from `aids`.
    """

    build: str = "/build"
    hostname: str = "airflow-deb"
    home: str = "/root"
    user: str = "root"
    timezone: str = ""
    language: str = ""
    own_umask: int = 0o022
    umask: int = 0o022
    processors: int = 0
    days: int = 0
    shuffled: bool = False
    binds: tuple[Bind, ...] = ()

    @property
    def parallel(self) -> int:
        """How many jobs a build may start at a time."""
        return self.processors or os.cpu_count() or 1

    def environment(self) -> dict[str, str]:
        """What of them processes inside learn from their environment."""
        env = {"HOME": self.home}
        if self.timezone:
            env["TZ"] = self.timezone
        if self.language:
            env |= {"LC_ALL": f"{self.language}.UTF-8", "LOCPATH": f"{_AIDS}/usr/lib/locale"}
        return env

    def wrap(self, command: Sequence[str]) -> list[str]:
        """``command`` as it is to be run inside: by whom, with what umask, on what processors."""
        words = ["sh", "-euc", 'umask "$1"; shift; exec "$@"', "umask", f"{self.umask:03o}"]
        if self.processors:
            words += ["taskset", "--cpu-list", ",".join(map(str, self._own_processors()))]
        if self.user != "root":
            # Not of another group: what the builder lays ready, with the umask that it
            # has, may be for owner and group only.
            words += ["setpriv", f"--reuid={self.user}", "--regid=root", "--clear-groups"]
        if self.days:
            # For the build alone: its processes share a clock, which is one user's. What
            # waits goes by the other clocks; they are known by either name.
            words += ["env", f"LD_PRELOAD={_FAKETIME}", f"FAKETIME=+{self.days}d"]
            words += ["DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"]
        return [*words, *command]

    def _own_processors(self) -> list[int]:
        """Which processors they are: of those that we may use, and not always the first.

        Two that are at work at the same time may have one each.
        """
        usable = sorted(os.sched_getaffinity(0))
        first = os.getpid() % len(usable)
        return [*usable[first:], *usable[:first]][: self.processors]

    @contextmanager
    def around(self) -> Iterator[None]:
        """Be under them as the builder, outside of all containers."""
        umask = os.umask(self.own_umask)
        before = dict(os.environ)
        if self.timezone:
            os.environ["TZ"] = self.timezone
        if self.language:
            os.environ["LC_ALL"] = os.environ["LANG"] = f"{self.language}.UTF-8"
        time.tzset()
        try:
            yield
        finally:
            os.umask(umask)
            os.environ.clear()
            os.environ.update(before)
            time.tzset()


USUAL = Circumstances()
# Turkish, for its dotless i; half past the hour, on the other side of the date line;
# another year, whose day of the month has other digits.
OTHER = Circumstances(
    build="/srv/another/place",
    hostname="elsewhere",
    home="/srv/home",
    user="games",
    timezone="XYZ-13:45",
    language="tr_TR",
    own_umask=0o027,
    umask=0o077,
    processors=1,
    days=463,
    shuffled=True,
)


def aided(wanted: Circumstances, root: Path, scratch: Path) -> Circumstances:
    """``wanted`` with what containers over ``root`` need for it, kept in ``scratch``.

    It comes from the suite itself: a library of another could not be loaded. It does not
    become a part of the root. Raises BuildError when the mirror has not got it.
    """
    spec = Spec(name="airflow-deb-aids", layers=(root,), scratch=scratch, network=True)
    container.execute(spec, ["sh", "-euc", _FETCH, "aids", wanted.language])
    return replace(wanted, binds=(Bind(spec.upper / _AIDS.lstrip("/"), _AIDS),))
