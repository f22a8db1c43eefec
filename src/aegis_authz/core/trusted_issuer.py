"""An issuer whose tokens are exchanged for ours, and for which agents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds

_PLACEHOLDER = re.compile(r"\{([^{}/]{1,128})\}\Z")
_MAX_PERSON = 256


@dataclass(frozen=True, slots=True)
class SubjectRule:
    """Tokens with all these claims stand for the agent; `{claim}` parts of its name are filled in by their claims.

    A claim that begins with `/` is a JSON pointer. `on_behalf_of` is the claim that names a person, "" where the token
    is of the agent itself.
    """

    claims: Mapping[str, Json]
    agent: str
    on_behalf_of: str

    def matches(self, claims: Mapping[str, Json]) -> bool:
        """Whether every claim is there with this very value; true is not 1, and no list holds its members."""
        return all(_is(claim_of(claims, name), value) for name, value in self.claims.items())

    def agent_of(self, claims: Mapping[str, Json]) -> Scope:
        """The agent. Raises ValueError when a claim that fills in a part is not a name."""
        parts = [_filled(part, claims) for part in self.agent.split("/")]
        if any("/" in part for part in parts):
            raise ValueError("a claim is not a name")
        return Scope.parse("/".join(parts))

    def person_of(self, claims: Mapping[str, Json]) -> str:
        """Whom the token is of, "" where no rule names the claim. Raises ValueError when it names nobody."""
        if not self.on_behalf_of:
            return ""
        person = claim_of(claims, self.on_behalf_of)
        if not isinstance(person, str) or not 0 < len(person) <= _MAX_PERSON or not person.isprintable():
            raise ValueError("the claim of the person is not a short text")
        return person


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where an issuer's public keys are fetched: at this URL, or where the issuer of this URL says (`is_issuer`)."""

    url: str
    is_issuer: bool


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Whose tokens are exchanged. `key_source` is where its public keys are fetched, None where they are `jwks`, or
    where the cluster named `review` is asked about each token.

    `is_reusable` says that a token may be exchanged again for the key it was first exchanged for. `by_trust_domain`
    says that the issuer is told by the SPIFFE id in `sub`, and not by `iss`.
    """

    name: str
    issuer: str
    audience: str
    by_trust_domain: bool
    algorithms: tuple[str, ...]
    key_source: KeySource | None
    jwks: tuple[Mapping[str, Json], ...]
    max_life: Seconds
    is_reusable: bool
    rules: tuple[SubjectRule, ...]
    review: str

    def issued(self, claims: Mapping[str, Json]) -> bool:
        """Whether the claims, nothing of them verified, say that they are this issuer's."""
        if not self.by_trust_domain:
            return claims.get("iss") == self.issuer
        subject = claims.get("sub")
        return isinstance(subject, str) and subject.startswith(f"{self.issuer}/")

    def rule_for(self, claims: Mapping[str, Json]) -> SubjectRule | None:
        """The first rule that matches."""
        return next((rule for rule in self.rules if rule.matches(claims)), None)


def claim_of(claims: Mapping[str, Json], name: str) -> Json:
    """A claim by its name, or by a JSON pointer (RFC 6901) through objects; None where there is none."""
    if not name.startswith("/"):
        return claims.get(name)
    value: Json = dict(claims)
    for part in name[1:].split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part.replace("~1", "/").replace("~0", "~"))
    return value


def _is(value: Json, expected: Json) -> bool:
    return type(value) is type(expected) and value == expected


def _filled(part: str, claims: Mapping[str, Json]) -> str:
    match = _PLACEHOLDER.match(part)
    if match is None:
        return part
    value = claims.get(match[1])
    if not isinstance(value, str):
        raise ValueError("a claim that fills in a name is missing")  # noqa: TRY004  # a wrong value
    return value
