"""The key that what we publish is signed with, and how a signature is checked (OpenPGP).

SIGNING_KEY chooses it: the fingerprint or user id of a key in the user's own GnuPG
keyring, or a file with an armored secret key (as a CI has it). Without one, a
development key is made on first use and kept beside the user's other data, not in
the cache: whoever trusts it would have to trust another one after each cleaning.

A passphrase is the affair of the user's gpg-agent. GnuPG runs with a keyring of our own
but for a key of the user's, so that nothing here adds to the user's keyring.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import busy, log
from .errors import BuildError, SignatureError, UsageError
from .run import run

DEVELOPMENT = "airflow-deb development key (trust it on this machine only)"
_FINGERPRINT = re.compile(r"^fpr:(?:[^:]*:){8}([0-9A-F]{40}):", re.MULTILINE)


@dataclass(frozen=True)
class Key:
    """A key that can sign: GnuPG's home directory, its fingerprint, and whether we made it.

    ``home`` is None for a key in the user's own keyring, GNUPGHOME or ~/.gnupg.
    """

    home: Path | None
    fingerprint: str
    development: bool = False

    @property
    def environment(self) -> dict[str, str]:
        """What a program that calls gpg itself has to find in its environment."""
        if self.home is not None:
            return {"GNUPGHOME": str(self.home)}
        own = os.environ.get("GNUPGHOME")
        return {"GNUPGHOME": own} if own else {}


@contextmanager
def key(wanted: str) -> Iterator[Key]:
    """The key that SIGNING_KEY=``wanted`` names, ready to sign while the body runs.

    Raises UsageError for one that cannot be found or cannot sign.
    """
    if wanted and "/" not in wanted and not Path(wanted).is_file():
        yield Key(None, _found(None, wanted))
        return
    if wanted:
        if not Path(wanted).expanduser().is_file():
            raise UsageError(
                f"SIGNING_KEY={wanted} is no file with a secret key: it is not there",
                hint="write a file with a secret key, or a fingerprint of your GnuPG keyring",
            )
        with tempfile.TemporaryDirectory(prefix="airflow-deb-key-") as name:
            home = Path(name)
            try:
                _import(home, Path(wanted).expanduser())
                yield Key(home, _found(home, wanted))
            finally:
                _leave(home)
        return
    home = _home()
    with busy.hold(home.parent / "signing.lock", "the development key", wait=True):
        if not (home / "made").exists():
            _make(home)
    try:
        yield Key(home, _found(home, ""), development=True)
    finally:
        _leave(home)


def sign(key: Key, file: Path, signature: Path) -> None:
    """Write a detached, armored signature of ``file`` by ``key`` to ``signature``.

    Raises SignatureError with what gpg said.
    """
    _sign(key, "--detach-sign", file, signature)


def clearsign(key: Key, file: Path, signed: Path) -> None:
    """Write the text in ``file`` with a signature by ``key`` around it to ``signed`` (RFC 4880, 7).

    Raises SignatureError with what gpg said.
    """
    _sign(key, "--clearsign", file, signed)


def require_usable(key: Key) -> None:
    """Raise SignatureError when ``key`` has expired, was revoked, or is not for signing."""
    listed = _gpg(key.home, "--with-colons", "--list-secret-keys", "--", key.fingerprint)
    fields = next(line.split(":") for line in listed.splitlines() if line.startswith("sec:"))
    reason = {"e": "has expired", "r": "was revoked"}.get(fields[1], "")
    if not reason and "S" not in fields[11]:  # What the key and its subkeys can do together.
        reason = "is not for signing"
    if reason:
        raise SignatureError(
            f"the key {key.fingerprint} {reason}", hint="choose another one: SIGNING_KEY="
        )


def fingerprint(key: Key, file: Path) -> str:
    """The fingerprint of the public key in ``file``; ``key`` says where GnuPG may work."""
    try:
        listed = _gpg(key.home, "--with-colons", "--show-keys", str(file))
    except BuildError:
        listed = ""
    found = _FINGERPRINT.search(listed)
    if found is None:
        raise SignatureError(f"{file} is no public key", hint="restore it from a backup")
    return found[1]


def _sign(key: Key, how: str, file: Path, target: Path) -> None:
    # Without ! behind the fingerprint, which would keep gpg from taking a subkey.
    words = ["--yes", "--armor", "--digest-algo", "SHA512", "--local-user", key.fingerprint, how]
    try:
        _gpg(key.home, *words, "--output", str(target), str(file))
    except BuildError as error:
        raise SignatureError(
            f"the key {key.fingerprint} cannot sign",
            hint="it has expired, or its agent does not give the passphrase",
            detail=error.detail,
        ) from error


def public(key: Key) -> str:
    """The public part of ``key``, armored: what others need to trust it."""
    return _gpg(
        key.home, "--armor", "--export-options", "export-minimal", "--export", "--", key.fingerprint
    )


def check(file: Path, signature: Path, trusted: str) -> str:
    """The fingerprint of the key that signed ``file``, one of ``trusted`` (armored keys).

    Raises SignatureError when none of them did, or the key or the signature has expired.
    """
    with tempfile.TemporaryDirectory(prefix="airflow-deb-verify-") as name:
        home = Path(name)
        (home / "trusted.asc").write_text(trusted, encoding="utf-8")
        keyring = home / "trusted.gpg"
        try:
            _gpg(home, "--yes", "--output", str(keyring), "--dearmor", str(home / "trusted.asc"))
        except BuildError as error:
            raise SignatureError(
                "the trusted keys are not OpenPGP keys", hint="give another KEYRING"
            ) from error
        words = ["gpgv", "--homedir", str(home), "--keyring", str(keyring), "--status-fd", "1"]
        done = run([*words, str(signature), str(file)], check=False)
    # The last word is the key's own fingerprint, also when a subkey of it has signed.
    good = re.search(r"^\[GNUPG:\] VALIDSIG .* ([0-9A-F]{40})$", done.stdout, re.MULTILINE)
    if (
        good
        and done.status == 0
        and not re.search(
            r"^\[GNUPG:\] (EXP|REV)KEYSIG|^\[GNUPG:\] EXPSIG", done.stdout, re.MULTILINE
        )
    ):
        return good[1]
    raise SignatureError(f"{signature.name} {_explained(done.stdout)}")


def _explained(status: str) -> str:
    """What gpgv's status lines say is wrong with a signature."""
    if missing := re.search(r"^\[GNUPG:\] (?:ERRSIG|NO_PUBKEY) (\w+)", status, re.MULTILINE):
        return f"is by the key {missing[1]}, which is not trusted"
    for word, meaning in (
        ("BADSIG", "is not of these bytes"),
        ("EXPKEYSIG", "is by a key that has expired"),
        ("REVKEYSIG", "is by a key that was revoked"),
        ("EXPSIG", "has expired"),
    ):
        if f"[GNUPG:] {word}" in status:
            return meaning
    return "is no signature that gpgv can read"


