from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import SetHeader
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CostState, DecisionRecord, SettledCost
from aegis_authz.core.scope import Scope
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.telemetry_terms import OF_NOBODY, UNSAID, CallerTrace, ParameterDisplay, TelemetryTerms
from aegis_authz.telemetry.spans import DecisionSpans, SpanTerms
from tests.support.made_records import DENIED
from tests.support.span_queue import SpanMemory, attributes_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ENVOY = f"00-{TRACE}-{SPAN}-01"
UNSAMPLED = f"00-{TRACE}-{SPAN}-00"
CALLER = f"00-{'c' * 32}-{'d' * 16}-01"
DECISION = "01999999-aaaa-7bbb-8ccc-ddddeeeeffff"
ALLOWED = replace(
    DENIED,
    effect=Effect.ALLOW,
    reason=Reason.ALLOWED,
    decision_id=DECISION,
    findings=(),
    stages={"decode": 0.25, "authenticate": 0.5, "parse": 0.25, "evaluate": 1.5, "settle": 0.5},
    total_ms=4.0,
)
STARTED = 1_800_000_000_000_000_000


class Forgetful:
    """A queue that keeps nothing."""

    def put(self, spans: Sequence[bytes]) -> None:
        """Take the spans of one decision."""


def emitted(
    record: DecisionRecord,
    parent: str = "",
    *,
    links: tuple[str, ...] = (),
    terms: TelemetryTerms = UNSAID,
    sample: float = 1.0,
    guardrails: bool = False,
) -> list[Span]:
    queue = SpanMemory()
    spans = DecisionSpans(queue, SpanTerms(sample, guardrails, lambda: (b"k" * 32,)))
    spans.emit(record, DecisionTrace(parent, links, terms))
    return queue.spans


def told(record: DecisionRecord, **how: object) -> dict[str, str | float | tuple[str, ...]]:
    return attributes_of(emitted(record, **how)[0].attributes)  # type: ignore[arg-type]  # as `emitted` takes them


def test_a_denial_is_a_span_with_a_policy_violation() -> None:
    (span,) = emitted(replace(DENIED, stages={"decode": 1.5}))
    attributes = attributes_of(span.attributes)
    assert (span.name, span.kind, span.status.code) == ("aegis.check", Span.SPAN_KIND_SERVER, Status.STATUS_CODE_OK)
    assert attributes["aegis.decision"] == "deny"
    assert attributes["aegis.reason"] == "POLICY_DENIED"
    assert attributes["aegis.stage.decode_ms"] == 1.5
    assert attributes["aegis.findings"] == ("amount:max",)
    (event,) = span.events
    assert (event.name, event.time_unix_nano) == ("PolicyViolation", STARTED)
    assert attributes_of(event.attributes) == {
        "aegis.reason": "POLICY_DENIED",
        "aegis.policy": ("acme/emea/finance-agent",),
    }
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (STARTED, STARTED + 2_500_000)


def test_who_did_what_by_which_policy_at_which_cost_is_told() -> None:
    record = replace(ALLOWED, cost=Money(2_500_000, "EUR"), approval_id="apr_1", would="deny")
    record = replace(record, obligations=(SetHeader("x-team", "1"),))
    attributes = told(record)
    assert attributes == {
        "aegis.decision": "allow",
        "aegis.reason": "ALLOWED",
        "aegis.decision_id": DECISION,
        "aegis.org": "acme",
        "aegis.tenant": "emea",
        "aegis.agent": "finance-agent",
        "aegis.tool": "stripe-payments",
        "aegis.action": "create_payment",
        "aegis.policy": ("acme/emea/finance-agent",),
        "aegis.revision": "r1",
        "aegis.would": "deny",
        "aegis.obligations": ("set_header",),
        "aegis.parameters": ("amount",),
        "aegis.approval_id": "apr_1",
        "aegis.cost.estimated": 2.5,
        "aegis.cost.currency": "EUR",
        "aegis.stage.decode_ms": 0.25,
        "aegis.stage.authenticate_ms": 0.5,
        "aegis.stage.parse_ms": 0.25,
        "aegis.stage.evaluate_ms": 1.5,
        "aegis.stage.settle_ms": 0.5,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.agent.name": "finance-agent",
        "gen_ai.tool.name": "create_payment",
        "http.request.method": "POST",
        "server.address": "api.stripe.example",
    }


