"""The command line behind the Makefile: ``python -m airflow_deb COMMAND``.

main() turns errors into one line and an exit status; run_command() raises them.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from . import (
    audit,
    bundling,
    log,
    make,
    paths,
    planning,
    publishing,
    reproduce,
    serve,
    settings,
    states,
    toolslock,
    unbundle,
    verify,
    versions,
)
from . import lock as locks
from .binary import chosen
from .errors import AirflowDebError, DiskError
from .paths import Paths
from .plugin import make as plugins
from .settings import Settings
from .versions import Matrix

Command = Callable[[Paths, Matrix, Settings], object]


def main() -> int:
    """Run the command of this process; its exit status."""
    parser = argparse.ArgumentParser(prog="airflow-deb", description="see `make help`")
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args().command
    try:
        run_command(command)
        sys.stdout.flush()
    except AirflowDebError as error:
        log.debug(traceback.format_exc())
        if error.detail:
            print(error.detail, file=sys.stderr)
        print(f"airflow-deb: error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("airflow-deb: interrupted; run it again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Who read has seen enough. What is left in the buffer goes nowhere, at exit as well.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0


def run_command(command: str) -> None:
    """Do ``command`` with the settings of the environment."""
    places = paths.default()
    COMMANDS[command](places, versions.load(places.versions_sh), settings.read())


def _uv() -> Path:
    return Path(sysconfig.get_path("scripts")) / "uv"


def _deb(places: Paths, matrix: Matrix, wanted: Settings) -> None:
    if wanted.bundle:
        wanted = unbundle.into_cache(places, matrix, wanted)
    recipe = make.recipe(places, matrix, wanted)
    if wanted.dry_run:
        which = chosen(wanted.package, wanted.name)
        planning.show(planning.plan(places, recipe, _uv(), which))
    else:
        make.deb(places, recipe, _uv(), wanted)


def _shell(places: Paths, matrix: Matrix, wanted: Settings) -> None:
    make.shell(places, make.recipe(places, matrix, wanted), _uv(), wanted)


def _lock(places: Paths, matrix: Matrix, wanted: Settings) -> None:
    cell = matrix.cell(wanted.version, wanted.suite, security=wanted.security)
    locks.make(places, matrix, cell, constraints=wanted.constraints, resolver=wanted.resolver)


def _matrix(places: Paths, matrix: Matrix, wanted: Settings) -> None:
    states.show(states.look(places, matrix, wanted), wanted.format)


def _of_repository(name: str, do: Command) -> Command:
    """``do`` with a log of its own, and what the disk refuses told in one line."""

    def command(places: Paths, matrix: Matrix, wanted: Settings) -> None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        log.open_file(places.cache / "logs" / f"{name}-{stamp}-{os.getpid()}.log")
        try:
            do(places, matrix, wanted)
        except OSError as error:
            kind = DiskError if error.errno == errno.ENOSPC else AirflowDebError
            raise kind(f"{error.filename or name}: {error.strerror}") from error

    return command


COMMANDS: dict[str, Command] = {
    "deb": _deb,
    "shell": _shell,
    "reproduce": lambda places, _, wanted: reproduce.reproduce(places, wanted, _uv()),
    "plugin": lambda places, matrix, wanted: plugins.make(places, matrix, wanted, _uv()),
    "verify": lambda places, matrix, wanted: verify.verify(places, matrix, _uv(), wanted),
    "bundle": bundling.bundle,
    "audit": audit.audit,
    "lock": _lock,
    "lock-tools": lambda places, *_: toolslock.make(places),
    "matrix": _matrix,
    "repo": _of_repository("repo", publishing.repo),
    "promote": _of_repository("promote", publishing.promote),
    "retract": _of_repository("retract", publishing.retract),
    "serve": _of_repository("serve", serve.serve),
}


if __name__ == "__main__":
    sys.exit(main())
