"""The data plane's part of a bundle: catalogue, trust and status address, written and read strictly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aegis_authz.core.approval import MOST_HOLD
from aegis_authz.core.basis import Bases
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.circumstances import CONTEXT
from aegis_authz.core.json_value import Json
from aegis_authz.core.price import NO_PRICES
from aegis_authz.core.revocation import Revoked
from aegis_authz.core.scope_shape import scope_shape
from aegis_authz.core.snapshot import Snapshot, Trust
from aegis_authz.core.units import Revision, Seconds
from aegis_authz.encoding.jwk import raw_from_jwk
from aegis_authz.encoding.narrowing import items, members, text
from aegis_authz.policy.bundle.agent_data import agents_from_data
from aegis_authz.policy.bundle.limit_data import breakers_from_data, limits_from_data
from aegis_authz.policy.bundle.price_data import prices_from_data, prices_to_data
from aegis_authz.policy.bundle.record_data import records_from_data
from aegis_authz.policy.bundle.residency_data import residency_from_data
from aegis_authz.policy.bundle.telemetry_data import telemetry_from_data
from aegis_authz.policy.bundle.tool_data import tools_from_data

_TRUST = {"issuer", "audience", "token_keys", "approval_keys", "max_token_life", "clock_skew"}
_YOUNGER: Mapping[str, Json] = {
    "roots": None,
    "phrases": {},
    "agents": {},
    "bases": None,
    "limits": {},
    "breakers": {},
    "prices": prices_to_data(NO_PRICES),
    "revoked": [],
    "holds": {},
    "people_base": None,
    "residency": None,
    "telemetry": {},
    "records": {},
}
_NAMES = {"revision", "catalogue", "trust", "status_base", "reads", *_YOUNGER}
_KEY = {"kty", "crv", "x", "kid"}
_KEY_NOTES = {"use": "sig", "alg": "EdDSA"}


def trust_to_data(
    issuer: str,
    audience: str,
    token_keys: Sequence[Mapping[str, Json]],
    approval_keys: Sequence[Mapping[str, Json]],
    max_token_life: float,
    clock_skew: float,
) -> dict[str, Json]:
    """Whose tokens are believed, as data of a bundle.

    Keys are public OKP/Ed25519 JWKs whose `kid` is their RFC 7638 thumbprint (`use: sig` and `alg: EdDSA` may
    stand beside it); times are seconds. Raises ValueError for anything else, private keys above all.
    """
    data: dict[str, Json] = {
        "issuer": issuer,
        "audience": audience,
        "token_keys": _published(token_keys),
        "approval_keys": _published(approval_keys),
        "max_token_life": max_token_life,
        "clock_skew": clock_skew,
    }
    trust_from_data(data)
    return data


def trust_from_data(data: Json) -> Trust:
    """Read what `trust_to_data` wrote. Raises ValueError for anything else."""
    item = members(data, _TRUST, "trust")
    trust = Trust(
        issuer=text(item["issuer"], "the issuer"),
        audience=text(item["audience"], "the audience"),
        token_keys=_keys(item["token_keys"], "token_keys"),
        approval_keys=_keys(item["approval_keys"], "approval_keys"),
        max_token_life=_seconds(item["max_token_life"], "max_token_life"),
        clock_skew=_seconds(item["clock_skew"], "clock_skew"),
    )
    if not trust.issuer or not trust.audience:
        raise ValueError("the issuer or the audience is empty")
    if not trust.max_token_life:
        raise ValueError("max_token_life is zero")
    if trust.token_keys.keys() & trust.approval_keys.keys():
        raise ValueError("one key signs both tokens and approvals")
    return trust


def snapshot_from_data(data: Json) -> Snapshot:
    """Read `data.aegis.snapshot` of a bundle. Raises ValueError for any surprise.

    A bundle that was made before there were phrases, registered agents, bases, limits, breakers, prices or revocations
    has none.
    """
    filled = {**_YOUNGER, **data} if isinstance(data, dict) else data
    item = members(filled, _NAMES, "the snapshot")
    revision = text(item["revision"], "the revision")
    if not revision:
        raise ValueError("the revision is empty")
    residency = residency_from_data(item["residency"])
    catalogue = Catalogue.of(tools_from_data(item["catalogue"])).holding(_holds(item["holds"]))
    return Snapshot(
        revision=Revision(revision),
        catalogue=catalogue.within("" if residency is None else residency.region),
        trust=trust_from_data(item["trust"]),
        agents=agents_from_data(item["agents"]),
        status_base=text(item["status_base"], "status_base"),
        people_base=text(item["people_base"] or item["status_base"], "people_base"),
        reads=_reads(item["reads"]),
        roots=_roots(item["roots"]),
        phrases=_phrases(item["phrases"]),
        bases=None if item["bases"] is None else bases_from_data(item["bases"]),
        limits=limits_from_data(item["limits"]),
        breakers=breakers_from_data(item["breakers"]),
        prices=prices_from_data(item["prices"]),
        revoked=_revoked(item["revoked"]),
        residency=residency,
        telemetry=telemetry_from_data(item["telemetry"]),
        records=records_from_data(item["records"]),
    )


def bases_from_data(data: Json) -> Bases:
    """Read the digests of what judges. Raises ValueError for anything else."""
    item = members(data, {"documents", "tools"}, "the bases")
    documents, tools = (_digests(item[name], name) for name in ("documents", "tools"))
    return Bases(frozenset(scope_shape(scope) for scope in documents), documents, tools)


def _digests(data: Json, label: str) -> Mapping[str, str]:
    if not isinstance(data, Mapping):
        raise ValueError(f"the digests of {label} are no mapping")  # noqa: TRY004  # one error for every surprise
    return MappingProxyType({name: text(digest, f"a digest of {label}") for name, digest in data.items()})


def _holds(data: Json) -> Mapping[str, Seconds]:
    if not isinstance(data, Mapping):
        raise ValueError("holds are no mapping")  # noqa: TRY004  # one error for every surprise
    holds = {name: _seconds(hold, "a hold") for name, hold in data.items()}
    if any(hold > MOST_HOLD for hold in holds.values()):
        raise ValueError("a request that is kept open for longer than any may be")
    return holds


def _revoked(data: Json) -> frozenset[str]:
    marks = [text(mark, "a mark of what is revoked") for mark in items(data, "revoked")]
    return frozenset(Revoked.parse(mark).mark for mark in marks)


def _reads(data: Json) -> frozenset[str]:
    words = frozenset(text(word, "reads") for word in items(data, "reads"))
    if not words <= CONTEXT:
        raise ValueError("reads names something that is not known around a call")
    return words


def _roots(data: Json) -> frozenset[str] | None:
    return None if data is None else frozenset(text(name, "roots") for name in items(data, "roots"))


def _phrases(data: Json) -> Mapping[str, str]:
    if not isinstance(data, dict):
        raise ValueError("phrases are no mapping")  # noqa: TRY004  # a wrong value
    return MappingProxyType({word: text(phrase, "a phrase") for word, phrase in data.items()})


def _published(keys: Sequence[Mapping[str, Json]]) -> list[Json]:
    bare: list[dict[str, Json]] = []
    for key in keys:
        if any(key.get(name, note) != note for name, note in _KEY_NOTES.items()):
            raise ValueError("a key is not for EdDSA signatures")
        bare.append({name: value for name, value in key.items() if name not in _KEY_NOTES})
    return [*sorted(bare, key=lambda key: str(key.get("kid")))]


def _keys(data: Json, label: str) -> Mapping[str, bytes]:
    pairs = [_key(key) for key in items(data, label)]
    keys = dict(pairs)
    if len(keys) != len(pairs):
        raise ValueError(f"{label} names a key twice")
    return MappingProxyType(keys)


def _key(data: Json) -> tuple[str, bytes]:
    # in a bundle a key has one spelling: exactly these members, `kid` among them
    jwk = members(data, _KEY, "a key")
    return text(jwk["kid"], "kid"), raw_from_jwk(jwk)


def _seconds(data: Json, label: str) -> Seconds:
    if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data) or not 0 <= data < 2**31:
        raise ValueError(f"{label} is not a number of seconds")
    return Seconds(float(data))
