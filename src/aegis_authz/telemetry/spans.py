"""The spans of one decision, as bytes of OTLP: its own, and one each for the policy engine and the store.

A span is made whole from its record, after the fact, and never is an object
(docs/decisions/0009-telemetry-in-groups.md).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Obligation, kind_of
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.effect import Effect
from aegis_authz.core.money import MICRO
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CostState, DecisionRecord, FlatObligation
from aegis_authz.core.scope import Scope
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.telemetry_terms import ParameterDisplay
from aegis_authz.telemetry import conventions as names
from aegis_authz.telemetry.fault_parts import FAULT_PARTS, OPA, REDIS
from aegis_authz.telemetry.otlp import (
    ATTRIBUTES_OF_EVENT,
    ATTRIBUTES_OF_SPAN,
    AttributeValue,
    attribute,
    number_attribute,
    text_attribute,
)
from aegis_authz.telemetry.parameter_values import MOST_VALUES, Keys, ParameterAttributes
from aegis_authz.telemetry.protobuf import (
    bytes_field,
    double,
    fixed32_field,
    fixed64_field,
    length_head,
    number_field,
    text_field,
)
from aegis_authz.telemetry.trace_context import (
    TraceParent,
    decision_span,
    is_drawn,
    new_span_id,
    own_trace,
    read_traceparent,
)

_REMEMBERED = 4096
_TRACE_ID, _SPAN_ID, _PARENT_ID, _NAME, _KIND, _START, _END, _EVENTS, _LINKS, _STATUS, _FLAGS = (
    *(1, 2, 4, 5, 6, 7, 8, 11, 13, 15, 16),
)
_INTERNAL, _SERVER, _CLIENT = 1, 2, 3
# to refuse is to work: no error of ours, but where a part of ours failed
_DENIED, _FAILED = bytes_field(_STATUS, number_field(3, 1)), bytes_field(_STATUS, number_field(3, 2))
_SAMPLED = 1
_IS_LOCAL, _IS_REMOTE = 0x100 | _SAMPLED, 0x300 | _SAMPLED
_LOCAL, _REMOTE = fixed32_field(_FLAGS, _IS_LOCAL), fixed32_field(_FLAGS, _IS_REMOTE)
# what stands before what each span has of its own
_TRACE_ID_HEAD, _SPAN_ID_HEAD, _PARENT_ID_HEAD = (
    *(length_head(_TRACE_ID, 16), length_head(_SPAN_ID, 8), length_head(_PARENT_ID, 8)),
)
_START_TAG, _END_TAG = fixed64_field(_START, 0)[:1], fixed64_field(_END, 0)[:1]
_times = struct.Struct("<cQcQ").pack
_VERDICTS: Mapping[Effect, tuple[str, str]] = {
    Effect.ALLOW: ("allow", "allow"),
    Effect.SANITIZE: ("modify", "modify"),
    Effect.APPROVAL_NEEDED: ("escalate", "escalate"),
    Effect.DENY: ("deny", "block"),
}


class SpanQueue(Protocol):
    """Where spans wait to be exported."""

    def put(self, spans: Sequence[bytes]) -> None:
        """Take the spans of one decision, or drop and count them. Never waits and never fails."""
        ...


@dataclass(frozen=True, slots=True)
class SpanTerms:
    """`sample` is the share of allows that have spans: everything else on record always has. `guardrails` writes the
    names of the proposal for guardrails, too. `keys` are what digests of parameters are made with.
    """

    sample: float
    guardrails: bool
    keys: Keys


class DecisionSpans:
    """Makes the spans of each decision and hands them to `queue`."""

    def __init__(self, queue: SpanQueue, terms: SpanTerms) -> None:
        self._queue = queue
        self._sample = terms.sample
        self._guardrails = terms.guardrails
        self._parameters = ParameterAttributes(terms.keys)

    def emit(self, record: DecisionRecord, trace: DecisionTrace) -> str:
        """Emit the spans of one decision and return the id of their trace, "" for none.

        Only an allow is ever left out, by its caller's sampler or by ours.
        """
        parent, trace_id, is_left_out = self._place(trace.parent, record.decision_id)
        if is_left_out and record.effect is Effect.ALLOW and not record.would:
            return ""
        span_id = decision_span(record.decision_id)
        started = int(record.time * 1e9)
        ended = started + int(record.total_ms * 1e6)
        part = FAULT_PARTS.get(record.reason)
        fields = [
            _shared(_shape(record, trace, self._guardrails)),
            *(_TRACE_ID_HEAD, trace_id, _SPAN_ID_HEAD, span_id),
            _times(_START_TAG, started, _END_TAG, ended),
            text_attribute(names.DECISION_ID, record.decision_id),
        ]
        for stage, spent in record.stages.items():
            fields += (_stage(stage), double(spent))
        fields += (_LOCAL,) if parent is None else (_PARENT_ID_HEAD, parent.span_id, _REMOTE)
        if trace.links:
            fields += map(_link, trace.links)
        if record.effect is Effect.DENY:
            fields += (_violation(record.reason, record.policies, started), _DENIED if part is None else _FAILED)
        for name, text in (
            (names.HTTP_METHOD, record.method),
            (names.SERVER_ADDRESS, record.host),
            (names.MCP_METHOD, record.rpc_method),
        ):
            if text:
                fields.append(text_attribute(name, text))
        if record.approval_id:
            fields.append(text_attribute(names.APPROVAL_ID, record.approval_id))
        if record.cost is not None:
            fields.append(number_attribute(names.ESTIMATED) + double(record.cost.micros / MICRO))
        if record.parameters:
            fields.append(self._parameters.encoded(record.parameters, trace.terms.parameters))
        self._queue.put((b"".join(fields), *_children(record, trace_id, span_id, (started, ended), part)))
        return trace_id.hex()

    def emit_settled(self, call: SettledCall) -> None:
        """Emit the span of a cost that is settled after its decision's span was ended and exported.

        It is in the trace of the decision, beneath the decision's span and linked to it. What an allow is sampled by
        leaves out both spans of a call; of what is always kept, for its shadow or its redactions, this one alone.
        """
        _, trace_id, is_left_out = self._place(call.trace, call.decision_id)
        if is_left_out:
            return
        decided, at = decision_span(call.decision_id), int(call.time * 1e9)
        span = (
            _settlement(call.scope, call.cost.state, call.cost.money.currency),
            *(_TRACE_ID_HEAD, trace_id, _PARENT_ID_HEAD, decided, _SPAN_ID_HEAD, new_span_id()),
            _times(_START_TAG, at, _END_TAG, at),
            text_attribute(names.DECISION_ID, call.decision_id),
            number_attribute(names.ESTIMATED) + double(call.estimate.micros / MICRO),
            number_attribute(names.SETTLED) + double(call.cost.money.micros / MICRO),
            _link_of(trace_id, decided, _IS_LOCAL),
        )
        self._queue.put((b"".join(span),))

    def _place(self, parent_text: str, decision_id: str) -> tuple[TraceParent | None, bytes, bool]:
        """The span that a decision continues, None for none, its trace, and whether an allow in it is left out."""
        parent = read_traceparent(parent_text) if parent_text else None
        trace_id = parent.trace_id if parent is not None else own_trace(decision_id)
        is_left_out = (parent is not None and not parent.is_sampled) or not is_drawn(trace_id, self._sample)
        return parent, trace_id, is_left_out


class _Shape(NamedTuple):
    """What many spans share, by which it is remembered once encoded. Nothing whose length a caller chooses is in it."""

    effect: Effect
    reason: Reason
    scope: tuple[str, str, str]
    tool: str
    action: str
    kind: CallKind | None
    policies: tuple[str, ...]
    revision: str
    would: str
    currency: str
    findings: tuple[str, ...]
    obligations: tuple[str, ...]
    parameters: tuple[str, ...]
    guardrails: bool


def _shape(record: DecisionRecord, trace: DecisionTrace, guardrails: bool) -> _Shape:
    identity = record.identity
    scope = identity.scope if identity is not None else None
    is_named = record.parameters and trace.terms.parameters is not ParameterDisplay.NONE
    return _Shape(
        record.effect,
        record.reason,
        ("", "", "") if scope is None else (scope.org, scope.tenant, scope.agent),
        record.tool,
        record.action,
        record.kind,
        record.policies,
        record.revision,
        record.would,
        record.cost.currency if record.cost is not None else "",
        tuple([f"{finding.parameter}:{finding.condition}" for finding in record.findings]) if record.findings else (),
        tuple([_kind_of(duty) for duty in record.obligations]) if record.obligations else (),
        tuple(record.parameters)[:MOST_VALUES] if is_named else (),
        guardrails,
    )


def _kind_of(obligation: Obligation | FlatObligation) -> str:
    return "" if isinstance(obligation, FlatObligation) else kind_of(obligation)


@lru_cache(_REMEMBERED)
def _shared(shape: _Shape) -> bytes:
    org, tenant, agent = shape.scope
    part = FAULT_PARTS.get(shape.reason, "")
    attributes: dict[str, AttributeValue] = {
        names.DECISION: shape.effect.value,
        names.REASON: shape.reason.value,
        names.FAULT_PART: part,
        names.ERROR_TYPE: shape.reason.value if part else "",
        names.ORG: org,
        names.TENANT: tenant,
        names.AGENT: agent,
        names.TOOL: shape.tool,
        names.ACTION: shape.action,
        names.POLICY: shape.policies,
        names.REVISION: shape.revision,
        names.WOULD: shape.would,
        names.FINDINGS: shape.findings,
        names.OBLIGATIONS: tuple(filter(None, shape.obligations)),
        names.PARAMETERS: shape.parameters,
        names.CURRENCY: shape.currency,
        names.GEN_AI_OPERATION: names.EXECUTE_TOOL if shape.kind in (CallKind.ACTION, CallKind.MCP_TOOL) else "",
        names.GEN_AI_AGENT: agent,
        names.GEN_AI_TOOL: shape.action,
    }
    if shape.guardrails:
        attributes |= _guardrail(shape)
    head = text_field(_NAME, names.CHECK) + number_field(_KIND, _SERVER)
    return head + b"".join(attribute(ATTRIBUTES_OF_SPAN, *entry) for entry in attributes.items() if entry[1])


def _guardrail(shape: _Shape) -> dict[str, AttributeValue]:
    verdict, action = _VERDICTS[shape.effect]
    if shape.would and shape.effect.lets_through:  # a shadow's verdict, which is not acted upon
        verdict = _VERDICTS[Effect(shape.would)][0]
    return {
        names.GUARDRAIL_NAME: names.SCOPE,
        names.GUARDRAIL_VERDICT: verdict,
        names.GUARDRAIL_ACTION: action,
        names.GUARDRAIL_REASON: shape.reason.value,
        names.GUARDRAIL_TARGET: "tool_call",
        names.GUARDRAIL_POLICY: shape.policies[0] if shape.policies else "",
        names.GUARDRAIL_MODIFIED: "true" if shape.effect is Effect.SANITIZE else "",
    }


@lru_cache(64)
def _stage(stage: str) -> bytes:
    return number_attribute(f"{names.STAGE}{stage}_ms")


def _link(text: str) -> bytes:
    span = read_traceparent(text)
    if span is None:
        return b""
    return _link_of(span.trace_id, span.span_id, _IS_REMOTE)


def _link_of(trace_id: bytes, span_id: bytes, flags: int) -> bytes:
    return bytes_field(_LINKS, bytes_field(1, trace_id) + bytes_field(2, span_id) + fixed32_field(6, flags))


@lru_cache(_REMEMBERED)
def _settlement(scope: Scope, state: CostState, currency: str) -> bytes:
    attributes = {
        names.ORG: scope.org,
        names.TENANT: scope.tenant,
        names.AGENT: scope.agent,
        names.COST_STATE: state.value,
        names.CURRENCY: currency,
    }
    head = text_field(_NAME, names.SETTLEMENT) + number_field(_KIND, _INTERNAL) + _LOCAL
    return head + b"".join(attribute(ATTRIBUTES_OF_SPAN, *entry) for entry in attributes.items())


def _violation(reason: Reason, policies: tuple[str, ...], at: int) -> bytes:
    return bytes_field(_EVENTS, fixed64_field(1, at) + _violation_words(reason, policies))


@lru_cache(_REMEMBERED)
def _violation_words(reason: Reason, policies: tuple[str, ...]) -> bytes:
    told = attribute(ATTRIBUTES_OF_EVENT, names.REASON, reason.value)
    if policies:
        told += attribute(ATTRIBUTES_OF_EVENT, names.POLICY, policies)
    return text_field(2, names.VIOLATION) + told


def _client(name: str, attributes: Mapping[str, AttributeValue]) -> bytes:
    told = b"".join(attribute(ATTRIBUTES_OF_SPAN, *entry) for entry in attributes.items())
    return text_field(_NAME, name) + number_field(_KIND, _CLIENT) + _LOCAL + told


_CHILDREN: Mapping[str, tuple[bytes, str]] = {
    "evaluate": (_client(names.EVALUATE, {names.PEER: OPA}), OPA),
    "settle": (_client(names.SETTLE, {names.DB_SYSTEM: REDIS, names.DB_OPERATION: "EVALSHA"}), REDIS),
}
"""The stages that wait for another server, and the part that it is."""


def _children(
    record: DecisionRecord, trace_id: bytes, parent_id: bytes, times: tuple[int, int], part: str | None
) -> list[bytes]:
    """One span for each server that was waited for; where one failed, its span lasts until the decision was made."""
    spans = []
    ids = b"".join((_TRACE_ID_HEAD, trace_id, _PARENT_ID_HEAD, parent_id, _SPAN_ID_HEAD))
    at, end = times
    for stage, spent in record.stages.items():
        until = at + int(spent * 1e6)
        child = _CHILDREN.get(stage)
        if child is not None:
            spans.append(b"".join((child[0], ids, new_span_id(), _times(_START_TAG, at, _END_TAG, until))))
        at = until
    if part is None:
        return spans
    for stage, (head, server) in _CHILDREN.items():
        if server == part and stage not in record.stages:
            fault = attribute(ATTRIBUTES_OF_SPAN, names.ERROR_TYPE, record.reason.value) + _FAILED
            spans.append(head + ids + new_span_id() + _times(_START_TAG, min(at, end), _END_TAG, end) + fault)
    return spans
