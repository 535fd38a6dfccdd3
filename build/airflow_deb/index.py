"""A package index, read through the Simple API.

Speaks PEP 691 JSON, with the sizes and upload times of PEP 700, and falls back
to the HTML of PEP 503, which is enough to fetch but not to lock. Which index
it is, the user's own configuration decides: nothing here names a host.
"""

from __future__ import annotations

import ast
import datetime
import html.parser
import importlib
import json
import os
import re
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass
from typing import Any

import urllib3
from packaging.utils import canonicalize_name

from .errors import ConfigError, NetworkError
from .run import environment
from .web import Web, public

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
_PIP_KEYS = ("global.index-url", "install.index-url", "download.index-url")


@dataclass(frozen=True, kw_only=True)
class File:
    """A file that the index offers of a project; what the index does not tell is None."""

    filename: str
    url: str
    sha256: str | None = None
    size: int | None = None
    uploaded: datetime.datetime | None = None
    requires_python: str = ""
    yanked: bool = False
    has_metadata: bool = False


class Index:
    """A client of the index at ``url``, and of where it keeps its files."""

    def __init__(
        self, url: str, *, connections: int = 16, retries: urllib3.Retry | None = None
    ) -> None:
        if not re.match(r"https?://[^/]", url):
            raise ConfigError(
                f"the index {public(url)!r} is not an http(s) address",
                hint="set PIP_INDEX_URL to the address that ends in /simple",
            )
        self.url = url.rstrip("/") + "/"
        self.web = Web(self.url, connections=connections, retries=retries)

    @property
    def name(self) -> str:
        """The index as it may be shown: without the credentials in its address."""
        return public(self.url)

    def files(self, project: str) -> tuple[File, ...]:
        """The files of ``project``, none when the index does not know it.

        Raises NetworkError when the index does not answer, or not sensibly.
        """
        page = self.url + canonicalize_name(project) + "/"
        response = self.web.get(page, accept=_ACCEPT, missing_ok=True)
        if response.status in (404, 410):
            return ()
        base = urllib.parse.urljoin(page, response.url or "")
        try:
            if "json" in response.headers.get("Content-Type", ""):
                return _from_json(json.loads(response.data), base)
            return _from_html(response.data.decode("utf-8", "replace"), base)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NetworkError(
                f"the index {self.name} answered nonsense about {project}: {error!r}"
            ) from error

    def metadata(self, file: File) -> str:
        """The METADATA of a wheel that has it beside it (PEP 658). Raises NetworkError."""
        return self.web.get(f"{file.url}.metadata").data.decode("utf-8", "replace")


def configured() -> str:
    """The address of the index that this user's uv and pip use.

    The environment goes before pip's configuration, and that before pip's own
    default. Raises ConfigError when there is nothing to be found.
    """
    for variable in _VARIABLES:
        if os.environ.get(variable, "").strip():
            # UV_DEFAULT_INDEX may have a name before the address: name=https://…
            return re.sub(r"^[\w-]+=", "", os.environ[variable].strip())
    settings = _pip_settings()
    return next((settings[key] for key in _PIP_KEYS if settings.get(key)), "") or default()


def _pip_settings() -> dict[str, str]:
    """What pip is configured to, in all its files.

    Not by run.run, which writes what it gets to the build log: there may be
    credentials in it.
    """
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        try:
            found[key] = str(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            continue
    return found


def default() -> str:
    """The address that pip uses when nothing is configured, asked of pip itself."""
    try:
        module = importlib.import_module("pip._internal.models.index")
        return str(module.PyPI.simple_url)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            "no package index is configured and pip does not tell its default",
            hint="set PIP_INDEX_URL to the address of an index",
        ) from error


def _from_json(page: Any, base: str) -> tuple[File, ...]:
    found = []
    for entry in page["files"]:
        uploaded = entry.get("upload-time")
        found.append(
            File(
                filename=entry["filename"],
                url=urllib.parse.urljoin(base, entry["url"]),
                sha256=entry["hashes"].get("sha256"),
                size=entry.get("size"),
                uploaded=datetime.datetime.fromisoformat(uploaded) if uploaded else None,
                requires_python=entry.get("requires-python") or "",
                yanked=bool(entry.get("yanked")),
                # PEP 714; what it was called before, some indexes tell wrongly.
                has_metadata=bool(entry.get("core-metadata")),
            )
        )
    return tuple(found)


class _Anchors(html.parser.HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self.base = base
        self.found: list[File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        href = values.get("href")
        if tag == "base" and href:
            self.base = urllib.parse.urljoin(self.base, href)
        if tag != "a" or not href:
            return
        url, _, fragment = urllib.parse.urljoin(self.base, href).partition("#")
        kind, _, digest = fragment.partition("=")
        self.found.append(
            File(
                filename=urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2]),
                url=url,
                sha256=digest if kind == "sha256" else None,
                requires_python=values.get("data-requires-python") or "",
                yanked="data-yanked" in values,
            )
        )


def _from_html(text: str, base: str) -> tuple[File, ...]:
    parser = _Anchors(base)
    parser.feed(text)
    return tuple(parser.found)
