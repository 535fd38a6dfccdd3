"""What the apt of every suite does with the repository, in a booted Debian of it."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from tests.repo import workshop
from tests.repo.conftest import VERSIONS, take
from tests.repo.host import PREFERENCES, SOURCES, Host
from tests.repo.workshop import Workshop

from airflow_deb.repository import KEYRING_ON_HOST


def full(host: Host, version: str) -> str:
    """The Debian version of ``version`` on the host's suite."""
    return f"{version}-1{host.suite.deb_suffix}1"


def both(host: Host, version: str) -> dict[str, str]:
    """What is installed when airflow is, of ``version``, with what it recommends."""
    return {"airflow": full(host, version), "airflow-instances": full(host, version)}


def command(host: Host) -> str:
    """What /usr/bin/airflow prints: it is the very file of the package."""
    return host.machine.call(["airflow"]).stdout.strip()


def available(host: Host, package: str) -> list[str]:
    """The versions of ``package`` that apt knows, the newest first."""
    return re.findall(
        r"^ *\S+ \| (\S+) \|",
        host.machine.shell(f"apt-cache madison {package}").stdout,
        re.MULTILINE,
    )


def test_install_roll_back_stay_in_a_line_and_upgrade(
    host: Host, shop: Workshop, built: Path
) -> None:
    """The life of a host, from what `make serve` prints to the newest version."""
    first, patch, other = VERSIONS[host.suite.name]
    take(built, shop, host.suite.name, other)
    shop.done("repo")
    host.obey(host.serve(shop))

    host.apt("update")
    host.apt("install", "airflow")
    assert host.versions() == both(host, other)
    assert command(host) == full(host, other)

    host.apt("install", "--allow-downgrades", f"airflow={full(host, first)}")
    assert host.versions() == {**both(host, other), "airflow": full(host, first)}
    assert command(host) == full(host, first)

    line = first.rpartition(".")[0]
    pin = f"Package: airflow airflow-instances\nPin: version {line}.*\nPin-Priority: 990\n"
    host.machine.write(PREFERENCES, pin)
    take(built, shop, host.suite.name, patch)
    shop.done("repo")
    host.apt("update")
    host.apt("upgrade")
    assert host.versions() == {**both(host, other), "airflow": full(host, patch)}
    assert command(host) == full(host, patch)

    host.machine.shell(f"rm {PREFERENCES}")
    host.apt("upgrade")
    assert host.versions() == both(host, other)
    expected = [full(host, version) for version in (other, patch, first)]
    assert available(host, "airflow") == available(host, "airflow-instances") == expected


def test_testing_is_for_who_asks_until_it_is_promoted(
    host: Host, shop: Workshop, built: Path
) -> None:
    first, patch, _ = VERSIONS[host.suite.name]
    take(built, shop, host.suite.name, patch)
    shop.done("repo", TO="testing")
    host.obey(host.serve(shop))
    host.apt("update")
    assert available(host, "airflow") == [full(host, first)]

    stable = host.machine.read(SOURCES)
    name = host.suite.name
    host.machine.write(SOURCES, stable.replace(f"Suites: {name}", f"Suites: {name} {name}-testing"))
    host.apt("update")
    host.apt("install", "airflow")
    assert host.versions() == both(host, patch)

    host.machine.write(SOURCES, stable)
    shop.done("promote", VERSION=patch)
    # As if the next publication were made within the same second: hosts must see that one too.
    soon = time.time() + 5
    os.utime(shop.repo / "dists" / name / "InRelease", (soon, soon))
    host.apt("update")
    assert available(host, "airflow") == [full(host, patch), full(host, first)]

    shop.done("retract", VERSION=patch)
    host.apt("update")
    assert available(host, "airflow") == [full(host, first)]
    host.apt("install", "--allow-downgrades", f"airflow={full(host, first)}")
    assert command(host) == full(host, first)


@pytest.mark.parametrize("suite", ["bookworm"], indirect=True)
def test_a_named_package_is_installed_beside(host: Host, shop: Workshop, built: Path) -> None:
    take(built, shop, "bookworm", "2.11.2")
    shop.done("repo")
    host.obey(host.serve(shop))
    host.apt("update")
    host.apt("install", "airflow-2.11")
    version = full(host, "2.11.2")
    assert host.versions() == {"airflow-2.11": version, "airflow-instances": version}


def doctored(shop: Workshop) -> Path:
    """A copy of the workshop's repository, to be spoilt."""
    copy = shop.path / "spoilt"
    shutil.copytree(shop.repo, copy, symlinks=True)
    return copy


