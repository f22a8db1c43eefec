"""Stage 3: HttpCall -> ToolCall, and an override held against it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from aegis_authz.check.content_coding import Reading, plain
from aegis_authz.core.basis import judging_basis
from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.catalogue import NO_ROUTE
from aegis_authz.core.identity import Identity, Override
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.wire.authzen.question import read_question
from aegis_authz.wire.authzen.question_call import call_of_question
from aegis_authz.wire.bodies.coding import Decoding
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.streams import is_streamed
from aegis_authz.wire.http.tool_call import read_tool_call
from aegis_authz.wire.mcp.request_state import STATE_CODING, own_state, without_state


def parse(http: HttpCall, coding: str, snapshot: Snapshot, identity: Identity, override: Override | None) -> Reading:
    """Say which call of which tool this is, from the body as the tool will get it. `coding` is that of the body.

    Raises what `plain` and `read_tool_call` raise; Refused(ROUTE_MISMATCH) when Envoy would forward the
    request elsewhere than the snapshot says, or asks before it has a body by which the call is judged; and, when an
    override is shown, Refused(APPROVAL_MISMATCH) when it was given for another call and Refused(APPROVAL_STALE) when
    what judges has changed since, whatever policy would say without it.
    """
    if http.is_question:
        return _of_question(http, snapshot, identity, override)
    http, decoding = plain(http, coding) if coding else (http, None)
    call = read_tool_call(http, snapshot.catalogue)
    state = own_state(call.besides) if call.kind is CallKind.MCP_TOOL and not coding else ""
    if state:  # the tool gets the call as it was when it was held, and it is judged so
        http, decoding = _stateless(http)
        call = read_tool_call(http, snapshot.catalogue)
    call = _on_behalf(call, identity)
    # Envoy chose the route before it asked, and from a configuration that may be older or newer than the snapshot:
    # what is judged as one tool's call must never reach another's upstream.
    # A tool of another region has no route, or shares the address of one that has: the caller is told why, not how.
    right = NO_ROUTE if call.kind is CallKind.UNCLAIMED else snapshot.catalogue.routes[call.tool]
    if http.route != right and call.tool not in snapshot.catalogue.far:
        raise Refused(Reason.ROUTE_MISMATCH, f"judged as a call of {call.tool or 'no tool'}; routed elsewhere")
    if http.is_unread and not is_streamed(call):
        raise Refused(Reason.ROUTE_MISMATCH, "Envoy asks before it has the body, which would have to be judged")
    _refuse_other(override, call, snapshot, identity)
    return Reading(http, call, decoding, state)


def _of_question(http: HttpCall, snapshot: Snapshot, identity: Identity, override: Override | None) -> Reading:
    """The call that a question to the evaluation endpoint is about. Who calls is said by the credential alone."""
    question = read_question(http)
    if question.subject != str(identity.scope):
        raise Refused(Reason.SUBJECT_MISMATCH, "the subject is not the agent whose credential came with it")
    call = _on_behalf(call_of_question(question, http, snapshot.catalogue), identity)
    _refuse_other(override, call, snapshot, identity)
    return Reading(http, call, None, "", question)


def _refuse_other(override: Override | None, call: ToolCall, snapshot: Snapshot, identity: Identity) -> None:
    if override is None:
        return
    if override.digest != call.digest:
        raise Refused(Reason.APPROVAL_MISMATCH, "given for another call")
    if judging_basis(override.basis) != snapshot.basis_of(identity.scope, call.tool):
        raise Refused(Reason.APPROVAL_STALE, "a policy in scope or the tool was changed since")


def _stateless(http: HttpCall) -> tuple[HttpCall, Decoding]:
    body = without_state(http.body)
    return replace(http, body=body), Decoding(STATE_CODING, hashlib.sha256(body).hexdigest())


def _on_behalf(call: ToolCall, identity: Identity) -> ToolCall:
    """The call, its digest bound to whom it is made for: what was approved for Ann does not run for Bob."""
    if not identity.on_behalf_of and not identity.actors:
        return call
    served = {"call": call.digest, "on_behalf_of": identity.on_behalf_of, "acted_by": list(identity.actors)}
    return replace(call, digest=digest_of(served))
