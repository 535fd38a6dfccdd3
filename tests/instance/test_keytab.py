"""Kerberos: keytabs and credential caches are read right, and faults are explained."""

from __future__ import annotations

import base64
import json
import os
import random
import struct
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from airflow_instance import asuser, ccache, kerberos, keytab, keytab_check
from airflow_instance.asuser import Done
from airflow_instance.errors import HostError, InstanceError
from airflow_instance.kerberos import Settings
from airflow_instance.launch import Launch
from airflow_instance.site import Site

from .conftest import Run

DATA = Path(__file__).parent / "data"
USER = "airflow-team"
PRINCIPAL = f"{USER}/host.example.org"
KEYTAB = f"/etc/security/keytabs/{USER}/{USER}.keytab"
CCACHE = f"/srv/airflow-team/airflow_{USER}_krb5_ccache"


def counted(text: str, form: str = ">H") -> bytes:
    content = text.encode()
    return struct.pack(form, len(content)) + content


def entry(name: str, kvno: int, *, realm: str = "EXAMPLE.ORG", wide: bool = True) -> bytes:
    """An entry of a keytab, as MIT's ktadd writes it."""
    parts = name.split("/")
    content = struct.pack(">H", len(parts)) + counted(realm) + b"".join(map(counted, parts))
    content += struct.pack(">IIBHH", 1, 1_600_000_000, kvno & 0xFF, 18, 32) + b"k" * 32
    content += struct.pack(">I", kvno) if wide else b""
    return struct.pack(">i", len(content)) + content


def hole(size: int) -> bytes:
    return struct.pack(">i", -size) + b"\0" * size


def table(*entries: bytes) -> bytes:
    return b"\x05\x02" + b"".join(entries)


def test_a_keytab_of_mit() -> None:
    # Written by ktadd twice, of the first of which ktrem left a hole.
    data = base64.b64decode((DATA / "keytab.base64").read_text())
    (found,) = keytab.parse(data, "here")
    assert found.principal == "HTTP/b.example.org@EXAMPLE.ORG"
    assert (found.kvno, found.kind) == (3, "aes128-cts-hmac-sha1-96")
    assert found.stamp == datetime(2026, 11, 22, 20, 30, 10, tzinfo=timezone.utc)


def test_versions_of_keys_beyond_a_byte() -> None:
    data = table(entry("a", 300), entry("b", 44, wide=False), hole(9), entry("c", 0x100))
    assert [e.kvno for e in keytab.parse(data, "here")] == [300, 44, 256]


def test_the_old_format_in_this_machine_s_byte_order() -> None:
    def number(form: str, value: int) -> bytes:
        return struct.pack(f"={form}", value)

    content = number("H", 3)  # the realm is counted, too
    for text in ("EXAMPLE.ORG", "a", "b"):
        content += counted(text, "=H")
    content += number("I", 1) + b"\x07" + number("H", 17) + number("H", 2) + b"kk"
    (found,) = keytab.parse(b"\x05\x01" + number("i", len(content)) + content, "here")
    assert (found.principal, found.kvno, found.enctype) == ("a/b@EXAMPLE.ORG", 7, 17)


def test_odd_names_are_escaped() -> None:
    (found,) = keytab.parse(table(entry("we@ird\\", 1, realm="R\n\x1b[31m")), "here")
    assert found.principal == "we\\@ird\\\\@R\\n\\x1b[31m"


def test_every_truncation_and_damage_is_an_error_or_a_result() -> None:
    data = table(entry("a/b", 1), hole(5), entry("c", 2))
    whole = {2, 2 + len(entry("a/b", 1)), 2 + len(entry("a/b", 1)) + 9}
    for size in range(len(data)):
        if size in whole:
            assert len(keytab.parse(data[:size], "here")) < 2
        else:
            with pytest.raises(InstanceError, match="here is"):
                keytab.parse(data[:size], "here")
    # What was damaged in a way that still makes sense is read; nothing else is raised.
    chance = random.Random(1)  # noqa: S311 - no secret
    for _ in range(3000):
        damaged = bytearray(data)
        damaged[chance.randrange(2, len(data))] = chance.randrange(256)
        try:
            keytab.parse(bytes(damaged), "here")
        except InstanceError:
            continue


