"""What the tool needs to know about the host."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """Names and size of the host. ``full`` is its full name, or None to ask for it."""

    hostname: str
    cpus: int
    full: str | None = None

    @classmethod
    def of_this_host(cls) -> Facts:
        return cls(hostname=socket.gethostname().split(".")[0], cpus=os.cpu_count() or 1)

    @property
    def fqdn(self) -> str:
        """The full name. Asks the resolver, so nobody asks who does not need it."""
        return self.full or socket.getfqdn()


@dataclass
class Values(Mapping[str, str]):
    """Placeholder values: those of the host, and what was added."""

    facts: Facts
    added: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> str:
        if key == "fqdn":
            return self.facts.fqdn
        if key == "hostname":
            return self.facts.hostname
        if key == "cpus":
            return str(self.facts.cpus)
        return self.added[key]

    def __iter__(self) -> Iterator[str]:
        return iter(["hostname", "fqdn", "cpus", *self.added])

    def __len__(self) -> int:
        return 3 + len(self.added)

    # Mapping's own would call __getitem__, which may ask the resolver.
    def __contains__(self, key: object) -> bool:
        return key in ("hostname", "fqdn", "cpus") or key in self.added
