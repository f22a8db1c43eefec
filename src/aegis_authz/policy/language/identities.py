"""Identity as code: agents with their keys, and the issuers whose tokens are exchanged for ours."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator

from aegis_authz.core.address import is_private_url
from aegis_authz.core.scope import NAME, Scope
from aegis_authz.encoding.jwk import okp_jwk, raw_from_jwk
from aegis_authz.policy.language.types import LISTED, NOT_EMPTY, UNIQUE, AddressRanges, AnyScalar, Day, Name, Words
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import quoted

WayName = Literal["bound", "token", "workload", "mtls", "agent_key"]
Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
PLACEHOLDER = re.compile(r"\{([^{}/]{1,128})\}\Z")
"""A part of an agent's name that a claim fills in."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_SPIFFE_ID = re.compile(r"spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+\Z")
_TRUST_DOMAIN = re.compile(r"spiffe://[a-z0-9._-]{1,255}\Z")
_MAX_SPIFFE_ID = 2048


def _public_key(value: object) -> bytes:
    # here, because commands that only read and write documents start in a quarter of the time without it
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if isinstance(value, dict):
        return raw_from_jwk(value)
    if not isinstance(value, str):
        raise ValueError("must be an Ed25519 public key: a JWK, or the text of a PEM file")  # noqa: TRY004  # for pydantic
    try:
        key = load_pem_public_key(value.encode("ascii", "replace"))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("must be an Ed25519 public key: a JWK, or the text of a PEM file") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("must be an Ed25519 public key")  # noqa: TRY004  # for pydantic
    return raw_from_jwk(dict(okp_jwk(key.public_bytes_raw())))


def _scope(value: str) -> str:
    return str(Scope.parse(value))


def _digest(value: str) -> str:
    if _DIGEST.match(value) is None:
        raise ValueError("must be sha256: and 64 lower-case hex digits, the SHA-256 of the secret")
    return value


def _spiffe_id(value: str) -> str:
    if _SPIFFE_ID.match(value) is None or len(value) > _MAX_SPIFFE_ID:
        raise ValueError(f"{quoted(value)} is not a SPIFFE id such as spiffe://prod.example/ns/payments/sa/agent")
    return value


def _agent_template(value: str) -> str:
    parts = value.split("/")
    if len(parts) != 3 or any(NAME.match(part) is None and PLACEHOLDER.match(part) is None for part in parts):
        raise ValueError("must be org/tenant/agent, where a part may be {claim}, such as acme/emea/{workload}")
    return value


def _jwks_url(value: str) -> str:
    try:
        url = urlsplit(value)
        _ = url.port
    except ValueError:
        raise ValueError(f"{quoted(value)} is not a URL") from None
    if not is_private_url(url.scheme, url.hostname or "") or url.username is not None or url.fragment:
        raise ValueError("must be https://, a host and a path (http:// on loopback alone)")
    return value


def _discoverable(kind: str, issuer: str) -> None:
    if kind == "spiffe":
        raise ValueError("a SPIFFE trust domain is no URL that discovery could start from: name the bundle's with jwks")
    if "?" in _jwks_url(issuer):
        raise ValueError("the issuer is a URL without query, from which discovery starts")


def _foreign_key(value: object) -> dict[str, object]:
    from aegis_authz.encoding.verifying_key import verifying_key

    if not isinstance(value, dict):
        raise ValueError("must be a public key as a JWK")  # noqa: TRY004  # for pydantic
    verifying_key(value)
    return value


AgentScope = Annotated[str, AfterValidator(_scope)]
PublicKey = Annotated[
    bytes, PlainValidator(_public_key), WithJsonSchema({"type": ["string", "object"], "minLength": 1})
]
"""The raw 32 bytes of an Ed25519 public key."""
SecretDigest = Annotated[str, AfterValidator(_digest)]
SpiffeId = Annotated[str, AfterValidator(_spiffe_id)]
AgentTemplate = Annotated[str, AfterValidator(_agent_template)]
JwksUrl = Annotated[str, AfterValidator(_jwks_url)]
ForeignKey = Annotated[dict[str, object], PlainValidator(_foreign_key), WithJsonSchema({"type": "object"})]
ClaimValues = Annotated[dict[Words, AnyScalar], NOT_EMPTY]


