"""The command line behind the Makefile: ``python -m airflow_deb COMMAND``.

main() turns errors into one line and an exit status; run_command() raises them.
"""

from __future__ import annotations

import argparse
import sys
import sysconfig
import traceback
from pathlib import Path

from . import lock as locks
from . import log, make, paths, planning, reproduce, settings, states, toolslock, versions
from .binary import chosen
from .errors import AirflowDebError


def main() -> int:
    """Run the command of this process; its exit status."""
    parser = argparse.ArgumentParser(prog="airflow-deb", description="see `make help`")
    parser.add_argument(
        "command", choices=("deb", "reproduce", "shell", "lock", "lock-tools", "matrix")
    )
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
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    if command == "reproduce":
        reproduce.reproduce(places, wanted, uv)
    elif command == "lock":
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
