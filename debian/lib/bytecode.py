"""Compile every module, so that nobody's Python has to and warnings stay away.

The bytecode is bound to its source by hash and never checked again
(`unchecked-hash`, PEP 552): the files belong to root and change only with the
package. It carries the path of the installed file, not of the build.

marshal writes an object that is referred to from elsewhere differently from
one that is not, so that what a process compiled before leaves traces in what
it compiles next. To give the same bytes on any number of processors, each
batch of directories, the same in every build, is compiled in sorted order by a
child forked for it alone from the same unchanging parent. A batch has a few
hundred modules: a fork takes as long as compiling a few. PYTHONHASHSEED must be
fixed (0), since sets in constants are written in hash order.

Compiling is what a build does longest. A batch whose modules, paths and Python are those of
another build gives the same bytes again, so that these are kept in a cache. It is only read
here; what is new is put into another directory, for whoever called to keep. For the same
reason a package of some size ends a batch: what changes before it moves no boundary behind it.

Paths are plain strings, below the tree: pathlib interns each part of a path, so that a
module with a variable called `build` came out otherwise below /build than elsewhere.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import importlib.util
import marshal
import os
import py_compile
import sys
import traceback
import warnings
import zlib
from typing import NamedTuple

_MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH
# The modules of a batch, or more by what its last directory has.
_ENOUGH = 200
# As many end one where a package of site-packages ends.
_SOME = 50


class Places(NamedTuple):
    """Where the tree will be, where batches are kept, and where new ones are put."""

    prefix: str
    cache: str
    new: str


def batches(root: str) -> list[list[str]]:
    """The modules below ``root`` in batches of whole directories, in a fixed order."""
    found: dict[str, list[str]] = {}
    for directory, _, names in os.walk(root):
        paths = [f"{directory}/{name}" for name in names if name.endswith(".py")]
        found[directory] = [path for path in paths if not os.path.islink(path)]
    result: list[list[str]] = [[]]
    package = ""
    for directory in sorted(found):
        another = _package(directory) != package
        package = _package(directory)
        if len(result[-1]) >= (_SOME if another else _ENOUGH):
            result.append([])
        result[-1] += sorted(found[directory])
    return result


def _package(directory: str) -> str:
    """What of site-packages (lib/pythonX.Y/site-packages/PACKAGE/…) ``directory`` is in."""
    return "/".join(directory.split("/")[:4])


def key(batch: list[str], prefix: str) -> str:
    """The hash of all that the bytecode of ``batch`` depends on, this program included."""
    digest = hashlib.sha256()
    for part in (sys.version, prefix):
        digest.update(part.encode() + b"\0")
    for path in (__file__, *batch):
        with open(path, "rb") as file:
            content = file.read()
        name = "" if path == __file__ else path
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def compile_batch(batch: list[str], places: Places) -> list[str]:
    """Compile some modules, or take what was kept; returns those that are no valid Python 3."""
    name = key(batch, places.prefix)
    invalid: list[str]
    try:
        with open(f"{places.cache}/{name[:2]}/{name}", "rb") as file:
            packed = zlib.decompress(file.read())
        made, invalid = marshal.loads(packed)  # noqa: S302 - written by `keep`
    except FileNotFoundError:
        invalid = compile_now(batch, places.prefix)
        keep(batch, invalid, f"{places.new}/{name}")
        return invalid
    for path, content in made.items():
        cached = importlib.util.cache_from_source(path)
        os.makedirs(os.path.dirname(cached), exist_ok=True)
        with open(cached, "wb") as file:
            file.write(content)
    return invalid


def compile_now(batch: list[str], prefix: str) -> list[str]:
    """Compile some modules; returns those that are no valid Python 3."""
    warnings.simplefilter("ignore")
    invalid = []
    for path in batch:
        try:
            py_compile.compile(
                path, dfile=f"{prefix}/{path}", doraise=True, invalidation_mode=_MODE
            )
        except py_compile.PyCompileError as error:
            invalid.append(f"{path}: {error.exc_type_name}")
    return invalid


def keep(batch: list[str], invalid: list[str], target: str) -> None:
    """Write what became of ``batch``, hardly compressed, to ``target``."""
    made = {}
    for path in batch:
        cached = importlib.util.cache_from_source(path)
        if os.path.exists(cached):
            with open(cached, "rb") as file:
                made[path] = file.read()
    with open(target, "wb") as file:
        file.write(zlib.compress(marshal.dumps((made, invalid)), 1))


def fork(batch: list[str], places: Places) -> tuple[int, int]:
    """Start a child for a batch; returns its process id and its pipe."""
    receive, send = os.pipe()
    child = os.fork()
    if child:
        os.close(send)
        return child, receive
    status = 1
    # A batch ends before there is anything worth collecting.
    gc.disable()
    try:
        os.write(send, "\n".join(compile_batch(batch, places)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def compile_tree(root: str, places: Places) -> list[str]:
    """Compile all modules under root on all processors; returns the invalid.

    ``root`` is relative to the current directory, which becomes the prefix.
    """
    pending = batches(root)
    # Largest last: pop() takes them first, so that none is left over at the end.
    pending.sort(key=lambda batch: (len(batch), batch))
    processors = len(os.sched_getaffinity(0))
    running: dict[int, int] = {}
    invalid: list[str] = []
    while pending or running:
        while pending and len(running) < processors:
            child, pipe = fork(pending.pop(), places)
            running[child] = pipe
        child, status = os.wait()
        with os.fdopen(running.pop(child), "rb") as output:
            invalid += output.read().decode().splitlines()
        if status:
            raise SystemExit(f"bytecode: a compiling process failed with status {status}")
    return sorted(invalid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree")
    parser.add_argument("prefix", help="the tree's path once installed")
    parser.add_argument("cache", help="directory of batches that were compiled before")
    parser.add_argument("new", help="directory to make, for those compiled now")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0" or sys.flags.hash_randomization:
        raise SystemExit("bytecode: PYTHONHASHSEED must be 0")
    places = Places(options.prefix, *map(os.path.abspath, (options.cache, options.new)))
    os.makedirs(places.new)
    os.chdir(options.tree)
    for line in compile_tree("lib", places):
        print(f"  not Python 3, cannot be imported: {line}")
    made = sum(name.endswith(".pyc") for *_, names in os.walk("lib") for name in names)
    print(f"  {made} files of bytecode")
    print(f"  {len(os.listdir(places.new))} batches compiled now, the rest before")


if __name__ == "__main__":
    main()
