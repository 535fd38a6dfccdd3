"""What stands for an instance's database, Airflow's commands and the dumps, in unit tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_instance import asuser, probe
from airflow_instance.asuser import Done
from airflow_instance.installation import Installation
from airflow_instance.launch import Launch
from airflow_instance.probe import Answer
from airflow_instance.site import Site

# Two migrations, one behind the other, and one that this Airflow does not have.
OLD, HEAD, UNKNOWN = "0ld000000000", "head00000000", "f00000000000"
MIGRATIONS = {
    "1_a.py": f"revision = '{OLD}'\ndown_revision = None\n",
    "2_b.py": f'revision: str = "{HEAD}"\ndown_revision: str = "{OLD}"  # comment\n',
}


class FakeDatabases:
    """The databases of all instances: revision and content by name; None is a fresh one."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.revision: dict[str, str | None] = {}
        self.content: dict[str, bytes] = {}
        self.unreachable = ""
        self.fails = ""  # what Airflow says before it fails; "" when it does not
        self.head = HEAD  # what Airflow brings it to
        self.lies = False  # it ends well, and nothing was done
        self.refuses = ""  # what the dumping child says before it fails
        self.ran: list[tuple[str, ...]] = []
        for packages in root.glob("usr/lib/airflow*/lib/python3*/site-packages"):
            versions = packages / "airflow/migrations/versions"
            versions.mkdir(parents=True)
            for name, text in MIGRATIONS.items():
                (versions / name).write_text(text)
        patch.setattr(probe, "ask", self.ask)
        patch.setattr(asuser, "run", self.run)

    def ask(
        self,
        site: Site,
        name: str,
        installation: Installation,
        queries: Mapping[str, str],
        timeout: float = 10,
    ) -> Answer:
        if self.unreachable:
            return Answer(unreachable=self.unreachable)
        rows = {}
        missing = set()
        for key in queries:
            revision = self.revision.get(name) if key == "alembic_version" else None
            if revision is None:
                missing.add(key)
            else:
                rows[key] = [[revision]]
        return Answer("", rows, dict.fromkeys(missing, "no such table"), frozenset(missing))

    def run(self, site: Site, launch: Launch, **options: Any) -> Done:
        name = launch.environment["AIRFLOW_INSTANCE_NAME"]
        words = launch.arguments
        if words[0] == "/bin/sh":
            return self._airflow(name, words[words.index("sh", 1) + 2 :], options["stdout"])
        if "dump" in words:
            return self._dump(name, options["stdout"])
        if "restore" in words:
            return self._restore(name, options["stdin"])
        self.ran.append((name, *words[1:]))
        return Done(0, "", "")

    def _airflow(self, name: str, words: tuple[str, ...], log: int) -> Done:
        self.ran.append((name, *words))
        if self.fails:
            # It breaks off in the middle.
            self.revision[name] = UNKNOWN
            self.content[name] = b"half"
            os.write(log, f"{self.fails}\n[SQL: SELECT 1]\n".encode())
            return Done(1, "", "")
        if not self.lies:
            self.revision[name] = self.head
        return Done(0, "", "")

    def _dump(self, name: str, out: int) -> Done:
        self.ran.append((name, "dump"))
        if self.refuses:
            os.write(out, b"hal")
            return Done(1, "", f"{self.refuses}\n")
        os.write(out, f"{self.revision[name]}\n".encode() + self.content.get(name, b""))
        return Done(0, "", "")

    def _restore(self, name: str, source: int) -> Done:
        self.ran.append((name, "restore"))
        data = b""
        while chunk := os.read(source, 65536):
            data += chunk
        if self.refuses:
            return Done(1, "", f"{self.refuses}\n")
        revision, _, self.content[name] = data.partition(b"\n")
        self.revision[name] = revision.decode()
        return Done(0, "", "")