def test_zeros_at_the_end_are_the_end() -> None:
    assert len(keytab.parse(table(entry("a", 1)) + b"\0" * 100, "here")) == 1


def real_cache() -> bytes:
    return base64.b64decode((DATA / "ccache.base64").read_text())


def test_a_cache_of_mit() -> None:
    cache = ccache.parse(real_cache(), "here")
    assert cache.principal == "HTTP/b.example.org@EXAMPLE.ORG"
    assert cache.settings
    assert [t.server for t in cache.tickets] == ["krbtgt/EXAMPLE.ORG@EXAMPLE.ORG", cache.principal]
    assert cache.tgt is not None
    start = datetime(2026, 11, 22, 20, 31, 20, tzinfo=timezone.utc)
    assert cache.tgt.start == start
    assert (cache.tgt.end - start).total_seconds() == 300
    assert cache.tgt.renew_till is not None
    assert (cache.tgt.renew_till - start).total_seconds() == 86400


def test_truncated_caches() -> None:
    data = real_cache()
    whole = 0
    for size in range(len(data)):
        try:
            ccache.parse(data[:size], "here")
            whole += 1
        except InstanceError as error:
            assert "here is" in str(error)
    assert whole == 4  # none of the four credentials yet, one, two, three
    for wrong in (b"", b"\x05", b"\x05\x03" + data[2:], b"FILE"):
        with pytest.raises(InstanceError, match="no credential cache"):
            ccache.parse(wrong, "here")


def test_other_tickets_are_no_tgt() -> None:
    data = real_cache().replace(b"krbtgt\0\0\0\x0bEXAMPLE", b"krbtgt\0\0\0\x0bEXAMPLA")
    assert ccache.parse(data, "here").tgt is None


@pytest.fixture
def team(run: Run, site: Site) -> Site:
    assert run("create", "team", "--set", "airflow_config.core.security=kerberos") == 0
    return site


def put(site: Site, path: str, content: bytes, mode: int = 0o400) -> Path:
    real = site.layout.real(path)
    real.parent.mkdir(parents=True, exist_ok=True)
    real.unlink(missing_ok=True)
    real.write_bytes(content)
    real.chmod(mode)
    return real


