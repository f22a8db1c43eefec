"""Grants on a real OPA: held against a plain interpreter, and against a library of before there were any."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.grant import Grant
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.wire.grant import read_grant
from aegis_authz.wire.opa.answer import question_to_data
from tests.support.grants import NOW, TriedCall, allows, every_call, grant_claim, links, random_claim

AGENT = Identity(Scope("acme", "emea", "bot"), "aegis", "k", "j", NOW - 9, NOW + 9, (), "", Way.TOKEN, None, "", None)
RULE = {
    "id": "allowed_tools[0]",
    "effect": "allow",
    "values": [],
    "redact": [],
    "headers": [],
    "approval": {"groups": [], "expires_in": 900},
}
OPEN = {
    "name": "open",
    "disclose": False,
    "tools": {tool: {"*": [RULE]} for tool in ("bank", "vault", "elsewhere")},
    "denied": {},
    "regions": None,
    "egress": {"hosts": {}, "suffixes": []},
}
DATA: dict[str, Json] = {
    "revision": "r1",
    "policies": {
        "shapes": [["", "", ""]],
        "regions": {},
        "forms": [{"enforce": [OPEN], "shadow": [], "titles": {"enforce": [OPEN["name"]], "shadow": []}}],
        "scopes": {"acme/emea/bot": [0]},
    },
}


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        running.load({"aegis": DATA})
        yield running


def question(call: TriedCall, grant: Grant | None, time: float = NOW) -> dict[str, Json]:
    tool, action, parameters = call
    values = dict(parameters)
    if "/to/iban" in values:
        values["to"] = {"iban": values.pop("/to/iban")}
    tool_call = ToolCall(
        kind=CallKind.ACTION,
        tool=tool,
        action=action,
        parameters=values,
        declared=(),
        host="h.example",
        port=None,
        method="POST",
        path="/",
        source="",
        rpc=NO_RPC,
        digest="d",
        content_type="",
        scheme="https",
        besides={},
        spellings={},
        batch=0,
    )
    return question_to_data(Evaluation(replace(AGENT, grant=grant), tool_call, time, "", "", frozenset(), frozenset()))


def random_chain(chance: random.Random) -> dict[str, Any]:
    claim = random_claim(chance)
    for _ in range(chance.randrange(4)):
        child = random_claim(chance, within=claim)
        try:
            read_grant(child)
        except Refused:
            break
        claim = child
    return claim


def agree(opa: LabOpa, chains: int, seed: int) -> int:
    chance = random.Random(seed)  # noqa: S311  # the chains are to be made again
    calls = list(every_call())
    asked = [(claim, call) for claim in map(random_chain, [chance] * chains) for call in chance.sample(calls, 12)]
    decisions = opa.decisions([question(call, read_grant(claim)) for claim, call in asked])
    allowed = 0
    for (claim, call), decision in zip(asked, decisions, strict=True):
        is_granted = all(allows(link, call) for link in links(claim))
        assert isinstance(decision, Decision)
        assert decision.reason is (Reason.ALLOWED if is_granted else Reason.GRANT_EXCEEDED), (claim, call)
        allowed += is_granted
    return allowed


def test_calls_under_random_chains_are_decided_as_each_of_its_grants_says(opa: LabOpa) -> None:
    assert 100 < agree(opa, 100, seed=3) < 1_100


@pytest.mark.slow
def test_calls_under_ten_thousand_random_chains_are_decided_as_each_of_its_grants_says(opa: LabOpa) -> None:
    agree(opa, 10_000, seed=4)


def test_a_grant_ends_in_the_second_it_says(opa: LabOpa) -> None:
    call, grant = ("bank", "pay", {"payee": "Muster"}), read_grant(grant_claim())
    at = [NOW + 599.999, NOW + 600.0, NOW + 700.5]
    decisions = opa.decisions([question(call, grant, time) for time in at])
    assert [decision.reason for decision in decisions] == [Reason.ALLOWED, Reason.GRANT_EXPIRED, Reason.GRANT_EXPIRED]


def test_a_call_without_a_grant_is_asked_about_as_before(opa: LabOpa) -> None:
    bare = question(("bank", "pay", {}), None)
    assert bare.keys() == {"subject", "action", "resource"}
    granted = question(("bank", "pay", {}), read_grant(grant_claim()))
    assert granted["call"] == bare
    assert granted.keys() == {"call", "grant"}


def test_a_library_that_knows_no_grants_denies_every_call_under_one(opa_binary: Path, tmp_path: Path) -> None:
    library = dict(rego_library())
    del library["grants.rego"], library["explain.rego"]
    answer = library["answer.rego"].replace("} else := under_grant(call)", "}")
    assert answer != library["answer.rego"]
    for name, text in {**library, "answer.rego": answer}.items():
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "data.json").write_text(json.dumps({"aegis": DATA}), "utf-8")
    call = ("bank", "pay", {"payee": "Muster"})
    asked = {"calls": [question(call, None), question(call, read_grant(grant_claim()))]}
    shown = subprocess.run(
        [opa_binary, "eval", "--format", "raw", "--stdin-input", "--data", tmp_path, "data.aegis.authz.answer"],
        input=json.dumps(asked),
        text=True,
        capture_output=True,
        check=True,
    )
    decisions = json.loads(shown.stdout)["decisions"]
    assert [decision["effect"] for decision in decisions] == ["allow", "deny"]


def test_what_a_grant_allows_must_be_known_to_ask_about_it() -> None:
    grant = read_grant(grant_claim())
    bare = replace(grant, chain=(replace(grant.chain[0], tools=None),))
    with pytest.raises(ValueError, match="is not known"):
        question(("bank", "pay", {}), bare)
