"""What a package was built from and by what: an in-toto statement with SLSA provenance v1.

Its subjects are the package's files by sha256. What was resolved is complete: the
commit, both locks and every file in them, every Debian package of the root. How the
fields are filled is in docs/provenance.md. Pure but for `gather`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import (  # type: ignore[import-untyped]
    Provenance,
)
from in_toto_attestation.v1.statement import (  # type: ignore[import-untyped]
    STATEMENT_TYPE_URI,
    Statement,
)
from packageurl import PackageURL

from . import roots, stage
from .binary import Binary
from .commit import Commit
from .errors import VerifyError
from .lockfile import Lock
from .paths import Paths
from .stage import Recipe

PREDICATE = "https://slsa.dev/provenance/v1"
# Names of ours, explained in docs/provenance.md.
BUILD_TYPE = "urn:airflow-deb:make-deb:1"
PLUGIN_TYPE = "urn:airflow-deb:make-plugin:1"
BUILDER = "urn:airflow-deb:builder"


@dataclass(frozen=True, kw_only=True)
class Made:
    """How a package was made, beside its recipe.

    ``commit`` is None when the checkout has no git directory; ``builder`` is the hash
    of the builder's own code; ``tools`` are the versions of the programs it called;
    ``debian`` are the root's packages with the sha256 of each .deb; times are UTC, as
    records have them.
    """

    commit: Commit | None
    builder: str
    tools: Mapping[str, str]
    debian: Sequence[tuple[roots.Package, str]]
    started: str
    finished: str


def gather(
    paths: Paths, source: Commit | None, root: roots.Root, started: str, finished: str
) -> Made:
    """What is to be known of a build of ``source`` in ``root``; hashes the root's packages."""
    code = stage.read_tree(paths.project / "build")
    digest = hashlib.sha256()
    for name, (mode, content) in sorted(code.items()):
        digest.update(f"{name} {mode:o} {len(content)}\0".encode() + content)
    return Made(
        commit=source,
        builder=digest.hexdigest(),
        tools={"python": platform.python_version(), "uv": importlib.metadata.version("uv")},
        debian=hashed(paths, root),
        started=started,
        finished=finished,
    )


def hashed(paths: Paths, root: roots.Root) -> list[tuple[roots.Package, str]]:
    """The packages that ``root`` was made of, each with the sha256 of its .deb."""
    return [(p, _sha256(p.file.read_bytes())) for p in roots.packages(root.kept(paths))]


def statement(recipe: Recipe, binary: Binary, made: Made, subjects: Mapping[str, str]) -> str:
    """The statement about ``subjects``, file names with their sha256, as JSON.

    Raises VerifyError when it does not fit in-toto's or SLSA's own definition.
    """
    locks = (recipe.lock, recipe.tools) if binary.is_airflow else ()
    return render(
        {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "version": recipe.cell.version.name,
                "suite": recipe.cell.suite.name,
                "package": binary.name,
                "lock": "security" if recipe.cell.security else "",
                "compression": ":".join(map(str, recipe.compression)),
            },
            "internalParameters": {
                "key": recipe.key(binary),
                "sourceDateEpoch": str(recipe.epoch),
            },
            "resolvedDependencies": dependencies(recipe, locks, made),
        },
        made,
        subjects,
    )


def render(definition: Mapping[str, Any], made: Made, subjects: Mapping[str, str]) -> str:
    """A statement with SLSA's build ``definition``; as `statement`."""
    document = {
        "_type": STATEMENT_TYPE_URI,
        "subject": [
            {"name": name, "digest": {"sha256": sha256}}
            for name, sha256 in sorted(subjects.items())
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": definition,
            "runDetails": {
                "builder": {
                    "id": BUILDER,
                    "version": {"code": made.builder, **made.tools},
                },
                "metadata": {"startedOn": made.started, "finishedOn": made.finished},
            },
        },
    }
    check(document)
    return json.dumps(document, indent=1) + "\n"


