"""`make deb BUNDLE=…`: what a bundle has goes into the cache, and the build is as always.

The cache is addressed by content, so that nothing of the build has to know of bundles.
The root is one of its own (`versions.Suite.pin`): one that was made from the mirror on
another day may hold other packages.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from . import bundle, busy, container, log, make, roots, signing
from .bundle import Manifest
from .errors import IncompleteError, UsageError
from .paths import Paths
from .settings import Settings
from .versions import Matrix


def into_cache(paths: Paths, matrix: Matrix, settings: Settings) -> Settings:
    """Check BUNDLE and put its files into the cache; the settings for the build.

    With DRY_RUN it is only checked. Raises UsageError for what is no bundle, of another
    commit or for something else than was asked for, HashError for a damaged one,
    SignatureError when KEYRING is set and no key in it has signed it.
    """
    path = Path(settings.bundle).expanduser()
    if settings.keyring:
        _signature(path, settings)
    with log.step("bundle") as this:
        manifest = bundle.check(path, paths.project, this.progress)
        this.result = f"{len(manifest.files)} files of {manifest.commit[:12]}, all sound"
    wanted = _wanted(manifest, settings)
    if not settings.dry_run:
        recipe = make.recipe(paths, matrix, wanted)
        root = roots.root(recipe.cell.suite, "buildd", recipe.build_packages)
        with log.step("unpack") as this:
            _downloads(paths, path, manifest)
            _root(paths, root, path, manifest)
            this.result = str(paths.cache)
    return wanted


def _signature(path: Path, settings: Settings) -> None:
    signature = path.with_name(f"{path.name}.asc")
    if not signature.is_file():
        raise IncompleteError(
            f"there is no {signature.name} beside it", hint="get it, or leave out KEYRING"
        )
    trusted = signing.trusted(settings.keyring, settings.signing_key)
    log.info(f"  signed by {signing.check(path, signature, trusted)}")


def _wanted(manifest: Manifest, settings: Settings) -> Settings:
    """``settings`` with what the bundle is for; UsageError when they ask for something else."""
    name = settings.name if settings.name != "airflow" else manifest.name
    for what, asked, has in (
        ("VERSION", settings.version, manifest.version),
        ("SUITE", settings.suite, manifest.suite),
        ("NAME", name, manifest.name),
        ("MIRROR", settings.mirror, manifest.mirror),
    ):
        if asked not in ("", has):
            raise UsageError(
                f"{what}={asked}: the bundle is of {manifest.version} on {manifest.suite}"
                + (f" for {what}={has}" if what in ("NAME", "MIRROR") else ""),
                hint=f"leave out {what}",
            )
    if settings.security and not manifest.security:
        raise UsageError("SECURITY=1: the bundle is of the other lock", hint="leave out SECURITY")
    package = settings.package
    if not package and len(manifest.packages) == 1:
        package = manifest.packages[0]
    own = {manifest.name} if "airflow" in manifest.packages else set()
    if package not in {"", *own, *manifest.packages}:
        raise UsageError(
            f"PACKAGE={package} is not in the bundle", hint=f"it has {manifest.packages[0]}"
        )
    return replace(
        settings,
        version=manifest.version,
        suite=manifest.suite,
        security=manifest.security,
        name=manifest.name,
        mirror=manifest.mirror,
        pin=manifest.pin,
        commit=manifest.commit,
        package=package,
    )


def _downloads(paths: Paths, path: Path, manifest: Manifest) -> None:
    """Files that are not there yet, each to its place under its sha256."""

    def place(name: str) -> str:
        top, _, rest = name.partition("/")
        sha256, _, filename = rest.partition("/")
        if top != "downloads" or paths.download(sha256, filename).exists():
            return ""
        return f"{sha256[:2]}/{sha256}/{filename}"

    bundle.extract(path, manifest, paths.downloads, place)


def _root(paths: Paths, root: roots.Root, path: Path, manifest: Manifest) -> None:
    """What the root is made of, whole or not at all."""
    kept = root.kept(paths)
    with busy.hold(paths.roots / f"{kept.name}.lock", f"the root {kept.name}", wait=True):
        if kept.is_dir():
            return
        partial = kept.with_suffix(".debs.partial")
        container.remove(partial)
        bundle.extract(
            path,
            manifest,
            partial,
            lambda name: name.removeprefix("root/") if name.startswith("root/") else "",
        )
        partial.rename(kept)
