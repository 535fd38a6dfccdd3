"""What can go wrong, each kind with its own exit status.

A message is one line: what happened, with the file, key and value it happened
to. ``hint`` is the remedy and is printed behind it. ``detail`` is for the few
errors that need more (the last lines of a failed build); it is printed before
the message.
"""

from __future__ import annotations


class AirflowDebError(Exception):
    """Base of every error that a user is meant to read; exit status 1."""

    status = 1

    def __init__(self, message: str, *, hint: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(AirflowDebError):
    """What was asked for does not exist: a version, a suite, an option."""

    status = 2


class ConfigError(AirflowDebError):
    """One of our own files is malformed: versions.sh, requirements/, a lock."""

    status = 3


class MissingToolError(AirflowDebError):
    """A tool, or the right to install or use one, is missing."""

    status = 4


class NetworkError(AirflowDebError):
    """The package index or the Debian mirror cannot be reached."""

    status = 5


class GoneError(AirflowDebError):
    """A locked file is no longer on the index."""

    status = 6


class HashError(AirflowDebError):
    """A file's sha256 is not the one that was locked, built or published."""

    status = 7


class DiskError(AirflowDebError):
    """There is not enough room on a disk."""

    status = 8


class BuildError(AirflowDebError):
    """A wheel or the package did not build."""

    status = 9


class BusyError(AirflowDebError):
    """Someone else is building the same package."""

    status = 10


class VerifyError(AirflowDebError):
    """What was built is not what it should be."""

    status = 11


class IncompleteError(AirflowDebError):
    """A file that belongs beside a package is not there."""

    status = 12


class SignatureError(AirflowDebError):
    """There is no valid signature by a key that is trusted."""

    status = 13


class DifferentError(AirflowDebError):
    """Built again, a package has other bytes."""

    status = 14


class AuditError(AirflowDebError):
    """A lock holds what nobody has accepted: a known vulnerability, a yanked release."""

    status = 15
