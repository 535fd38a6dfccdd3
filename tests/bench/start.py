"""How long Airflow's command takes from the package and from plain virtual environments.

Run inside, as a user who owns nothing but a home:

    python3 start.py NAME=DIRECTORY …

where DIRECTORY has ``airflow`` in it. They take turns, in every order. Prints a line of
JSON: for each command and NAME the seconds of each round.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time

ROUNDS = 18  # three times each order of three
COMMANDS = (["version"], ["dags", "list"])


def main(places: dict[str, str]) -> None:
    found: dict[str, dict[str, list[float]]] = {}
    for words in COMMANDS:
        seconds: dict[str, list[float]] = {name: [] for name in places}
        # Each comes as often after each other: what ran before may still be felt.
        orders = itertools.cycle(itertools.permutations(places.items()))
        for number in range(ROUNDS + 1):
            for name, directory in next(orders):
                began = time.monotonic()
                subprocess.run(
                    [f"{directory}/airflow", *words],
                    env={**os.environ, "PATH": f"{directory}:{os.environ['PATH']}"},
                    check=True,
                    capture_output=True,
                )
                # The first is for the page cache.
                if number:
                    seconds[name].append(time.monotonic() - began)
        found[" ".join(words)] = seconds
    print(json.dumps(found))


if __name__ == "__main__":
    main(dict(word.split("=", 1) for word in sys.argv[1:]))