def test_a_tampered_package_is_refused(host: Host, shop: Workshop) -> None:
    """One of the same size, which only its sha256 gives away."""
    repo = doctored(shop)
    for deb in repo.glob("pool/main/a/airflow/airflow_*.deb"):
        content = deb.read_bytes()
        deb.unlink()  # It is a link to the same bytes elsewhere.
        deb.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    host.obey(host.serve(shop, repo))
    host.apt("update")
    assert "Hash Sum mismatch" in host.refusal("install", "airflow")
    assert host.versions() == {}


def test_an_unsigned_index_is_refused(host: Host, shop: Workshop) -> None:
    repo = doctored(shop)
    for path in [*repo.glob("dists/*/InRelease"), *repo.glob("dists/*/Release.gpg")]:
        path.unlink()
    host.obey(host.serve(shop, repo))
    assert "is not signed" in host.refusal("update")
    unknown(host)


def test_a_changed_index_is_refused(host: Host, shop: Workshop) -> None:
    """What is signed is something else."""
    repo = doctored(shop)
    for release in repo.glob("dists/*/InRelease"):
        text = release.read_text(encoding="utf-8")
        release.write_text(
            text.replace("Label: airflow-deb", "Label: airflow-bed"), encoding="utf-8"
        )
    host.obey(host.serve(shop, repo))
    assert re.search("BADSIG|manipulated", host.refusal("update"))
    unknown(host)


def test_a_changed_list_of_packages_is_refused(host: Host, shop: Workshop) -> None:
    """What is signed is as it was, and names another one."""
    repo = doctored(shop)
    for path in (repo / "dists").resolve().glob("*/main/binary-amd64/**/*"):
        if path.is_file():
            content = path.read_bytes()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if content else b"")
    host.obey(host.serve(shop, repo))
    assert "Hash Sum mismatch" in host.refusal("update")
    unknown(host)


def test_an_expired_index_is_refused(host: Host, shop: Workshop) -> None:
    repo = doctored(shop)
    old = "Valid-Until: Sat, 01 Feb 2020 00:00:00 UTC"
    workshop.resign(shop, repo, lambda text: re.sub("Valid-Until: .*", old, text))
    host.obey(host.serve(shop, repo))
    assert "is expired" in host.refusal("update")
    unknown(host)


def test_the_index_of_another_key_is_refused(host: Host, shop: Workshop) -> None:
    repo = doctored(shop)
    workshop.resign(shop, repo, lambda text: text, shop.generate("somebody else"))
    host.obey(host.serve(shop, repo))
    said = host.refusal("update")
    assert re.search("NO_PUBKEY|Missing key", said), said
    unknown(host)


def test_another_key_on_the_host_is_refused(host: Host, shop: Workshop) -> None:
    host.obey(host.serve(shop))
    other = shop.gpg("--armor", "--export", shop.generate("somebody else"))
    host.machine.write(KEYRING_ON_HOST, other)
    said = host.refusal("update")
    assert re.search("NO_PUBKEY|Missing key", said), said
    unknown(host)


def test_a_signing_subkey_is_good(host: Host, shop: Workshop) -> None:
    """The primary key may be offline: GnuPG signs with a subkey then, and apt takes it."""
    shop.gpg("--passphrase", "", "--quick-generate-key", "offline", "ed25519", "cert", "never")
    listed = shop.gpg("--with-colons", "--list-secret-keys", "offline")
    primary = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    shop.gpg("--passphrase", "", "--quick-add-key", primary, "ed25519", "sign", "never")
    shutil.rmtree(shop.repo)
    shop.done("repo", SIGNING_KEY=primary)
    host.obey(host.serve(shop))
    host.apt("update")
    host.apt("install", "airflow")
    assert "airflow" in host.versions()


def unknown(host: Host) -> None:
    """Assert that apt knows nothing of what was refused."""
    assert "Unable to locate package airflow" in host.refusal("install", "airflow")


@pytest.mark.parametrize("suite", ["bookworm"], indirect=True)
@pytest.mark.parametrize("path", [".state/1/catalogue.json", ".state/lock", "../../versions.sh"])
def test_what_is_not_for_hosts_is_not_served(host: Host, shop: Workshop, path: str) -> None:
    host.serve(shop)
    fetch = "/usr/lib/apt/apt-helper download-file"
    url = "http://127.0.0.1:8000"
    host.machine.shell(f"{fetch} {url}/airflow-archive-keyring.asc /tmp/key")
    done = host.machine.shell(f"{fetch} {url}/{path} /tmp/hidden", check=False)
    assert done.status != 0
    assert "404" in done.stdout + done.stderr
