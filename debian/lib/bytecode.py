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

Paths are plain strings, below the tree: pathlib interns each part of a path, so that a
module with a variable called `build` came out otherwise below /build than elsewhere.
"""

from __future__ import annotations

import argparse
import gc
import os
import py_compile
import sys
import traceback
import warnings

_MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH
# The modules of a batch, or more by what its last directory has.
_ENOUGH = 200


def batches(root: str) -> list[list[str]]:
    """The modules below ``root`` in batches of whole directories, in a fixed order."""
    found: dict[str, list[str]] = {}
    for directory, _, names in os.walk(root):
        paths = [f"{directory}/{name}" for name in names if name.endswith(".py")]
        found[directory] = [path for path in paths if not os.path.islink(path)]
    result: list[list[str]] = [[]]
    for directory in sorted(found):
        if len(result[-1]) >= _ENOUGH:
            result.append([])
        result[-1] += sorted(found[directory])
    return result


def compile_batch(batch: list[str], prefix: str) -> list[str]:
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


def fork(batch: list[str], prefix: str) -> tuple[int, int]:
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
        os.write(send, "\n".join(compile_batch(batch, prefix)).encode())
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def compile_tree(root: str, prefix: str) -> list[str]:
    """Compile all modules under root on all processors; returns the invalid.

    ``root`` is relative to the current directory, which becomes ``prefix``.
    """
    pending = batches(root)
    # Largest last: pop() takes them first, so that none is left over at the end.
    pending.sort(key=lambda batch: (len(batch), batch))
    processors = len(os.sched_getaffinity(0))
    running: dict[int, int] = {}
    invalid: list[str] = []
    while pending or running:
        while pending and len(running) < processors:
            child, pipe = fork(pending.pop(), prefix)
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
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0" or sys.flags.hash_randomization:
        raise SystemExit("bytecode: PYTHONHASHSEED must be 0")
    os.chdir(options.tree)
    for line in compile_tree("lib", options.prefix):
        print(f"  not Python 3, cannot be imported: {line}")
    made = sum(name.endswith(".pyc") for *_, names in os.walk("lib") for name in names)
    print(f"  {made} files of bytecode")


if __name__ == "__main__":
    main()
