"""Tests of identity as code: which agent claims, a certificate or a key stand for, or why for none.

They stand in `*_test.yaml` as documents of their own, beside those that test calls.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, model_validator

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.issuance import Denial
from aegis_authz.policy.compile.identities import Identities
from aegis_authz.policy.language.identities import AgentScope, SpiffeId, WayName
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, UNIQUE, Words
from aegis_authz.policy.language.validation import Part, validated
from aegis_authz.policy.source.problems import PolicyErrors, Problem, did_you_mean, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument, read_source

UNREGISTERED = "unregistered"
"""Why a certificate or a key stands for nobody."""
REFUSALS = (
    UNREGISTERED,
    *(
        denial.name.lower()
        for denial in (
            Denial.SUBJECT_ISSUER,
            Denial.SUBJECT_AUDIENCE,
            Denial.SUBJECT_FORM,
            Denial.SUBJECT_EXPIRED,
            Denial.SUBJECT_EARLY,
            Denial.SUBJECT_LIFE,
            Denial.SUBJECT_UNMATCHED,
            Denial.SUBJECT_NAME,
        )
    ),
)
"""What documents alone can refuse by; the others come from signatures, stores and clocks."""
_MEMBER = "identities"


def _refusal(value: str) -> str:
    if value not in REFUSALS:
        near = did_you_mean(value, REFUSALS) or f"; known: {', '.join(REFUSALS)}"
        raise ValueError(f"{quoted(value)} is no refusal that documents give{near}")
    return value


RefusalWord = Annotated[str, AfterValidator(_refusal)]


class ExpectedIdentity(Part):
    """Whom it must stand for, or why for nobody; `on_behalf_of` and `ways` are looked at where they are given."""

    agent: AgentScope | None = None
    refused: RefusalWord | None = None
    on_behalf_of: Words | None = None
    ways: Annotated[tuple[WayName, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None

    @model_validator(mode="after")
    def _is_one_answer(self) -> ExpectedIdentity:
        if (self.agent is None) == (self.refused is None):
            raise ValueError("must have either agent or refused")
        if self.refused is not None and (self.on_behalf_of is not None or self.ways is not None):
            raise ValueError("what is refused stands for nobody and has no ways")
        return self


class WrittenIdentity(Part):
    """One test as written: claims of a trusted issuer, a SPIFFE id, or the thumbprint of a key."""

    name: Words
    trust: Words | None = None
    claims: dict[Words, object] | None = None
    without: Annotated[tuple[Words, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    spiffe: SpiffeId | None = None
    key: Words | None = None
    expect: ExpectedIdentity

    @model_validator(mode="after")
    def _is_one_question(self) -> WrittenIdentity:
        if [self.trust is not None, self.spiffe is not None, self.key is not None].count(True) != 1:
            raise ValueError("must have one of trust with claims, spiffe and key")
        if (self.trust is None) != (self.claims is None):
            raise ValueError("trust and claims belong together")
        if self.without is not None and (self.claims is None or not self.claims.keys().isdisjoint(self.without)):
            raise ValueError("without names claims that a token has when a test does not say otherwise")
        return self


class IdentitiesDocument(Part):
    """A document of tests of identity."""

    identities: Annotated[tuple[WrittenIdentity, ...], LISTED, NOT_EMPTY]


@dataclass(frozen=True, slots=True)
class IdentityCase:
    """One readable test and where it was written. `lines` go from a member of `expect` to its line."""

    name: str
    written: WrittenIdentity
    path: str
    line: int
    lines: Mapping[str, int]


def is_about_identity(source: SourceDocument) -> bool:
    """Whether a document of a test file is one of these."""
    return isinstance(source.value, Mapping) and _MEMBER in source.value


def identity_cases_of(sources: Mapping[str, str], identities: Identities) -> list[IdentityCase]:
    """Read these tests, in order of file and place; documents of other tests are passed over.

    Raises PolicyErrors with every problem of every file.
    """
    cases: list[IdentityCase] = []
    problems: list[Problem] = []
    trusts = {loaded.document.trust for loaded in identities.trusts}
    for path in sorted(sources):
        documents, _ = read_source(path, sources[path])  # what cannot be read is told with the tests of calls
        names: set[str] = set()
        for source in filter(is_about_identity, documents):
            document, wrong = validated(IdentitiesDocument, source)
            problems += wrong
            for position, test in enumerate(() if document is None else document.identities):
                at: Location = (_MEMBER, position)
                problems += [source.problem((*at, member), text) for member, text in _faults(test, names, trusts)]
                names.add(test.name)
                cases.append(IdentityCase(test.name, test, path, source.at[at].line, _lines(source, at)))
    if problems:
        raise PolicyErrors(problems)
    return cases


def _faults(test: WrittenIdentity, names: Collection[str], trusts: Collection[str]) -> Iterator[tuple[str, str]]:
    if test.name in names:
        yield "name", "another test of this file has this name"
    if test.trust is not None and test.trust not in trusts:
        yield "trust", f"no trust document is called {quoted(test.trust)}{did_you_mean(test.trust, trusts)}"


def _lines(source: SourceDocument, at: Location) -> dict[str, int]:
    expected: Sequence[str] = tuple(ExpectedIdentity.model_fields)
    places = ((member, (*at, "expect", member)) for member in expected)
    return {member: source.at[place].line for member, place in places if place in source.at}


def key_owners(identities: Identities) -> dict[str, Scope]:
    """Whose each registered key is, by its thumbprint."""
    return {thumbprint(raw): scope for scope, entry in identities.entries() for raw in entry.keys or ()}


def claims_of(written: WrittenIdentity, identities: Identities, now: float) -> dict[str, Json]:
    """The claims of a test as a token would have them: those of its issuer, changed as written."""
    (document,) = [loaded.document for loaded in identities.trusts if loaded.document.trust == written.trust]
    usual: dict[str, Json] = {"aud": document.audience, "iat": now, "exp": now + 60, "sub": "test"}
    if document.kind != "spiffe":
        usual["iss"] = document.issuer
    changed = {**usual, **_json(written.claims or {})}
    return {name: value for name, value in changed.items() if name not in (written.without or ())}


def _json(value: Mapping[str, object]) -> dict[str, Json]:
    return {name: _value(member) for name, member in value.items()}


def _value(value: object) -> Json:
    if isinstance(value, Mapping):
        return _json(value)
    if isinstance(value, list | tuple):
        return [_value(member) for member in value]
    if isinstance(value, str | bool | int | float):
        return value
    return str(value)  # a day: documents have nothing else
