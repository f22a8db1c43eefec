"""Tokens of other issuers, verified strictly before they are exchanged for ours (RFC 7519, RFC 8725, RFC 8693).

The algorithm is one that the issuer is trusted for and that its key is for; nothing in the token chooses either, and a
public key never verifies a MAC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.trusted_issuer import TrustedIssuer
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding.verifying_key import VerifyingKey
from aegis_authz.identity.compact import CompactJws
from aegis_authz.identity.issuance import Denial, NotIssued

MAX_ACTORS = 5
_TYPE = "urn:ietf:params:oauth:token-type:"
SUBJECT_TYPES = (f"{_TYPE}jwt", f"{_TYPE}id_token", f"{_TYPE}access_token")
"""What the type of a token that is exchanged may be (RFC 8693 section 3)."""

_MAX_BYTES = 16_384
_TYPES = ("JWT", "JOSE", "AT+JWT", "APPLICATION/AT+JWT")
"""JOSE is what a JWT-SVID may be called (JWT-SVID, section 2.3)."""
_SERVICE_ACCOUNT = "system:serviceaccount:"
"""What the name of a service account begins with, in its token and to its cluster; users of other kinds are none."""
_ES256_HALF = 32
_PS256_SALT = 32


@dataclass(frozen=True, slots=True)
class ForeignToken:
    """A token of another issuer, nothing of it verified, with the issuer that it says it is of."""

    jws: CompactJws
    issuer: TrustedIssuer
    algorithm: str
    kid: str


@dataclass(frozen=True, slots=True)
class VerifiedSubject:
    """Whom a verified token stands for: an agent, or a person an agent acts for (`person`, "" for the agent itself).

    `name` says whose token it was, for the journal; `token_id` tells it from all others of its issuer.
    """

    agent: Scope
    person: str
    actors: tuple[str, ...]
    issuer: TrustedIssuer
    name: str
    token_id: str
    expires_at: Epoch


def read_foreign_token(text: str, issuers: Sequence[TrustedIssuer]) -> ForeignToken:
    """Take a token apart and see whose it says it is. Raises NotIssued with a SUBJECT_ denial."""
    try:
        jws = CompactJws.parse(text, _MAX_BYTES)
    except ValueError as fault:
        raise NotIssued(Denial.SUBJECT_FORM, str(fault)) from None
    algorithm, kid = jws.header.get("alg"), jws.header.get("kid", "")
    kind = jws.header.get("typ", "JWT")
    if not isinstance(kid, str) or not isinstance(kind, str) or kind.upper() not in _TYPES or "crit" in jws.header:
        raise NotIssued(Denial.SUBJECT_FORM, "a header that is not of a JWT")
    issuer = _issuer_of(jws.claims, issuers)
    if not isinstance(algorithm, str) or algorithm.lower() == "none":
        raise NotIssued(Denial.SUBJECT_UNSIGNED, issuer.name)
    if algorithm not in issuer.algorithms:
        raise NotIssued(Denial.SUBJECT_ALGORITHM, issuer.name)
    return ForeignToken(jws, issuer, algorithm, kid)


def subject_of_claims(
    claims: Mapping[str, Json], issuers: Sequence[TrustedIssuer], now: Epoch, skew: Seconds
) -> VerifiedSubject:
    """Whom a token of these claims would stand for if its signature were good: for tests of trust alone.

    Raises NotIssued with a SUBJECT_ denial.
    """
    jws = CompactJws({}, dict(claims), b"", b"")
    return _subject(ForeignToken(jws, _issuer_of(claims, issuers), "", ""), now, skew)


def _issuer_of(claims: Mapping[str, Json], issuers: Sequence[TrustedIssuer]) -> TrustedIssuer:
    theirs = [issuer for issuer in issuers if issuer.issued(claims)]
    if not theirs:
        raise NotIssued(Denial.SUBJECT_ISSUER)
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    issuer = next((issuer for issuer in theirs if issuer.audience in audiences), None)
    if issuer is None:
        raise NotIssued(Denial.SUBJECT_AUDIENCE, theirs[0].name)
    return issuer


def verified_subject(token: ForeignToken, keys: Sequence[VerifyingKey], now: Epoch, skew: Seconds) -> VerifiedSubject:
    """Verify it by these keys of its issuer, and say whom it stands for. Raises NotIssued with a SUBJECT_ denial."""
    _require_signature(token, keys)
    return _subject(token, now, skew)


def verified_claims(token: ForeignToken, keys: Sequence[VerifyingKey], now: Epoch, skew: Seconds) -> Mapping[str, Json]:
    """The claims of a token by one of these keys of its issuer, within its time.

    Raises NotIssued with a SUBJECT_ denial.
    """
    _require_signature(token, keys)
    _check_times(token.jws, token.issuer, now, skew)
    return token.jws.claims


def _require_signature(token: ForeignToken, keys: Sequence[VerifyingKey]) -> None:
    if not _verifies(token.algorithm, _key(token, keys), token.jws):
        raise NotIssued(Denial.SUBJECT_SIGNATURE, token.issuer.name)


def reviewed_subject(token: ForeignToken, user: str, now: Epoch, skew: Seconds) -> VerifiedSubject:
    """Whom it stands for, when its cluster says that it is this user's, "" for nobody's. Raises NotIssued."""
    if not user or token.jws.claims.get("sub") != user or not user.startswith(_SERVICE_ACCOUNT):
        raise NotIssued(Denial.SUBJECT_REVIEW, token.issuer.name)
    return _subject(token, now, skew)


def _subject(token: ForeignToken, now: Epoch, skew: Seconds) -> VerifiedSubject:
    jws, issuer = token.jws, token.issuer
    expires_at = _check_times(jws, issuer, now, skew)
    try:
        subject = jws.text("sub")
        token_id = jws.text("jti") if "jti" in jws.claims else hashlib.sha256(jws.signed).hexdigest()
        actors = _actors(jws.claims.get("act"))
    except ValueError as fault:
        raise NotIssued(Denial.SUBJECT_FORM, f"{issuer.name}: {fault}") from None
    rule = issuer.rule_for(jws.claims)
    if rule is None:
        raise NotIssued(Denial.SUBJECT_UNMATCHED, f"{issuer.name}: {subject}")
    try:
        agent, person = rule.agent_of(jws.claims), rule.person_of(jws.claims)
    except ValueError as fault:
        raise NotIssued(Denial.SUBJECT_NAME, f"{issuer.name}: {subject}: {fault}") from None
    name = f"{issuer.name} {subject} {token_id}"[:512]
    return VerifiedSubject(agent, person, actors, issuer, name, token_id, expires_at)


def _key(token: ForeignToken, keys: Sequence[VerifyingKey]) -> VerifyingKey:
    fitting = [key for key in keys if token.algorithm in key.algorithms and (not token.kid or key.kid == token.kid)]
    if len(fitting) != 1:  # without a kid, or with one that several have, nobody guesses
        raise NotIssued(Denial.SUBJECT_KEY, token.issuer.name)
    return fitting[0]


def _verifies(algorithm: str, key: VerifyingKey, jws: CompactJws) -> bool:
    sha256 = hashes.SHA256()
    try:
        match key.key, algorithm:
            case RSAPublicKey() as rsa, "RS256":
                rsa.verify(jws.signature, jws.signed, PKCS1v15(), sha256)
            case RSAPublicKey() as rsa, "PS256":
                rsa.verify(jws.signature, jws.signed, PSS(MGF1(sha256), _PS256_SALT), sha256)
            case EllipticCurvePublicKey() as ec, "ES256" if len(jws.signature) == 2 * _ES256_HALF:
                r, s = jws.signature[:_ES256_HALF], jws.signature[_ES256_HALF:]
                der = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
                ec.verify(der, jws.signed, ECDSA(sha256))
            case Ed25519PublicKey() as okp, "EdDSA":
                return jws.is_signed_by(okp.public_bytes_raw())
            case _:
                return False
    except InvalidSignature:
        return False
    return True


def _check_times(jws: CompactJws, issuer: TrustedIssuer, now: Epoch, skew: Seconds) -> Epoch:
    try:
        expires_at = jws.time("exp")
        issued_at = jws.time("iat") if "iat" in jws.claims else now  # a JWT-SVID may have none
        not_before = jws.time("nbf") if "nbf" in jws.claims else issued_at
    except ValueError as fault:
        raise NotIssued(Denial.SUBJECT_FORM, f"{issuer.name}: {fault}") from None
    if now >= expires_at:
        raise NotIssued(Denial.SUBJECT_EXPIRED, issuer.name)
    if issued_at > now + skew or not_before > now + skew:
        raise NotIssued(Denial.SUBJECT_EARLY, issuer.name)
    if expires_at - issued_at > issuer.max_life:
        raise NotIssued(Denial.SUBJECT_LIFE, issuer.name)
    return expires_at


def _actors(act: Json) -> tuple[str, ...]:
    """The delegation chain of a verified token (RFC 8693 section 4.1), nearest actor first. Raises ValueError."""
    actors: list[str] = []
    while act is not None:
        subject = act.get("sub") if isinstance(act, Mapping) else None
        if not isinstance(act, Mapping) or not isinstance(subject, str) or not 0 < len(subject) <= 256:
            raise ValueError("act is not a chain of {sub, act}")
        if len(actors) == MAX_ACTORS:
            raise ValueError(f"a delegation chain has at most {MAX_ACTORS} actors")
        actors.append(subject)
        act = act.get("act")
    return tuple(actors)