def test_hosts_and_methods_as_callers_write_them_are_not_remembered() -> None:
    spans = DecisionSpans(Forgetful(), SpanTerms(1.0, guardrails=False, keys=lambda: (b"k" * 32,)))
    spans.emit(DENIED, DecisionTrace("", (), UNSAID))
    tracemalloc.start()
    try:
        for number in range(100):
            text = f"{number}{'x' * 50_000}"
            record = replace(DENIED, host=text, method=text, rpc_method=text)
            spans.emit(record, DecisionTrace("", (), UNSAID))
        del text, record
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 50_000


def test_an_allow_is_no_violation() -> None:
    assert [list(span.events) for span in emitted(ALLOWED)] == [[], [], []]


def test_opa_and_redis_have_spans_of_their_own_for_as_long_as_they_were_waited_for() -> None:
    check, opa, redis = emitted(ALLOWED, ENVOY)
    assert (opa.name, redis.name) == ("opa evaluate", "redis settle")
    assert {opa.parent_span_id, redis.parent_span_id} == {check.span_id}
    assert {span.trace_id.hex() for span in (check, opa, redis)} == {TRACE}
    assert len({check.span_id, opa.span_id, redis.span_id}) == 3
    assert (opa.start_time_unix_nano, opa.end_time_unix_nano) == (STARTED + 1_000_000, STARTED + 2_500_000)
    assert (redis.start_time_unix_nano, redis.end_time_unix_nano) == (STARTED + 2_500_000, STARTED + 3_000_000)
    assert attributes_of(redis.attributes) == {"db.system.name": "redis", "db.operation.name": "EVALSHA"}


@pytest.mark.parametrize(
    ("reason", "name"), [(Reason.PDP_TIMEOUT, "opa evaluate"), (Reason.STORE_UNAVAILABLE, "redis settle")]
)
def test_the_span_of_a_server_that_failed_lasts_until_the_decision_and_is_an_error(reason: Reason, name: str) -> None:
    check, server = emitted(replace(DENIED, reason=reason, policies=(), stages={"decode": 0.5}, total_ms=30.0))
    assert (server.name, server.status.code) == (name, Status.STATUS_CODE_ERROR)
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (STARTED + 500_000, STARTED + 30_000_000)
    assert attributes_of(server.attributes)["error.type"] == reason.value
    assert check.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(check.attributes)["aegis.fault"] == name.split()[0]


def test_a_span_is_the_child_of_envoys() -> None:
    span = emitted(DENIED, ENVOY)[0]
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.flags) == (TRACE, SPAN, 0x301)


@pytest.mark.parametrize("text", ["garbage", "x" * 10_240, f"00-{TRACE}-{SPAN}"])
def test_an_unreadable_parent_starts_the_trace_that_is_named_like_the_decision(text: str) -> None:
    span = emitted(replace(DENIED, decision_id=DECISION), text, links=(text,))[0]
    assert (span.parent_span_id, span.trace_id, span.flags) == (b"", UUID(DECISION).bytes, 0x101)
    assert list(span.links) in ([], [Span.Link()])


def test_a_trace_that_is_not_continued_is_linked() -> None:
    span = emitted(DENIED, links=(CALLER,))[0]
    (link,) = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == ("c" * 32, "d" * 16)


def test_neither_token_nor_values_nor_details_are_in_a_span_unless_documents_say_so() -> None:
    for display in (ParameterDisplay.NONE, ParameterDisplay.NAMES, ParameterDisplay.HASHED):
        spans = emitted(DENIED, terms=TelemetryTerms(display, CallerTrace.CONTINUE))
        text = str([(span.attributes, span.events[0].attributes if span.events else ()) for span in spans])
        assert not any(secret in text for secret in ("secret-jti", "50000", "internal words"))


