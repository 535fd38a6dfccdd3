"""Looks at an instance as its user, without Airflow: what `check` knows, it knows from here.

Runs as the instance's user, with the installation's packages (see health/child.py).
Prints a line of JSON for each part as soon as it is known, so that one that hangs takes
no other with it. Nothing is written, nothing is started.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

# Functions for core.hostname_callable that are nobody's own.
KNOWN_NAMES = (
    "socket.getfqdn",
    "socket.gethostname",
    "airflow.utils.net.getfqdn",
    "airflow.utils.net.get_host_ip_address",
)
_MAX_REPLY = 64 * 1024
_MAX_CACHE = 1024 * 1024


def disks(paths: list[str]) -> list[dict[str, Any]]:
    """How full the file systems of ``paths`` are, in per cent; each file system once."""
    found: dict[int, dict[str, Any]] = {}
    for path in paths:
        try:
            device, room = os.stat(path).st_dev, os.statvfs(path)
        except OSError as error:
            found[-1 - len(found)] = {"path": path, "error": error.strerror}
            continue
        found.setdefault(
            device,
            {
                "path": path,
                "free": _per_cent(room.f_bavail, room.f_blocks - room.f_bfree + room.f_bavail),
                # File systems without a fixed number of inodes say 0 of 0.
                "inodes": _per_cent(room.f_favail, room.f_files),
                "bytes": room.f_bavail * room.f_frsize,
            },
        )
    return list(found.values())


def _per_cent(free: int, total: int) -> float | None:
    return round(100.0 * free / total, 1) if total > 0 else None


def ticket(path: str) -> dict[str, Any]:
    """From when and until when the ticket in the cache ``path`` is good, as seconds from now."""
    if not path.startswith("/"):
        return {"unknown": f"{path} is no file, so that the ticket in it cannot be seen"}
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_CACHE)
    except FileNotFoundError:
        return {"error": "there is no ticket"}
    except OSError as error:
        return {"error": f"{path}: {error.strerror}"}
    errors, ccache = map(import_module, ("airflow_instance.errors", "airflow_instance.ccache"))
    try:
        found = ccache.parse(data, path).tgt
    except errors.InstanceError as error:
        return {"error": str(error)}
    if found is None:
        return {"error": "there is no ticket"}
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "age": (now - found.start).total_seconds(),
        "left": (found.end - now).total_seconds(),
    }


def web(url: str, timeout: float) -> dict[str, Any]:
    """What the web server says at ``url``.

    Spoken by hand: http.client alone takes longer to import than the question takes.
    """
    parts = urlsplit(url)
    begun = time.monotonic()
    end = begun + timeout
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    request = (
        f"GET {parts.path or '/'} HTTP/1.0\r\nHost: {parts.netloc}\r\n"
        "Accept: application/json\r\nConnection: close\r\n\r\n"
    )
    reply = b""
    try:
        connection = socket.create_connection((host, port), timeout)
        with connection:
            if parts.scheme == "https":
                connection = _encrypted(connection)
            connection.sendall(request.encode("ascii"))
            while len(reply) < _MAX_REPLY:
                connection.settimeout(max(0.01, end - time.monotonic()))
                received = connection.recv(_MAX_REPLY)
                if not received:
                    break
                reply += received
    except TimeoutError:
        return {"error": f"no answer in {timeout:g} s"}
    except OSError as error:
        if isinstance(error, socket.timeout):  # another class until Python 3.10
            return {"error": f"no answer in {timeout:g} s"}
        return {"error": error.strerror or str(error)}
    head, _, body = reply.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        return {"error": "what answers is no web server"}
    return {
        "seconds": time.monotonic() - begun,
        "status": int(words[1]),
        "parts": _parts(body),
    }


def _encrypted(connection: socket.socket) -> socket.socket:
    ssl = import_module("ssl")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # We ask whether it lives, on this host, and tell it nothing: its certificate is for
    # the name that people use.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    wrapped: socket.socket = context.wrap_socket(connection)
    return wrapped


def _parts(body: bytes) -> dict[str, str | None] | None:
    """The status of each part in a reply; None when it is no such reply."""
    try:
        data = json.loads(body)
        return {str(name): part["status"] for name, part in data.items() if part is not None}
    except (ValueError, AttributeError, TypeError, KeyError):
        return None


def hostname(called: str) -> dict[str, Any]:
    """The name that Airflow gives this host: what core.hostname_callable returns.

    Airflow's own two functions are done here: importing them would start Airflow.
    """
    try:
        if called == "airflow.utils.net.getfqdn":
            return {"name": canonical_name()}
        if called == "airflow.utils.net.get_host_ip_address":
            return {"name": socket.gethostbyname(canonical_name())}
        if called.startswith("airflow."):
            return {"error": f"core.hostname_callable {called} needs Airflow to be started"}
        module, _, function = called.replace(":", ".").rpartition(".")
        return {"name": str(getattr(import_module(module), function)())}
    except Exception as error:
        return {"error": f"core.hostname_callable {called}: {error}"}


def canonical_name() -> str:
    """What airflow.utils.net.getfqdn returns."""
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME)
    except OSError:
        return name
    return next((address[3] for address in found if address[3]), name)


def database(request: dict[str, Any]) -> dict[str, Any]:
    """The answers of ask_database.py, with the time that connecting took."""
    asking = import_module("airflow_instance.inside.ask_database")
    url = asking.url_of(request["section"], request["key"])
    begun = time.monotonic()
    try:
        connection = asking.connect(url, request["timeout"])
    except Exception as error:
        return {"unreachable": asking.clean(error, url)}
    answer: dict[str, Any] = asking.ask(connection, url, request["queries"])
    answer["seconds"] = time.monotonic() - begun
    connection.close()
    now = datetime.datetime.now(datetime.timezone.utc)
    answer["beats"] = [[*row[:2], _age(row[2], now)] for row in answer["rows"].pop("beats", [])]
    return answer


def _age(value: Any, now: datetime.datetime) -> float | None:
    """The seconds since a time stamp of the database, which Airflow keeps in UTC."""
    if value is None:
        return None
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime.fromisoformat(str(value))
    if value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return float((now - value).total_seconds())


def look(request: dict[str, Any]) -> None:
    """Print what is seen, a line for each part."""
    # psycopg2 imports ssl, for the sake of threads that we have not; it does without.
    blocked = {} if request["web"].startswith("https:") else {"ssl": None}
    sys.modules.update(blocked)  # type: ignore[arg-type]
    todo: list[tuple[str, Callable[[], object]]] = [
        ("disks", lambda: disks(request["paths"])),
        ("ticket", lambda: ticket(request["ccache"])),
        ("web", lambda: web(request["web"], request["timeout"])),
        ("hostname", lambda: hostname(request["hostname"])),
        ("database", lambda: database(request["database"])),
    ]
    for part, look_at in todo:
        if part in request["parts"]:
            try:
                found = look_at()
            except Exception as error:
                # Its text may have the URL in it.
                found = {"error": f"{part} could not be looked at: {type(error).__name__}"}
            print(json.dumps({part: found}, default=str), flush=True)


def main() -> None:
    """Read the request, as a program of its own."""
    request = json.load(sys.stdin)
    sys.path.append(request["packages"])
    sys.path += [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    look(request)
