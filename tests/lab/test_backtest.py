"""Recorded calls decided again: by a real OPA, with limits folded on the script of a mesh in a real Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import redis

from aegis_authz.bootstrap import lab_fold as lab_fold_module
from aegis_authz.bootstrap.lab_fold import lab_fold
from aegis_authz.bootstrap.lab_store import lab_redis
from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Redact, Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ChargeRecord, DecisionRecord, Record
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.lab import backtest as module
from aegis_authz.lab.backtest import Backtest, BacktestReport, FlippedCall
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.made_records import DENIED, named
from tests.support.recorded_payments import NOON, outcome, payment, withheld
from tests.support.tried_policies import POLICIES, TOOLS

pytestmark = pytest.mark.usefixtures("opa_binary", "redis_binary")

LIMITED = POLICIES.replace(
    "    approval: {groups: [finance]}\n",
    "    approval: {groups: [finance]}\n    budget: {amount: 250, currency: EUR, per: day, of: {parameter: amount}}\n",
)
BREAKING = POLICIES.replace(
    "---\norg: acme\ntenant: emea\nagent: reader",
    "breaker: {refusals: 2, within: 60s, quarantine: 5m}\n---\norg: acme\ntenant: emea\nagent: reader",
)


Backtested = Callable[..., BacktestReport]


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


@pytest.fixture
def backtested(opa: LabOpa) -> Backtested:
    """Decide records again under the small folder's policies, or others."""
    return partial(ran, opa)


def ran(
    opa: LabOpa,
    records: Sequence[Record],
    policies: str = POLICIES,
    since: float = 0.0,
    until: float = float("inf"),
    batch: int = 2,
) -> BacktestReport:
    loaded = load({"agents.yaml": policies}, {"tools.yaml": TOOLS})
    stored = [StoredRecord("authz-0/1.jsonl", number, record, "") for number, record in enumerate(records, 1)]
    bench = Workbench(loaded, opa)
    with lab_fold(bench.snapshot) as settle:
        test = Backtest(bench, settle, since, until)
        for start in range(0, len(stored), batch):
            test.take(stored[start : start + batch])
    return test.report


def told(flip: FlippedCall) -> tuple[int, str, str, str]:
    return flip.line, flip.direction, flip.after.effect.value, flip.after.reason.value


def test_what_policy_answers_as_it_did_is_no_flip(backtested: Backtested) -> None:
    report = backtested(
        [
            payment(0, 5, Reason.ALLOWED),
            payment(1, 500, Reason.POLICY_DENIED),
            payment(2, 5, Reason.APPROVAL_NEEDED, "Initech"),
            payment(3, 5, Reason.APPROVED, "Initech"),
            payment(4, 5, Reason.APPROVAL_DENIED, "Initech"),
        ]
    )
    assert (report.judged, report.flips) == (5, [])
    assert report.before == report.after == {"allow": 1, "deny": 1, "approval_needed": 3}


def test_a_flip_names_its_record_and_the_rule_that_decides(backtested: Backtested) -> None:
    milder, stricter = backtested(
        [payment(0, 500, Reason.POLICY_DENIED), payment(1, 5, Reason.ALLOWED), payment(2, 50, Reason.ALLOWED)],
        POLICIES.replace("max_amount: 100", "min_amount: 10"),
    ).flips
    assert told(milder) == (1, "milder", "allow", "ALLOWED")
    assert milder.rules == ("paying: allowed_tools[0] (agents.yaml:11)",)
    assert told(stricter) == (2, "stricter", "deny", "POLICY_DENIED")
    assert stricter.rules == ("paying: allowed_tools[0] amount min (agents.yaml:11)",)


def test_a_call_that_a_person_refused_is_milder_where_nobody_is_asked(backtested: Backtested) -> None:
    (flip,) = backtested(
        [payment(0, 5, Reason.APPROVAL_DENIED, "Initech")], POLICIES.replace("Globex]", "Initech]")
    ).flips
    assert (flip.before, told(flip)) == (Effect.APPROVAL_NEEDED, (1, "milder", "allow", "ALLOWED"))


def test_what_is_no_longer_redacted_is_a_flip_of_the_same_effect(backtested: Backtested) -> None:
    redact = Redact(Target.RESPONSE, ("us_ssn",), ("/notes",))
    read = replace(
        payment(0, 1, Reason.SANITIZED, agent="reader"),
        tool="records-api",
        action="read",
        parameters={},
        obligations=(redact,),
    )
    assert backtested([read]).flips == []
    (flip,) = backtested([read], POLICIES.replace(", fields: [/notes]", "")).flips
    assert (flip.direction, flip.members) == ("other", ("obligations",))


