"""The SBOM of a package: CycloneDX JSON, made and checked with CycloneDX's own library.

The same package has the same bytes of SBOM: its time is the package's, its serial
number is made of the .deb's sha256. Every Python distribution inside is a component
with the file that it was locked to; so is every Debian package that it depends on.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from . import requires
from .contents import Contents, Relation
from .errors import VerifyError

_SCHEMA = SchemaVersion.V1_6
# For uuid5, so that a serial number is one of ours: any constant does.
_NAMESPACE = uuid.UUID("6f0b7a3e-5c0d-5d0e-9a57-2f6f1a0c9b41")
_SCOPES = {
    "Pre-Depends": ComponentScope.REQUIRED,
    "Depends": ComponentScope.REQUIRED,
    "Recommends": ComponentScope.OPTIONAL,
}


def make(
    contents: Contents, *, sha256: str, suite: str, python: str, asked: Iterable[str], epoch: int
) -> str:
    """The SBOM of the package with ``contents``, whose .deb has ``sha256``.

    ``asked`` are the requirements that its lock was resolved from, ``epoch`` its
    SOURCE_DATE_EPOCH. Raises VerifyError when CycloneDX's schema does not accept it.
    """
    package = _package(contents, sha256, suite)
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, sha256))
    bom.metadata = BomMetaData(
        component=package,
        timestamp=datetime.datetime.fromtimestamp(epoch, datetime.UTC),
        tools=ToolRepository(
            components=[Component(name="airflow-deb", type=ComponentType.APPLICATION)]
        ),
    )
    ours = {str(item["name"]): _distribution(item) for item in contents.inventory}
    relations = contents.relations(*_SCOPES)
    theirs = {
        name: _debian(name, [r for r in relations if r.name == name], suite)
        for name in {relation.name for relation in relations}
    }
    bom.components.update([*ours.values(), *theirs.values()])
    edges = requires.edges(contents.requires, asked if ours else (), python)
    for name, component in ours.items():
        needed = [ours[e.name] for e in edges if e.by == name and e.name in ours]
        bom.register_dependency(component, needed)
    asked_for = [ours[edge.name] for edge in edges if not edge.by and edge.name in ours]
    bom.register_dependency(package, [*asked_for, *theirs.values()])
    text = make_outputter(bom, OutputFormat.JSON, _SCHEMA).output_as_string(indent=1) + "\n"
    check(text)
    return text


def check(text: str) -> None:
    """Raise VerifyError when ``text`` is no SBOM by CycloneDX's own schema."""
    # Its import makes a grammar for two seconds, which no other command is to wait for.
    from cyclonedx.validation.json import JsonStrictValidator

    wrong = JsonStrictValidator(_SCHEMA).validate_str(text)
    if wrong is not None:
        said = str(wrong).splitlines()
        raise VerifyError(f"the SBOM is not CycloneDX {_SCHEMA.to_version()}: {said[0][:200]}")


def differences(document: Mapping[str, Any], contents: Contents, sha256: str) -> list[str]:
    """Where the parsed SBOM ``document`` is not about the package with ``contents``."""
    found = []
    about = document.get("metadata", {}).get("component", {})
    for what, said, true in (
        ("the package", about.get("name"), contents.control["Package"]),
        ("the version", about.get("version"), contents.control["Version"]),
        ("the sha256", _sha256(about), sha256),
    ):
        if said != true:
            found.append(f"{what} is {true}, the SBOM has {said}")
    components = document.get("components", [])
    listed = {
        (c["name"], c.get("version"), _sha256(c))
        for c in components
        if c.get("purl", "").startswith("pkg:pypi/")
    }
    inside = {(str(i["name"]), str(i["version"]), str(i["sha256"])) for i in contents.inventory}
    found += [
        f"{name} {version} is not in the SBOM" for name, version, _ in sorted(inside - listed)
    ]
    found += [f"{n} {v} of the SBOM is not inside" for n, v, _ in sorted(listed - inside, key=str)]
    debian = {c["name"] for c in components if c.get("purl", "").startswith("pkg:deb/")}
    named = {relation.name for relation in contents.relations(*_SCOPES)}
    found += [
        f"the SBOM does not name the Debian package {name}" for name in sorted(named - debian)
    ]
    return found + [f"the package does not name {name}" for name in sorted(debian - named)]


def _sha256(component: Mapping[str, Any]) -> str | None:
    return next((h["content"] for h in component.get("hashes", []) if h["alg"] == "SHA-256"), None)


def _package(contents: Contents, sha256: str, suite: str) -> Component:
    control = contents.control
    qualifiers = {"arch": control["Architecture"], "distro": suite}
    purl = PackageURL("deb", "airflow-deb", control["Package"], control["Version"], qualifiers)
    return Component(
        name=control["Package"],
        version=control["Version"],
        type=ComponentType.APPLICATION,
        description=control["Description"].splitlines()[0],
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )


def _distribution(item: Mapping[str, Any]) -> Component:
    """A line of the inventory: what was taken from the index, and how.

    Its home page is left out: that each is an address CycloneDX's validator takes
    twenty times as long to see as all the rest.
    """
    purl = PackageURL("pypi", None, str(item["name"]), str(item["version"]))
    return Component(
        name=str(item["name"]),
        version=str(item["version"]),
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=str(item["sha256"]))],
        licenses=[LicenseFactory().make_from_string(str(item["licence"]))],
        properties=[
            Property(name="airflow-deb:file", value=str(item["source"])),
            Property(name="airflow-deb:kind", value=str(item["kind"])),
            Property(name="airflow-deb:size", value=str(item["size"])),
        ],
    )


def _debian(name: str, relations: Sequence[Relation], suite: str) -> Component:
    """A Debian package: which version it is the host decides, within the relations."""
    purl = PackageURL("deb", "debian", name, qualifiers={"distro": suite})
    return Component(
        name=name,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        scope=_SCOPES[relations[0].field],
        properties=[Property(name=f"airflow-deb:{r.field}", value=r.text) for r in relations],
    )
