"""`make serve`: the repository over HTTP on loopback, and what a host needs to use it.

For trying it out on this machine. Other hosts get it from any web server that shows the
directory; there is nothing to be run.
"""

from __future__ import annotations

import contextlib
import http.server
import platform
from pathlib import Path
from typing import Any

from . import log, publishing
from .catalogue import distribution
from .errors import AirflowDebError, UsageError
from .paths import Paths
from .repository import KEYRING_ON_HOST, Repository
from .settings import Settings
from .versions import Matrix

_SOURCES = "/etc/apt/sources.list.d/airflow.sources"


def sources(url: str, suites: str) -> str:
    """The file for apt (deb822, sources.list(5)) that makes ``suites`` of ``url`` known."""
    return (
        f"Types: deb\nURIs: {url}\nSuites: {suites}\nComponents: main\n"
        f"Architectures: amd64\nSigned-By: {KEYRING_ON_HOST}\n"
    )


def serve(paths: Paths, matrix: Matrix, settings: Settings) -> None:
    """Serve it until Ctrl-C, and print the file for SUITE, else for this machine's suite.

    Raises UsageError when nothing is published or the suite is none.
    """
    here = publishing.repository(paths, settings)
    if here.state is None:
        raise UsageError(f"nothing is published in {here.path}", hint="make repo")
    suite = settings.suite or _own(matrix)
    if suite not in matrix.suites:
        raise UsageError(
            f"SUITE={suite} is no suite", hint=f"write one of {', '.join(matrix.suites)}"
        )
    port = settings.loopback_port()
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _handler(here.path))
    except OSError as error:
        raise AirflowDebError(
            f"port {port} of 127.0.0.1 cannot be used: {error.strerror}", hint="set PORT="
        ) from error
    url = f"http://127.0.0.1:{port}/"
    others = ", ".join(name for name in matrix.suites if name != suite)
    log.info(f"airflow-deb: serving {here.path} at {url} until Ctrl-C")
    log.info(f"\nAs root, the key:\n\n    {_install(here)}\n")
    log.info(f"The file {_SOURCES} (elsewhere with {others}):\n")
    log.info(sources(url, suite))
    log.info(f"With {distribution(suite, 'testing')} behind {suite}, also what is being tested.")
    log.info("Then:\n\n    apt update && apt install airflow\n")
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


def _install(here: Repository) -> str:
    return f"install -D -m 644 {here.keyring} {KEYRING_ON_HOST}"


def _own(matrix: Matrix) -> str:
    """This machine's suite, or the first of ours."""
    try:
        own = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        own = ""
    return own if own in matrix.suites else next(iter(matrix.suites))


def _handler(directory: Path) -> Any:
    class Handler(http.server.SimpleHTTPRequestHandler):
        """The files in ``directory`` but those of hidden directories, one line for each."""

        protocol_version = "HTTP/1.1"

        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(directory))

        def translate_path(self, path: str) -> str:
            found = super().translate_path(path)
            hidden = "/." in found.removeprefix(str(directory))
            return str(directory / "hidden") if hidden else found

        def log_message(self, format: str, *arguments: Any) -> None:
            log.debug(format % arguments)

    return Handler
