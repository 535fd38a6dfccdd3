"""A package index on loopback that can be made to misbehave, for tests/fetch and audits."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3

from airflow_deb.lockfile import Lock, Locked

# As in earnest, without the waiting.
QUICK = urllib3.Retry(
    total=4, connect=1, status_forcelist=(429, 503), backoff_factor=0, retry_after_max=5
)


@dataclass
class FakeIndex:
    """What the server offers and how it behaves; tests change it as they like."""

    files: dict[str, bytes] = field(default_factory=dict)
    html: bool = False
    relative: bool = False
    credentials: str = ""
    listed_sha256: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    ranges: bool = True
    # Answers of a path that come before the good one: a status, or "cut".
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    retry_after: str = ""
    chunk_delay: float = 0.0
    yanked: set[str] = field(default_factory=set)
    uploaded: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def add(self, name: str, version: str, content: bytes, wheel: bool = True) -> Locked:
        """Offer a file and return how a lock names it."""
        filename = f"{name}-{version}" + ("-py3-none-any.whl" if wheel else ".tar.gz")
        self.files[filename] = content
        return Locked(name, version, hashlib.sha256(content).hexdigest(), filename, len(content))

    def downloads(self, filename: str) -> list[str]:
        """The Range header of each request for ``filename``, empty for a whole one."""
        return [h.get("range", "") for p, h in self.requests if p == f"/files/{filename}"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeIndex

    def log_message(self, format: str, *args: object) -> None:
        """Keep pytest's output clean."""

    def do_GET(self) -> None:
        fake = self.fake
        path = self.path.removeprefix(fake.url)  # A proxy is asked for the whole address.
        headers = {key.lower(): value for key, value in self.headers.items()}
        fake.requests.append((path, headers))
        wanted = "Basic " + base64.b64encode(fake.credentials.encode()).decode()
        if fake.credentials and headers.get("authorization") != wanted:
            self._send(401, b"")
            return
        fault = fake.faults[path].pop(0) if fake.faults.get(path) else None
        if isinstance(fault, int):
            self._send(fault, b"", {"Retry-After": fake.retry_after} if fake.retry_after else {})
        elif path.startswith("/simple/"):
            self._page(path.split("/")[2])
        else:
            self._file(path.removeprefix("/files/"), headers.get("range", ""), cut=fault == "cut")

    def _page(self, project: str) -> None:
        names = [n for n in self.fake.files if n.split("-")[0].replace("_", "-") == project]
        if not names:
            self._send(404, b"")
            return
        digest = {
            n: self.fake.listed_sha256.get(n, hashlib.sha256(self.fake.files[n]).hexdigest())
            for n in names
        }
        base = "../.." if self.fake.relative else self.fake.url
        if self.fake.html:
            links = "".join(
                f'<a data-requires-python="&gt;=3" href="{base}/files/{n}#sha256={digest[n]}">a</a>'
                for n in names
            )
            self._send(200, f"<!DOCTYPE html>{links}".encode(), {"Content-Type": "text/html"})
            return
        entries = [
            {
                "filename": n,
                "url": f"{base}/files/{n}",
                "hashes": {"sha256": digest[n]},
                "size": len(self.fake.files[n]),
                "upload-time": self.fake.uploaded.get(n, "2021-06-01") + "T00:00:00.000000Z",
                "yanked": n in self.fake.yanked and "it was broken",
                "core-metadata": n in self.fake.metadata,
            }
            for n in names
        ]
        kind = "application/vnd.pypi.simple.v1+json"
        self._send(200, json.dumps({"files": entries}).encode(), {"Content-Type": kind})

    def _file(self, name: str, wanted: str, *, cut: bool) -> None:
        content = self.fake.files.get(name)
        if name.endswith(".metadata"):
            content = self.fake.metadata[name.removesuffix(".metadata")].encode()
        if content is None or name in self.fake.gone:
            self._send(404, b"")
            return
        status, headers = 200, {}
        if wanted and self.fake.ranges:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            status, content = 206, content[start:]
        self._send(status, content, headers, send=len(content) // 2 if cut else None)

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        *,
        send: int | None = None,
    ) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if send is not None:
            body, self.close_connection = body[:send], True
        step = 64 * 1024 if self.fake.chunk_delay else max(len(body), 1)
        try:
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                time.sleep(self.fake.chunk_delay)
        except OSError:
            self.close_connection = True


def serve() -> tuple[FakeIndex, ThreadingHTTPServer]:
    """A running server and what it offers."""
    fake = FakeIndex()
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return fake, server


def lock_of(*files: Locked, name: str = "bullseye.lock") -> Lock:
    """A lock of Airflow 2.1.0 with ``files``."""
    return Lock(Path("requirements/2.1.0") / name, (), tuple(sorted(files)))
