"""What a person is shown of a held call: all of it, as one text that can be read back and compared with the call.

Whatever shows a call (a page, a message of a chat, a mail) holds this text to the letter. Who renders it reads its own
rendering back before anybody sees it, so that what is shown is what is approved.
"""

from __future__ import annotations

import hashlib
import hmac
import json

import orjson

from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.json_value import Json

_DOMAIN = b"aegis-statement-v1\x00"
_FIRST_VISIBLE, _DELETE = " ", "\x7f"


def statement(request: ApprovalRequest) -> dict[str, Json]:
    """What will run and for whom: everything that the approval binds, with the digest of the call itself."""
    return {
        "agent": str(request.scope),
        "tool": request.tool,
        "action": request.action,
        "parameters": dict(request.parameters),
        "besides": dict(request.besides),
        "digest": request.digest,
    }


def statement_text(request: ApprovalRequest) -> str:
    """The statement as indented JSON in ASCII: no look-alikes, no marks that reorder or hide what is beside them."""
    text = json.dumps(statement(request), indent=2, sort_keys=True, ensure_ascii=True, allow_nan=False)
    return text.replace(_DELETE, "\\u007f")


def statement_digest(request: ApprovalRequest) -> str:
    """SHA-256 (hex) of the statement in canonical form."""
    return _digest(statement(request))


def is_statement_of(text: str, request: ApprovalRequest) -> bool:
    """Whether a text that somebody is about to be shown says this call: all of it, once, and nothing else."""
    if any(character != "\n" and not _FIRST_VISIBLE <= character < _DELETE for character in text):
        return False
    try:
        parsed = json.loads(text, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        return False
    return isinstance(parsed, dict) and hmac.compare_digest(_digest(parsed), statement_digest(request))


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _digest(content: dict[str, Json]) -> str:
    return hashlib.sha256(_DOMAIN + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()
