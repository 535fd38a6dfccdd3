"""That a ring has passed is written down only after all of it has passed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.checkout import build, cell, checkout

from airflow_deb import paths, record, tested
from airflow_deb.binary import AIRFLOW, BINARIES
from airflow_deb.paths import Paths

pytest_plugins = "pytester"

RING = {
    "conftest": """
        from pathlib import Path
        from tests import tested

        def pytest_configure(config):
            config.pluginmanager.register(tested.Ring(Path(__file__).parent))
    """,
    "test_one": "import pytest\n@pytest.mark.parametrize('n', [1, 2])\ndef test_one(n): pass",
    "test_two": "def test_two(): pass",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A checkout with both packages, which the session under test finds."""
    found = checkout(tmp_path / "checkout")
    build(found)
    monkeypatch.setattr(paths, "default", lambda: found)
    monkeypatch.delenv("VERSION", raising=False)
    monkeypatch.delenv("SUITE", raising=False)
    return found


@pytest.fixture
def ring(pytester: pytest.Pytester) -> Path:
    """tests/cell with two modules, and another ring beside it."""
    for name, text in RING.items():
        write(pytester, f"tests/cell/{name}.py", text)
    write(pytester, "tests/package/test_other.py", "def test_other(): pass")
    return pytester.path / "tests" / "cell"


def write(pytester: pytest.Pytester, name: str, text: str) -> None:
    made = pytester.makepyfile(text)
    target = pytester.path / name
    target.parent.mkdir(parents=True, exist_ok=True)
    made.rename(target)


def session(pytester: pytest.Pytester, *words: str) -> str:
    """What a session with these arguments said of the ring."""
    done = pytester.runpytest_inprocess("--import-mode=importlib", *words)
    return next((line for line in done.outlines if line.startswith("tests/cell: ")), "")


def proofs(places: Paths) -> list[Path]:
    return sorted(places.dist.rglob("*.tested.json"))


@pytest.mark.parametrize(
    "words",
    [
        ["tests/cell"],
        ["tests/package", "tests/cell"],
        ["tests"],
        ["tests/cell/test_one.py", "tests/cell/test_two.py"],
    ],
)
def test_a_ring_that_passes_is_recorded(
    places: Paths, ring: Path, pytester: pytest.Pytester, words: list[str]
) -> None:
    assert session(pytester, *words) == "tests/cell: recorded"
    for binary in BINARIES:
        built = record.load(record.path(places.dist, cell(places), binary))
        assert built is not None
        found = json.loads(tested.path(places.dist, cell(places), binary).read_text())
        assert found.pop("date").endswith("Z")
        assert found == {
            "key": built.key,
            "package": built.package,
            "sha256": built.files[built.package][0],
            "ring": "cell",
            "passed": 3,
        }
    assert [path.name for path in proofs(places)] == [
        "airflow-instances_2.1.0-1~deb11u1_all.tested.json",
        "airflow_2.1.0-1~deb11u1_amd64.tested.json",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["tests/cell", "-k", "one"], "1 tests were deselected"),
        (["tests/cell", "--deselect", "tests/cell/test_two.py"], "1 tests were deselected"),
        (["tests/cell/test_one.py"], "no test ran of test_two.py"),
        (["tests/cell", "--ignore", "tests/cell/test_two.py"], "no test ran of test_two.py"),
        (["tests/cell/test_one.py::test_one[1]", "tests/cell/test_two.py"], "single tests were"),
        (
            ["tests/cell", "--collect-only"],
            "3 did not pass, the first: tests/cell/test_one.py::test_one[1]",
        ),
        (
            ["tests/cell", "--setup-only"],
            "3 did not pass, the first: tests/cell/test_one.py::test_one[1]",
        ),
    ],
)
def test_a_part_of_a_ring_is_not_recorded(
    places: Paths, ring: Path, pytester: pytest.Pytester, words: list[str], why: str
) -> None:
    assert session(pytester, *words).startswith(f"tests/cell: not recorded: {why}")
    assert proofs(places) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def test_two(): assert False", "the session did not pass"),
        (
            "import pytest\n@pytest.fixture\ndef f():\n    yield\n    1/0\ndef test_two(f): pass",
            "the session did not pass",
        ),
        (
            "import pytest\ndef test_two(): pytest.skip('no')",
            "1 did not pass, the first: tests/cell/test_two.py::test_two",
        ),
        (
            "import pytest\n@pytest.mark.xfail\ndef test_two(): assert False",
            "1 did not pass, the first: tests/cell/test_two.py::test_two",
        ),
    ],
)
def test_what_has_not_passed_is_not_recorded(
    places: Paths, ring: Path, pytester: pytest.Pytester, text: str, why: str
) -> None:
    write(pytester, "tests/cell/test_two.py", text)
    assert session(pytester, "tests/cell") == f"tests/cell: not recorded: {why}"
    assert proofs(places) == []


def test_what_could_not_be_collected_is_not_recorded(
    places: Paths, ring: Path, pytester: pytest.Pytester
) -> None:
    write(pytester, "tests/cell/test_two.py", "import no_such_module")
    session(pytester, "tests/cell")
    session(pytester, "tests/cell", "--continue-on-collection-errors")
    assert proofs(places) == []


def test_a_failure_in_another_ring_of_the_session_counts(
    places: Paths, ring: Path, pytester: pytest.Pytester
) -> None:
    write(pytester, "tests/package/test_other.py", "def test_other(): assert False")
    assert session(pytester, "tests") == "tests/cell: not recorded: the session did not pass"
    assert proofs(places) == []


def test_a_package_that_is_built_meanwhile_was_not_tested(
    places: Paths, ring: Path, pytester: pytest.Pytester
) -> None:
    text = """
        from tests.unit.checkout import build
        from airflow_deb import paths

        def test_two():
            build(paths.default(), content=b"new")
    """
    write(pytester, "tests/cell/test_two.py", text)
    said = session(pytester, "tests/cell")
    assert said == "tests/cell: not recorded: the packages were built anew meanwhile"
    assert proofs(places) == []


def test_without_packages_there_is_nothing_to_record(
    places: Paths, ring: Path, pytester: pytest.Pytester
) -> None:
    record.path(places.dist, cell(places), AIRFLOW).unlink()
    said = session(pytester, "tests/cell")
    assert said == "tests/cell: not recorded: the packages were not built"
    assert proofs(places) == []
