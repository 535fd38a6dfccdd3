"""Writes an instance's database to standard output, or replaces it from standard input.

    dump_database dump|restore SECTION.KEY …

Runs as the service user, on Debian's own Python: SQLite is in it, and the servers'
client programs do the rest. The URL is read from airflow.cfg, as Airflow does, from the
first of the options that is there; its password is given to the programs where nobody else
can see it.

A restore leaves the database as it was when it fails, but for MySQL, where there are
no transactions over whole tables. Exits with 69, one line on standard error, when
there is nothing to do it with.
"""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from typing import IO, BinaryIO, NoReturn
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from .ask_database import first_url

UNAVAILABLE = 69
_SCRATCH = ".airflow-instance-dump-"
_CHUNK = 1 << 20
_LEFT = ("-journal", "-wal", "-shm")  # beside a SQLite file; of another file they destroy it
_SECRET_OPTIONS = frozenset(["password", "sslpassword"])


def fail(text: str, status: int = 1) -> NoReturn:
    print(text, file=sys.stderr)
    sys.exit(status)


def find(programs: tuple[str, ...], package: str) -> str:
    """The first of ``programs`` that is installed."""
    for program in programs:
        path = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin")
        if path:
            return path
    fail(f"there is no {programs[-1]} on this host; apt install {package}", UNAVAILABLE)


# SQLite.


def scratch(path: str) -> str:
    """A new file beside the database ``path``; what an interrupted run left there goes."""
    place = os.path.dirname(path)
    for old in glob.glob(f"{glob.escape(place)}/{_SCRATCH}*"):
        os.unlink(old)
    fd, name = tempfile.mkstemp(prefix=_SCRATCH, dir=place)
    os.close(fd)
    return name


def dump_sqlite(path: str, out: BinaryIO) -> None:
    """The database as one file, consistent even while others write to it."""
    if not os.path.exists(path):
        fail(f"there is no {path}")
    name = scratch(path)
    try:
        source = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=60)
        copy = sqlite3.connect(name)
        source.backup(copy)
        # With a journal of its own the copy would be two files.
        copy.execute("PRAGMA journal_mode = DELETE")
        copy.close()
        source.close()
        with open(name, "rb") as file:
            shutil.copyfileobj(file, out, _CHUNK)
    finally:
        os.unlink(name)


