"""`aegis policy suggest` on logs as authorizers write them, tried with a real OPA and a real Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy
from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Redact, SetHeader, Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.scope import Scope
from tests.support.recorded_payments import payment, withheld, write_log
from tests.support.tried_policies import TOOLS

pytestmark = pytest.mark.usefixtures("opa_binary", "redis_binary")

Run = Callable[..., Result]
HUB = "---\ntool: hub\nhost: hub.example\nmcp: {}\n"
REDACT = Redact(Target.RESPONSE, ("us_ssn",), ("/notes",))


def read(at: float) -> DecisionRecord:
    """A call whose answer was redacted."""
    call = replace(payment(at, 1, Reason.SANITIZED, agent="reader"), tool="records-api", action="read", parameters={})
    return replace(call, obligations=(REDACT,))


def hub(at: float, **parameters: object) -> DecisionRecord:
    """A call of an MCP server that lists no tools."""
    call = replace(payment(at, 1, Reason.ALLOWED, agent="maker"), tool="hub", action="create", kind=CallKind.MCP_TOOL)
    return replace(call, parameters=parameters)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on these records."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "tools.yaml").write_text(TOOLS + HUB)

    def ran(*records: DecisionRecord, words: tuple[str, ...] = ()) -> Result:
        write_log(tmp_path / "records", "authz-0", records)
        paths = ["--records", str(tmp_path / "records"), "--tools", str(tmp_path / "tools")]
        return CliRunner().invoke(policy.app, ["suggest", *paths, *words])

    return ran


def test_what_was_seen_becomes_a_policy_of_ranges_and_lists(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "suggested"
    result = run(
        payment(0, 5, Reason.ALLOWED),
        payment(1, 70.5, Reason.ALLOWED, "Globex"),
        payment(2, 500, Reason.POLICY_DENIED),
        read(3),
        words=("--out", str(out)),
    )
    assert result.exit_code == 0, result.output
    assert (out / "acme-emea-payer.yaml").read_text() == (
        "org: acme\ntenant: emea\nagent: payer\nallowed_tools:\n"
        "  - name: payments-api\n    actions: [pay]\n    conditions:\n      parameters:\n"
        "        amount: {min: 5, max: 70.5}\n        payee: {in: [ACME, Globex]}\n"
    )
    assert "sanitize:" in (out / "acme-emea-reader.yaml").read_text()
    assert result.stdout.splitlines()[0].startswith("2 documents: 3 calls covered, lint finds")


def test_a_call_of_parameters_that_no_catalogue_lists_lets_no_others_pass(run: Run) -> None:
    told = json.loads(run(hub(0, title="a"), hub(1, title="b", draft=True), words=("--json",)).stdout)
    [text] = told["documents"].values()
    assert "additionalProperties" in text
    assert "optional: true" in text
    assert (told["covered"], told["milder"], told["stricter"]) == (2, 0, 0)


def test_a_parameter_that_the_catalogue_lists_and_nobody_sent_may_not_be_sent(run: Run, tmp_path: Path) -> None:
    optional = TOOLS.replace("{from: /payee, type: string}", "{from: /payee, type: string, optional: true}")
    (tmp_path / "tools" / "tools.yaml").write_text(optional)
    call = payment(0, 5, Reason.ALLOWED)
    other = replace(payment(1, 5, Reason.POLICY_DENIED, payee="Mallory"), policies=("paying",))
    result = run(replace(call, parameters={"amount": 5}), other, words=("--json",))
    told = json.loads(result.stdout)
    assert (told["covered"], told["milder"], result.exit_code) == (1, 0, 0)
    assert "additionalProperties: false" in told["documents"]["acme-emea-payer.yaml"]


def test_agents_whose_names_make_one_file_name_have_a_document_each(run: Run) -> None:
    first, second = payment(0, 5, Reason.ALLOWED), payment(1, 7, Reason.ALLOWED)
    assert second.identity is not None
    scope = Scope("acme", "emea-payer", "payer")
    told = json.loads(
        run(
            replace(first, identity=replace(second.identity, scope=Scope("acme-emea", "payer", "payer"))),
            replace(second, identity=replace(second.identity, scope=scope)),
            words=("--json",),
        ).stdout
    )
    [text] = told["documents"].values()
    assert (text.count("allowed_tools:"), told["covered"], told["stricter"]) == (2, 2, 0)


def test_what_lies_between_what_was_seen_and_was_refused_is_told(run: Run) -> None:
    result = run(payment(0, 5, Reason.ALLOWED), payment(1, 7, Reason.POLICY_DENIED), payment(2, 9, Reason.ALLOWED))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "1 call that did not pass so would: aegis policy backtest shows them"


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (payment(1, 9, Reason.APPROVED), "a person let them through"),
        (withheld(payment(1, 9, Reason.ALLOWED)), "hold not all parameters"),
        (replace(payment(1, 9, Reason.ALLOWED), action="gone"), "no such action"),
        (replace(read(1), obligations=(SetHeader("x-a", "b"),)), "more than a redaction"),
        (hub(1, body={"deep": 1}), "body was an object"),
        (hub(1, **{"/a": 1}), "take for a pointer"),
    ],
)
def test_what_is_not_covered_is_told_with_why(run: Run, call: DecisionRecord, why: str) -> None:
    told = json.loads(run(payment(0, 5, Reason.ALLOWED), call, words=("--json",)).stdout)
    [row] = told["left_out"]
    assert (row["calls"], why in row["why"], told["covered"]) == (1, True, 1)


def test_calls_of_an_agent_and_a_time_alone_are_covered(run: Run) -> None:
    words = ("--json", "--agent", "payer", "--since", "2026-11-30T12:00:01Z")
    told = json.loads(run(payment(0, 5, Reason.ALLOWED), payment(1, 6, Reason.ALLOWED), read(2), words=words).stdout)
    assert (told["covered"], [*told["documents"]]) == (1, ["acme-emea-payer.yaml"])
    assert "{type: integer, min: 6, max: 6}" in told["documents"]["acme-emea-payer.yaml"]


def test_nothing_is_suggested_for_nothing_and_no_folder_is_overwritten(run: Run, tmp_path: Path) -> None:
    assert run(replace(payment(0, 5, Reason.POLICY_DENIED), effect=Effect.DENY)).exit_code == 2
    full = run(payment(1, 5, Reason.ALLOWED), words=("--out", str(tmp_path)))
    assert (full.exit_code, "is not empty" in full.stderr) == (2, True)
