"""Files of descriptor sets among the texts of a catalogue: in base64, since they are none."""

from __future__ import annotations

import base64
import binascii
from pathlib import PurePosixPath

from aegis_authz.core.release import BINARY_SUFFIXES

MAX_BYTES = 4 * 1024 * 1024
"""How large a file may be."""


def is_binary(path: str) -> bool:
    """Whether a file of that name is carried as base64."""
    return PurePosixPath(path).suffix.lower() in BINARY_SUFFIXES


def content_of(text: str) -> bytes:
    """The bytes of a file that is carried as base64. Raises ValueError, also for one that is too large."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("is not carried as base64") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES} bytes; leave out the services that no action names")
    return content


def text_of(content: bytes) -> str:
    """How a file is carried among texts."""
    return base64.b64encode(content).decode("ascii")


def path_beside(document: str, name: str) -> str:
    """The path of a file that a document names, among the paths of all."""
    return str(PurePosixPath(document).parent / name)
