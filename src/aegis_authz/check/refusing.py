"""Refusing a call without judging it."""

from __future__ import annotations

from aegis_authz.check.decode import decode
from aegis_authz.check.draft import Draft
from aegis_authz.check.fulfil import NOTHING_TO_FULFIL
from aegis_authz.check.pipeline import Pipeline
from aegis_authz.check.respond import respond
from aegis_authz.core.decision import denied
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.answer import Answer


async def refuse(pipeline: Pipeline, reason: Reason, request: bytes, traceparent: str, deadline: float) -> Answer:
    """Deny a call for `reason` and record it; costs neither OPA nor Redis anything.

    `deadline` is in `Clock.monotonic` seconds.
    """
    draft = Draft.begin(pipeline.ids.decision_id(), traceparent, pipeline.clock)
    detail = ""
    try:
        draft.http = decode(request)
        draft.snapshot = pipeline.snapshots.current()  # says which paths want an answer in JSON-RPC
    except Refused as refusal:
        detail = refusal.detail
    decision = await pipeline.recorder.keep(denied(reason, detail, ""), draft, deadline)
    return respond(decision, NOTHING_TO_FULFIL, draft)
