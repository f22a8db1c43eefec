"""An approval request as JSON text, as it is kept in the store."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from aegis_authz.core.approval import ApprovalRequest


def approval_to_text(request: ApprovalRequest) -> bytes:
    """The request as canonical JSON."""
    return orjson.dumps(asdict(request), option=orjson.OPT_SORT_KEYS)


def approval_from_text(text: bytes) -> ApprovalRequest:
    """Read it back. Raises ValueError when it is not such a text."""
    data: dict[str, Any] = orjson.loads(text)
    try:
        return ApprovalRequest(**{**data, "policies": tuple(data["policies"]), "groups": tuple(data["groups"])})
    except (KeyError, TypeError) as fault:
        raise ValueError(f"not an approval request: {fault}") from None
