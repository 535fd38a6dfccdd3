"""What can go wrong, each kind with its own exit status.

A message is one line: where, what, and behind a semicolon what to do about it.
Status 2 is kept for "already in that state" and 64 for a wrong command line, so
that a script can tell these from a failure.
"""

from __future__ import annotations

from collections.abc import Sequence

USAGE_STATUS = 64


class InstanceError(Exception):
    """Base of every error that a person is meant to read; exit status 1."""

    status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message

    def lines(self) -> list[str]:
        """One line per problem."""
        return [str(self)]


class AlreadyError(InstanceError):
    """What was asked for is so already."""

    status = 2


class DeclarationError(InstanceError):
    """A file under /etc/airflow is malformed or not to be trusted."""

    status = 3


class PrivilegeError(InstanceError):
    """Only root, or the instance's own user, may do this."""

    status = 4


class UnknownInstanceError(InstanceError):
    """No instance of this name is declared."""

    status = 5


class ConflictError(InstanceError):
    """Something else is where ours should be: an instance, a user, a port, a file."""

    status = 6


class HostError(InstanceError):
    """The system refused: a command failed, a disk is full or read-only."""

    status = 7


class InstallationError(InstanceError):
    """There is no usable Airflow where the instance expects one."""

    status = 8


class BusyError(InstanceError):
    """Another airflow-instance is at work."""

    status = 9


class UsageError(InstanceError):
    """The command line makes no sense."""

    status = USAGE_STATUS


class Problems(DeclarationError):
    """Several problems of declarations, each worth its own line."""

    def __init__(self, problems: Sequence[InstanceError]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
        kinds = {problem.status for problem in problems}
        # One kind keeps its own status; a mixture is a matter of declarations.
        self.status = kinds.pop() if len(kinds) == 1 else DeclarationError.status

    def lines(self) -> list[str]:
        return [line for problem in self.problems for line in problem.lines()]


def raise_all(problems: Sequence[InstanceError]) -> None:
    """Raise what was collected; nothing when there is nothing.

    Raises the problem itself when it is the only one, else Problems.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise Problems(problems)
