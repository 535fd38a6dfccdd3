"""The real Airflow, from the repository into a clean Debian; the other tests have stand-ins."""

from __future__ import annotations

import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests import artifact
from tests.artifact import Artifact
from tests.host.lab import APT, BASE
from tests.repo.conftest import NewWorkshop
from tests.repo.host import SOURCES
from tests.repo.workshop import Workshop

from airflow_deb import container, paths, roots
from airflow_deb.binary import AIRFLOW, INSTANCES
from airflow_deb.container import Spec
from airflow_deb.errors import UsageError

_VERSION, _SUITE = "2.1.0", "bullseye"


@pytest.fixture
def real() -> list[Artifact]:
    """Both packages, which `make test` has built before."""
    try:
        return [artifact.find(binary, _VERSION, _SUITE) for binary in (INSTANCES, AIRFLOW)]
    except UsageError as error:
        pytest.skip(str(error))


@contextmanager
def served(shop: Workshop) -> Iterator[str]:
    """`make serve` on this machine, which is where the container has its network; what it says."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["make", "--silent", "serve", f"SUITE={_SUITE}", f"PORT={port}"]
    with subprocess.Popen(
        words, cwd=shop.path, env=shop.environment, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        said = ""
        while "apt install" not in said:
            line = server.stdout.readline()
            assert line, f"make serve ended: {said}"
            said += line
        try:
            yield said
        finally:
            server.send_signal(signal.SIGTERM)


def test_airflow_is_installed_from_the_repository(
    real: list[Artifact], new_workshop: NewWorkshop, top: Path
) -> None:
    shop = new_workshop()
    (shop.dist / _SUITE).mkdir(parents=True)
    for built in real:
        for name in built.record.files:
            shutil.copy(built.directory / name, shop.dist / _SUITE)
    shop.done("repo", FAST="1")  # Also from a checkout where it was built so.
    cell = real[0].cell
    spec = Spec(
        name="airflow-repo-real",
        layers=(roots.ensure(paths.default(), roots.root(cell.suite, "minbase", BASE)),),
        scratch=top / "real",
        network=True,
        env={"DEBIAN_FRONTEND": "noninteractive"},
    )
    with served(shop) as said:
        lines = said.splitlines()
        start = lines.index("Types: deb")
        sources = "\n".join(lines[start : lines.index("", start)]) + "\n"
        container.prepare(spec)
        key = Path(sources.split("Signed-By: ")[1].strip())
        target = spec.upper / key.relative_to("/")
        target.parent.mkdir(parents=True)
        shutil.copy(shop.repo / key.name, target)
        script = f"""
            printf %s {shlex.quote(sources)} > {SOURCES}
            {APT} update
            {APT} install airflow airflow-instances
            apt-get clean
        """
        container.again(spec, ["sh", "-euc", script])
    asked = "airflow version; dpkg-query -W -f '${Version}\\n' airflow airflow-instances"
    done = container.again(spec, ["sh", "-euc", f"{asked}; airflow-instance ls"])
    assert done.stdout.splitlines()[:3] == [_VERSION, cell.deb_version, cell.deb_version]
