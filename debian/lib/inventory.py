"""Write the inventory: every distribution inside, where from, which licence.

It is made from what is installed, and compared with the lock: a distribution
too many or too few stops the build. Two files come of it, one for people and
one (JSON) for programs.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict, dataclass
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path

from dists import Distribution, distributions, read_lock

_LICENCE_FILE = re.compile(r"(^|/)(licen[cs]e|copying|copyright|notice)[^/]*$", re.IGNORECASE)
_LONGEST = 100


@dataclass(frozen=True)
class Item:
    """One distribution of the package."""

    name: str
    version: str
    licence: str
    licence_files: list[str]
    homepage: str
    source: str
    kind: str
    size: int
    sha256: str


def licence(metadata: Message) -> str:
    """The licence as the distribution's metadata states it.

    First the field made for it (PEP 639), then the classifiers, which are of
    a fixed vocabulary, then the free text, of which some put the whole
    licence there.
    """
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classified = [
        str(value).split(" :: ")[-1]
        for value in metadata.get_all("Classifier", [])
        if str(value).startswith("License ::")
    ]
    named = [name for name in classified if name != "OSI Approved"]
    if named:
        return " or ".join(sorted(set(named)))
    text = str(metadata.get("License", "")).strip()
    first = text.splitlines()[0].strip() if text else ""
    if not first or first.upper() == "UNKNOWN":
        return "not stated in the metadata"
    return first if len(first) <= _LONGEST else first[:_LONGEST].rstrip() + "…"


def item(dist: Distribution, source: dict[str, object], prefix: str) -> Item:
    """Describe one distribution from its metadata and its locked file."""
    text = (dist.info / "METADATA").read_text(encoding="utf-8", errors="replace")
    metadata = HeaderParser().parsestr(text)
    files = [row.path for row in dist.rows() if _LICENCE_FILE.search(row.path)]
    site = f"{prefix}/lib/{dist.site.parent.name}/site-packages"
    return Item(
        name=dist.name,
        version=dist.version,
        licence=licence(metadata),
        licence_files=sorted(f"{site}/{path}" for path in files if not path.startswith("../")),
        homepage=str(metadata.get("Home-page") or ""),
        source=str(source["file"]),
        kind=str(source["kind"]),
        size=int(str(source["size"])),
        sha256=str(source["sha256"]),
    )


def check(installed: dict[str, str], locked: dict[str, str]) -> None:
    """Installed set and lock must be the same, name by name."""
    wrong = [
        f"{name}: locked {locked.get(name, 'not at all')}, installed {installed.get(name, 'not')}"
        for name in sorted(installed.keys() | locked.keys())
        if installed.get(name) != locked.get(name)
    ]
    if wrong:
        raise SystemExit("\n".join(f"inventory: {line}" for line in wrong))


def readable(items: list[Item], title: str, share: str) -> str:
    """The inventory as text: two lines for each distribution."""
    lines = [title, "=" * len(title), ""]
    lines += [
        "Each entry: name, version, licence as its metadata states it; then the file that",
        "it was locked to and that file's SHA-256. An sdist was built into a wheel from",
        "source; a wheel was taken as published. The licence texts are in the *.dist-info",
        f"directories; the JSON inventory in {share} names each of them.",
        "",
    ]
    for one in items:
        lines.append(f"{one.name} {one.version}  [{one.licence}]")
        lines.append(f"    {one.source}  sha256:{one.sha256}")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("lock", type=Path)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--prefix", required=True, help="the tree's path once installed")
    parser.add_argument("--share", required=True, help="the JSON's directory once installed")
    parser.add_argument("--title", required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--json", type=Path, required=True)
    options = parser.parse_args()

    dists = distributions(options.tree)
    check({dist.name: dist.version for dist in dists}, read_lock(options.lock))
    sources = {entry["name"]: entry for entry in json.loads(options.sources.read_text("utf-8"))}
    if missing := [dist.name for dist in dists if dist.name not in sources]:
        raise SystemExit(f"{options.sources}: nothing about {', '.join(missing)}")
    items = [item(dist, sources[dist.name], options.prefix) for dist in dists]
    options.text.parent.mkdir(parents=True, exist_ok=True)
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.text.write_text(readable(items, options.title, options.share), encoding="utf-8")
    document = {"title": options.title, "distributions": [asdict(one) for one in items]}
    options.json.write_text(
        json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    print(f"  {len(items)} distributions, as locked")


if __name__ == "__main__":
    main()
