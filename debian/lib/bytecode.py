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
"""

from __future__ import annotations

import argparse
import gc
import os
import py_compile
import sys
import traceback
import warnings
from collections import defaultdict
from pathlib import Path

_MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH
# The modules of a batch, or more by what its last directory has.
_ENOUGH = 200


def batches(root: Path) -> list[list[Path]]:
    """The modules in batches of whole directories, in a fixed order."""
    found: dict[Path, list[Path]] = defaultdict(list)
    for path in root.rglob("*.py"):
        if path.is_file() and not path.is_symlink():
            found[path.parent].append(path)
    result: list[list[Path]] = [[]]
    for directory in sorted(found):
        if len(result[-1]) >= _ENOUGH:
            result.append([])
        result[-1] += sorted(found[directory])
    return result


def compile_batch(batch: list[Path], tree: Path, prefix: Path) -> list[str]:
    """Compile some modules; returns those that are no valid Python 3."""
    warnings.simplefilter("ignore")
    invalid = []
    for path in batch:
        name = path.relative_to(tree)
        try:
            py_compile.compile(
                str(path), dfile=str(prefix / name), doraise=True, invalidation_mode=_MODE
            )
        except py_compile.PyCompileError as error:
            invalid.append(f"{name}: {error.exc_type_name}")
    return invalid


def fork(batch: list[Path], tree: Path, prefix: Path) -> tuple[int, int]:
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
        os.write(send, "\n".join(compile_batch(batch, tree, prefix)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def compile_tree(root: Path, tree: Path, prefix: Path) -> list[str]:
    """Compile all modules under root on all processors; returns the invalid."""
    pending = batches(root)
    # Largest last: pop() takes them first, so that none is left over at the end.
    pending.sort(key=lambda batch: (len(batch), batch))
    processors = len(os.sched_getaffinity(0))
    running: dict[int, int] = {}
    invalid: list[str] = []
    while pending or running:
        while pending and len(running) < processors:
            child, pipe = fork(pending.pop(), tree, prefix)
            running[child] = pipe
        child, status = os.wait()
        with os.fdopen(running.pop(child), "rb") as output:
            invalid += output.read().decode().splitlines()
        if status:
            raise SystemExit(f"bytecode: a compiling process failed with status {status}")
    return sorted(invalid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path)
    parser.add_argument("prefix", type=Path, help="the tree's path once installed")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0" or sys.flags.hash_randomization:
        raise SystemExit("bytecode: PYTHONHASHSEED must be 0")
    tree = options.tree.resolve()
    invalid = compile_tree(tree / "lib", tree, options.prefix)
    for line in invalid:
        print(f"  not Python 3, cannot be imported: {line}")
    print(f"  {sum(1 for _ in (tree / 'lib').rglob('*.pyc'))} files of bytecode")


if __name__ == "__main__":
    main()
