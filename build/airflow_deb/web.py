"""HTTP as the builder needs it: patient, parallel, behind whatever proxy there is.

Proxies, certificates and credentials come from the user's environment
(http_proxy …, PIP_CERT, SSL_CERT_FILE, netrc, the address itself); credentials
go to the host they are for only, and into no message.
"""

from __future__ import annotations

import base64
import netrc
import os
import re
import ssl
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import urllib3

from .errors import ConfigError, NetworkError

_SYSTEM = Path("/etc/ssl/certs/ca-certificates.crt")
# A passing fault is tried again after 0, 1, 2, 4, 8 s (with some jitter, so that
# many clients do not come back at once), or when the server says (Retry-After).
RETRIES = urllib3.Retry(
    total=5,
    connect=3,
    redirect=5,
    status_forcelist=(429, 500, 502, 503, 504),
    backoff_factor=0.5,
    backoff_max=30,
    backoff_jitter=0.5,
    retry_after_max=120,
)
_TIMEOUT = urllib3.Timeout(connect=15, read=60)


class Web:
    """A client that keeps up to ``connections`` to a host alive.

    ``home`` is an address whose credentials are used for all of its host.
    """

    def __init__(
        self, home: str = "", *, connections: int = 16, retries: urllib3.Retry | None = None
    ) -> None:
        self._home = home
        self._connections = connections
        self._retries = RETRIES if retries is None else retries
        self._pools: dict[str, urllib3.PoolManager] = {}

    def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        start: int = 0,
        stream: bool = False,
        missing_ok: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        """The answer to a GET of ``url``, from byte ``start`` on, with ``stream`` unread.

        Raises NetworkError after all retries; a 404 or 410 only without ``missing_ok``.
        """
        bare, authorization = _credentials(url, self._home)
        headers = {"Accept": accept, "User-Agent": "airflow-deb", **authorization}
        if stream:
            headers["Accept-Encoding"] = "identity"
        if start:
            headers["Range"] = f"bytes={start}-"
        try:
            response = self._pool(bare).request(
                "GET", bare, headers=headers, preload_content=not stream, retries=self._retries
            )
        except urllib3.exceptions.HTTPError as error:
            raise NetworkError(
                f"{public(bare)} cannot be reached: {public(reason(error))}",
                hint="check the network and the proxy settings",
            ) from error
        missing = response.status in (404, 410)
        if response.status in (200, 206, 416) or (missing and missing_ok):
            return response
        response.release_conn()
        hint = "check the credentials of the index" if response.status in (401, 403) else ""
        raise NetworkError(f"{public(bare)} answered with status {response.status}", hint=hint)

    def _pool(self, url: str) -> urllib3.PoolManager:
        """The connections for ``url``: through the proxy for its scheme, or straight."""
        parts = urllib.parse.urlsplit(url)
        proxy = urllib.request.getproxies().get(parts.scheme, "")
        if proxy and urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = ""
        if proxy not in self._pools:
            options: dict[str, Any] = {
                "num_pools": 4,
                "maxsize": self._connections,
                "block": True,
                "timeout": _TIMEOUT,
                "ssl_context": _tls(),
            }
            if not proxy:
                self._pools[proxy] = urllib3.PoolManager(**options)
            else:
                proxy_parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
                self._pools[proxy] = urllib3.ProxyManager(
                    _without_user(proxy_parts),
                    proxy_headers=_basic(proxy_parts, "Proxy-Authorization"),
                    **options,
                )
        return self._pools[proxy]


def public(text: str) -> str:
    """``text`` with the credentials in its addresses blotted out."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def reason(error: Exception) -> str:
    """What is behind ``error``, in one short line."""
    inner = getattr(error, "reason", None)
    text = str(inner if inner is not None else error)
    text = re.sub(r"^<?[\w.]*(Connection|Pool)[^:]*: ", "", text)
    return text.splitlines()[0][:200] if text else type(error).__name__


def certificates() -> Path | None:
    """The file of certificates that is trusted, as for pip and uv, or None for OpenSSL's own.

    PIP_CERT goes before SSL_CERT_FILE, and that before the system's file.
    """
    for variable in ("PIP_CERT", "SSL_CERT_FILE"):
        if os.environ.get(variable):
            return Path(os.environ[variable])
    return _SYSTEM if _SYSTEM.exists() else None


def _tls() -> ssl.SSLContext:
    file = certificates()
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"the certificates in {file} cannot be read: {error}",
            hint="set PIP_CERT or SSL_CERT_FILE to a file of PEM certificates",
        ) from error


def _credentials(url: str, index: str) -> tuple[str, dict[str, str]]:
    """``url`` without its user, and the header that logs in.

    The index's own credentials go to its own host only, never to another one
    that its files may be at.
    """
    parts, home = urllib.parse.urlsplit(url), urllib.parse.urlsplit(index)
    for owner in (parts, home):
        if owner.username and (owner.scheme, owner.hostname, owner.port) == (
            parts.scheme,
            parts.hostname,
            parts.port,
        ):
            return _without_user(parts), _basic(owner, "Authorization")
    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(parts.hostname or "")
    except (OSError, netrc.NetrcParseError):
        found = None
    if found and parts.scheme == "https":
        return url, _header("Authorization", found[0], found[2] or "")
    return url, {}


def _basic(parts: urllib.parse.SplitResult, name: str) -> dict[str, str]:
    if not parts.username:
        return {}
    unquote = urllib.parse.unquote
    return _header(name, unquote(parts.username), unquote(parts.password or ""))


def _header(name: str, user: str, password: str) -> dict[str, str]:
    return {name: "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def _without_user(parts: urllib.parse.SplitResult) -> str:
    return urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
