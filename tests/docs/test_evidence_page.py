"""docs/evidence.md, followed to the letter on the state folder of a mesh."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, OutcomeRecord, Record
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.evidence.anchors import encode_anchor
from tests.support.fake_witness import FakeWitness, listening
from tests.support.made_records import APPROVAL, DENIED, approval_step
from tests.support.page_steps import problems, steps, terminal
from tests.support.real_s3 import S3Server, s3

__all__ = ["s3"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "evidence.md").read_text("utf-8")
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
STORAGE = "\n## Where nobody can delete it\n"
NOON = 1_796_040_000.0  # 2026-11-30T12:00:00Z

HELD = replace(
    DENIED,
    decision_id="0190-held",
    time=NOON,
    effect=Effect.APPROVAL_NEEDED,
    reason=Reason.APPROVAL_NEEDED,
    approval_id=APPROVAL,
)
USED = replace(
    HELD, decision_id="0190-used", time=NOON + 60, effect=Effect.ALLOW, reason=Reason.APPROVED, approved_by="ann"
)
ALLOWED = replace(
    USED,
    decision_id="0190-small",
    time=NOON + 1,
    reason=Reason.ALLOWED,
    parameters={"amount": 250},
    approval_id="",
    approved_by="",
)
APPROVED = approval_step(HELD, ApprovalStep.APPROVED, 42.5, "ann", "invoice 4711")

CATALOGUE = """\
tool: stripe-payments
host: api.stripe.example
actions:
  create_payment:
    match: POST /v1/payments
    parameters:
      amount: {from: /amount, type: number}
"""


def outcome(of: str, at: float) -> OutcomeRecord:
    return OutcomeRecord(of, at, 201, "via_upstream", (), True, 0, 0, 1.0, 2.0, None)


def entry(at: float, decision_id: str | None, upstream: str | None) -> str:
    second = at - NOON
    members = {
        "time": f"2026-11-30T12:{int(second // 60):02d}:{second % 60:06.3f}Z",
        "decision_id": decision_id,
        "upstream": upstream,
        "upstream_cluster": "tool:stripe-payments:3f71",
        "details": "via_upstream" if upstream else "ext_authz_denied",
    }
    return json.dumps(members) + "\n"


async def write(records: Path, writer: str, lines: Sequence[Record], max_file_bytes: int) -> Head:
    async with FileRecordLog(records / writer, writer, KEY, SystemClock(), max_file_bytes=max_file_bytes) as log:
        for record in lines:
            await log.append(record)
        head = log.head("gw-0")
    assert head is not None
    return head


async def made_state(state: Path, max_file_bytes: int = 1 << 20) -> None:
    """A mesh of two authorizers on which a call was held, approved and made, and one that nobody recorded."""
    (state / "keys").mkdir(parents=True)
    (state / "logs").mkdir()
    public = KEY.public_key().public_bytes_raw()
    (state / "keys" / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(public)]}))
    (state / "keys" / "records.pem").touch(mode=0o600)
    (state / "keys" / "records.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    heads = [
        await write(
            state / "records",
            "authz-0",
            [
                HELD,
                ALLOWED,
                outcome(ALLOWED.decision_id, NOON + 2),
                APPROVED,
                USED,
                outcome(USED.decision_id, NOON + 61),
                replace(DENIED, decision_id="0190-denied", time=NOON + 70),
            ],
            max_file_bytes,
        ),
        await write(
            state / "records", "authz-1", [replace(DENIED, decision_id="0190-other", time=NOON + 3)], max_file_bytes
        ),
    ]
    number, previous = 0, FIRST_PREVIOUS
    with (state / "anchors.jsonl").open("wb") as file:
        for head in heads:
            anchor = Anchor.after(number, previous, Epoch(1_796_025_600.0 + number), head)
            file.write(encode_anchor(anchor))
            number, previous = anchor.number, anchor.hash
    tool = "10.0.0.9:443"
    entries = [(0, HELD.decision_id, None), (1, "0190-small", tool), (60, "0190-used", tool), (70, "0190-denied", None)]
    lines = [entry(NOON + at, decision_id, upstream) for at, decision_id, upstream in entries]
    (state / "logs" / "access.log").write_text("".join([*lines, entry(NOON + 300, None, None)]))


def calls_around() -> str:
    """What an access log would hold of calls that no decision let through."""
    tool = "10.0.0.9:443"
    return "".join(entry(NOON + 400, name, tool) for name in (None, "0190-gone", "0190-denied"))


@pytest.mark.usefixtures("opa_binary", "redis_binary")
async def test_every_command_does_what_the_page_prints(tmp_path: Path) -> None:
    await made_state(tmp_path / ".aegis")
    (tmp_path / "draft" / "agents").mkdir(parents=True)
    (tmp_path / "draft" / "tools").mkdir()
    (tmp_path / "draft" / "tools" / "stripe.yaml").write_text(CATALOGUE)
    (tmp_path / "around.log").write_text(calls_around())
    shutil.copy(ROOT / "tools" / "verify_records.py", tmp_path)
    before, _, after = PAGE.partition(STORAGE)
    public = KEY.public_key().public_bytes_raw()
    logs = {f"aegis/{writer}/tree": public for writer in ("authz-0", "authz-1")}
    key = Ed25519PrivateKey.from_private_bytes(b"\x15" * 32)
    with listening(FakeWitness("witness.example/w1", key, logs)) as witness:
        (tmp_path / ".aegis" / "witnesses.yaml").write_text(
            f"witnesses: [{{url: '{witness.url}', key: '{witness.verifier_key}'}}]\nquorum: 1\n"
        )
        reader = {**terminal(), "WITNESS": witness.verifier_key}
        wrong = problems(steps(before + after[after.index("\n## ") :]), tmp_path, reader)
        assert next(wrong, "") == ""


@pytest.mark.slow
async def test_the_commands_of_the_storage_do_what_the_page_prints_on_a_real_one(tmp_path: Path, s3: S3Server) -> None:
    state = tmp_path / ".aegis"
    await made_state(state, max_file_bytes=5000)
    (state / "shipping.yaml").write_text(
        f"bucket: {s3.bucket()}\nprefix: gw-0/\nendpoint: {s3.endpoint}\n"
        f"credentials: {s3.credentials(state)}\nretention: {{mode: COMPLIANCE, days: 400}}\n",
        "utf-8",
    )
    shutil.copy(ROOT / "tools" / "verify_records.py", tmp_path)
    section = PAGE.partition(STORAGE)[2].partition("\n## ")[0]
    assert section.count("$ aegis audit") == 4
    assert next(problems(steps(section), tmp_path, terminal()), "") == ""