class AgentKeyEntry(Part):
    """A static secret of an agent by its hash, the networks it may come from and the days it counts on (UTC)."""

    hash: SecretDigest
    ranges: AddressRanges
    start: Day | None = Field(default=None, alias="from")
    until: Day | None = None

    @model_validator(mode="after")
    def _has_a_day(self) -> AgentKeyEntry:
        if self.start is not None and self.until is not None and self.until < self.start:
            raise ValueError("until is before from")
        return self


class AgentEntry(Part):
    """What is registered of one agent: its keys, how long its tokens live, and how it may prove who it is."""

    description: str = ""
    owner: Words | None = None
    ways: Annotated[tuple[WayName, ...], LISTED, NOT_EMPTY, UNIQUE] = ("bound", "token")
    token_life: Annotated[int, Field(ge=1, le=300)] | None = None
    keys: Annotated[tuple[PublicKey, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    spiffe: Annotated[tuple[SpiffeId, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    agent_keys: Annotated[tuple[AgentKeyEntry, ...], LISTED, NOT_EMPTY] | None = None


class AgentsDocument(Part):
    """A document that registers agents by `org/tenant/agent`."""

    description: str = ""
    agents: Annotated[dict[AgentScope, AgentEntry], NOT_EMPTY]


class SubjectEntry(Part):
    """Which tokens of an issuer stand for which agent. Every claim must be there and be this very value.

    With `on_behalf_of` the token is of a person, whom that claim names; then the agent itself proves who it is beside.
    """

    claims: ClaimValues
    agent: AgentTemplate
    on_behalf_of: Words | None = None

    @property
    def filled_by(self) -> tuple[str, ...]:
        """The claims that fill in parts of the agent's name."""
        return tuple(match[1] for part in self.agent.split("/") if (match := PLACEHOLDER.match(part)))


class TrustDocument(Part):
    """An issuer whose tokens may be exchanged for ours."""

    trust: Name
    description: str = ""
    owner: Words | None = None
    kind: Literal["oidc", "kubernetes", "spiffe"] = "oidc"
    issuer: Words
    audience: Words
    jwks: JwksUrl | None = None
    discovery: bool | None = None
    keys: Annotated[tuple[ForeignKey, ...], LISTED] | None = None
    token_review: Name | None = None
    algorithms: Annotated[tuple[Algorithm, ...], LISTED, NOT_EMPTY, UNIQUE]
    max_life: Annotated[int, Field(ge=60, le=86_400)] = 3600
    reuse: Literal["never", "same_key"] = "never"
    subjects: Annotated[tuple[SubjectEntry, ...], LISTED]

    @model_validator(mode="after")
    def _is_whole(self) -> TrustDocument:
        if self.discovery is False:
            raise ValueError("discovery is true or left out")
        ways = (self.jwks, self.discovery, self.keys, self.token_review)
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "must have one of jwks (where the issuer's keys are fetched), discovery (the issuer says where),"
                " keys (the keys themselves) and token_review (the cluster that is asked about each token)"
            )
        if self.discovery:
            _discoverable(self.kind, self.issuer)
        if self.token_review is not None and self.kind != "kubernetes":
            raise ValueError("token_review is for tokens of kind kubernetes")
        if self.keys == () or not self.subjects:
            raise ValueError("keys and subjects must not be empty")
        if self.kind == "spiffe" and _TRUST_DOMAIN.match(self.issuer) is None:
            raise ValueError("the issuer of SPIFFE tokens is the trust domain, such as spiffe://prod.example")
        return self
