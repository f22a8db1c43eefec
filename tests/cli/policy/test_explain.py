"""`aegis policy explain` on folders and records, with a real OPA."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.policy import app as policy
from aegis_authz.commands.recorded_calls import revision_here
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ChargeRecord
from aegis_authz.lab.explanation_outline import _manner
from aegis_authz.local.mesh_facts import write_facts
from tests.support.made_records import DENIED, named
from tests.support.mesh_facts import made_facts
from tests.support.tried_policies import written_folders

Run = Callable[..., Result]

PAY = ("--agent", "acme/emea/payer", "--tool", "payments-api", "--action", "pay")
WRITTEN = """\
agent: acme/emea/payer
tool: payments-api
action: pay
parameters: {amount: 5, payee: Initech}
"""
PAID = replace(
    DENIED,
    identity=named("payer"),
    tool="payments-api",
    action="pay",
    parameters={"amount": 500, "payee": "ACME"},
    policies=(),
)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    return written_folders(tmp_path)


@pytest.fixture
def run(folders: tuple[Path, Path]) -> Run:
    """Run the command on the folders' documents."""

    def ran(*words: str | Path, stdin: str | None = None) -> Result:
        arguments = ["explain", "--policies", folders[0], "--tools", folders[1], *words]
        return CliRunner().invoke(policy.app, [str(word) for word in arguments], input=stdin)

    return ran


@pytest.fixture
async def mesh(tmp_path: Path, folders: tuple[Path, Path]) -> Path:
    """The state folder of a mesh that keeps these documents, with the record of a denied payment."""
    state = tmp_path / "mesh"
    open_keys(state / "keys")
    (state / "control.yaml").write_text(
        f"listen: 127.0.0.1:1\npublic_url: http://127.0.0.1:1\nstate: {state}\nkeys: {state}/keys\n"
        f"policies: {folders[0]}\ntools: {folders[1]}\nredis: unix:///r\nrecords: {state}/records\n"
    )
    facts = made_facts(state, policies=str(folders[0]), tools=str(folders[1]), environment="production")
    write_facts(state / "mesh.json", facts)
    revision = revision_here(*folders, state)
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    async with FileRecordLog(state / "records" / "authz-0", "authz-0", key, SystemClock()) as log:
        await log.append(replace(PAID, revision=revision))
        await log.append(replace(PAID, decision_id="older", revision="0ld"))
        await log.append(replace(PAID, decision_id="early", identity=None, reason=Reason.CREDENTIAL_MISSING))
        await log.append(replace(PAID, decision_id="replay", reason=Reason.REPLAYED))
    return state


def limited(folders: tuple[Path, Path]) -> None:
    """Limit what the payer may pay in a day."""
    for path in folders[0].rglob("*.yaml"):
        text = path.read_text()
        limit = "    actions: [pay]\n    budget: {amount: 500, currency: USD, per: day, of: {parameter: amount}}\n"
        path.write_text(text.replace("    actions: [pay]\n", limit))


def recorded(mesh: Path, *words: str) -> Result:
    return CliRunner().invoke(policy.app, ["explain", "--dir", str(mesh), "--record", *words])


def test_a_call_is_explained_as_a_tree(run: Run, folders: tuple[Path, Path]) -> None:
    result = run(*PAY, "--param", "amount=500", "--param", "payee=Initech")

    place = folders[0] / "agents.yaml"
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        "DENY POLICY_DENIED: paying: amount max",
        "decided by: paying",
        "acme/emea/payer: payments-api pay",
        f"└── paying enforce  {place}:5",
        f"    └── allowed_tools[0]: deny  {place}:11",
        '        ├── ✓ amount type "number": seen 500 (else deny)',
        "        ├── ✗ amount max 100: seen 500 -> deny  line 14",
        "        ├── ✓ amount min 0: seen 500 (else deny)  implied by the upper bound",
        '        ├── ✓ payee type "string": seen "Initech" (else deny)',
        '        └── ✗ payee in ["ACME", "Globex"]: seen "Initech" -> approval_needed  line 17',
    ]


def test_the_terms_of_an_approval_are_told(run: Run) -> None:
    result = run(*PAY, "--param", "amount=5", "--param", "payee=Initech")

    assert "approval: by one of finance, within 900 seconds" in result.output