def check(document: Mapping[str, Any]) -> None:
    """Raise VerifyError when ``document`` is no in-toto statement with SLSA provenance v1."""
    try:
        statement = Statement([], "", {})
        json_format.ParseDict(dict(document), statement.pb)
        statement.validate()
        if document["predicateType"] != PREDICATE:
            raise ValueError(f"its predicate is {document['predicateType']!r}")
        json_format.ParseDict(document["predicate"], Provenance())
    except (ValueError, KeyError, json_format.ParseError) as error:
        what = str(error).splitlines()[0]
        raise VerifyError(f"no in-toto statement with SLSA provenance: {what}") from error


def load(path: Path) -> dict[str, Any]:
    """The statement in the file at ``path``; VerifyError for what is none (see `check`)."""
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check(document)
    except (ValueError, TypeError, AttributeError) as error:
        raise VerifyError(f"{path.name} is no JSON: {error}") from error
    return document


def key(document: Mapping[str, Any]) -> str:
    """The key of the recipe (`Recipe.key`) that a checked statement is about."""
    return str(document["predicate"]["buildDefinition"]["internalParameters"].get("key", ""))


def parameters(document: Mapping[str, Any]) -> Mapping[str, str]:
    """What make was asked for: version, suite, package and compression."""
    found: Mapping[str, str] = document["predicate"]["buildDefinition"]["externalParameters"]
    return found


def is_plugin(document: Mapping[str, Any]) -> bool:
    """Whether a checked statement is about a package of `make plugin`."""
    return str(document["predicate"]["buildDefinition"].get("buildType")) == PLUGIN_TYPE


def commit_of(document: Mapping[str, Any]) -> str:
    """The commit in a checked statement, empty when none is known."""
    for entry in document["predicate"]["buildDefinition"]["resolvedDependencies"]:
        if "gitCommit" in entry.get("digest", {}):
            return str(entry["digest"]["gitCommit"])
    return ""


def note(document: Mapping[str, Any]) -> str:
    """What is to be said behind the commit of a checked statement: files it did not have."""
    for entry in document["predicate"]["buildDefinition"]["resolvedDependencies"]:
        changed = entry.get("annotations", {}).get("changed", [])
        if changed:
            return f" with {len(changed)} files changed, the first {changed[0]}"
    return ""


def debian(document: Mapping[str, Any]) -> dict[str, str]:
    """The root's packages in a checked statement: the sha256 of each by its purl."""
    entries = document["predicate"]["buildDefinition"]["resolvedDependencies"]
    return {
        str(entry["uri"]): str(entry["digest"]["sha256"])
        for entry in entries
        if entry.get("uri", "").startswith("pkg:deb/")
    }


def dependencies(recipe: Recipe, locks: Iterable[Lock], made: Made) -> list[dict[str, Any]]:
    """Resource descriptors: where from is known by purl, which bytes by digest."""
    found: list[dict[str, Any]] = []
    if made.commit is not None:
        source: dict[str, Any] = {"name": "source", "digest": {"gitCommit": made.commit.id}}
        if made.commit.changed:
            # Then the commit does not say what was built; the key still does.
            source["annotations"] = {"changed": list(made.commit.changed)}
        found.append(source)
    for lock in locks:
        found += _locked(lock)
    uris = purls(recipe, made.debian)
    return found + [{"uri": uri, "digest": {"sha256": sha256}} for uri, sha256 in uris.items()]


def purls(recipe: Recipe, packages: Iterable[tuple[roots.Package, str]]) -> dict[str, str]:
    """The sha256 of each of a root's ``packages`` by its purl."""
    found = {}
    for package, sha256 in packages:
        qualifiers = {"arch": package.architecture, "distro": recipe.cell.suite.name}
        purl = PackageURL("deb", "debian", package.name, package.version, qualifiers)
        found[purl.to_string()] = sha256
    return found


def _locked(lock: Lock) -> list[dict[str, Any]]:
    """A lock, and every file in it."""
    # plugins.lock is for all versions.
    version = "" if lock.version == "requirements" else f"{lock.version}/"
    name = f"requirements/{version}{lock.path.name}"
    entries: list[dict[str, Any]] = [
        {"name": name, "digest": {"sha256": _sha256(lock.render().encode())}}
    ]
    for file in lock.files:
        purl = PackageURL("pypi", None, file.name, file.version)
        entries.append(
            {
                "name": file.filename,
                "uri": purl.to_string(),
                "digest": {"sha256": file.sha256},
                "annotations": {"lock": name},
            }
        )
    return entries


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
