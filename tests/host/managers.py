"""Puppet and Ansible as an administrator sets them up on a host, both from Debian.

Each runs on the host itself, with the module or the role of the package where it is
installed, and nothing else of ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.host.site import DEADLINE

from airflow_deb.machine import Machine

Instances = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Run:
    """What became of one run: whether something was changed, or failed; what was said."""

    changed: bool
    failed: bool
    said: str


class Puppet:
    """The class airflow, its parameters from Hiera."""

    name = "puppet"
    # The files of its own that hold secrets.
    vault = ("/etc/puppet/code/environments/production/data/secrets.yaml",)
    _code = "/etc/puppet/code/environments/production"
    _hiera = """\
---
version: 5
hierarchy:
  - name: secrets
    path: secrets.yaml
  - name: hosts
    path: hosts.yaml
"""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        machine.write(f"{self._code}/hiera.yaml", self._hiera)
        machine.write(f"{self._code}/manifests/site.pp", "include airflow\n")

    @staticmethod
    def packages(suite: str) -> tuple[str, ...]:
        """Its packages in a suite."""
        return ("puppet",)

    def declare(
        self, instances: Instances, secrets: Instances, defaults: Mapping[str, Any]
    ) -> None:
        """Write what the next run is to bring about."""
        hosts = {"airflow::instances": instances, "airflow::defaults": defaults}
        self.machine.write(f"{self._code}/data/hosts.yaml", json.dumps(hosts))
        text = json.dumps({"airflow::secrets": secrets}, ensure_ascii=False)
        self.machine.write(f"{self._code}/data/secrets.yaml", text, mode="600")

    def run(self) -> Run:
        """Run it with many words: with --debug, all that Hiera looks up would be among them."""
        words = ["puppet", "apply", "--detailed-exitcodes", "--show_diff", "--verbose"]
        command = [*words, f"{self._code}/manifests"]
        done = self.machine.call(command, check=False, timeout=DEADLINE)
        # 0: nothing to do; 2: changes; 4, 6, 1: failures.
        return Run(done.status in (2, 6), done.status not in (0, 2), done.stdout + done.stderr)


class Ansible:
    """The role airflow, its secrets in a vault."""

    name = "ansible"
    vault: tuple[str, ...] = ()
    _place = "/root/ansible"

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        play = [{"hosts": "localhost", "connection": "local", "roles": ["airflow"]}]
        machine.write(f"{self._place}/site.yml", json.dumps(play))
        machine.write(f"{self._place}/password", "open sesame", mode="600")

    @staticmethod
    def packages(suite: str) -> tuple[str, ...]:
        """Its packages in a suite; python3-apt is what it installs packages with.

        What bullseye's needs of httplib2 every version has, and not every mirror has the
        one of bullseye's security updates.
        """
        core = (
            ("ansible", "python3-httplib2/bullseye") if suite == "bullseye" else ("ansible-core",)
        )
        return (*core, "python3-apt")

    def declare(
        self, instances: Instances, secrets: Instances, defaults: Mapping[str, Any]
    ) -> None:
        """Write what the next run is to bring about."""
        hosts = {"airflow_instances": instances, "airflow_defaults": defaults}
        self.machine.write(f"{self._place}/hosts.json", json.dumps(hosts))
        path = f"{self._place}/secrets.yml"
        self.machine.write(path, json.dumps({"airflow_secrets": secrets}), mode="600")
        words = ["ansible-vault", "encrypt", f"--vault-password-file={self._place}/password", path]
        self.machine.call(words, env=self._environment)

    def run(self) -> Run:
        """Run it, with as many words as it has."""
        words = ["ansible-playbook", "-vvv", "--diff", "--inventory=localhost,", "site.yml"]
        words += ["--vault-password-file=password", "-e", "@hosts.json", "-e", "@secrets.yml"]
        done = self.machine.call(
            words, check=False, timeout=DEADLINE, workdir=self._place, env=self._environment
        )
        said = done.stdout + done.stderr
        counts = {key: int(number) for key, number in re.findall(r"(changed|failed)=(\d+)", said)}
        return Run(bool(counts.get("changed")), done.status != 0, said)

    @property
    def _environment(self) -> dict[str, str]:
        return {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCALHOST_WARNING": "0"}


Manager = Puppet | Ansible
MANAGERS: dict[str, type[Manager]] = {"puppet": Puppet, "ansible": Ansible}