def test_parameters_that_no_record_holds_are_counted_and_never_guessed(backtested: Backtested) -> None:
    report = backtested([withheld(payment(0, 5, Reason.ALLOWED)), payment(1, 5, Reason.ALLOWED)])
    assert (report.judged, sum(report.not_judged.values())) == (1, 1)
    assert "known by its digest alone" in next(iter(report.not_judged))


def test_what_policy_had_no_say_in_is_counted_by_its_reason(backtested: Backtested) -> None:
    refused = replace(DENIED, reason=Reason.CREDENTIAL_EXPIRED, identity=None, kind=None)
    assert backtested([refused, refused]).beside == {"CREDENTIAL_EXPIRED": 2}


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (replace(payment(0, 5, Reason.ALLOWED), tool="gone"), "no tool gone"),
        (replace(payment(0, 5, Reason.ALLOWED), action="gone"), "no action gone"),
        (replace(payment(0, 5, Reason.ALLOWED), parameters={"sum": 5}), "does not read sum"),
        (replace(payment(0, 5, Reason.ALLOWED), parameters={"amount": 5}), "demands payee"),
        (replace(payment(0, 5, Reason.ALLOWED), kind=CallKind.MCP_TOOL), "another kind"),
        (
            replace(payment(0, 5, Reason.EGRESS_DENIED), kind=CallKind.UNCLAIMED, tool="", action=""),
            "one does in the candidate",
        ),
    ],
)
def test_a_call_that_the_candidates_catalogue_reads_otherwise_is_not_judged(
    backtested: Backtested, record: DecisionRecord, sentence: str
) -> None:
    (words,) = backtested([record]).not_judged
    assert sentence in words


def test_limits_are_counted_from_the_records_at_their_times(backtested: Backtested) -> None:
    day = 86_400.0
    report = backtested(
        [
            payment(0, 100, Reason.ALLOWED),
            payment(1, 100, Reason.ALLOWED),
            payment(2, 100, Reason.ALLOWED),
            payment(3, 50, Reason.ALLOWED),
            payment(day, 100, Reason.ALLOWED),
        ],
        LIMITED,
    )
    (flip,) = report.flips
    assert told(flip) == (3, "stricter", "deny", "BUDGET_EXCEEDED")
    assert flip.rules == ("paying: the limit 250.00 EUR of amount a day (payments-api)",)


def test_what_was_used_lasts_as_long_as_the_backtest_although_its_day_is_long_over(
    backtested: Backtested, monkeypatch: pytest.MonkeyPatch
) -> None:
    lasting: list[int] = []

    @contextmanager
    def watched(binary: Path) -> Iterator[Path]:
        with lab_redis(binary) as address:
            yield address
            with redis.Redis(unix_socket_path=str(address)) as client:
                lasting.extend(int(client.pttl(key)) for key in client.scan_iter("*:limit:*"))

    monkeypatch.setattr(lab_fold_module, "lab_redis", watched)
    long_over = payment(-90_000_000, 100, Reason.ALLOWED)
    assert backtested([long_over], LIMITED).judged == 1
    assert lasting
    assert min(lasting) > 3_600_000


def test_an_outcome_gives_back_what_its_call_used(backtested: Backtested) -> None:
    first = payment(0, 100, Reason.ALLOWED)
    rest = [payment(10, 100, Reason.ALLOWED), payment(11, 100, Reason.ALLOWED)]
    assert len(backtested([first, *rest], LIMITED).flips) == 1
    assert backtested([first, outcome(first, 1, was_reached=False), *rest], LIMITED).flips == []
    assert backtested([first, outcome(first, 1, status=500), *rest], LIMITED).flips == []
    assert len(backtested([first, outcome(first, 1), *rest], LIMITED).flips) == 1


def test_a_call_under_way_holds_its_place_until_its_outcome(backtested: Backtested) -> None:
    one_at_a_time = POLICIES.replace(
        "    approval: {groups", "    concurrency: {max: 1, life: 1h}\n    approval: {groups"
    )
    first, later = payment(0, 5, Reason.ALLOWED), payment(10, 5, Reason.ALLOWED)
    (flip,) = backtested([first, later], one_at_a_time).flips
    assert told(flip) == (2, "stricter", "deny", "CONCURRENCY_EXCEEDED")
    assert backtested([first, outcome(first, 1), later], one_at_a_time).flips == []


