"""Records as JSON: what is written reads back, nothing else is read, and what version 1 wrote still is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.adapters.records.files import log_files, verify_folder
from aegis_authz.adapters.records.keys import load_public_keys
from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import FilterTools, HideTools, InjectCredential, Redact, SetHeader, Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.grant import Grant, Narrowing
from aegis_authz.core.identity import Identity, Proof, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    DECISION_VERSION,
    ApprovalRecord,
    ApprovalStep,
    ChargeRecord,
    CostState,
    CutRecord,
    DecisionRecord,
    FindingName,
    FlatObligation,
    KeyRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    RefusalsRecord,
    SealedParameters,
    SealRecord,
    SettledCost,
    UsageRecord,
    WholePath,
)
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.chain import encode_record, link, read_members, read_record
from aegis_authz.evidence.document import RecordInvalid, record_from_json, record_members, record_to_json
from tests.support.made_records import DENIED, REFUSALS

VERSION_1 = Path(__file__).parent / "version_1"
CUT = CutRecord(1_800_000_000.5, 40, "00000002-1942.0.torn")
REDACTED = RedactionRecord("d-1", 1_800_000_000.5, "response", {"us_ssn": 2}, "done")
FLAT = replace(
    DENIED,
    version=1,
    identity=None,
    kind=None,
    withheld=None,
    scheme="",
    environment="",
    obligations=(FlatObligation("redact:request:us_ssn"),),
)
SECOND = replace(DENIED, version=2)
APPROVED = ApprovalRecord(
    "d-1", 2.0, "apr_1", ApprovalStep.APPROVED, "ann", "invoice 1181", Scope("acme", "emea", "bot"), "stripe", "pay",
    "d", "b", "r", ("p",), 1.0, 900.0,
)  # fmt: skip
OUTCOME = OutcomeRecord(
    "d-1", 2.0, 200, "via_upstream", ("upstream_remote_reset",), True, 10, 20, 1.5, 3.5,
    SettledCost(Money(42, "USD"), CostState.KEPT),
)  # fmt: skip
USAGE = UsageRecord("d-1", 2.0, (1, 2, 3, 4), SettledCost(Money(42, "USD"), CostState.MEASURED))
KEY_CHANGED = KeyRecord(1_800_000_000.5, "kid", "aegis-succession\n")
SEALED = SealRecord(1_800_000_000.5, 1, 1, 3, "0" * 64, "signature")
ONE_OF_EACH = (DENIED, SECOND, FLAT, REDACTED, APPROVED, CUT, KEY_CHANGED, SEALED, REFUSALS, OUTCOME, USAGE)

TEXTS = st.text(st.characters(), max_size=8)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
SECONDS = st.floats(0, 2**33, allow_nan=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBLIGATIONS = st.one_of(
    st.builds(Redact, st.sampled_from(Target), NAMES, NAMES),
    st.builds(FilterTools, NAMES),
    st.builds(HideTools, NAMES),
    st.builds(SetHeader, TEXTS, TEXTS),
    st.builds(InjectCredential, TEXTS, TEXTS, TEXTS),
)
GRANTED = {"bank": {"pay": {"payee": ("Muster", 1, True)}}}
NARROWINGS = st.builds(
    Narrowing,
    id=st.text("abcDEF019_-", min_size=16, max_size=64),
    issued_at=st.floats(1, 2**33, exclude_min=True),
    expires_at=st.integers(2**34, 2**35).map(float),
    depth=st.integers(0, 4),
    calls=st.none() | st.integers(1, 99),
    tools=st.sampled_from([None, GRANTED, {"*": {"*": {}}}]),
    by=st.just(""),  # the digest holds it, the record does not
)
IDENTITIES = st.builds(
    Identity,
    scope=st.builds(Scope, TEXTS, TEXTS, TEXTS),
    issuer=TEXTS,
    key_id=TEXTS,
    jti=TEXTS,
    issued_at=SECONDS,
    expires_at=SECONDS,
    actors=NAMES,
    on_behalf_of=TEXTS,
    way=st.sampled_from(Way),
    proof=st.none() | st.builds(Proof, TEXTS, TEXTS, SECONDS, SECONDS),
    session=TEXTS,
    grant=st.none() | st.builds(Grant, TEXTS, st.lists(NARROWINGS, max_size=3).map(tuple)),
)
CHARGES = st.builds(
    ChargeRecord,
    **dict.fromkeys(["limit", "name", "policy", "holder", "kind", "currency", "excess", "on_exceed"], TEXTS),
    **dict.fromkeys(["amount", "used", "left", "of"], st.integers(0, 2**52)),
    resets_at=SECONDS,
)
DECISIONS = st.builds(
    DecisionRecord,
    version=st.just(DECISION_VERSION),
    time=SECONDS,
    identity=st.none() | IDENTITIES,
    kind=st.none() | st.sampled_from(CallKind),
    parameters=st.dictionaries(TEXTS, VALUES, max_size=3),
    withheld=st.integers(0, 9),
    port=st.none() | st.integers(1, 65535),
    whole_path=st.none() | st.builds(WholePath, st.integers(2049, 60_000), TEXTS),
    sealed=st.none() | st.builds(SealedParameters, TEXTS, TEXTS),
    policies=NAMES,
    obligations=st.lists(OBLIGATIONS, max_size=3).map(tuple),
    findings=st.lists(st.builds(FindingName, TEXTS, TEXTS), max_size=3).map(tuple),
    would=st.sampled_from(["", *(effect.value for effect in Effect)]),
    charges=st.lists(CHARGES, max_size=2).map(tuple),
    quarantined_until=SECONDS,
    cost=st.none() | st.builds(Money, st.integers(0, 10**9), st.sampled_from(("USD", "EUR"))),
    stages=st.dictionaries(TEXTS, SECONDS, max_size=3),
    total_ms=SECONDS,
    effect=st.sampled_from(Effect),
    reason=st.sampled_from(Reason),
    **dict.fromkeys(
        [
            "decision_id",
            "detail",
            "tool",
            "action",
            "rpc_method",
            "digest",
            "method",
            "scheme",
            "host",
            "path",
            "source",
            "environment",
            "revision",
            "approval_id",
            "approved_by",
            "mcp_session",
            "request_id",
            "trace_id",
        ],
        TEXTS,
    ),
)


def of_version_4(record: DecisionRecord) -> DecisionRecord:
    """The record as version 4 would have told it."""
    return replace(record, version=4, sealed=None)


def of_version_3(record: DecisionRecord) -> DecisionRecord:
    """The record as version 3 would have told it."""
    return replace(of_version_4(record), version=3, charges=(), quarantined_until=0, cost=None)


def of_version_2(record: DecisionRecord) -> DecisionRecord:
    """The record as version 2 would have told it."""
    identity = record.identity
    if identity is not None:
        identity = replace(identity, way=Way.TOKEN, proof=None, session="", grant=None)
    return replace(of_version_3(record), version=2, identity=identity, approved_by="", mcp_session="")


def flattened(record: DecisionRecord, texts: tuple[str, ...]) -> DecisionRecord:
    """The record as version 1 would have told it, with these texts for obligations."""
    identity = of_version_2(record).identity
    if identity is not None:
        scope = replace(identity.scope, agent=identity.scope.agent or "a")
        identity = replace(identity, scope=scope, issued_at=0, expires_at=0, on_behalf_of="")
    return replace(
        of_version_3(record),
        version=1,
        identity=identity,
        kind=None,
        rpc_method="",
        withheld=None,
        scheme="",
        port=None,
        whole_path=None,
        environment="",
        approved_by="",
        mcp_session="",
        obligations=tuple(map(FlatObligation, texts)),
        findings=tuple(FindingName(one.parameter, one.condition.replace(":", "_")) for one in record.findings),
    )


APPROVALS = st.builds(
    ApprovalRecord,
    time=SECONDS,
    step=st.sampled_from(ApprovalStep),
    scope=st.builds(Scope, TEXTS, TEXTS, TEXTS),
    policies=NAMES,
    requested_at=SECONDS,
    expires_at=SECONDS,
    **dict.fromkeys(
        ["decision_id", "approval_id", "by", "note", "tool", "action", "digest", "basis", "revision"], TEXTS
    ),
)
RECORDS = st.one_of(
    DECISIONS,
    st.builds(of_version_3, DECISIONS),
    st.builds(of_version_2, DECISIONS),
    st.builds(flattened, DECISIONS, NAMES),
    APPROVALS,
    st.builds(RedactionRecord, TEXTS, SECONDS, TEXTS, st.dictionaries(TEXTS, st.integers(), max_size=3), TEXTS),
    st.builds(CutRecord, SECONDS, st.integers(0), TEXTS),
    st.builds(KeyRecord, SECONDS, TEXTS, TEXTS),
    st.builds(SealRecord, SECONDS, st.integers(1), st.integers(1), st.integers(1), TEXTS, TEXTS),
    st.builds(RefusalsRecord, SECONDS, st.sampled_from(Reason), st.integers(1), SECONDS, SECONDS, NAMES, NAMES),
)


@given(RECORDS)
def test_every_record_reads_back_as_it_was(record: Record) -> None:
    assert record_from_json(record_to_json(record)) == record


@given(RECORDS)
def test_every_record_reads_back_from_its_line(record: Record) -> None:
    line, _ = link("w", 1, bytes(32), encode_record(record))
    assert read_record(line) == record


def surprises() -> Iterator[tuple[str, dict[str, Json], str]]:
    """Each record with one thing that is not as it must be."""
    for record in ONE_OF_EACH:
        good = record_to_json(record)
        named = f"{good['kind']} {good['v']}"
        for name in sorted(good.keys() - {"v", "kind"}):
            yield f"{named} without {name}", {key: value for key, value in good.items() if key != name}, "without"
            yield f"{named} with {name} of no shape", {**good, name: object()}, name  # type: ignore[dict-item]
        yield f"{named} and more", {**good, "extra": ""}, "unknown member 'extra'"
        for version in (0, 6, True, 1.0, "1", None):
            yield f"{named} as version {version!r}", {**good, "v": version}, "unknown version"
        yield f"{named} of another kind", {**good, "kind": "decisions"}, "unknown kind"


@pytest.mark.parametrize(("data", "why"), [pytest.param(data, why, id=name) for name, data, why in surprises()])
def test_what_is_not_exactly_a_record_is_refused(data: dict[str, Json], why: str) -> None:
    with pytest.raises(RecordInvalid, match=why):
        record_from_json(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"effect": "permit"},
        {"reason": "BECAUSE"},
        {"would": "permit"},
        {"call_kind": "smtp"},
        {"actors": "ann"},
        {"actors": [1]},
        {"withheld": None},
        {"withheld": True},
        {"port": "443"},
        {"time": "now"},
        {"obligations": ["redact:request:us_ssn"]},
        {"obligations": [{"kind": "encrypt"}]},
        {"findings": ["amount:max"]},
        {"findings": [{"parameter": "amount", "condition": "max", "seen": 5}]},
        {"stages": {"decode": "fast"}},
        {"issued_at": None},
        {"expires_at": None},
        {"way": "password"},
        {"way": ""},
        {"proof": "p"},
        {"proof": {"key_id": "k", "jti": "j", "issued_at": 1.0}},
        {"grant": None},
        {"grant": "a digest"},
        {"grant": {"digest": "d"}},
        {"grant": {"digest": "d", "chain": [{"id": "x"}]}},
    ],
    ids=str,
)
def test_a_member_of_another_shape_is_refused(changes: Mapping[str, Any]) -> None:
    with pytest.raises(RecordInvalid):
        record_from_json({**record_to_json(DENIED), **changes})


@pytest.mark.parametrize("data", [None, [], "record", {}, {"v": 2}, {"kind": ["decision"], "v": 2}], ids=str)
def test_what_is_no_record_at_all_is_refused(data: Json) -> None:
    with pytest.raises(RecordInvalid):
        record_from_json(data)


def test_obligations_are_not_mixed_with_those_of_another_version() -> None:
    with pytest.raises(ValueError, match="belongs to version 1"):
        record_to_json(replace(DENIED, obligations=FLAT.obligations))
    with pytest.raises(ValueError, match="holds obligations as texts"):
        record_to_json(replace(FLAT, obligations=(SetHeader("x-team", "a"),)))


def test_the_members_of_a_record_are_those_that_are_written() -> None:
    for record in ONE_OF_EACH:
        data = record_to_json(record)
        assert record_members(str(data["kind"]), int(str(data["v"]))) == data.keys()


def test_a_whole_log_of_version_1_still_verifies() -> None:
    (report,) = verify_folder(VERSION_1 / "records", load_public_keys(VERSION_1 / "records.pub.json"))
    assert report.is_intact, report.damages
    assert (report.records, report.sealed, report.unknown) == (14, 14, 0)
    assert report.cuts == ("00000002-1942.0.torn",)


def test_each_record_of_version_1_still_reads_and_is_shown_as_it_was_written() -> None:
    (log,) = log_files(VERSION_1 / "records")
    lines = [line.raw for line in log.oldest_first()]
    records = [read_record(line) for line in lines]
    assert [type(record).__name__ for record in records].count("DecisionRecord") == 11
    for line, record in zip(lines, records, strict=True):
        chained = read_members(line)
        written = {name: value for name, value in chained.items() if name not in ("writer", "seq", "prev", "hash")}
        assert list(record_to_json(record).items()) == list(written.items())


def test_a_finding_of_version_1_keeps_a_parameter_with_a_colon() -> None:
    (log,) = log_files(VERSION_1 / "records")
    denied = [record for line in log.oldest_first() if isinstance(record := read_record(line.raw), DecisionRecord)][1]
    assert denied.findings == (FindingName("amount", "max"), FindingName("payee:name of a kind", "one_of"))