def test_how_a_request_waits_is_told_where_a_rule_says_so() -> None:
    terms: dict[str, Json] = {"hold": 20, "unattended": "deny", "proof": "signed_in"}
    assert "".join(_manner(terms)) == ", signed in; the request is kept open 20 seconds, then denied"
    assert "".join(_manner({"hold": 20})) == "; the request is kept open 20 seconds"
    assert "".join(_manner({"groups": []})) == ""


def test_obligations_are_told(run: Run) -> None:
    result = run("--agent", "acme/emea/reader", "--tool", "records-api", "--action", "read")

    assert result.output.startswith("SANITIZE SANITIZED\n")
    assert "obligation: redact: target response, detectors us_ssn, fields /notes" in result.output


def test_what_is_not_there_is_told(run: Run) -> None:
    lines = [line.strip("│ ├└─") for line in run(*PAY, "--param", "payee=ACME").output.splitlines()]

    assert "✗ amount present: it is not there -> deny" in lines
    assert "· amount max 100 (not reached)  line 14" in lines


def test_another_parameter_is_told_with_its_value(run: Run, folders: tuple[Path, Path]) -> None:
    document = folders[0] / "agents.yaml"
    document.write_text(
        document.read_text().replace(
            "[refund]}", "[pay], conditions: {parameters: {amount: {over: {parameter: payee}}}}}"
        )
    )

    lines = run(*PAY, "--param", "amount=5", "--param", "payee=7").output

    assert "amount over the parameter payee, 7: seen 5" in lines


def test_long_lines_are_not_cut_where_there_is_no_terminal(run: Run) -> None:
    result = run(*PAY, "--param", "amount=5", "--param", f"payee={'x' * 90}")

    assert f'payee in ["ACME", "Globex"]: seen "{"x" * 90}" -> approval_needed  line 17' in result.output


def test_enforcing_documents_are_told_before_shadows(run: Run, folders: tuple[Path, Path]) -> None:
    (folders[0] / "a.yaml").write_text("agent: payer\nmode: shadow\nname: trial\n")

    lines = run(*PAY, "--param", "amount=5", "--param", "payee=ACME").output.splitlines()

    assert lines[2] == "shadow documents would have decided: deny"
    assert [line.split()[1:3] for line in lines if line.startswith(("├", "└"))] == [
        ["paying", "enforce"],
        ["trial", "shadow"],
    ]


def test_a_rule_that_denies_is_told_as_such(run: Run, folders: tuple[Path, Path]) -> None:
    denying = "denied_tools:\n  - {name: payments-api, actions: [pay], conditions: {max_amount: 10}}\nallowed_tools:"
    document = folders[0] / "agents.yaml"
    document.write_text(document.read_text().replace("extends: house-rules\nallowed_tools:", denying), "utf-8")

    excused = run(*PAY, "--param", "amount=50", "--param", "payee=ACME").output
    denied = run(*PAY, "--param", "amount=5", "--param", "payee=ACME").output

    assert "denied_tools[0]: does not apply" in excused
    assert "✗ amount max 10: seen 50 -> the rule does not apply" in excused
    assert "denied_tools[0]: deny" in denied


def test_a_call_is_read_from_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "call.yaml"
    file.write_text(WRITTEN)

    assert run(file).output.startswith("APPROVAL_NEEDED APPROVAL_NEEDED: paying: payee in\n")


def test_a_call_is_read_from_standard_input(run: Run) -> None:
    assert run("-", stdin=f"call:\n  {WRITTEN.replace(chr(10), chr(10) + '  ').rstrip()}\n").output.startswith(
        "APPROVAL_NEEDED"
    )


