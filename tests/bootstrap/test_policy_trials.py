"""Policy tests as the control plane runs them, on a real OPA and a real Redis."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from aegis_authz.bootstrap import policy_trials
from aegis_authz.bootstrap.policy_trials import LabTrials
from aegis_authz.control.policies.trials import TrialServerMissing, TrialsFault
from aegis_authz.core.units import Seconds
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors

POLICY = """\
agent: payer
name: house
allowed_tools:
  - name: bank
    actions: [pay]
    conditions: {max_amount: 100}
    budget: {amount: 10, currency: EUR, per: day, of: {parameter: amount}}
"""
TOOL = """\
tool: bank
host: bank.example
upstream: http://127.0.0.1:9001
actions:
  pay: {match: POST /pay, parameters: {amount: {from: /amount, type: number}}}
"""
CASE = """\
  - name: a payment of {amount}
    call: {{agent: acme/emea/payer, tool: bank, action: pay, parameters: {{amount: {amount}}}}}
    expect:
      effect: {effect}
"""
SEQUENCE = """\
tests:
  - name: twice
    sequence:
      - {call: {agent: acme/emea/payer, tool: bank, action: pay, parameters: {amount: 9}}, expect: {effect: allow}}
      - {times: 2, expect: {effect: allow}}
"""
IDENTITY = """\
identities:
  - {name: a stranger, spiffe: "spiffe://acme.example/x", expect: {refused: unregistered}}
"""


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load({"p.yaml": POLICY}, {"t.yaml": TOOL})


def cases(*pairs: tuple[int, str]) -> str:
    return "tests:\n" + "".join(CASE.format(amount=amount, effect=effect) for amount, effect in pairs)


@pytest.mark.usefixtures("opa_binary")
async def test_a_test_that_fails_is_named_with_its_file_and_line(loaded: Loaded) -> None:
    tests = {"a_test.yaml": cases((1, "allow"), (200, "allow")), "b_test.yaml": IDENTITY}
    (problem,) = await LabTrials().failures(loaded, tests)
    assert (problem.path, problem.line) == ("a_test.yaml", 9)
    assert problem.message.startswith('the test "a payment of 200" fails: expected effect allow; decided deny')


@pytest.mark.usefixtures("opa_binary", "redis_binary")
async def test_sequences_are_played(loaded: Loaded) -> None:
    assert await LabTrials().failures(loaded, {"a_test.yaml": cases((1, "allow"), (200, "deny"))}) == []
    (problem,) = await LabTrials().failures(loaded, {"s_test.yaml": SEQUENCE})
    assert 'the test "twice, step 2" fails' in problem.message


async def test_tests_of_identity_need_no_server(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", str(tmp_path / "nothing"))
    (problem,) = await LabTrials().failures(loaded, {"b_test.yaml": IDENTITY.replace("unregistered", "subject_form")})
    assert 'the test "a stranger" fails' in problem.message


async def test_a_machine_without_opa_says_how_to_get_it(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AEGIS_OPA_BIN", raising=False)
    for name in ("XDG_CACHE_HOME", "PATH"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    with pytest.raises(TrialServerMissing, match=r"opa: .*AEGIS_OPA_BIN"):
        await LabTrials().failures(loaded, {"a_test.yaml": cases((1, "allow"))})


async def test_an_opa_that_the_environment_names_and_that_is_not_there_is_not_taken_for_none(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", str(tmp_path / "nothing"))
    with pytest.raises(TrialsFault, match=r"opa: AEGIS_OPA_BIN names .*nothing"):
        await LabTrials().failures(loaded, {"a_test.yaml": cases((1, "allow"))})


async def test_an_opa_that_is_there_and_does_not_run_is_not_taken_for_none(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "opa"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, value in (("AEGIS_OPA_BIN", str(broken)), ("PATH", str(tmp_path))):
        monkeypatch.delenv("AEGIS_OPA_BIN", raising=False)
        monkeypatch.setenv(name, value)
        with pytest.raises(TrialsFault, match=r"opa: .*does not tell its version"):
            await LabTrials().failures(loaded, {"a_test.yaml": cases((1, "allow"))})


@pytest.mark.usefixtures("opa_binary")
async def test_a_machine_without_room_for_files_has_run_no_test(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nothing"))
    with pytest.raises(TrialsFault, match="nothing"):
        await LabTrials().failures(loaded, {"a_test.yaml": cases((1, "allow"))})


@pytest.mark.usefixtures("opa_binary")
async def test_tests_that_take_too_long_have_not_passed(loaded: Loaded) -> None:
    with pytest.raises(TrialsFault):
        await LabTrials(Seconds(0.0)).failures(loaded, {"a_test.yaml": cases((1, "allow"))})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no test"),
        ("tests: 1\n", "tests"),
        ("tests: [1\n", "a_test.yaml:"),
        (cases((1, "maybe")), "no effect"),
    ],
)
async def test_what_is_no_test_has_not_passed(loaded: Loaded, text: str, message: str) -> None:
    with pytest.raises(PolicyErrors, match=message):
        await LabTrials().failures(loaded, {"a_test.yaml": text})


async def test_more_calls_than_one_publication_may_make_are_not_begun(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy_trials, "MAX_CALLS", 2)
    strangers = "identities:\n" + "".join(
        f'  - {{name: {n}, spiffe: "spiffe://acme.example/x", expect: {{refused: unregistered}}}}\n' for n in "abc"
    )
    payments = cases(*[(n, "allow") for n in (1, 2, 3)])
    mixed = f"{cases((1, 'allow'))}---\n{strangers}"
    for text, line in ((payments, 10), (SEQUENCE, 5), (strangers, 4), (mixed, 9)):
        with pytest.raises(
            PolicyErrors, match=rf"a_test\.yaml:{line}:1: from here on the tests make more than 2 calls"
        ):
            await LabTrials().failures(loaded, {"a_test.yaml": text})
