"""`aegis audit compress` and `retain`, as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.files import newest_notes
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.audit import app
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.evidence.anchors import encode_anchor
from aegis_authz.evidence.chain import read_link
from aegis_authz.evidence.checkpoint import read_checkpoint
from tests.support.exported_records import payment

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """The state folder of a mesh whose log has several segments."""
    state = tmp_path / "mesh"
    (state / "keys").mkdir(parents=True)
    (state / "keys" / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(PUBLIC)]}))
    folder = state / "records" / "authz-0"
    async with FileRecordLog(folder, "authz-0", KEY, SystemClock(), max_file_bytes=3000) as log:
        for number in range(8):
            await log.append(payment(number))
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (state / "keys" / "records.pem").touch(mode=0o600)
    (state / "keys" / "records.pem").write_bytes(pem)
    return state


def anchor(state: Path) -> None:
    """Keep where the log stands, as the control plane does."""
    first = read_link((state / "records" / "authz-0" / "00000001.jsonl").read_bytes().splitlines(keepends=True)[0])
    note = newest_notes(state / "records", [PUBLIC])["authz-0"]
    head = Head("gw-0", "authz-0", first.computed.hex(), read_checkpoint(note, PUBLIC).size, note.decode("utf-8"))
    line = encode_anchor(Anchor.after(0, FIRST_PREVIOUS, Epoch(1000.0), head))
    (state / "anchors.jsonl").write_bytes(line)


NOW = ("--older-than", "0s", "--under-six-months")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_sealed_segments_are_compressed_and_read_as_before(state: Path) -> None:
    before = run("tail", "--dir", state, "--json").output
    result = run("compress", "--dir", state)
    assert result.exit_code == 0
    assert result.output.startswith("authz-0: segment 1 compressed, ")
    assert run("tail", "--dir", state, "--json").output == before
    assert run("verify", "--dir", state).exit_code == 0
    again = run("compress", "--dir", state)
    assert (again.exit_code, again.output) == (0, "no sealed segment that is not compressed\n")
    assert json.loads(run("compress", "--dir", state, "--json").output) == {"compressed": []}


def test_a_folder_without_records_cannot_be_compressed(tmp_path: Path) -> None:
    assert run("compress", "--dir", tmp_path).exit_code == 2


def test_what_would_be_retired_is_said_and_nothing_is_changed_until_it_is_to_be_applied(state: Path) -> None:
    anchor(state)
    before = sorted(path.name for path in (state / "records" / "authz-0").iterdir())
    result = run("retain", "--dir", state, *NOW)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].startswith("authz-0: segments 1 to ") and "would be retired; 1 stay" in lines[0]
    assert lines[1:] == ["  the next stays: it is open, or has no seal, or no record stands behind it",
                         "nothing was changed; --apply retires them"]  # fmt: skip
    after = sorted(path.name for path in (state / "records" / "authz-0").iterdir())
    assert set(after) - set(before) <= {"segments.lock"}
    assert [name for name in after if name != "segments.lock"] == before


def test_retired_segments_are_gone_and_the_rest_is_proven(state: Path) -> None:
    anchor(state)
    result = run("retain", "--dir", state, *NOW, "--apply", "--json")
    assert result.exit_code == 0
    told = json.loads(result.output)
    (log,) = told["logs"]
    assert (told["applied"], log["is_done"], log["staying"], log["refusal"]) == (True, True, 1, "")
    assert len(list((state / "records" / "authz-0").glob("0*.jsonl"))) == 1
    verified = run("verify", "--dir", state)
    assert verified.exit_code == 0, verified.output
    assert f"note: records 1 to {log['extents'][-1]['last']}, the last of them of " in verified.output
    again = run("retain", "--dir", state, *NOW, "--apply")
    assert (again.exit_code, again.output.splitlines()[0]) == (0, "authz-0: nothing to retire, 1 stay")


def test_records_are_kept_for_six_months_unless_less_is_asked_for(state: Path) -> None:
    anchor(state)
    by_default = run("retain", "--dir", state)
    assert (by_default.exit_code, by_default.output.splitlines()) == (
        0, ["authz-0: nothing to retire, 4 stay", "  the next stays: it is too young"]
    )  # fmt: skip
    refused = run("retain", "--dir", state, "--older-than", "183d", "--apply")
    assert refused.exit_code == 2
    assert "184 days at least" in refused.output


def test_what_is_not_anchored_is_never_retired(state: Path) -> None:
    missing = run("retain", "--dir", state, *NOW, "--apply")
    assert missing.exit_code == 2
    assert "what no anchor covers is never retired" in missing.output
    anchor(state)
    content = (state / "anchors.jsonl").read_text()
    (state / "anchors.jsonl").write_text(content.replace("authz-0", "authz-9"))
    altered = run("retain", "--dir", state, *NOW, "--apply")
    assert altered.exit_code == 1
    assert "nothing is retired: it is not proven" in altered.output
    assert len(list((state / "records" / "authz-0").glob("0*.jsonl"))) == 4


def test_a_log_that_is_damaged_anywhere_loses_nothing(state: Path) -> None:
    anchor(state)
    last = max((state / "records" / "authz-0").glob("0*.jsonl"))
    last.write_bytes(last.read_bytes().replace(b"50000", b"50001", 1))
    result = run("retain", "--dir", state, *NOW, "--apply")
    assert result.exit_code == 1
    assert "its bytes do not match its hash" in result.output
    assert len(list((state / "records" / "authz-0").glob("0*.jsonl"))) == 4


@pytest.mark.parametrize(("most", "stay"), [("1", 1), ("1G", 4), ("6K", 2)])
def test_no_more_is_retired_than_brings_a_log_under_its_size(state: Path, most: str, stay: int) -> None:
    anchor(state)
    result = run("retain", "--dir", state, *NOW, "--at-most", most, "--json")
    (log,) = json.loads(result.output)["logs"]
    assert log["staying"] == stay
    assert run("retain", "--dir", state, *NOW, "--at-most", "much").exit_code == 2
