"""Which libraries PyCryptodome has others look for, though it says where they are, as JSON."""

from __future__ import annotations

import ctypes.util
import importlib
import json
import pkgutil
import sys

searched: list[str] = []


def find_library(name: str) -> None:
    """Instead of running ldconfig, gcc and ld."""
    searched.append(name)


def main() -> None:
    setattr(ctypes.util, "find_library", find_library)  # noqa: B010
    modules = 0
    for name in ("Crypto", "Cryptodome"):
        try:
            package = importlib.import_module(name)
        except ImportError:
            continue
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            # Compiled ones have names like _MD5, and are no modules of Python.
            if "SelfTest" not in module.name and "._" not in module.name:
                importlib.import_module(module.name)
                modules += 1
    by_path = sorted(name for name in searched if "/" in name)
    cffi = "cffi" in sys.modules
    print(json.dumps({"modules": modules, "cffi": cffi, "searched": by_path}))


if __name__ == "__main__":
    main()