def test_settings_are_those_of_the_rendered_files(
    team: Site, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kerberos.settings(team, "team") == Settings(PRINCIPAL, KEYTAB, CCACHE, "kinit", 3600)
    assert f'KRB5CCNAME="{CCACHE}"' in team.layout.real(
        "/etc/airflow/environment.d/team.env"
    ).read_text("utf-8")
    words = [
        "kerberos_realm=OTHER.ORG",
        "airflow_config.kerberos.keytab=FILE:/etc/100%.keytab",
        "airflow_config.kerberos.reinit_frequency=60",
        "airflow_config.kerberos.kinit_path=/opt/kinit",
        "environment_extra.AIRFLOW__KERBEROS__CCACHE=/run/x",
    ]
    assert run("set", "team", *words, "--apply") == 0
    expected = Settings(f"{PRINCIPAL}@OTHER.ORG", "/etc/100%.keytab", "/run/x", "/opt/kinit", 60)
    assert kerberos.settings(team, "team") == expected
    assert run("set", "team", "airflow_config.kerberos.principal=x/_HOST@R", "--apply") == 0
    found = kerberos.settings(team, "team")
    assert found is not None
    assert found.principal == "x/host.example.org@R"


def test_an_instance_without_kerberos(
    site: Site, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("create", "plain") == 0
    assert kerberos.settings(site, "plain") is None
    assert run("check-keytab", "plain") == 1
    assert "core.security=kerberos" in capsys.readouterr().err


def test_the_ticket(team: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    settings = kerberos.settings(team, "team")
    assert settings is not None
    assert kerberos.ticket(team, settings) is None
    put(team, CCACHE, real_cache(), 0o600)
    found = kerberos.ticket(team, settings)
    assert found is not None
    assert found.client == "HTTP/b.example.org@EXAMPLE.ORG"
    put(team, CCACHE, real_cache()[:100], 0o600)
    with pytest.raises(InstanceError, match="cut short"):
        kerberos.ticket(team, settings)


def check(run: Run, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capsys.readouterr()
    status = run("check-keytab", "team", *words)
    said = capsys.readouterr()
    assert len(said.err.splitlines()) <= 2, said.err
    return status, said.err + said.out


def test_what_is_wrong_with_the_file(
    team: Site, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    offline = (run, capsys, "--no-kdc")
    status, said = check(*offline)
    assert status == 1
    assert f"{KEYTAB}: there is no keytab for {PRINCIPAL}; ktadd -k {KEYTAB}" in said
    put(team, KEYTAB, b"nonsense")
    assert "is no keytab" in check(*offline)[1]
    put(team, KEYTAB, table(entry("other/x", 1), entry("more", 1)))
    status, said = check(*offline)
    assert status == 1
    assert f"no key of {PRINCIPAL}; it has other/x@EXAMPLE.ORG, more@EXAMPLE.ORG" in said
    put(team, KEYTAB, table())
    assert "it has no key at all" in check(*offline)[1]
    put(team, KEYTAB, table(entry(PRINCIPAL, 1)), 0o444)
    status, said = check(*offline)
    assert status == 1
    assert "everyone on this host can use it, mode 0444" in said
    assert f"chown {USER} {KEYTAB} and chmod 0400 {KEYTAB}" in said
    real = team.layout.real(KEYTAB)
    real.unlink()
    os.mkfifo(real, 0o600)
    assert "is no regular file" in check(*offline)[1]


def test_whose_the_file_is(team: Site) -> None:
    planned = Launch("", (), USER, 1001, 1001, "/", {})

    def found(mode: int, uid: int, gid: int) -> list[tuple[str, str]]:
        status = os.stat_result((0o100000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))
        return [(f.level, f.text) for f in keytab_check.access(KEYTAB, status, planned)]

    assert found(0o400, 1001, 1001) == found(0o440, 0, 1001) == found(0o440, 1001, 0) == []
    assert found(0o400, 4242, 1001) == [("error", f"{KEYTAB} belongs to user 4242, who can use it")]
    assert found(0o440, 1001, 77)[0][0] == "warning"
    assert found(0o404, 1001, 1001)[0][0] == "error"


class Kinit:
    """Stands for kinit, and for who runs it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = Done(0, "", "")
        self.cache = real_cache()
        self.launch: Launch | None = None
        monkeypatch.setattr(asuser, "run", self.run)
        monkeypatch.setattr("shutil.which", lambda name, path: f"/usr/bin/{name}")

    def run(self, site: Site, launch: Launch, **_: Any) -> Done:
        self.launch = launch
        if self.done.status == 0:
            Path(launch.arguments[launch.arguments.index("-c") + 1]).write_bytes(self.cache)
        return self.done


@pytest.fixture
def kinit(monkeypatch: pytest.MonkeyPatch, team: Site) -> Kinit:
    put(team, KEYTAB, table(entry(PRINCIPAL, 4), entry(PRINCIPAL, 7), entry("more", 9)))
    return Kinit(monkeypatch)


def test_a_key_that_the_kdc_accepts(
    team: Site, run: Run, capsys: pytest.CaptureFixture[str], kinit: Kinit
) -> None:
    assert run("set", "team", "airflow_config.kerberos.reinit_frequency=60", "--apply") == 0
    status, said = check(run, capsys)
    assert status == 0, said
    assert said == (
        f"{KEYTAB}: {PRINCIPAL}@EXAMPLE.ORG, key version 7; the KDC accepts it, "
        "tickets are good for 300 s\n"
    )
    assert kinit.launch is not None
    words = list(kinit.launch.arguments)
    cache = words[words.index("-c") + 1]
    assert words == [*("/usr/bin/kinit", "-r", "60m", "-k", "-t", KEYTAB, "-c", cache, PRINCIPAL)]
    # The trial's ticket is gone, and was never where the instance's is.
    assert not Path(cache).parent.exists()
    assert not team.layout.real(CCACHE).exists()
    assert kinit.launch.environment["LC_ALL"] == "C"


def test_tickets_that_will_not_do(
    team: Site, run: Run, capsys: pytest.CaptureFixture[str], kinit: Kinit
) -> None:
    status, said = check(run, capsys)
    assert status == 0
    assert "are good for 300 s and renewed every 3600 s only" in said
    assert "key version 7; the KDC accepts it" in said
    # Flags RIA, without the R.
    flags = struct.pack(">BI", 0, 0x00E10000)
    assert kinit.cache.count(flags) == 1
    kinit.cache = kinit.cache.replace(flags, struct.pack(">BI", 0, 0x00610000))
    status, said = check(run, capsys)
    assert status == 1
    assert "tickets that cannot be renewed" in said
    assert "modprinc -maxrenewlife" in said


@pytest.mark.parametrize(
    ("words", "status", "said", "hint"),
    [
        ("Preauthentication failed while …", 1, "does not accept key version 7", "newest keytab"),
        ("Password incorrect while …", 1, "does not accept key version 7", "ktadd -k"),
        ("Client 'x' not found in Kerberos database", 1, "does not know", "addprinc -randkey"),
        ("Client's credentials have been revoked", 1, "is locked or has expired", "getprinc"),
        ("Clock skew too great while …", 1, "clocks", "timedatectl"),
        ("Cannot find KDC for realm", 1, "nothing says where the KDC of EXAMPLE.ORG", "[realms]"),
        ("Configuration file does not specify default realm", 1, "has no realm", "kerberos_realm"),
        ("KDC has no support for encryption type", 1, "aes256-cts-hmac-sha1-96", "ktadd"),
        ("Something new", 1, "kinit: Something new", "kinit -V -k -t"),
        ("Cannot contact any KDC for realm", 0, "no KDC of EXAMPLE.ORG answers", "/etc/krb5.conf"),
    ],
)
def test_kinit_s_words_are_explained(
    words: str,
    status: int,
    said: str,
    hint: str,
    team: Site,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    kinit: Kinit,
) -> None:
    kinit.done = Done(1, "", f"kinit: {words}\n")
    found, text = check(run, capsys)
    assert found == status
    assert said in text
    assert hint in text.splitlines()[0].partition("; ")[2]


def test_a_kdc_that_is_silent_is_a_warning(
    team: Site, run: Run, capsys: pytest.CaptureFixture[str], kinit: Kinit
) -> None:
    kinit.done = Done(asuser.TIMED_OUT, "", "")
    status, said = check(run, capsys)
    assert status == 0
    assert "warning: no KDC of EXAMPLE.ORG answers" in said


def test_no_kinit(
    team: Site,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    kinit: Kinit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    status, said = check(run, capsys)
    assert status == 1
    assert "there is no kinit; apt install krb5-user" in said


def test_findings_for_other_commands(
    team: Site, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    assert run("check-keytab", "team", "--json", "--no-kdc") == 1
    out = capsys.readouterr().out
    assert "there is no keytab" in json.loads(out)["findings"][0]["text"]
    asked: list[Launch] = []

    def answer(status: int, text: str) -> Callable[..., Done]:
        def run(site: Site, launch: Launch, **_: object) -> Done:
            asked.append(launch)
            return Done(status, text, "it broke\n")

        return run

    monkeypatch.setattr(asuser, "run", answer(1, out))
    (found,) = kerberos.findings(team, "team", ask_kdc=False)
    assert (found.level, found.hint.split()[0]) == ("error", "ktadd")
    assert asked[0].arguments[-4:] == ("check-keytab", "--json", "team", "--no-kdc")
    assert asked[0].program == asked[0].arguments[0] == sys.executable
    monkeypatch.setattr(asuser, "run", answer(1, ""))
    with pytest.raises(HostError, match="could not be checked: it broke"):
        kerberos.findings(team, "team", ask_kdc=True)
