"""Stage 6: obligations -> what Envoy must do so that the decision holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from aegis_authz.core.call import Rpc, ToolCall
from aegis_authz.core.decision import (
    Decision,
    FilterTools,
    HideTools,
    InjectCredential,
    Redact,
    RedactionTerms,
    SetHeader,
    Target,
    kind_of,
)
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.ports.data_plane import Credentials
from aegis_authz.redact.detectors.own import own_detectors
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.fields import read_field
from aegis_authz.wire.authzen.question import REDACT, Question
from aegis_authz.wire.bodies.coding import Decoding
from aegis_authz.wire.http.streams import is_streamed
from aegis_authz.wire.opa.obligations import obligations_to_data


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """Header and metadata changes. `processing` is "", or which bodies pass the processor:
    "request", "response" or "both". `headers` are those the tool receives.
    """

    processing: str
    metadata: Mapping[str, str]
    headers: Mapping[str, str]


NOTHING_TO_FULFIL = Fulfilment("", {}, {})


def refuse_unreachable(decision: Decision, call: ToolCall | None) -> None:
    """Refused(OBLIGATION_UNMET) where members of a list of operations would be redacted (no pointer leads into each),
    and where messages of a stream would be: to look at all of them is to let none through before the last.
    """
    if call is None:
        return
    if is_streamed(call) and any(
        isinstance(obligation, Redact | RedactionTerms) and obligation.target is Target.REQUEST
        for obligation in decision.obligations
    ):
        raise Refused(Reason.OBLIGATION_UNMET, "a stream of messages would have to be redacted")
    if not call.batch:
        return
    for obligation in decision.obligations:
        if isinstance(obligation, Redact) and obligation.target is Target.REQUEST and obligation.fields:
            raise Refused(Reason.OBLIGATION_UNMET, "members of a batch would have to be redacted")


def refuse_unprocessed(fulfilment: Fulfilment, listener: str) -> None:
    """Refused(OBLIGATION_UNMET) where bodies would have to pass the processor, and a gateway asks that has none: it
    names no listener of ours, and would forward them as they are.
    """
    if fulfilment.processing and not listener:
        raise Refused(Reason.OBLIGATION_UNMET, "bodies would have to be rewritten, and the gateway is none of ours")


def refuse_inapplicable(decision: Decision, question: Question, is_function: bool) -> None:
    """Refused(OBLIGATION_UNMET) where whoever asks at the evaluation endpoint would not do what policy demands.

    A function has no headers, so none is set and no credential lent; what is no function has its fields elsewhere than
    its arguments; and a caller that does not say that it applies redactions would take `true` for an allow.
    """
    for obligation in decision.obligations:
        if not isinstance(obligation, Redact | RedactionTerms):
            raise Refused(Reason.OBLIGATION_UNMET, f"{kind_of(obligation)} at the evaluation endpoint")
        if REDACT not in question.applies:
            raise Refused(Reason.OBLIGATION_UNMET, "the caller does not say that it applies redactions")
        if isinstance(obligation, Redact) and obligation.fields and not is_function:
            raise Refused(Reason.OBLIGATION_UNMET, "fields are redacted where the body is seen")


def fulfil(
    decision: Decision, rpc: Rpc, identity: Identity | None, credentials: Credentials, decoding: Decoding | None
) -> Fulfilment:
    """Say how the obligations are met, and that a body which was judged decoded is forwarded so.

    Raises Refused(OBLIGATION_UNKNOWN) for one that is not known, Refused(OBLIGATION_UNMET) for one that cannot be met
    at present.
    """
    if not decision.obligations and decoding is None:
        return NOTHING_TO_FULFIL
    headers = _headers(decision, identity, credentials)
    bodily = [
        obligation
        for obligation in decision.obligations
        if isinstance(obligation, Redact | RedactionTerms | FilterTools | HideTools)
    ]
    if not bodily and decoding is None:
        return Fulfilment("", {}, headers)
    targets = {_target(obligation) for obligation in bodily}
    if decoding is not None:
        targets.add(Target.REQUEST)
    return Fulfilment(
        processing="both" if len(targets) == 2 else targets.pop().value,
        metadata={
            "obligations": orjson.dumps(obligations_to_data(bodily)).decode(),
            **rpc_metadata(rpc),
            **({} if decoding is None else decoding_metadata(decoding)),
        },
        headers=headers,
    )


def rpc_metadata(rpc: Rpc) -> dict[str, str]:
    """What an answer in place of the tool's must be shaped by."""
    return {"rpc_id": "" if rpc.id is None else orjson.dumps(rpc.id).decode(), "rpc_method": rpc.method}


def decoding_metadata(decoding: Decoding) -> dict[str, str]:
    """What the request's body must be decoded by, and what must come out."""
    return {"coding": decoding.coding, "body_sha256": decoding.sha256}


def _headers(decision: Decision, identity: Identity | None, credentials: Credentials) -> dict[str, str]:
    headers: dict[str, str] = {}
    for obligation in decision.obligations:
        if isinstance(obligation, SetHeader):
            name, value = obligation.name, obligation.value
        elif isinstance(obligation, InjectCredential) and decision.effect.lets_through:
            if identity is None:
                raise Refused(Reason.OBLIGATION_UNMET, "nobody to lend a credential to")
            name, value = (
                obligation.header,
                obligation.prefix + credentials.secret(identity.scope, obligation.credential),
            )
        else:
            continue
        if name in headers:
            raise Refused(Reason.OBLIGATION_UNKNOWN, "two values for one header")
        headers[name] = value
    return headers


def _target(obligation: Redact | RedactionTerms | FilterTools | HideTools) -> Target:
    if isinstance(obligation, Redact):
        unknown = [name for name in obligation.detectors if name not in DETECTORS]
        if unknown:
            raise Refused(Reason.OBLIGATION_UNKNOWN, f"no detector is named {unknown[0]}")
        for pointer in obligation.fields:
            read_field(pointer)
        return obligation.target
    if isinstance(obligation, RedactionTerms):
        own_detectors(obligation.own)
        return obligation.target
    return Target.RESPONSE
