"""The limits of documents as values of the core, each with an id that outlives publications that do not touch it.

The id is made of the document, of the place in it and of what is counted; how much is allowed and what happens beyond
it are no part of it. Where several limits of one place count the same they are told apart by their strictness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aegis_authz.core.approval import ApprovalProof, Unattended
from aegis_authz.core.breaker import Breaker
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import Exceed, Flags, Limit, Per, Terms
from aegis_authz.core.units import LimitId, Millis, Seconds
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.limit_terms import LimitTerms, basis_of, phrase, size, terms_of
from aegis_authz.policy.compile.redactions import redaction_obligations
from aegis_authz.policy.compile.rules import CompiledDocument
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.document_limits import BreakerTerms, LimitEntry
from aegis_authz.policy.language.limits import LIMIT_WORDS, FlagTerms, Limited, SetFlags, seconds_of
from aegis_authz.policy.language.rule import Approval, ToolRule
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.source.reader import Location

_DIGITS = 20


@dataclass(frozen=True, slots=True)
class CompiledLimit:
    """A limit, and where in its document or template it stands. `word` is the word by which it is written.

    `exceed` is what is written of a call beyond it: without what to redact, a limit that sanitizes denies.
    """

    limit: Limit
    word: str
    exceed: Exceed
    at: Location


@dataclass(frozen=True, slots=True)
class LimitedCalls:
    """The limits of one rule, or of one entry of `limits`: those of its `tools` and `actions`, of all where empty.

    `rule` is the id of the rule, "" for an entry; `name` that of a named entry. `origin` is the template that holds
    it, "" for the document itself.
    """

    rule: str
    name: str
    origin: str
    tools: tuple[str, ...]
    actions: tuple[str, ...]
    limits: tuple[CompiledLimit, ...]

    @property
    def ids(self) -> list[str]:
        """The ids of the limits, sorted."""
        return sorted({compiled.limit.id for compiled in self.limits})


def limited_calls(policy: CompiledDocument) -> list[LimitedCalls]:
    """All limits of a document, those of its rules first."""
    document, places = policy.document, [*_places(policy)]
    drafts = [draft for number, place in enumerate(places) for draft in _drafts(document, place, number)]
    compiled: dict[int, list[CompiledLimit]] = {}
    ordinals: dict[bytes, int] = {}
    for draft in sorted(drafts, key=lambda draft: (draft.identity, draft.order)):
        ordinal = ordinals[draft.identity] = ordinals.get(draft.identity, 0) + 1
        compiled.setdefault(draft.order[-1], []).append(_limit(document, draft, ordinal))
    return [
        LimitedCalls(
            place.rule,
            place.limited.name or "" if isinstance(place.limited, LimitEntry) else "",
            place.limited.origin,
            place.tools,
            place.actions,
            tuple(compiled[number]),
        )
        for number, place in enumerate(places)
    ]


def limits_of(policies: Sequence[CompiledDocument]) -> dict[LimitId, Limit]:
    """The limits that calls can meet: those of documents that enforce, by id."""
    return {
        compiled.limit.id: compiled.limit
        for policy in policies
        if policy.document.mode == "enforce"
        for calls in limited_calls(policy)
        for compiled in calls.limits
    }


def breakers_of(policies: Sequence[CompiledDocument]) -> dict[str, tuple[Breaker, ...]]:
    """The breakers of documents that enforce, by scope."""
    scopes: dict[str, list[Breaker]] = {}
    for document in (policy.document for policy in policies):
        if document.breaker is not None and document.mode == "enforce":
            scopes.setdefault(document.scope, []).append(_breaker(document, document.breaker))
    return {scope: tuple(sorted(breakers, key=lambda breaker: breaker.id)) for scope, breakers in scopes.items()}


def effective(limited: Limited, words: LimitTerms) -> Exceed:
    """What becomes of a call beyond one limit of a rule or entry."""
    if isinstance(words, FlagTerms):
        return Exceed(words.otherwise)
    if isinstance(words, SetFlags):
        return Exceed.DENY
    return Exceed(words.on_exceed or limited.on_exceed or Exceed.DENY.value)


def written_limits(limited: Limited) -> Iterator[tuple[str, Location, LimitTerms]]:
    """Each limit of a rule or entry with its word and its place inside, in order of words."""
    for word in LIMIT_WORDS:
        terms: tuple[LimitTerms, ...] | LimitTerms | None = getattr(limited, word)
        if isinstance(terms, tuple):
            yield from ((word, (word, position), limit) for position, limit in enumerate(terms))
        elif terms is not None:
            yield word, (word,), terms


@dataclass(frozen=True, slots=True)
class _Place:
    """A rule or entry that limits calls; `words` say which, for ids, and `about` for people."""

    limited: ToolRule | LimitEntry
    rule: str
    tools: tuple[str, ...]
    actions: tuple[str, ...]
    words: tuple[Json, ...]
    about: str
    at: Location


@dataclass(frozen=True, slots=True)
class _Draft:
    """A limit without its id. `order` tells limits apart that count the same: the strictest comes first."""

    identity: bytes
    order: tuple[int, int, int]
    place: _Place
    word: str
    at: Location
    per: Per
    exceed: Exceed
    terms: Terms


def _places(policy: CompiledDocument) -> Iterator[_Place]:
    for compiled in policy.rules.allowing:
        rule = compiled.rule
        if isinstance(rule, ToolRule) and rule.is_limited:
            words: tuple[Json, ...] = ("rule", rule.name, [*sorted(rule.actions)])
            yield _Place(rule, compiled.id, (rule.name,), rule.actions, words, rule.name, compiled.at)
    before: dict[str, int] = {}
    for entry in policy.document.limits:
        position = before.setdefault(entry.origin, 0)
        before[entry.origin] += 1
        tools, actions = entry.tools or (), entry.actions or ()
        unnamed: tuple[Json, ...] = ("entry", [*sorted(tools)], [*sorted(actions)])
        about = entry.name or (", ".join(tools) if tools else "all tools")
        place: tuple[Json, ...] = ("name", entry.name) if entry.name else unnamed
        yield _Place(entry, "", tools, actions, place, about, ("limits", position))


def _drafts(document: PolicyDocument, place: _Place, number: int) -> Iterator[_Draft]:
    limited = place.limited
    for word, at, words in written_limits(limited):
        terms = terms_of(word, words)
        per = Per.AGENT if isinstance(terms, Flags) else whose(document, limited)
        counts: list[Json] = [document.scope, document.title, limited.origin, *place.words, per.value, *basis_of(terms)]
        exceed = effective(limited, words)
        order = (-exceed.strictness, size(terms), number)
        yield _Draft(canonical(counts), order, place, word, (*place.at, *at), per, exceed, terms)


def _limit(document: PolicyDocument, draft: _Draft, ordinal: int) -> CompiledLimit:
    limited, exceed = draft.place.limited, draft.exceed
    obligations = tuple(redaction_obligations(limited.sanitize)) if exceed is Exceed.SANITIZE else ()
    if exceed is Exceed.SANITIZE and not obligations:
        exceed = Exceed.DENY  # nothing says what to redact
    limit = Limit(
        id=_id(draft.identity, ordinal),
        policy=document.title,
        name=f"{phrase(draft.terms)} ({draft.place.about})",
        per=draft.per,
        on_exceed=exceed,
        obligations=obligations,
        approval=_approval_terms(limited.approval) if exceed is Exceed.APPROVAL_NEEDED else None,
        terms=draft.terms,
    )
    return CompiledLimit(limit, draft.word, draft.exceed, draft.at)


def whose(document: PolicyDocument, limited: Limited) -> Per:
    """Whose calls are counted together: those of the tenant where the document is about all its agents."""
    return Per(limited.per or (Per.TENANT.value if document.agent == ANY else Per.AGENT.value))


def _id(identity: bytes, ordinal: int) -> LimitId:
    return LimitId(hashlib.sha256(b"%d %s" % (ordinal, identity)).hexdigest()[:_DIGITS])


def _approval_terms(words: Approval | None) -> ApprovalTerms:
    approval = words or Approval()
    return ApprovalTerms(
        groups=tuple(sorted(approval.groups)),
        expires_in=Seconds(float(approval.expires_in)),
        approvals=approval.approvals,
        confirm=tuple(sorted(approval.confirm)),
        notify=tuple(sorted(approval.notify)),
        hold=Seconds(float(approval.hold_seconds)),
        proof=ApprovalProof(approval.proof),
        unattended=Unattended(approval.unattended),
    )


def _breaker(document: PolicyDocument, terms: BreakerTerms) -> Breaker:
    return Breaker(
        id=_id(canonical([document.scope, document.title, "breaker"]), 1),
        policy=document.title,
        refusals=terms.refusals,
        forbidden_domain=terms.forbidden_domain,
        within=Millis(seconds_of(terms.within) * 1000),
        quarantine=Millis(seconds_of(terms.quarantine) * 1000),
    )
