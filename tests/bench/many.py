"""`airflow-instance apply` and `ls` of a hundred instances against one.

Run by root on a host with the packages and no instance:

    python3 many.py

Declares one instance, applies, and measures an apply that has nothing to change; then
the same with a hundred. Prints a line of JSON: seconds of each round.
"""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

ROUNDS = 3
MANY = 100
DECLARATIONS = Path("/etc/airflow/instances.d")


def measure(*words: str) -> list[float]:
    """The seconds of ``airflow-instance WORDS``, each round."""
    found = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        subprocess.run(["airflow-instance", *words], check=True, stdout=subprocess.PIPE)
        found.append(time.monotonic() - began)
    return found


def declare(first: int, last: int) -> None:
    """Write the declarations of some instances, and have them exist."""
    for number in range(first, last):
        (DECLARATIONS / f"team{number:03d}.yaml").write_text("create_user: true\n", "utf-8")
    subprocess.run(["airflow-instance", "apply"], check=True, stdout=subprocess.PIPE)


def main() -> None:
    declare(0, 1)
    one = measure("apply")
    declare(1, MANY)
    print(json.dumps({"one": one, "many": measure("apply"), "ls": measure("ls")}))


if __name__ == "__main__":
    main()
