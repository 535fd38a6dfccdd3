"""What apt leaves, and what it must not touch."""

from __future__ import annotations

import pytest
from tests.host.removal import KEPT, Removal


def test_remove_takes_all_files(removal: Removal) -> None:
    """Also the bytecode that a root's Python had left there."""
    assert len(removal.files) > 1000
    assert removal.removed.present == ()
    assert removal.removed.dpkg in ("", "deinstall ok config-files")


def test_purge_leaves_nothing(removal: Removal) -> None:
    """No file, and nothing in dpkg's database."""
    assert removal.purged.present == ()
    assert removal.purged.dpkg in ("", "unknown ok not-installed")


@pytest.mark.parametrize("step", ["removed", "purged"])
def test_data_is_kept(removal: Removal, step: str) -> None:
    """Homes, logs, configuration and the user who owns them stay."""
    state = getattr(removal, step)
    assert state.kept == tuple(KEPT)
    assert state.user


def test_purge_says_what_stays(removal: Removal) -> None:
    """The administrator learns what is theirs to delete."""
    assert "user airflow" in removal.purge_output


def test_reinstalling_works(removal: Removal) -> None:
    """After a purge the package can be installed again, and runs."""
    assert removal.reinstalled.status == 0, removal.reinstalled.stderr


def test_nothing_is_started(removal: Removal) -> None:
    """Installing on a running system starts no service."""
    assert removal.started == ""
