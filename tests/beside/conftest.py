"""Fixtures of the tests of what stands beside Airflow on a host: those of the host tests."""

from __future__ import annotations

import pytest
from tests.host.conftest import lab
from tests.host.turns import Turns

# pytest finds fixtures among this module's names.
__all__ = ["lab"]


def pytest_configure(config: pytest.Config) -> None:
    """Have modules take turns."""
    config.pluginmanager.register(Turns())
