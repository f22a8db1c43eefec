"""Waivers: what they may say, and that they let through nothing but what a person was to be asked about."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.scope import Scope
from aegis_authz.lab.calls import question_of
from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors

PACKS = Path(__file__).parents[2] / "policies" / "packs"
TRUST = trust_to_data("lab", "lab", [], [], 300, 0)
TOOL: dict[str, Any] = {
    "tool": "stripe",
    "host": "api.stripe.example",
    "actions": {"pay": {"match": "POST /v1/payments", "parameters": {"amount": {"from": "/amount", "type": "number"}}}},
}
RULE: dict[str, Any] = {"name": "stripe", "actions": ["pay"], "conditions": {"approval_needed_over": 50}}
BOT: dict[str, Any] = {"org": "acme", "tenant": "emea", "agent": "bot", "allowed_tools": [RULE]}
WAIVER: dict[str, Any] = {
    "name": "stripe",
    "actions": ["pay"],
    "of": ["acme/emea/bot"],
    "from": "2026-11-01",
    "until": "2026-11-30",
    "conditions": {"max_amount": 80},
}
STANDING: dict[str, Any] = {"org": "acme", "tenant": "emea", "agent": "bot", "name": "standing", "waivers": [WAIVER]}


def loaded(standing: Mapping[str, Any]) -> Loaded:
    policies = {"bot.yaml": json.dumps(BOT), "standing.yaml": json.dumps(standing)}
    return load(policies, {"stripe.yaml": json.dumps(TOOL)})


def test_a_waiver_of_thirty_days_is_read() -> None:
    assert [policy.title for policy in loaded(STANDING).policies] == ["acme/emea/bot", "standing"]


@pytest.mark.parametrize(
    ("standing", "complaint"),
    [
        ({**STANDING, "waivers": [{**WAIVER, "until": "2026-12-01"}]}, "for 1 to 30 days, and this is for 31"),
        ({**STANDING, "waivers": [{**WAIVER, "until": "2026-10-31"}]}, "for 1 to 30 days"),
        ({**STANDING, "waivers": [{key: WAIVER[key] for key in WAIVER if key != "until"}]}, "is required"),
        ({**STANDING, "waivers": [{**WAIVER, "actions": ["*"]}]}, "names its actions"),
        ({**STANDING, "waivers": [{**WAIVER, "actions": ["refund"]}]}, "has no action 'refund'"),
        ({**STANDING, "waivers": [{**WAIVER, "conditions": {"max_sum": 80}}]}, "sum"),
        (
            {**STANDING, "waivers": [{**WAIVER, "conditions": {"approval_needed_over": 1}}]},
            "cannot ask for an approval",
        ),
        ({**STANDING, "waivers": [{**WAIVER, "approval": {"always": True}}]}, "approval"),
        ({**STANDING, "allowed_tools": [RULE]}, "has no allowed_tools"),
        ({**STANDING, "denied_tools": []}, "has no denied_tools"),
        ({**STANDING, "egress": {"allow": ["evil.example"]}}, "has no egress"),
        ({**STANDING, "agent": "*"}, "is about one agent"),
        ({**STANDING, "tenant": "em*"}, "is about one agent"),
        ({**STANDING, "mode": "shadow"}, "has no shadow"),
        ({"template": "t", "waivers": [WAIVER]}, "waivers"),
    ],
)
def test_a_waiver_that_says_too_much_is_refused(standing: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(PolicyErrors) as refusal:
        loaded(standing)
    assert complaint in str(refusal.value)


def test_a_waiver_voids_no_approval_of_its_agent() -> None:
    with_waiver = loaded(STANDING)
    without = load({"bot.yaml": json.dumps(BOT)}, {"stripe.yaml": json.dumps(TOOL)})
    bot = Scope("acme", "emea", "bot")
    bases = [compile_policy(one.compiled, one.tools, TRUST, "").bases for one in (with_waiver, without)]
    assert len({basis.of(bot, "stripe") for basis in bases}) == 1


@pytest.fixture(scope="module")
def opa(opa_binary: Any) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def questions(pack: Path, read: Loaded) -> Iterator[dict[str, Any]]:
    """The calls of a pack's own tests, and the same with values of one another."""
    draw = Random(7)  # noqa: S311  # no secret hangs on it
    catalogue = Catalogue.of(read.tools)
    texts = {path.name: path.read_text() for path in (pack / "agents").glob("*_test.yaml")}
    calls = [case.call for case in cases_of(texts, read)]
    values: dict[str, list[object]] = {}
    for one in calls:
        for name, value in one.parameters.items():
            values.setdefault(name, []).append(value)
    for one in calls:
        yield question_of(one, catalogue)
        for _ in range(3):
            mixed = {name: draw.choice(values[name]) for name in one.parameters}
            yield question_of(one.model_copy(update={"parameters": mixed}), catalogue)


