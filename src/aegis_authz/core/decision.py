"""The question put to the PDP and the answers to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.approval import ApprovalProof, Unattended
from aegis_authz.core.call import ToolCall
from aegis_authz.core.effect import Effect
from aegis_authz.core.fault import Fault
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import CALLERS_FAULTS, REASONS, Reason
from aegis_authz.core.units import Epoch, LimitId, Revision, Seconds


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The question: subject, action, resource and context of OpenID AuthZEN 1.0.

    `environment` is the name of the mesh's environment, `session` what `core.circumstances.session_name` makes of the
    sessions of the call. `reads` are the words of `core.circumstances.CONTEXT` that policy asks about; the PDP is told
    no others. Nor is it told parameters whose names, in lower case, are not among `roots`; None where any may matter.
    """

    identity: Identity
    call: ToolCall
    time: Epoch
    environment: str
    session: str
    reads: frozenset[str]
    roots: frozenset[str] | None


class Target(Enum):
    """Which way a body flows when an obligation redacts it."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(frozen=True, slots=True)
class SetHeader:
    """Obligation: the tool receives this header, whatever the agent sent under its name."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class InjectCredential:
    """Obligation: the tool receives a header of `prefix` and the secret of that name, which the agent never sees."""

    header: str
    credential: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Redact:
    """Obligation: redact what these detectors find and these JSON pointers name."""

    target: Target
    detectors: tuple[str, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnDetector:
    """A detector that policy defines: an RE2 pattern, and the name of what proves a match ("" for nothing)."""

    name: str
    pattern: str
    validator: str


@dataclass(frozen=True, slots=True)
class RedactionTerms:
    """Obligation: how the bodies of one direction are redacted where that is not how it mostly is.

    `is_loose` takes for values what is one in most texts; `numbers` lets a text take the place of a JSON number;
    `passes_opaque` lets through what cannot be looked at; `own` detectors are searched for beside the others.
    """

    target: Target
    is_loose: bool
    numbers: bool
    passes_opaque: bool
    own: tuple[OwnDetector, ...]


@dataclass(frozen=True, slots=True)
class FilterTools:
    """Obligation: a tools/list answer shows these tools alone."""

    allowed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HideTools:
    """Obligation: a tools/list answer shows all tools but these, in whatever spelling."""

    hidden: tuple[str, ...]


Obligation = Redact | RedactionTerms | FilterTools | HideTools | SetHeader | InjectCredential
"""What must be done for the decision to hold. A kind not listed here is a deny."""

OBLIGATIONS: Mapping[str, type[Obligation]] = {
    "redact": Redact,
    "redaction_terms": RedactionTerms,
    "filter_tools": FilterTools,
    "hide_tools": HideTools,
    "set_header": SetHeader,
    "inject_credential": InjectCredential,
}
"""Every kind of obligation, by the name it has as data; its members are its fields."""
_KINDS = {obligation: kind for kind, obligation in OBLIGATIONS.items()}


def kind_of(obligation: Obligation) -> str:
    """The name that the kind of an obligation has as data."""
    return _KINDS[type(obligation)]


def changes_bodies(obligation: Obligation) -> bool:
    """Whether a request or response body has to pass the processor for the obligation to be met."""
    return not isinstance(obligation, SetHeader | InjectCredential)


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition that did not hold, as far as policy lets it be told.

    `limit` and `value` are None unless the policy discloses them.
    """

    parameter: str
    condition: str
    limit: Json
    value: Json


@dataclass(frozen=True, slots=True)
class ApprovalTerms:
    """What an approval needs: whom it is meant for, how long it may be asked and used, and how many people.

    `confirm` names the parameters whose values an approver types, and `notify` the places of channels, `kind:place`.
    For so long as `hold` the request is kept open meanwhile, 0 for not at all. `proof` is what whoever decides shows,
    and `unattended` what becomes of the call when nobody decides within the hold.
    """

    groups: tuple[str, ...]
    expires_in: Seconds
    approvals: int
    confirm: tuple[str, ...]
    notify: tuple[str, ...]
    hold: Seconds
    proof: ApprovalProof
    unattended: Unattended


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer to a call. Every field must be given: nothing about a decision is implied.

    `would` is what a shadow policy would have answered, None where no shadow policy matched.
    `policies` are the names of the documents that decided. `limits` are the limits that the call meets, for its
    revision's snapshot to resolve. `detail` is for the record and `fault`, what is wrong with the caller's text, for
    the caller.
    """

    effect: Effect
    reason: Reason
    detail: str
    policies: tuple[str, ...]
    revision: Revision
    obligations: tuple[Obligation, ...]
    findings: tuple[Finding, ...]
    approval: ApprovalTerms | None
    would: Effect | None
    fault: Fault | None
    limits: tuple[LimitId, ...]

    def __post_init__(self) -> None:
        spec = REASONS[self.reason]
        if spec.effect is Effect.ALLOW and self.effect is Effect.SANITIZE:
            return  # an approved or shadowed call may still carry redactions
        if spec.effect is not self.effect:
            raise ValueError(f"{self.reason.value} cannot explain {self.effect.value}")
        if self.fault is not None and self.reason not in CALLERS_FAULTS:
            raise ValueError(f"{self.reason.value} is not the fault of a caller's text")

    @property
    def changes_bodies(self) -> bool:
        """Whether a request or response body has to pass the processor for the decision to hold."""
        return any(map(changes_bodies, self.obligations))

    def __bool__(self) -> bool:
        raise TypeError("a Decision has no truth value; look at its effect")


def denied(reason: Reason, detail: str, revision: Revision, fault: Fault | None = None) -> Decision:
    """A denial that no policy document made."""
    return Decision(
        effect=Effect.DENY,
        reason=reason,
        detail=detail,
        policies=(),
        revision=revision,
        obligations=(),
        findings=(),
        approval=None,
        would=None,
        fault=fault,
        limits=(),
    )
