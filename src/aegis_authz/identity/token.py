"""Agent tokens and override tokens: compact JWS with Ed25519, verified strictly (RFC 7515, 8037, 8725).

PyJWT is not used here: it accepts some non-canonical base64 and costs more than twice as much for
each token (docs/dependencies.md); the tests hold this reader against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from aegis_authz.core.grant import Grant
from aegis_authz.core.identity import Identity, Override, Proof, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import NAME, Scope
from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import ApprovalId, Basis, Digest, Epoch, Jti, Seconds
from aegis_authz.encoding import base64url, strict_json
from aegis_authz.encoding.jwk import ED25519_ALGORITHMS
from aegis_authz.identity.compact import is_signature, split_jws
from aegis_authz.wire.grant import read_grant

AGENT_TYPE = "aegis+jwt"
OVERRIDE_TYPE = "aegis-override+jwt"
MAX_TOKEN_BYTES = 4096
_MAX_ACTORS = 5
_HEADER_MEMBERS = {"alg", "typ", "kid"}
_AGENT_CLAIMS = {
    *("iss", "aud", "sub", "org", "tenant", "agent", "jti", "iat", "nbf", "exp"),
    *("act", "on_behalf_of", "cnf", "sid", "grant"),
}
_THUMBPRINT_BYTES = 32
_OVERRIDE_CLAIMS = {"iss", "aud", "sub", "apr", "digest", "basis", "jti", "iat", "exp"}


@dataclass(frozen=True, slots=True)
class Refusals:
    """Which reasons a kind of token is refused with."""

    malformed: Reason
    unsigned: Reason
    untrusted: Reason
    invalid: Reason
    expired: Reason
    early: Reason


_AGENT = Refusals(
    Reason.CREDENTIAL_MALFORMED,
    Reason.CREDENTIAL_UNSIGNED,
    Reason.CREDENTIAL_UNTRUSTED,
    Reason.CREDENTIAL_INVALID,
    Reason.CREDENTIAL_EXPIRED,
    Reason.CREDENTIAL_NOT_YET_VALID,
)
_OVERRIDE = Refusals(
    Reason.APPROVAL_INVALID,
    Reason.APPROVAL_INVALID,
    Reason.APPROVAL_INVALID,
    Reason.APPROVAL_INVALID,
    Reason.APPROVAL_EXPIRED,
    Reason.APPROVAL_INVALID,
)


@dataclass(frozen=True, slots=True)
class AgentToken:
    """The claims of an agent token whose signature verified. `bound_key` is the thumbprint of the key that must prove
    each call made with it (`cnf.jkt`, RFC 7800, RFC 9449 section 6), "" for a token that is good for one call."""

    scope: Scope
    issuer: str
    key_id: str
    jti: Jti
    issued_at: Epoch
    not_before: Epoch
    expires_at: Epoch
    actors: tuple[str, ...]
    on_behalf_of: str
    session: str
    bound_key: str
    grant: Grant | None

    def identity(self, way: Way, proof: Proof | None) -> Identity:
        """Who shows this token in that way."""
        return Identity(
            scope=self.scope,
            issuer=self.issuer,
            key_id=self.key_id,
            jti=self.jti,
            issued_at=self.issued_at,
            expires_at=self.expires_at,
            actors=self.actors,
            on_behalf_of=self.on_behalf_of,
            way=way,
            proof=proof,
            session=self.session,
            grant=self.grant,
        )


def read_agent_token(token: str, trust: Trust, now: Epoch) -> AgentToken:
    """Verify an agent token.

    Returns its claims; raises Refused with the CREDENTIAL_ reason that fits, and with a GRANT_ reason for a grant that
    is none or has ended. Nothing in the token chooses the key or the algorithm: `kid` only looks up a trusted Ed25519
    key.
    """
    claims, key_id = _verified(token, AGENT_TYPE, trust.token_keys, _AGENT)
    _only(claims, _AGENT_CLAIMS, _AGENT)
    issued_at, not_before = _time(claims, "iat", _AGENT), _time(claims, "nbf", _AGENT)
    expires_at = _time(claims, "exp", _AGENT)
    scope = Scope(_name(claims, "org"), _name(claims, "tenant"), _name(claims, "agent"))
    read = AgentToken(
        scope=scope,
        issuer=_text(claims, "iss", _AGENT),
        key_id=key_id,
        jti=Jti(_text(claims, "jti", _AGENT)),
        issued_at=issued_at,
        not_before=not_before,
        expires_at=expires_at,
        actors=_actors(claims.get("act")),
        on_behalf_of=_text(claims, "on_behalf_of", _AGENT) if "on_behalf_of" in claims else "",
        session=_text(claims, "sid", _AGENT) if "sid" in claims else "",
        bound_key=_bound_key(claims["cnf"]) if "cnf" in claims else "",
        grant=_grant(claims["grant"], issued_at) if "grant" in claims else None,
    )
    if claims.get("sub") != str(scope):
        raise Refused(_AGENT.malformed, "sub is not org/tenant/agent")
    _check_audience(claims, trust, _AGENT)
    if expires_at - issued_at > trust.max_token_life or expires_at <= issued_at:
        raise Refused(_AGENT.malformed, "the token lives longer than allowed")
    check_times(read, trust, now)
    return read


def is_agent_token(text: str) -> bool:
    """Whether a text says that it is a token of ours, nothing of it verified."""
    try:
        return _header(text[:MAX_TOKEN_BYTES].partition(".")[0].encode("ascii")).get("typ") == AGENT_TYPE
    except (ValueError, Refused):
        return False


def unverified_audience(text: str) -> str:
    """What a text says that it is a token for, nothing of it verified; "" where it says nothing."""
    try:
        audience = strict_json.parse_object(split_jws(text, MAX_TOKEN_BYTES)[1]).get("aud")
    except (ValueError, Refused):
        return ""
    return audience if isinstance(audience, str) else ""


def check_times(token: AgentToken, trust: Trust, now: Epoch) -> None:
    """Raise Refused unless the token is good at `now`: CREDENTIAL_EXPIRED, CREDENTIAL_NOT_YET_VALID, GRANT_EXPIRED."""
    if token.grant is not None and now >= token.grant.expires_at:  # a token ends with its grant, and this says more
        raise Refused(Reason.GRANT_EXPIRED)
    _check_times(token.issued_at, token.not_before, token.expires_at, now, trust.clock_skew, _AGENT)


def read_override_token(token: str, trust: Trust, now: Epoch) -> Override:
    """Verify an override token. Raises Refused(APPROVAL_INVALID) or Refused(APPROVAL_EXPIRED)."""
    claims, _ = _verified(token, OVERRIDE_TYPE, trust.approval_keys, _OVERRIDE)
    _only(claims, _OVERRIDE_CLAIMS, _OVERRIDE)
    _check_audience(claims, trust, _OVERRIDE)
    issued_at, expires_at = _time(claims, "iat", _OVERRIDE), _time(claims, "exp", _OVERRIDE)
    _check_times(issued_at, issued_at, expires_at, now, trust.clock_skew, _OVERRIDE)
    return Override(
        approval_id=ApprovalId(_text(claims, "apr", _OVERRIDE)),
        scope=_scope(claims),
        digest=Digest(_text(claims, "digest", _OVERRIDE)),
        basis=Basis(_text(claims, "basis", _OVERRIDE)),
        jti=Jti(_text(claims, "jti", _OVERRIDE)),
        expires_at=expires_at,
    )


def _verified(token: str, kind: str, keys: Mapping[str, bytes], refusals: Refusals) -> tuple[dict[str, Json], str]:
    try:
        head, claims_text, signed, signature = split_jws(token, MAX_TOKEN_BYTES)
        header = _header(head)
    except (ValueError, Refused):
        raise Refused(refusals.malformed, "not a compact JWS of JSON") from None
    if header.get("alg") not in ED25519_ALGORITHMS:
        raise Refused(refusals.unsigned, "the algorithm is not EdDSA")
    if set(header) != _HEADER_MEMBERS or header["typ"] != kind:
        raise Refused(refusals.malformed, "the header is not {alg, typ, kid} of the right typ")
    key_id = header["kid"]
    key = keys.get(key_id) if isinstance(key_id, str) else None
    if key is None or not isinstance(key_id, str):
        raise Refused(refusals.untrusted, "no trusted key has this kid")
    if not is_signature(signature, signed, key):
        raise Refused(refusals.invalid, "the signature does not verify")
    try:
        return strict_json.parse_object(claims_text), key_id
    except Refused:
        raise Refused(refusals.malformed, "the claims are not a JSON object") from None


@lru_cache(256)
def _header(head: bytes) -> Mapping[str, Json]:
    """The header, remembered: all tokens of one issuer's key have the same."""
    return strict_json.parse_object(base64url.decode(head))


