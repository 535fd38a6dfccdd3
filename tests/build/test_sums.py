"""The checksums in a package's papers, as dpkg gets them from debian/lib/Sums.pm."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from airflow_deb import container
from airflow_deb.container import Bind, Spec
from airflow_deb.errors import BuildError

PROJECT = Path(__file__).resolve().parents[2]
# As dpkg-genbuildinfo and dpkg-genchanges do.
ASK = """
use Dpkg::Checksums;
my $sums = Dpkg::Checksums->new;
$sums->add_from_file($_) for @ARGV;
for my $file (@ARGV) {
    printf "%s %s\\n", $_, $sums->get_checksum($file, $_) for qw(md5 sha1 sha256);
}
"""
NAMES = ("md5", "sha1", "sha256")


def ask(root: Path, scratch: Path, *binds: Bind, files: list[str]) -> list[str]:
    """What Dpkg::Checksums says of ``files``, one line for each checksum of each."""
    spec = Spec(
        name="airflow-deb-test-sums",
        layers=(root,),
        scratch=scratch,
        binds=binds,
        env={"PERL5OPT": "-I/lib-of-debian -MSums"},
    )
    return container.execute(spec, ["perl", "-e", ASK, *files]).stdout.splitlines()


def test_dpkg_says_the_checksums_that_the_files_have(
    root: Path, scratch: Path, tmp_path: Path
) -> None:
    # An odd size of more than one reading, nothing, and a name for a shell to fall over.
    contents = {"odd": b"airflow" * 700_001, "empty": b"", "a b;$(c)": b"text\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    said = ask(
        root,
        scratch,
        Bind(PROJECT / "debian" / "lib", "/lib-of-debian"),
        Bind(tmp_path, "/files"),
        files=[f"/files/{name}" for name in contents],
    )
    assert said == [
        f"{name} {hashlib.new(name, content).hexdigest()}"
        for content in contents.values()
        for name in NAMES
    ]


def test_checksums_that_cannot_be_taken_end_the_build(
    root: Path, scratch: Path, tmp_path: Path
) -> None:
    module = (PROJECT / "debian" / "lib" / "Sums.pm").read_bytes()
    (tmp_path / "Sums.pm").write_bytes(module)
    (tmp_path / "sums.py").write_text("raise SystemExit('no such processor')\n")
    with pytest.raises(BuildError) as told:
        ask(root, scratch, Bind(tmp_path, "/lib-of-debian"), files=["/etc/hostname"])
    assert "sums.py /proc/" in told.value.detail