def _home() -> Path:
    """Where the development key is: beside the user's data (XDG base directories)."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "airflow-deb" / "signing"


def _make(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, mode=0o700)
    try:
        # Without a date of expiry: it is renewed by deleting it.
        words = ["--batch", "--passphrase", "", "--quick-generate-key", DEVELOPMENT]
        _gpg(home, *words, "ed25519", "sign", "never")
    finally:
        _leave(home)
    (home / "made").touch()
    log.info(f"  made a development key to sign with, {_found(home, '')}, in {home}")
    log.info("  what others are to trust is signed with a key of yours: SIGNING_KEY=")


def _import(home: Path, file: Path) -> None:
    try:
        _gpg(home, "--import", str(file))
    except BuildError as error:
        raise UsageError(
            f"SIGNING_KEY={file} is no file with a secret key",
            hint="export one: gpg --armor --export-secret-keys FINGERPRINT",
            detail=error.detail,
        ) from error


def _found(home: Path | None, wanted: str) -> str:
    """The fingerprint of the one secret key in ``home``, in the user's keyring of ``wanted``."""
    words = ["--with-colons", "--list-secret-keys"]
    try:
        listed = _gpg(home, *words, *(["--", wanted] if home is None else []))
    except BuildError:
        listed = ""
    # Each key is a line `sec:` and the fingerprint behind it; subkeys have fingerprints too.
    keys = (
        [_FINGERPRINT.search(part) for part in listed.split("\nsec:")] if "sec:" in listed else []
    )
    found = sorted({match[1] for match in keys if match})
    if len(found) == 1:
        return found[0]
    what = f"names {len(found)} secret keys" if found else "names no secret key"
    raise UsageError(
        f"SIGNING_KEY={wanted} {what}", hint="write a fingerprint that gpg --list-secret-keys shows"
    )


def _gpg(home: Path | None, *words: str) -> str:
    where = ["--homedir", str(home)] if home is not None else []
    own = os.environ.get("GNUPGHOME")
    env = {"GNUPGHOME": own} if home is None and own else {}
    return run(["gpg", "--batch", "--no-tty", "--quiet", *where, *words], env=env).stdout


def _leave(home: Path) -> None:
    """End the agent that gpg has started for ``home``, which would outlive us."""
    run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
