"""The signing key, with the real GnuPG: found, made, used, and what is refused."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from tests.provenance.conftest import generate, gpg

from airflow_deb import signing
from airflow_deb.errors import SignatureError, UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "SHA256SUMS"
    path.write_text("what is signed\n")
    return path


def test_without_a_setting_a_key_is_made_once_and_said(
    file: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for _ in range(2):
        with signing.key("") as key:
            signing.sign(key, file, file.with_suffix(".asc"))
            found.append((key.fingerprint, key.development, signing.public(key)))
    assert found[0] == found[1]
    fingerprint, development, public = found[0]
    assert development
    assert signing.check(file, file.with_suffix(".asc"), public) == fingerprint
    assert capsys.readouterr().out.count(f"made a development key to sign with, {fingerprint}") == 1
    assert stat.S_IMODE((data / "airflow-deb" / "signing").stat().st_mode) == 0o700
    assert "PRIVATE" not in public


def test_no_agent_outlives_its_use(file: Path, data: Path) -> None:
    with signing.key("") as key:
        signing.sign(key, file, file.with_suffix(".asc"))
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(data) not in running.stdout


def test_a_key_of_the_users_own_keyring(
    file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = generate(home, "release <release@example.org>")
    generate(home, "other <other@example.org>")
    monkeypatch.setenv("GNUPGHOME", str(home))
    for wanted in (fingerprint, "release@example.org"):
        with signing.key(wanted) as key:
            assert (key.fingerprint, key.development) == (fingerprint, False)
            assert key.environment == {"GNUPGHOME": str(home)}
            signing.sign(key, file, file.with_suffix(".asc"))
            public = signing.public(key)
        assert signing.check(file, file.with_suffix(".asc"), public) == fingerprint
    with pytest.raises(UsageError, match="names 2 secret keys"), signing.key("example.org"):
        pass


def test_a_file_with_a_secret_key_leaves_nothing_behind(
    file: Path, home: Path, tmp_path: Path
) -> None:
    fingerprint = generate(home, "ci <ci@example.org>")
    secret = tmp_path / "secret.asc"
    secret.write_text(gpg(home, "--armor", "--export-secret-keys"))
    with signing.key(str(secret)) as key:
        assert key.fingerprint == fingerprint
        signing.sign(key, file, file.with_suffix(".asc"))
        used, public = key.home, signing.public(key)
    assert used is not None and not used.exists()
    assert signing.check(file, file.with_suffix(".asc"), public) == fingerprint


def test_a_key_that_is_not_there(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNUPGHOME", str(home))
    with pytest.raises(UsageError, match="names no secret key"), signing.key("nobody@example.org"):
        pass
    broken = tmp_path / "broken.asc"
    broken.write_text("no key\n")
    for name in (str(broken), str(tmp_path / "missing.asc")):
        with pytest.raises(UsageError, match="is no file with a secret key"), signing.key(name):
            pass


def test_what_is_no_valid_signature(file: Path, home: Path) -> None:
    signature = file.with_suffix(".asc")
    with signing.key("") as key:
        signing.sign(key, file, signature)
        public = signing.public(key)
    generate(home, "somebody else")
    other = gpg(home, "--armor", "--export")
    with pytest.raises(SignatureError, match=r"is by the key .* which is not trusted"):
        signing.check(file, signature, other)
    with pytest.raises(SignatureError, match="not OpenPGP keys"):
        signing.check(file, signature, "no keys")
    file.write_text("what is signed!\n")
    with pytest.raises(SignatureError, match="is not of these bytes"):
        signing.check(file, signature, public)
    signature.write_text("no signature")
    with pytest.raises(SignatureError, match="no signature that gpgv can read"):
        signing.check(file, signature, public)


def test_an_expired_key_neither_signs_nor_vouches(
    file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    then = "20200101T000000!"
    fingerprint = generate(home, "old", expires="1y", faked=then)
    signature = file.with_suffix(".asc")
    gpg(home, "--faked-system-time", then, "--armor", "--output", str(signature), "-b", str(file))
    public = gpg(home, "--armor", "--export")
    with pytest.raises(SignatureError, match="by a key that has expired"):
        signing.check(file, signature, public)
    monkeypatch.setenv("GNUPGHOME", str(home))
    with signing.key(fingerprint) as key, pytest.raises(SignatureError, match="cannot sign"):
        signing.sign(key, file, signature)
