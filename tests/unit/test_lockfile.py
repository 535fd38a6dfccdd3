"""The lock: what it accepts, what it refuses and how, and that it reads what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_deb import lockfile
from airflow_deb.errors import ConfigError
from airflow_deb.lockfile import Lock, Locked, diff, parse

PATH = Path("requirements/2.1.0/bullseye.lock")
A, B = "a" * 64, "b" * 64
TEXT = f"""\
# Airflow 2.1.0
# Make it again: make lock VERSION=2.1.0
adal==1.2.7 \\
    --hash=sha256:{A}
    # adal-1.2.7-py2.py3-none-any.whl 55539
crcmod==1.7 \\
    --hash=sha256:{B}
    # crcmod-1.7.tar.gz 89670
"""
ADAL = Locked("adal", "1.2.7", A, "adal-1.2.7-py2.py3-none-any.whl", 55539)
CRCMOD = Locked("crcmod", "1.7", B, "crcmod-1.7.tar.gz", 89670)


def test_it_reads_header_and_files() -> None:
    lock = parse(TEXT, PATH)
    assert lock.header == ("Airflow 2.1.0", "Make it again: make lock VERSION=2.1.0")
    assert lock.files == (ADAL, CRCMOD)
    assert [file.is_wheel for file in lock.files] == [True, False]
    assert (lock.version, lock.suite, lock.is_build, lock.bytes) == (
        "2.1.0",
        "bullseye",
        False,
        145209,
    )
    assert parse("", Path("requirements/2.1.0/bullseye-build.lock")).is_build


def test_it_writes_what_it_read() -> None:
    assert parse(TEXT, PATH).render() == TEXT


def test_the_order_of_the_lines_does_not_matter() -> None:
    head, adal, crcmod = TEXT.partition("adal")[0], *_entries(TEXT)
    assert parse(head + crcmod + adal, PATH).render() == TEXT


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(" \\\n   ", ""),  # all on one line
        TEXT.replace("adal==1.2.7 ", "ADAL == 1.2.7 "),
        TEXT.replace("crcmod==", "\n# a remark\n\ncrcmod=="),
        TEXT.replace(f"    --hash=sha256:{B}", f"    --hash sha256:{B}  # a remark"),
        TEXT.replace("crcmod==1.7", "crcmod[extra]==1.7"),
    ],
    ids=["crlf", "one line", "spaces", "remarks", "behind", "extra"],
)
def test_it_reads_what_pip_reads(text: str) -> None:
    assert parse(text, PATH).files == (ADAL, CRCMOD)


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "remedy"),
    [
        ("==1.2.7", ">=1.2.7", 3, "adal>=1.2.7", "NAME==VERSION"),
        ("==1.2.7", "==1.2.x", 3, "adal: '1.2.x' is not a version", "1.2.7"),
        ("sha256:" + A, "sha256:abc", 3, "adal: 'sha256:abc' is not a sha256", "64 hex"),
        ("sha256:" + A, "md5:" + "a" * 32, 3, "is not a sha256", "64 hex"),
        (f" \\\n    --hash=sha256:{A}", "", 3, "adal has 0 hashes", "--hash=sha256"),
        (A, f"{A} --hash=sha256:{B}", 3, "adal has 2 hashes", "one"),
        ("    # adal-1.2.7-py2.py3-none-any.whl 55539\n", "", 3, "adal has no file", "# FILENAME"),
        ("whl 55539", "whl", 3, "adal has no file", "SIZE"),
        ("# crcmod-1.7.tar.gz", "# crcmod-1.8.tar.gz", 8, "crcmod-1.8.tar.gz", "crcmod 1.7"),
        ("# crcmod-1.7.tar.gz", "# other-1.7.tar.gz", 8, "other-1.7.tar.gz", "lock again"),
        ("crcmod==1.7", "adal==1.2.7", 6, "adal was already locked on line 3", "delete"),
        ("crcmod==1.7", "crcmod==1.7; python_version>'3'", 6, "marker", "delete"),
        ("adal==1.2.7", "--pre\nadal==1.2.7", 3, "the option --pre", "delete"),
        ("adal==1.2.7", "-r other.txt\nadal==1.2.7", 3, "the option -r", "delete"),
        ("adal==1.2.7", "<<<<<<< HEAD\nadal==1.2.7", 3, "<<<<<<< HEAD", "NAME==VERSION"),
    ],
)
def test_a_malformed_line_is_named_with_key_and_remedy(
    old: str, new: str, line: int, key: str, remedy: str
) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError) as caught:
        parse(TEXT.replace(old, new, 1), PATH)
    message = str(caught.value)
    assert message.startswith(f"requirements/2.1.0/bullseye.lock:{line}: ")
    assert key in message
    assert remedy in message
    assert "\n" not in message


def test_a_lock_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"make lock VERSION=3\.0 SUITE=trixie"):
        lockfile.load(tmp_path / "requirements" / "3.0" / "trixie-build.lock")


def test_diff_tells_added_removed_and_changed() -> None:
    old = Lock(PATH, ("x",), (ADAL, CRCMOD, Locked("idna", "3.1", A, "idna-3.1.tar.gz", 1)))
    new = Lock(
        PATH,
        ("x",),
        (
            Locked("adal", "1.2.8", A, "adal-1.2.8.tar.gz", 1),
            Locked("boto", "2.0", A, "boto-2.0.tar.gz", 1),
            Locked("idna", "3.1", A, "idna-3.1-py3-none-any.whl", 1),
        ),
    )
    changes = diff(old, new)
    assert changes.added == ("boto 2.0",)
    assert changes.removed == ("crcmod 1.7",)
    assert changes.changed == (
        "adal 1.2.7 → 1.2.8",
        "idna 3.1: idna-3.1.tar.gz → idna-3.1-py3-none-any.whl",
    )
    assert changes.summary().startswith("1 added, 1 removed, 2 changed\n")


def test_diff_of_equal_locks_is_nothing() -> None:
    lock = Lock(PATH, ("x",), (ADAL, CRCMOD))
    assert not diff(lock, lock)
    assert diff(lock, lock).summary() == "unchanged"
    assert diff(lock, Lock(PATH, ("y",), lock.files)).summary() == "only its header changed"
    assert diff(None, lock).summary() == "new, 2 packages"


def test_a_file_whose_bytes_changed_is_a_change() -> None:
    other = Locked(ADAL.name, ADAL.version, B, ADAL.filename, ADAL.size)
    changes = diff(Lock(PATH, (), (ADAL,)), Lock(PATH, (), (other,)))
    assert changes.changed == ("adal 1.2.7: another sha256 for adal-1.2.7-py2.py3-none-any.whl",)


_NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
_VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(rc[1-9]|\.post[1-9])?", fullmatch=True)


@st.composite
def _locked(draw: st.DrawFn) -> Locked:
    name, version = draw(_NAMES), draw(_VERSIONS)
    stem = f"{name.replace('-', '_')}-{version}"
    filename = stem + draw(st.sampled_from(["-py3-none-any.whl", ".tar.gz", ".zip"]))
    sha256 = draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
    return Locked(name, version, sha256, filename, draw(st.integers(0, 10**10)))


_HEADER = st.lists(st.from_regex(r"[A-Z][ a-z=0-9:.]{0,40}[a-z0-9]", fullmatch=True), max_size=3)


@given(_HEADER, st.lists(_locked(), unique_by=lambda file: file.name, max_size=8))
def test_every_lock_survives_writing_and_reading(header: list[str], files: list[Locked]) -> None:
    lock = Lock(PATH, tuple(header), tuple(sorted(files)))
    assert parse(lock.render(), PATH) == lock
    assert parse(Lock(PATH, lock.header, tuple(reversed(lock.files))).render(), PATH) == lock


@given(st.text(alphabet="ab=-# \\\n:17.whltargz[];", max_size=200))
def test_no_text_brings_the_parser_down(text: str) -> None:
    try:
        parse(text, PATH)
    except ConfigError as error:
        assert error.message.startswith("requirements/2.1.0/bullseye.lock:")


def _entries(text: str) -> list[str]:
    body = text[text.index("adal") :]
    cut = body.index("crcmod")
    return [body[:cut], body[cut:]]
