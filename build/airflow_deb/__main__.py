"""The command line behind the Makefile: ``python -m airflow_deb COMMAND``.

main() turns errors into one line and an exit status; run_command() raises them.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import sysconfig
import time
import traceback
from pathlib import Path

from . import lock as locks
from . import log, make, paths, planning, publishing, serve, settings, states, toolslock, versions
from .binary import chosen
from .errors import AirflowDebError, DiskError

# Of the repository: they make no container.
REPOSITORY = {
    "repo": publishing.repo,
    "promote": publishing.promote,
    "retract": publishing.retract,
    "serve": serve.serve,
}
COMMANDS = ("deb", "shell", "lock", "lock-tools", "matrix", *REPOSITORY)


def main() -> int:
    """Run the command of this process; its exit status."""
    parser = argparse.ArgumentParser(prog="airflow-deb", description="see `make help`")
    parser.add_argument("command", choices=COMMANDS)
    command = parser.parse_args().command
    try:
        run_command(command)
    except AirflowDebError as error:
        log.debug(traceback.format_exc())
        if error.detail:
            print(error.detail, file=sys.stderr)
        print(f"airflow-deb: error: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("airflow-deb: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


def run_command(command: str) -> None:
    """Do ``command`` with the settings of the environment."""
    wanted = settings.read()
    places = paths.default()
    if command == "lock-tools":
        toolslock.make(places)
        return
    matrix = versions.load(places.versions_sh)
    if command == "matrix":
        states.show(states.look(places, matrix, wanted), wanted.format)
        return
    if command in REPOSITORY:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        log.open_file(places.cache / "logs" / f"{command}-{stamp}-{os.getpid()}.log")
        try:
            REPOSITORY[command](places, matrix, wanted)
        except OSError as error:
            kind = DiskError if error.errno == errno.ENOSPC else AirflowDebError
            raise kind(f"{error.filename or command}: {error.strerror}") from error
        return
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    if command == "lock":
        cell = matrix.cell(wanted.version, wanted.suite)
        locks.make(places, matrix, cell, constraints=wanted.constraints, resolver=wanted.resolver)
    else:
        recipe = make.recipe(places, matrix, wanted)
        if command == "shell":
            make.shell(places, recipe, uv, wanted)
        elif wanted.dry_run:
            planning.show(planning.plan(places, recipe, uv, chosen(wanted.package, wanted.name)))
        else:
            make.deb(places, recipe, uv, wanted)


if __name__ == "__main__":
    sys.exit(main())
