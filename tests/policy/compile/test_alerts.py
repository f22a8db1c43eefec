"""Of which refusals people learn, as documents say it."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.alert import ALERTING, AlertTerms
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.policy.compile.alerts import alerts_of, alerts_to_data
from aegis_authz.policy.compile.compiler import Compiled, compile_policy, content_of
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}


def terms(*documents: str) -> dict[str, list[AlertTerms]]:
    return alerts_of(load({f"p{number}.yaml": text for number, text in enumerate(documents)}, TOOLS).compiled)


def published(text: str, trust: Any) -> Compiled:
    loaded = load({"p.yaml": text}, TOOLS)
    return compile_policy(loaded.compiled, loaded.tools, trust, "http://control")


def test_a_document_says_of_which_refusals_people_learn_and_where() -> None:
    told = terms(
        'agent: a\nnotify: {reasons: [EGRESS_DENIED], by: ["webhook:soc", log]}\n',
        "agent: b\n",
        "agent: c\nmode: shadow\nnotify: {reasons: [deny], by: [log], within: 5m}\n",
    )
    assert told == {
        "*/*/a": [AlertTerms(frozenset({Reason.EGRESS_DENIED}), ("log", "webhook:soc"), 60.0)],
        "*/*/c": [AlertTerms(ALERTING, ("log",), 300.0)],
    }


def test_what_is_published_is_named_by_it_and_no_authorizer_reads_it(trust: Any) -> None:
    text = "agent: a\nnotify: {reasons: [EGRESS_DENIED], by: [log]}\n"
    without, told = published("agent: a\n", trust), published(text, trust)
    assert told.revision != without.revision
    assert {**content_of(told)["snapshot"]} == {**content_of(without)["snapshot"]}  # type: ignore[dict-item]
    assert content_of(told)["alerts"] == alerts_to_data(terms(text))


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ("{reasons: [EGRESS_DENIED]}", "by"),
        ("{by: [log]}", "reasons"),
        ("{reasons: [], by: [log]}", "must not be empty"),
        ("{reasons: [EGRES_DENIED], by: [log]}", "EGRESS_DENIED"),
        ("{reasons: [ALLOWED], by: [log]}", "refuses nothing"),
        ("{reasons: [APPROVAL_NEEDED], by: [log]}", "approval: {notify: [...]}"),
        ("{reasons: [CREDENTIAL_MISSING], by: [log]}", "before any agent is known"),
        ("{reasons: [deny, deny], by: [log]}", "twice"),
        ("{reasons: [deny], by: [security-slack]}", "must be log, or slack:, teams:, webhook: or email:"),
        ("{reasons: [deny], by: [log], within: 2d}", "a day at most"),
        ("{reasons: [deny], by: [log], every: 5m}", "every"),
    ],
)
def test_anything_else_is_refused_with_its_place(member: str, words: str) -> None:
    with pytest.raises(PolicyErrors) as refusal:
        terms(f"agent: a\nnotify: {member}\n")
    (problem,) = refusal.value.problems
    assert problem.line == 2
    assert words in str(problem)


def test_a_document_with_waivers_tells_nobody() -> None:
    waiver = "{name: bank, actions: [pay], of: [refunds], groups: [x], from: 2026-01-01, until: 2026-01-02}"
    with pytest.raises(PolicyErrors, match="notify"):
        terms(f"agent: a\norg: o\ntenant: t\nnotify: {{reasons: [deny], by: [log]}}\nwaivers:\n  - {waiver}\n")


def test_data_is_the_same_whatever_the_order_of_documents() -> None:
    pair = (
        "agent: a\nnotify: {reasons: [deny], by: [log]}\n",
        "agent: a\nname: x\nnotify: {reasons: [REVOKED], by: [log]}\n",
    )
    data: dict[str, Json] = alerts_to_data(terms(*pair))
    assert data == alerts_to_data(terms(*pair[::-1]))