def _only(claims: Mapping[str, Json], names: set[str], refusals: Refusals) -> None:
    if not claims.keys() <= names:
        raise Refused(refusals.malformed, "the token has a claim that is not known")


def _check_audience(claims: Mapping[str, Json], trust: Trust, refusals: Refusals) -> None:
    if claims.get("iss") != trust.issuer:
        raise Refused(refusals.untrusted, "another issuer")
    if claims.get("aud") != trust.audience:
        raise Refused(refusals.untrusted, "another audience")


def _check_times(
    issued_at: Epoch, not_before: Epoch, expires_at: Epoch, now: Epoch, skew: Seconds, refusals: Refusals
) -> None:
    if now >= expires_at:
        raise Refused(refusals.expired, "past its exp")
    if issued_at > now + skew or not_before > now + skew:
        raise Refused(refusals.early, "issued in the future")


def _text(claims: Mapping[str, Json], name: str, refusals: Refusals) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise Refused(refusals.malformed, f"{name} is missing or not a short text")
    return value


def _name(claims: Mapping[str, Json], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or NAME.match(value) is None:
        raise Refused(_AGENT.malformed, f"{name} is missing or not a name")
    return value


def _scope(claims: Mapping[str, Json]) -> Scope:
    try:
        return Scope.parse(_text(claims, "sub", _OVERRIDE))
    except ValueError:
        raise Refused(_OVERRIDE.malformed, "sub is not org/tenant/agent") from None


def _time(claims: Mapping[str, Json], name: str, refusals: Refusals) -> Epoch:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2**40:
        raise Refused(refusals.malformed, f"{name} is missing or not a time")
    return Epoch(float(value))


def _bound_key(cnf: Json) -> str:
    """The thumbprint that `cnf` names, in its one spelling; `jkt` is the only method of confirmation there is here."""
    if not isinstance(cnf, dict) or cnf.keys() != {"jkt"}:
        raise Refused(_AGENT.malformed, "cnf is not {jkt}")
    jkt = _text(cnf, "jkt", _AGENT)
    try:
        if len(base64url.decode(jkt.encode("ascii"))) == _THUMBPRINT_BYTES:
            return jkt
    except ValueError:  # of bytes that are not ASCII, too
        raise Refused(_AGENT.malformed, "jkt is not base64url") from None
    raise Refused(_AGENT.malformed, "jkt is not a SHA-256")


def _grant(claim: Json, issued_at: Epoch) -> Grant:
    grant = read_grant(claim)
    if grant.chain[-1].issued_at > issued_at:
        raise Refused(Reason.GRANT_MALFORMED, "the grant is younger than its token")
    return grant


def _actors(act: Json) -> tuple[str, ...]:
    actors: list[str] = []
    while act is not None:
        if not isinstance(act, dict) or not act.keys() <= {"sub", "act"} or len(actors) == _MAX_ACTORS:
            raise Refused(_AGENT.malformed, "act is not a short chain of {sub, act}")
        actors.append(_text(act, "sub", _AGENT))
        act = act.get("act")
    return tuple(actors)
