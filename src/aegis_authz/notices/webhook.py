"""A held call, what became of it, or refusals, as a signed request for a program of one's own.

The signature is HMAC-SHA256 over `v1:TIMESTAMP:BODY` with the raw body, so that neither can be replaced.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from hashlib import sha256

from aegis_authz.approvals.statement import is_statement_of, statement_digest, statement_text
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import NoticeKind
from aegis_authz.core.units import Epoch
from aegis_authz.notices.words import decision_url, page_url

SIGNATURE, TIMESTAMP, NOTICE = "x-aegis-signature", "x-aegis-timestamp", "x-aegis-notice"


def body(kind: NoticeKind, approval: Approval, public_url: str) -> bytes:
    """The body about the approval as it stands; `call` is null where it could not be read back as it is."""
    request = approval.request
    content: dict[str, Json] = {
        "notice": kind.value,
        "approval": request.id,
        "state": approval.state.value,
        "call": json.loads(statement_text(request)),
        "statement_digest": statement_digest(request),
        "groups": list(request.groups),
        "approvals": request.approvals,
        "approved_by": list(approval.approved_by),
        "decided_by": approval.decided_by,
        "policies": list(request.policies),
        "requested_at": request.requested_at,
        "expires_at": request.expires_at,
        "url": page_url(public_url, request),
    }
    content_bytes = _bytes(content)
    return content_bytes if is_statement_of(shown_text(content_bytes), request) else _bytes({**content, "call": None})


def alert_body(alert: Alert, public_url: str) -> bytes:
    """The body about refusals. It holds no parameter of any call."""
    return _bytes(
        {
            "notice": NoticeKind.ALERT.value,
            "alert": alert.id,
            "org": alert.org,
            "tenant": alert.tenant,
            "agent": alert.agent,
            "reason": alert.reason.value,
            "destination": alert.destination,
            "count": alert.count,
            "first_at": alert.first,
            "last_at": alert.last,
            "decisions": [*alert.decisions],
            "url": decision_url(public_url, alert),
        }
    )


def shown_text(content_bytes: bytes) -> str:
    """The call as the body holds it."""
    return json.dumps(json.loads(content_bytes)["call"], ensure_ascii=True).replace("\x7f", "\\u007f")


def signed(secret: bytes, content_bytes: bytes, notice_id: str, now: Epoch) -> Mapping[str, str]:
    """The headers of a request with this body."""
    timestamp = str(int(now))
    mac = hmac.new(secret, b"v1:%s:%s" % (timestamp.encode(), content_bytes), sha256).hexdigest()
    return {
        "content-type": "application/json",
        TIMESTAMP: timestamp,
        SIGNATURE: f"v1={mac}",
        NOTICE: notice_id,
    }


def _bytes(content: Mapping[str, Json]) -> bytes:
    return json.dumps(content, ensure_ascii=True, sort_keys=True, allow_nan=False).encode("ascii")