def widest(
    asked: Sequence[dict[str, Any]], held: Sequence[Decision], titles: Sequence[str], session: str
) -> dict[str, str]:
    """For every call waivers of all documents, on its day, for each group that may decide any; they have no condition
    but that of the session, "" for not even that.
    """
    conditions: dict[str, Any] = {"conditions": {"context": {"session": {"equals": session}}}} if session else {}
    groups = sorted({group for one in held for group in one.approval.groups}) if held else []  # type: ignore[union-attr]
    texts = {}
    for question in asked:
        who, days = question["subject"]["properties"], question["context"]["time"] // 86_400_000_000_000
        day = date.fromordinal(date(1970, 1, 1).toordinal() + days).isoformat()
        waiver = {"name": question["resource"]["id"], "actions": [question["action"]["name"]], "of": titles}
        waiver |= conditions
        waivers = [
            {**waiver, "groups": [*some], "from": day, "until": day} for some in ([], *([one] for one in groups))
        ]
        name = f"standing-{len(texts)}"
        scope = {part: who[part] for part in ("org", "tenant", "agent")}
        texts[f"{name}.yaml"] = json.dumps({**scope, "name": name, "waivers": waivers})
    return texts


@pytest.mark.parametrize("pack", sorted(path for path in PACKS.iterdir() if path.is_dir()), ids=lambda path: path.name)
def test_no_waiver_lets_through_what_a_pack_denies(opa: LabOpa, pack: Path) -> None:
    policies, tools = read_sources(pack / "agents"), read_sources(pack / "tools")
    read = load(policies, tools)
    asked = [one for one in questions(pack, read) if one["resource"]["type"] in ("http", "mcp_tool")]
    opa.load(compile_policy(read.compiled, read.tools, TRUST, "").data)
    before = decisions(opa, asked)
    held = [one for one in before if one.effect is Effect.APPROVAL_NEEDED]
    titles = [policy.title for policy in read.policies]
    waiving = load({**policies, **widest(asked, held, titles, "")}, tools)
    opa.load(compile_policy(waiving.compiled, waiving.tools, TRUST, "").data)
    outcomes: Counter[tuple[Effect, Effect]] = Counter()
    for question, first, after in zip(asked, before, decisions(opa, asked), strict=True):
        outcomes[first.effect, after.effect] += 1
        if first.effect is Effect.APPROVAL_NEEDED:
            assert after.effect is not Effect.DENY, question
            assert first.limits == after.limits, question
        else:
            assert (first.effect, first.obligations) == (after.effect, after.obligations), question
    plain = [
        one for one in held if one.approval is not None and one.approval.approvals == 1 and not one.approval.confirm
    ]
    eased = sum(count for (first, after), count in outcomes.items() if (first, after.lets_through) == (_HELD, True))
    assert eased == len(plain), outcomes


@pytest.mark.parametrize("pack", sorted(path for path in PACKS.iterdir() if path.is_dir()), ids=lambda path: path.name)
def test_a_waiver_for_a_session_lets_through_what_is_held_in_that_session_alone(opa: LabOpa, pack: Path) -> None:
    policies, tools = read_sources(pack / "agents"), read_sources(pack / "tools")
    read = load(policies, tools)
    plain = [one for one in questions(pack, read) if one["resource"]["type"] in ("http", "mcp_tool")]
    sessions = [{"session": "task-1"}, {"session": "task-2"}, {}]
    asked = [{**one, "context": {**one["context"], **sessions[place % 3]}} for place, one in enumerate(plain)]
    opa.load(compile_policy(read.compiled, read.tools, TRUST, "").data)
    before = decisions(opa, asked)
    held = [one for one in before if one.effect is Effect.APPROVAL_NEEDED]
    waivers = widest(asked, held, [policy.title for policy in read.policies], "task-1")
    waiving = load({**policies, **waivers}, tools)
    opa.load(compile_policy(waiving.compiled, waiving.tools, TRUST, "").data)
    for question, first, after in zip(asked, before, decisions(opa, asked), strict=True):
        approval, is_of_session = first.approval, question["context"].get("session") == "task-1"
        if first.effect is _HELD and approval is not None and approval.approvals == 1 and not approval.confirm:
            assert after.effect.lets_through is is_of_session, question
        else:
            assert (first.effect, first.obligations) == (after.effect, after.obligations), question


_HELD = Effect.APPROVAL_NEEDED


def decisions(opa: LabOpa, asked: Sequence[dict[str, Any]]) -> list[Decision]:
    answers = opa.decisions(list(asked))
    assert all(isinstance(one, Decision) for one in answers)
    return [one for one in answers if isinstance(one, Decision)]