def test_what_a_person_let_through_uses_limits_and_what_waits_does_not(backtested: Backtested) -> None:
    held = [payment(at, 100, Reason.APPROVAL_NEEDED, "Initech") for at in range(30)]
    let = [payment(at, 100, Reason.APPROVED, "Initech") for at in (40, 41)]
    (flip,) = backtested([*held, *let, payment(50, 100, Reason.ALLOWED)], LIMITED).flips
    assert told(flip) == (33, "stricter", "deny", "BUDGET_EXCEEDED")


def test_a_breaker_of_the_candidate_quarantines(backtested: Backtested) -> None:
    refusals = [payment(at, 500, Reason.POLICY_DENIED) for at in (0, 1)]
    (flip,) = backtested([*refusals, payment(2, 5, Reason.ALLOWED), payment(400, 5, Reason.ALLOWED)], BREAKING).flips
    assert told(flip) == (3, "stricter", "deny", "QUARANTINED")


def test_a_quarantine_on_record_that_the_candidate_does_not_make_is_not_judged(backtested: Backtested) -> None:
    report = backtested([payment(0, 5, Reason.QUARANTINED)])
    assert (report.judged, [*report.not_judged]) == (0, [module._QUARANTINE])


def test_a_limit_that_an_unjudged_call_used_of_is_said_to_be_uncertain(backtested: Backtested) -> None:
    report = backtested(
        [withheld(payment(0, 5, Reason.ALLOWED)), payment(1, 300, Reason.ALLOWED)],
        LIMITED.replace("max_amount: 100", "max_amount: 1000"),
    )
    assert report.uncertain == 1
    assert [flip.is_certain for flip in report.flips] == [False]


def test_a_flag_of_a_session_that_the_record_does_not_name_is_not_judged(backtested: Backtested) -> None:
    flagged = POLICIES.replace("    approval: {groups", "    requires: [looked]\n    approval: {groups").replace(
        "actions: [read]", "actions: [read]\n    sets: {flags: [looked], life: 1h}"
    )
    assert [*backtested([payment(0, 5, Reason.ALLOWED)], flagged).not_judged] == [module._SESSION]


def test_a_list_counts_as_the_calls_that_its_record_charged(backtested: Backtested) -> None:
    counted = POLICIES.replace("    approval: {groups", "    count: {max: 3, per: day}\n    approval: {groups")
    charge = ChargeRecord("l", "calls", "p", "a", "count", "", 4, 4, 6, 10, 0.0, "within", "deny")
    calls = payment(0, 5, Reason.ALLOWED)
    assert backtested([calls], counted).flips == []
    (flip,) = backtested([replace(calls, charges=(charge,))], counted).flips
    assert told(flip) == (1, "stricter", "deny", "COUNT_EXCEEDED")


def test_calls_outside_the_period_use_limits_and_are_not_compared(backtested: Backtested) -> None:
    records = [payment(at, 100, Reason.ALLOWED) for at in range(4)]
    report = backtested(records, LIMITED, since=NOON + 2, until=NOON + 3)
    assert (report.judged, [flip.line for flip in report.flips]) == (1, [3])


def test_equal_questions_are_asked_once(backtested: Backtested, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    judge = module.Workbench.judge

    def counted(bench: module.Workbench, questions: Sequence[module.Json]) -> object:
        asked.append(len(questions))
        return judge(bench, questions)

    monkeypatch.setattr(module.Workbench, "judge", counted)
    report = backtested([payment(at, 5, Reason.ALLOWED) for at in range(6)])
    assert (report.judged, asked) == (6, [1, 0, 0])


def test_a_line_that_cannot_be_read_is_counted(opa: LabOpa) -> None:
    loaded = load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS})
    test = Backtest(Workbench(loaded, opa), lambda _: {}, 0.0, float("inf"))
    test.take([StoredRecord("f", 1, None, "not JSON")])
    assert (test.report.records, test.report.unreadable, test.report.judged) == (1, 1, 0)


def test_records_of_version_1_are_judged_by_what_they_hold(backtested: Backtested) -> None:
    old = replace(payment(0, 500, Reason.ALLOWED), version=1, kind=None, withheld=None, identity=named("payer"))
    (flip,) = backtested([old]).flips
    assert told(flip) == (1, "stricter", "deny", "POLICY_DENIED")
