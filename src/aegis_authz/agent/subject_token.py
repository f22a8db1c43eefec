"""The token that a platform gives a workload as a file: a Kubernetes service account's, a JWT-SVID, an OIDC token."""

from __future__ import annotations

import re
from pathlib import Path

from aegis_authz.agent.tokens import TokenFault

_MOST_BYTES = 16_384
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")


def read_subject_token(path: Path) -> str:
    """The token in the file as it is now: the platform writes a new one there before the old one ends.

    Raises TokenFault, which names the file and holds nothing of it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as fault:
        raise TokenFault(f"{path}: the token to exchange cannot be read: {fault.strerror or fault}") from None
    text = content.decode("ascii", "replace").strip()
    if len(content) > _MOST_BYTES or _COMPACT.match(text) is None:
        raise TokenFault(f"{path}: is not one signed token (JWT)")
    return text
