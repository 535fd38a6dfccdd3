"""Which libraries PyCryptodome has others look for, though it says where they are, as JSON."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from unittest import mock


def modules() -> int:
    """Import all modules of PyCryptodome that are written in Python; how many."""
    found = 0
    for name in ("Crypto", "Cryptodome"):
        try:
            package = importlib.import_module(name)
        except ImportError:
            continue
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            # Compiled ones have names like _MD5, and are no modules of Python.
            if "SelfTest" not in module.name and "._" not in module.name:
                importlib.import_module(module.name)
                found += 1
    return found


def main() -> None:
    # Which would run ldconfig, gcc and ld.
    with mock.patch("ctypes.util.find_library", return_value=None) as search:
        found = modules()
    names = (call.args[0] for call in search.call_args_list)
    searched = sorted(name for name in names if "/" in name)
    print(json.dumps({"modules": found, "cffi": "cffi" in sys.modules, "searched": searched}))


if __name__ == "__main__":
    main()
