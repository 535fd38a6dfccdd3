"""Stand-ins for every suite, built once; workshops with them; and hosts that use apt."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from tests.repo import standin, workshop
from tests.repo.host import Host
from tests.repo.workshop import Workshop

from airflow_deb import busy, container, log, paths, versions
from airflow_deb.binary import AIRFLOW, INSTANCES, named
from airflow_deb.versions import Matrix

# Of each suite: an Airflow, the next of its line, and one of another line.
VERSIONS = {
    "bullseye": ("2.1.0", "2.1.4", "2.10.5"),
    "bookworm": ("2.11.1", "2.11.2", "3.3.2"),
    "trixie": ("3.3.1", "3.3.2", "3.4.0"),
}
NewWorkshop = Callable[[], Workshop]


@pytest.fixture(scope="session")
def matrix() -> Matrix:
    """The suites of versions.sh."""
    return versions.load(paths.PROJECT / "versions.sh")


@pytest.fixture(scope="session")
def top() -> Iterator[Path]:
    """A directory that containers may be made in; one session at a time has it."""
    places = paths.default()
    log.open_file(places.cache / "logs" / "tests-repo.log")
    path = places.run("tests/repo")
    with busy.hold(places.run("tests/repo.lock"), "the test of the repository", wait=True):
        container.remove(path)
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            container.remove(path)


@pytest.fixture(scope="session")
def built(top: Path, matrix: Matrix) -> Path:
    """A dist/ with a stand-in for each package of all VERSIONS, and for a named one."""
    dist = top / "built"
    with ThreadPoolExecutor() as pool:
        tasks = [
            pool.submit(standin.build, dist, standin.cell(matrix, suite, version), binary)
            for suite, of_suite in VERSIONS.items()
            for version in of_suite
            for binary in (AIRFLOW, INSTANCES)
        ]
        tasks.append(
            pool.submit(
                standin.build,
                dist,
                standin.cell(matrix, "bookworm", "2.11.2"),
                named("airflow-2.11"),
            )
        )
        for task in tasks:
            task.result()
    return dist


@contextmanager
def home() -> Iterator[Path]:
    """A home below /tmp: the path of an agent's socket must be short."""
    with tempfile.TemporaryDirectory(prefix="home-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        for path in (Path(name) / "gnupg", Path(name) / "data" / "airflow-deb" / "signing"):
            if (path / "S.gpg-agent").exists():
                words = ["gpgconf", "--homedir", str(path), "--kill", "all"]
                subprocess.run(words, check=False)


@pytest.fixture(scope="session")
def new_workshop(top: Path) -> Iterator[NewWorkshop]:
    """Make a workshop with an empty dist/."""
    with ExitStack() as stack:
        numbers = iter(range(1000))

        def make() -> Workshop:
            path = top / f"workshop-{next(numbers)}"
            return workshop.new(path, stack.enter_context(home()))

        yield make


@pytest.fixture(scope="session")
def template(new_workshop: NewWorkshop, built: Path) -> Workshop:
    """A workshop with the first version of each suite in dist/ and published; not to be changed."""
    here = new_workshop()
    for suite, (version, *_) in VERSIONS.items():
        take(built, here, suite, version)
    here.done("repo")
    return here


@pytest.fixture
def shop(new_workshop: NewWorkshop, template: Workshop) -> Workshop:
    """A copy of the template, for a test of its own; its key is the template's."""
    here = new_workshop()
    shutil.copytree(template.dist, here.dist, symlinks=True)
    shutil.copytree(template.home, here.home, dirs_exist_ok=True)
    return here


def take(built: Path, here: Workshop, suite: str, *versions: str) -> None:
    """Put all files of ``versions`` into ``here``'s dist/, as `make deb` would."""
    (here.dist / suite).mkdir(parents=True, exist_ok=True)
    for path in (built / suite).iterdir():
        if path.name.split("_")[1].partition("-")[0] in versions:
            shutil.copy(path, here.dist / suite)


@pytest.fixture(scope="session", params=VERSIONS)
def suite(request: pytest.FixtureRequest) -> str:
    """Each suite in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def booted(top: Path, matrix: Matrix, suite: str) -> Iterator[Host]:
    """A booted Debian of the suite that knows no other repository than ours."""
    with Host.boot(paths.default(), matrix.suites[suite], top) as found:
        yield found


@pytest.fixture
def host(booted: Host) -> Iterator[Host]:
    """The same with nothing of ours on it."""
    booted.forget()
    yield booted
    booted.stop_serving()