def restore_sqlite(path: str, source: BinaryIO) -> None:
    """Put a copy in place of the database, once it is whole."""
    name = scratch(path)
    try:
        with open(name, "wb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())
        check = sqlite3.connect(name)
        (said,) = check.execute("PRAGMA quick_check(1)").fetchone()
        check.close()
        if said != "ok":
            fail(f"the copy is damaged: {said}")
        os.chmod(name, 0o640)
        for left in _LEFT:
            if os.path.lexists(path + left):
                os.unlink(path + left)
        os.rename(name, path)
    except BaseException:
        os.unlink(name)
        raise


# PostgreSQL.


def conninfo(parts: SplitResult) -> str:
    """Where to connect to, in libpq's form, the password left out."""
    words = {key: value for key, value in parse_qsl(parts.query) if key not in _SECRET_OPTIONS}
    words.setdefault("host", unquote(parts.hostname or ""))
    words.update(user=unquote(parts.username or ""), dbname=unquote(parts.path[1:]))
    if parts.port:
        words["port"] = str(parts.port)
    words.setdefault("connect_timeout", "30")
    return " ".join(f"{key}={quoted(value)}" for key, value in words.items() if value)


def quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def postgresql_variables(parts: SplitResult) -> dict[str, str]:
    words = dict(parse_qsl(parts.query))
    variables = dict(os.environ)
    variables["PGPASSWORD"] = unquote(parts.password or "") or words.get("password", "")
    if "sslpassword" in words:
        fail("sslpassword in the URL cannot be given to pg_dump; use a key without one")
    return variables


def dump_postgresql(parts: SplitResult) -> NoReturn:
    program = find(("pg_dump",), "postgresql-client")
    words = ["--format=custom", "--no-owner", "--no-privileges", "--no-password"]
    where = f"--dbname={conninfo(parts)}"
    os.execve(program, [program, *words, where], postgresql_variables(parts))


def restore_postgresql(parts: SplitResult) -> None:
    """One transaction: everything of the user's goes, everything of the dump comes."""
    reader = find(("pg_restore",), "postgresql-client")
    writer = find(("psql",), "postgresql-client")
    variables = postgresql_variables(parts)
    options = ["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null"]
    options += ["--set=ON_ERROR_STOP=1", "--single-transaction", "--file=-"]
    psql = subprocess.Popen(
        [writer, *options, f"--dbname={conninfo(parts)}"], stdin=subprocess.PIPE, env=variables
    )
    assert psql.stdin is not None
    try:
        psql.stdin.write(b"DROP OWNED BY CURRENT_USER CASCADE;\n")
        psql.stdin.flush()
        words = ["--no-owner", "--no-privileges", "--file=-"]
        restored = subprocess.run([reader, *words], stdout=psql.stdin, check=False)
        if restored.returncode != 0:
            # At the end of its input psql would commit the half that came.
            psql.send_signal(signal.SIGKILL)
    except BrokenPipeError:
        pass  # psql says what is wrong
    ended = close(psql.stdin, psql)
    if ended != 0:
        sys.exit(ended if ended > 0 else 1)


def close(stream: IO[bytes], process: subprocess.Popen[bytes]) -> int:
    """End a program's input; its exit status."""
    with contextlib.suppress(BrokenPipeError):
        stream.close()
    return process.wait()


# MySQL and MariaDB.


def mysql_command(parts: SplitResult, programs: tuple[str, ...]) -> tuple[list[str], int]:
    """A client's command line, and the descriptor with the password that it has to inherit."""
    program = find(programs, "mariadb-client")
    words = dict(parse_qsl(parts.query))
    text = unquote(parts.password or "").replace("\\", "\\\\").replace('"', '\\"')
    fd, write = os.pipe()
    with open(write, "wb") as pipe:
        pipe.write(f'[client]\npassword="{text}"\n'.encode())
    command = [program, f"--defaults-file=/dev/fd/{fd}", f"--user={unquote(parts.username or '')}"]
    host = unquote(parts.hostname or "")
    if "unix_socket" in words:
        command.append(f"--socket={words['unix_socket']}")
    elif host:
        command.append(f"--host={host}")
        if host != "localhost":
            command.append("--protocol=tcp")
    if parts.port:
        command.append(f"--port={parts.port}")
    if "ssl_ca" in words:
        command.append(f"--ssl-ca={words['ssl_ca']}")
    return [*command, "--default-character-set=utf8mb4"], fd


def dump_mysql(parts: SplitResult) -> NoReturn:
    command, fd = mysql_command(parts, ("mariadb-dump", "mysqldump"))
    os.set_inheritable(fd, True)
    words = ["--single-transaction", "--skip-lock-tables", "--quick", "--no-tablespaces"]
    words += ["--hex-blob", "--triggers", unquote(parts.path[1:])]
    os.execv(command[0], [*command, *words])


def restore_mysql(parts: SplitResult, source: BinaryIO) -> None:
    """Drop all tables and run the dump."""
    name = unquote(parts.path[1:])
    command, fd = mysql_command(parts, ("mariadb", "mysql"))
    words = ["--batch", "--skip-column-names", name]
    query = (
        "SELECT table_name, table_type FROM information_schema.tables"
        " WHERE table_schema = DATABASE();\n"
    )
    listed = subprocess.run(
        [*command, *words],
        input=query.encode(),
        stdout=subprocess.PIPE,
        pass_fds=[fd],
        check=False,
    )
    if listed.returncode != 0:
        sys.exit(1)
    statements = ["SET FOREIGN_KEY_CHECKS = 0;"]
    for line in listed.stdout.decode().splitlines():
        table, kind = line.split("\t")
        what = "VIEW" if "VIEW" in kind else "TABLE"
        statements.append(f"DROP {what} `{table.replace('`', '``')}`;")
    command, fd = mysql_command(parts, ("mariadb", "mysql"))
    client = subprocess.Popen([*command, *words], stdin=subprocess.PIPE, pass_fds=[fd])
    assert client.stdin is not None
    try:
        client.stdin.write("\n".join([*statements, ""]).encode())
        shutil.copyfileobj(source, client.stdin, _CHUNK)
    except BrokenPipeError:
        pass  # the client says what is wrong
    if close(client.stdin, client) != 0:
        sys.exit(1)


def main() -> None:
    # Behind -c the first argument is where our package is.
    verb, *options = sys.argv[2:]
    url = first_url([option.split(".") for option in options])
    scheme = url.partition(":")[0].partition("+")[0]
    dumping = verb == "dump"
    try:
        if scheme == "sqlite":
            path = url.partition("///")[2].partition("?")[0]
            if dumping:
                dump_sqlite(path, sys.stdout.buffer)
            else:
                restore_sqlite(path, sys.stdin.buffer)
        elif scheme in ("postgresql", "postgres"):
            parts = urlsplit(url)
            dump_postgresql(parts) if dumping else restore_postgresql(parts)
        elif scheme in ("mysql", "mariadb"):
            parts = urlsplit(url)
            dump_mysql(parts) if dumping else restore_mysql(parts, sys.stdin.buffer)
        else:
            fail(f"a {scheme} database has to be backed up by its own means", UNAVAILABLE)
    except (OSError, sqlite3.Error) as error:
        fail(str(error))