def test_parameters_are_shown_as_documents_say() -> None:
    def attributes(display: ParameterDisplay) -> dict[str, str | float | tuple[str, ...]]:
        return told(DENIED, terms=TelemetryTerms(display, CallerTrace.CONTINUE))

    assert "aegis.parameters" not in attributes(ParameterDisplay.NONE)
    assert attributes(ParameterDisplay.CLEAR)["aegis.parameter.amount"] == "50000"
    assert str(attributes(ParameterDisplay.HASHED)["aegis.parameter.amount"]).startswith("hmac-sha256:")
    assert "aegis.parameters" not in told(DENIED, terms=OF_NOBODY)


def test_a_trace_that_is_not_sampled_has_no_spans_of_allows_and_has_those_of_everything_else() -> None:
    assert emitted(ALLOWED, UNSAMPLED) == emitted(ALLOWED, sample=1e-9) == []
    for record in (
        DENIED,
        replace(ALLOWED, effect=Effect.SANITIZE, reason=Reason.SANITIZED),
        replace(ALLOWED, effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED),
        replace(ALLOWED, would="deny"),
    ):
        assert len(emitted(record, UNSAMPLED)) == len(emitted(record, sample=1e-9)) > 0


def test_the_method_of_mcp_is_told() -> None:
    record = replace(ALLOWED, kind=CallKind.MCP_SESSION, rpc_method="tools/list", action="tools/list")
    attributes = told(record)
    assert attributes["mcp.method.name"] == "tools/list"
    assert "gen_ai.operation.name" not in attributes


def test_the_proposal_for_guardrails_is_followed_where_settings_say_so() -> None:
    assert not any("guardrail" in name for name in told(DENIED))
    shadowed = told(replace(ALLOWED, reason=Reason.SHADOWED, would="deny"), guardrails=True)
    assert shadowed["gen_ai.guardrail.verdict.type"] == "deny"
    assert shadowed["gen_ai.guardrail.action.type"] == "allow"
    denied = told(DENIED, guardrails=True)
    assert denied["gen_ai.guardrail.action.type"] == "block"
    assert denied["gen_ai.security.policy.id"] == "acme/emea/finance-agent"


def test_what_a_caller_writes_does_not_make_a_span_large() -> None:
    record = replace(DENIED, identity=None, host="h" * 10_240, action="a" * 10_240, tool="\ud800")
    (span, _) = emitted(record)
    assert span.ByteSize() < 6000
    assert attributes_of(span.attributes)["aegis.tool"] == "?"


def settled(trace: str = "", sample: float = 1.0) -> list[Span]:
    queue = SpanMemory()
    cost = SettledCost(Money(1_250_000, "EUR"), CostState.MEASURED)
    call = SettledCall(DECISION, Scope("acme", "emea", "bot"), trace, 1_800_000_003.0, Money(2_500_000, "EUR"), cost)
    DecisionSpans(queue, SpanTerms(sample, False, lambda: (b"k" * 32,))).emit_settled(call)
    return queue.spans


@pytest.mark.parametrize("trace", ["", ENVOY])
def test_a_cost_that_is_settled_later_is_a_span_beneath_its_decision_and_linked_to_it(trace: str) -> None:
    check = emitted(ALLOWED, trace)[0]
    (span,) = settled(trace)
    assert (span.name, span.kind) == ("aegis.settle", Span.SPAN_KIND_INTERNAL)
    assert (span.trace_id, span.parent_span_id) == (check.trace_id, check.span_id)
    assert [(link.trace_id, link.span_id) for link in span.links] == [(check.trace_id, check.span_id)]
    assert len(span.span_id) == 8 and span.span_id != check.span_id
    assert span.start_time_unix_nano == span.end_time_unix_nano == STARTED + 3_000_000_000
    assert attributes_of(span.attributes) == {
        "aegis.org": "acme",
        "aegis.tenant": "emea",
        "aegis.agent": "bot",
        "aegis.decision_id": DECISION,
        "aegis.cost.estimated": 2.5,
        "aegis.cost.settled": 1.25,
        "aegis.cost.currency": "EUR",
        "aegis.cost.state": "measured",
    }


def test_sampling_leaves_out_both_spans_of_a_call_or_neither() -> None:
    assert (settled(UNSAMPLED), emitted(ALLOWED, UNSAMPLED)) == ([], [])
    assert (settled(sample=0.0001), emitted(ALLOWED, sample=0.0001)) == ([], [])
    assert len(settled("garbage")) == len(settled(CALLER)) == 1
