"""The command line where some modules are not installed."""

from __future__ import annotations

from collections.abc import Iterable

_PROGRAM = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)

sys.meta_path.insert(0, Missing())
from aegis_authz.cli import main
main()
"""


def without_modules(names: Iterable[str]) -> str:
    """A program for `python -c` that runs `aegis` with its arguments and cannot import any of these modules."""
    return _PROGRAM.format(names=tuple(sorted(names)))
