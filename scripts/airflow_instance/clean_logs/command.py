"""clean_logs FOLDER DAYS: deletes files, then empty directories, older than DAYS.

The command line.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pwd
import re
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import NoReturn

from ..errors import (
    USAGE_STATUS,
    BusyError,
    ConflictError,
    HostError,
    InstanceError,
    PrivilegeError,
    UsageError,
)
from .folder import PROGRAM, opened, shown
from .level import Report
from .sweep import Sweep

MAX_DAYS = 36500
INCOMPLETE = 10
_DAY = 86400 * 10**9  # nanoseconds
_PROBLEMS = 20  # that are said one by one
_INTERRUPTED = 130

EXIT_STATUS = (
    (0, "done"),
    (PrivilegeError.status, "root may not do this; the message has the command for it"),
    (ConflictError.status, "FOLDER is no folder of logs: the system's, a home, an AIRFLOW_HOME"),
    (HostError.status, "FOLDER cannot be opened"),
    (BusyError.status, "another clean_logs is at work in FOLDER"),
    (INCOMPLETE, "done, but something could not be read or deleted"),
    (USAGE_STATUS, "the command line makes no sense"),
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_STATUS, f"{self.prog}: error: {message}; {self.prog} --help\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser; its help has the exit statuses."""
    parser = _Parser(
        prog=PROGRAM,
        description="Deletes what is older than DAYS days in FOLDER: files, links that lead "
        "nowhere, then the directories that are empty. It follows no links inside and enters no "
        "other file system; FOLDER itself stays, and so does what is changed meanwhile. Run it "
        "as the user whose logs these are; root is refused.",
        epilog="exit status:\n" + "".join(f"  {n:<4}{text}\n" for n, text in EXIT_STATUS),
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("folder", metavar="FOLDER", help="A directory, or a link to one.")
    parser.add_argument(
        "days", metavar="DAYS", help=f"Whole days, 1 to {MAX_DAYS}: what is younger stays."
    )
    parser.add_argument("--dry-run", action="store_true", help="Only print what would be deleted.")
    parser.add_argument("--json", action="store_true", help="Print the result as JSON.")
    return parser


class _Help(argparse.HelpFormatter):
    """The usual help, but the table at its end stays a table."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("exit status"):
            return text
        return super()._fill_text(text, width, indent)


def main(argv: Sequence[str] | None = None) -> int:
    """The exit status of a command line; errors are said, one line each."""
    try:
        return _run(build_parser().parse_args(argv))
    except InstanceError as error:
        print(f"{PROGRAM}: error: {error}", file=sys.stderr)
        return error.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED


def parse_days(text: str) -> int:
    """DAYS as a number.

    Raises UsageError for anything that might delete more than was meant.
    """
    if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or int(text) > MAX_DAYS:
        raise UsageError(
            f"{shown(text)} is no number of days", hint=f"DAYS is a whole number, 1 to {MAX_DAYS}"
        )
    return int(text)


def _run(args: argparse.Namespace) -> int:
    days = parse_days(args.days)
    _refuse_root(args)
    started = time.monotonic()
    with opened(args.folder) as (fd, folder):
        said = _Said(folder, listing=args.dry_run and not args.json)
        sweep = Sweep(
            time.time_ns() - days * _DAY,
            dry_run=args.dry_run,
            problem=said.problem,
            deleted=said.deleted if said.listing else None,
            alive=said.alive,
        )
        try:
            report = sweep.run(fd)
        except OSError as error:
            raise HostError(f"{error.filename or folder}: {error.strerror}") from error
        finally:
            said.end()
    seconds = time.monotonic() - started
    if args.json:
        result = {"folder": folder, "days": days, "dry_run": args.dry_run, **asdict(report)}
        print(json.dumps({**result, "seconds": round(seconds, 3)}))
    else:
        print(summary(folder, days, report, seconds, dry_run=args.dry_run))
    return INCOMPLETE if report.failed else 0


def _refuse_root(args: argparse.Namespace) -> None:
    """Root in a tree that others write to can be led; and it needs no root.

    Nor is the folder's owner simply taken on: whoever may put a link in the way
    would choose whose files are deleted.
    """
    if os.geteuid() != 0:
        return
    words = [PROGRAM, *(["--dry-run"] if args.dry_run else []), "--", args.folder, args.days]
    words = [word for word in words if word != "--" or args.folder.startswith("-")]
    hint = "run it as the user whose logs these are; for an instance, airflow-instance clean-logs"
    with contextlib.suppress(OSError, KeyError):
        status = os.stat(args.folder)
        if status.st_uid:
            user = pwd.getpwuid(status.st_uid)
            become = ["setpriv", f"--reuid={user.pw_name}", f"--regid={user.pw_gid}"]
            hint = shlex.join([*become, "--init-groups", *words])
    raise PrivilegeError(f"root may not clean {shown(args.folder)}", hint=hint)


def summary(folder: str, days: int, report: Report, seconds: float, *, dry_run: bool) -> str:
    """One line for people."""
    done = "would delete" if dry_run else "deleted"
    counts = [
        (report.files, "file"),
        (report.links, "dead link"),
        (report.directories, "directory"),
    ]
    named = [_count(number, noun) for number, noun in counts if number or noun != "dead link"]
    text = f"{done} {', '.join(named[:-1])} and {named[-1]} older than {_count(days, 'day')}"
    text += f", {_size(report.bytes)}; kept {_count(report.kept, 'file')}"
    if report.mounts:
        text += f"; left {_count(report.mounts, 'other file system')} alone"
    if report.failed:
        text += f"; failed {_count(report.failed, 'time')}"
    return f"{shown(folder)}: {text}; {seconds:.1f} s"


def _count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun[:-1]}ies" if noun.endswith("ry") else f"{number} {noun}s"


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} TiB"


class _Said:
    """What is told while the work goes on."""

    def __init__(self, folder: str, *, listing: bool) -> None:
        self.listing = listing
        self._folder = folder
        self._problems = 0
        self._progress = sys.stderr.isatty() and not listing
        self._next = 0.0

    def problem(self, path: str, reason: str) -> None:
        self._problems += 1
        if self._problems <= _PROBLEMS:
            self._clear()
            place = shown(os.path.join(self._folder, path))
            print(f"{PROGRAM}: warning: {place}: {reason}", file=sys.stderr)

    def deleted(self, path: str) -> None:
        print(f"would delete {shown(os.path.join(self._folder, path))}")

    def alive(self, report: Report) -> None:
        now = time.monotonic()
        if self._progress and now >= self._next:
            self._next = now + 0.2
            sys.stderr.write(f"\r\x1b[K{report.files} files deleted, {report.kept} kept …")
            sys.stderr.flush()

    def end(self) -> None:
        self._clear()
        if self._problems > _PROBLEMS:
            more = self._problems - _PROBLEMS
            print(f"{PROGRAM}: warning: and {more} more like these", file=sys.stderr)

    def _clear(self) -> None:
        if self._progress:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
