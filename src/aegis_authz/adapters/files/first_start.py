"""How far a control plane of before had begun the memory of limits: a file, read once."""

from __future__ import annotations

import re
from pathlib import Path

BEGUN_FILE = "limits-begun"
"""Its name in the state folder of a control plane."""
_BEGUN = re.compile(rb"The memory of limits is being begun in the life ([0-9A-Za-z]{1,64}) of Redis\.\n")


def read_first_start(path: Path) -> str | None:
    """The life of the store in which it was begun, "" once it was finished, None before. Raises OSError.

    A file that says neither reads as finished: then nothing is taken for new.
    """
    try:
        match = _BEGUN.fullmatch(path.read_bytes())
    except FileNotFoundError:
        return None
    return "" if match is None else match[1].decode("ascii")
