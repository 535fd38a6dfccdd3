"""What the compiled code needs, by dpkg-shlibdeps, and by what is kept of earlier builds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from airflow_deb import container
from airflow_deb.container import Bind, Spec

PROJECT = Path(__file__).resolve().parents[2]
TREE = "/srv/made/debian/x/usr/lib/x"
SITE = f"{TREE}/lib/python3.9/site-packages"
# A distribution whose module is a copy of Debian's zlib, and one that brings a libcrypto of
# its own for a copy of libssl.
MAKE = f"""
mkdir -p {SITE}/plain-1.dist-info {SITE}/private-1.dist-info {SITE}/private.libs
cp /lib/x86_64-linux-gnu/libz.so.1 {SITE}/plain.so
printf 'plain.so,,\\nplain-1.dist-info/RECORD,,\\n' > {SITE}/plain-1.dist-info/RECORD
cp /usr/lib/x86_64-linux-gnu/libssl.so.1.1 {SITE}/private.so
cp /usr/lib/x86_64-linux-gnu/libcrypto.so.1.1 {SITE}/private.libs/
printf 'private.so,,\\nprivate.libs/libcrypto.so.1.1,,\\nprivate-1.dist-info/RECORD,,\\n' \\
    > {SITE}/private-1.dist-info/RECORD
mkdir -p /srv/made/debian/x/DEBIAN /new
printf 'Source: x\\n\\nPackage: x\\nArchitecture: any\\n' > /srv/made/debian/control
cd /srv/made
"""
RUN = f"""
python3 -B /lib-of-debian/shlibs.py {TREE} debian/x.substvars --cache /kept --new /new
cat debian/x.substvars
"""


class Seeker:
    """Looks for the dependencies of a small tree in a container."""

    def __init__(self, root: Path, scratch: Path, kept: Path) -> None:
        self.kept = kept
        self.spec = Spec(
            name="airflow-deb-test-shlibs",
            layers=(root,),
            scratch=scratch,
            binds=(Bind(PROJECT / "debian" / "lib", "/lib-of-debian"), Bind(kept, "/kept")),
        )

    def find(self, before: str = "") -> str:
        """shlibs:Depends; ``before`` is what is done to the tree first."""
        done = container.execute(self.spec, ["sh", "-euc", MAKE + before + "\n" + RUN])
        (line,) = (ln for ln in done.stdout.splitlines() if ln.startswith("shlibs:Depends="))
        return line.removeprefix("shlibs:Depends=")

    @property
    def new(self) -> list[Path]:
        """What was found out by the last run, rather than taken from what is kept."""
        return sorted((self.spec.upper / "new").iterdir())

    def keep(self, instead: str = "") -> None:
        """Keep what the last run found out, or something else that one can tell from it."""
        for file in self.new:
            (self.kept / file.name[:2]).mkdir(exist_ok=True)
            shutil.copy(file, self.kept / file.name[:2])
            if instead:
                (self.kept / file.name[:2] / file.name).write_text(json.dumps([instead]))


@pytest.fixture
def seeker(root: Path, scratch: Path, tmp_path: Path) -> Seeker:
    return Seeker(root, scratch, tmp_path)


def test_what_was_found_before_is_not_looked_for_again(seeker: Seeker) -> None:
    usual = seeker.find()
    assert "libc6 (>= " in usual
    assert len(seeker.new) == 2
    seeker.keep()
    assert (seeker.find(), seeker.new) == (usual, [])
    seeker.find(f"mv {SITE} {TREE}/elsewhere; mv {TREE}/elsewhere {SITE}")
    assert seeker.new == []


@pytest.mark.parametrize(
    ("change", "again"),
    [
        # What only the loader does not see is another file as well.
        (f"printf x >> {SITE}/plain.so", 1),
        (f"printf x >> {SITE}/private.so", 1),
        (f"printf x >> {SITE}/private.libs/libcrypto.so.1.1", 1),
        ("printf '\\nPackage: more\\n' >> /var/lib/dpkg/status", 2),
    ],
)
def test_what_changed_is_looked_for_again(seeker: Seeker, change: str, again: int) -> None:
    seeker.find()
    seeker.keep(instead="kept (>= 1)")
    assert seeker.find() == "kept (>= 1)"
    assert "libc6 (>= " in seeker.find(change)
    assert len(seeker.new) == again