def test_options_say_what_else_a_call_would_be(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "call.yaml"
    file.write_text(WRITTEN)

    assert run(file, "--param", "payee=ACME").output.startswith("ALLOW ALLOWED\n")
    assert run(file, "--host", "evil.example").output.startswith("DENY EGRESS_DENIED")


def test_json_holds_the_same_with_files_and_lines(run: Run, folders: tuple[Path, Path]) -> None:
    told = json.loads(run(*PAY, "--param", "amount=500", "--param", "payee=ACME", "--json").stdout)

    [document] = told["documents"]
    [rule] = document["rules"]
    assert (told["decision"]["effect"], told["decision"]["findings"]) == ("deny", ["amount max"])
    assert (document["file"], document["line"]) == (str(folders[0] / "agents.yaml"), 5)
    assert (rule["id"], rule["outcome"], rule["line"]) == ("allowed_tools[0]", "deny", 11)
    assert rule["conditions"][1] == {
        "parameter": "amount",
        "condition": "max",
        "wanted": 100,
        "seen": 500,
        "there": True,
        "state": "failed",
        "failing": "deny",
        "line": 14,
    }
    assert told["notes"] == []
    assert "record" not in told


def test_a_parameter_is_json_where_it_is_and_a_text_where_it_is_told_to_be(run: Run) -> None:
    def seen(*words: str) -> object:
        return json.loads(run(*PAY, *words, "--json").stdout)["call"]["parameters"]["payee"]

    assert seen("--param", "payee=5") == 5
    assert seen("--param", 'payee={"a": [null]}') == {"a": [None]}
    assert seen("--param", "payee=a=b") == "a=b"
    assert seen("--param", "payee=NaN") == "NaN"
    assert seen("--param", "payee=") == ""
    assert seen("--param-text", "payee=5") == "5"


def test_what_is_around_the_call_can_be_said(run: Run) -> None:
    context = ("time=2026-03-02T10:00:00+01:00", "source=10.1.2.3", "acted_by=bot, other", "token_age=30")

    told = json.loads(run(*PAY, *(word for one in context for word in ("--context", one)), "--json").stdout)

    assert told["call"]["context"] == {
        "time": "2026-03-02T10:00:00+01:00",
        "environment": "",
        "source": "10.1.2.3",
        "on_behalf_of": "",
        "acted_by": ["bot", "other"],
        "session": "",
        "token_age": 30,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--agent", "acme", *PAY[2:]], "--agent: must be org/tenant/agent, such as acme/emea/finance-agent"),
        ([*PAY[:2]], "must have either a tool and its action, or the host that is called"),
        ([*PAY[:4]], "must name the action of the tool"),
        ([*PAY[:4], "--action", "pai"], "--action: tool 'payments-api' has no action 'pai'; did you mean 'pay'?"),
        ([*PAY, "--param", "amont=5"], "--param amont: action 'pay' declares no parameter 'amont'"),
        ([*PAY, "--param", "amount"], "--param: 'amount' is not NAME=VALUE"),
        ([*PAY, "--param", "amount=5", "--param", "amount=6"], "--param: 'amount' is given twice"),
        ([*PAY, "--param", "amount=5", "--param-text", "amount=6"], "--param-text: 'amount' is given twice"),
        ([*PAY, "--param", "amount=0.12345678901234567890123"], "more digits than a double holds"),
        ([*PAY, "--param", 'payee={"a":1,"a":2}'], "an object names a member twice; give a text with --param-text"),
        ([*PAY, "--param", "payee=\udcff"], "--param: 'payee' is not UTF-8"),
        ([*PAY, "--context", "tme=now"], "--context: unknown key 'tme'; did you mean 'time'?"),
        ([*PAY, "--context", "time=now"], "--context time: must be a moment such as"),
        ([*PAY, "--context", "token_age=old"], "--context token_age: must be a whole number"),
        (["call.yaml", "--record", "1"], "give a call or --record, not both"),
        (["--record", "1"], ".aegis/records is not a folder"),
        (["--record", "1", "--dir", ".", "--tool", "x"], "only --param, --param-text and --context"),
        ([], "name a file with the call, or give --agent"),
        (["nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_what_makes_no_call_is_said(run: Run, words: list[str], message: str) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_a_wrong_call_is_told_with_its_place(run: Run) -> None:
    result = run("-", stdin=WRITTEN.replace("action:", "aktion:"))

    assert result.exit_code == 2
    assert "standard input:3:1: aktion: unknown key 'aktion'; did you mean 'action'?" in result.stderr


def test_a_wrong_call_is_told_as_json(run: Run) -> None:
    result = run("-", "--json", stdin=WRITTEN.replace("tool:", "toool:"))

    assert result.exit_code == 2
    assert json.loads(result.stdout)["problems"][0]["field"] == "toool"


def test_a_call_that_is_not_utf_8_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "call.yaml"
    file.write_bytes(b"agent: \xff")

    result = run(file)

    assert (result.exit_code, "not UTF-8 at byte 7" in result.stderr) == (2, True)


def test_wrong_documents_explain_nothing(run: Run, folders: tuple[Path, Path]) -> None:
    (folders[0] / "agents.yaml").write_text("agnt: x\n")

    result = run(*PAY)

    assert result.exit_code == 2
    assert f"{folders[0] / 'agents.yaml'}:1:1: agnt: unknown key" in result.stderr


def test_without_an_opa_nothing_is_explained(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", str(tmp_path / "no-opa"))

    assert run(*PAY).exit_code == 2


def test_a_recorded_call_is_explained_again(mesh: Path) -> None:
    result = recorded(mesh, "d-1")

    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == "DENY POLICY_DENIED: paying: amount max"
    assert lines[2:5] == [
        "record d-1 (records/authz-0/00000001.jsonl:1), read without verifying",
        "the answer is the recorded one, deny POLICY_DENIED",
        "acme/emea/payer: payments-api pay",
    ]


def test_a_recorded_call_can_be_amended_and_the_difference_is_told(mesh: Path) -> None:
    result = recorded(mesh, "d-1", "--param", "amount=5")

    assert result.output.startswith("ALLOW ALLOWED\n")
    assert "the answer differs: recorded was deny POLICY_DENIED (amount:max); now it is allow ALLOWED" in result.output


def test_another_revision_is_told(mesh: Path, folders: tuple[Path, Path]) -> None:
    result = recorded(mesh, "older")

    assert (
        f"recorded under revision 0ld; these documents make revision {revision_here(*folders, mesh)}" in result.output
    )


def test_without_the_keys_of_the_mesh_the_revision_cannot_be_told(mesh: Path) -> None:
    (mesh / "control.yaml").unlink()

    assert "which revision these documents make cannot be told here" in recorded(mesh, "d-1").output


def test_what_is_no_answer_of_policy_is_not_compared(mesh: Path) -> None:
    assert "the recorded answer, deny REPLAYED, is not one of policy: not compared" in recorded(mesh, "replay").output


def test_a_recorded_call_is_told_as_json(mesh: Path) -> None:
    told = json.loads(recorded(mesh, "older", "--json").stdout)

    assert told["call"]["context"]["environment"] == "production"
    assert (told["record"]["same_answer"], told["record"]["revision"]) == (True, "0ld")
    assert len(told["record"]["revision_here"]) == 24


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("nowhere", "no record of decision nowhere in"),
        ("early", "refused with CREDENTIAL_MISSING before it was known which agent makes it"),
    ],
)
def test_what_cannot_be_judged_again_is_said(mesh: Path, named: str, message: str) -> None:
    result = recorded(mesh, named)

    assert result.exit_code == 2
    assert message in result.stderr


def test_a_mesh_without_records_is_said(mesh: Path, tmp_path: Path) -> None:
    (mesh / "records").rename(tmp_path / "elsewhere")

    result = recorded(mesh, "d-1")

    assert (result.exit_code, "is not a folder" in result.stderr) == (2, True)


async def test_a_recorded_call_tells_how_its_limits_stood(
    run: Run, mesh: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    limited(folders)
    (limit,) = json.loads(run(*PAY, "--param", "amount=5", "--param", "payee=ACME", "--json").stdout)["limits"]
    assert limit["account"] is None
    standing = ("p", "acme/emea/payer", "budget", "USD", 5_000_000, 400_000_000, 100_000_000, 500_000_000, 86_400.0)
    charge = ChargeRecord(limit["id"], "spent", *standing, "within", "deny")
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    async with FileRecordLog(mesh / "records" / "authz-1", "authz-1", key, SystemClock()) as log:
        small = {"amount": 5, "payee": "ACME"}
        await log.append(replace(PAID, decision_id="charged", parameters=small, charges=(charge,)))
    text = recorded(mesh, "charged").stdout
    assert "400.00 USD of 500.00 USD used, 100.00 USD left, resets 1970-01-02 00:00:00Z" in text
    (told,) = json.loads(recorded(mesh, "charged", "--json").stdout)["limits"]
    assert (told["account"]["used"], told["account"]["left"]) == (400_000_000, 100_000_000)


def test_where_the_mesh_does_not_tell_how_limits_stand_that_is_said(
    run: Run, mesh: Path, folders: tuple[Path, Path]
) -> None:
    limited(folders)
    shown = CliRunner().invoke(
        policy.app, ["explain", "--dir", str(mesh), *PAY, "--param", "amount=5", "--param", "payee=ACME"]
    )
    assert shown.exit_code == 0
    assert "what is used of limits is not known: " in shown.stdout
    assert " used, " not in shown.stdout
