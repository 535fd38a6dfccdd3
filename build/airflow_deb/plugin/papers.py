"""What lies beside a plugin's package: the same as beside every other (companions.py)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import companions, provenance, sbom
from ..provenance import Made
from ..signing import Key
from .planning import Context
from .skeleton import Package


def write(
    this: Context,
    package: Package,
    made: Made,
    key: Key,
    own: str,
    artifacts: Sequence[Path],
    tree: Path,
    target: Path,
) -> list[Path]:
    """Write the companions of ``package``, whose key is ``own``, to ``target``; their paths.

    ``tree`` is what it was packed from. Raises what `companions.write` raises.
    """
    cell = this.recipe.cell
    return companions.write(
        artifacts,
        tree,
        key,
        target,
        bom=lambda inside, sha256: sbom.make(
            inside,
            sha256=sha256,
            suite=cell.suite.name,
            python=cell.suite.python,
            asked=(package.plugin.name,),
            epoch=this.recipe.epoch,
        ),
        statement=lambda sums: provenance.render(definition(this, package, made, own), made, sums),
    )


def definition(this: Context, package: Package, made: Made, own: str) -> dict[str, Any]:
    """SLSA's build definition: the source by its bytes, and the wheel that was made of it."""
    cell, locked, wheel = this.recipe.cell, package.wheel.locked, package.wheel
    files = {locked.filename: locked.sha256, wheel.path.name: wheel.sha256}
    locks = () if locked.is_wheel else (this.tools,)
    return {
        "buildType": provenance.PLUGIN_TYPE,
        "externalParameters": {
            "source": locked.filename,
            "version": package.plugin.version,
            "for": f"{cell.version.name}/{cell.suite.name}",
            "package": package.name,
            "compression": ":".join(map(str, package.compression)),
        },
        "internalParameters": {"key": own, "sourceDateEpoch": str(this.recipe.epoch)},
        "resolvedDependencies": [
            *provenance.dependencies(this.recipe, locks, made),
            *({"name": name, "digest": {"sha256": sha256}} for name, sha256 in files.items()),
        ],
    }
