"""`aegis audit cosign` and `verify --witness`, by a witness that is exact in its protocol, and by a real one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.cli.audit import app
from tests.cli.test_record_proof import by_the_file, grow
from tests.cli.test_retention import NOW, PUBLIC, anchor
from tests.cli.test_retention import state as state  # noqa: PLC0414  # a fixture
from tests.support.fake_witness import FakeWitness, listening
from tests.support.real_witness import running_witness

ORIGIN = "aegis/authz-0/tree"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def witnesses() -> Iterator[list[FakeWitness]]:
    """Two witnesses that know the log."""
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (21, 22)]
    made = [FakeWitness(f"witness.example/w{at}", key, {ORIGIN: PUBLIC}) for at, key in enumerate(keys, start=1)]
    with listening(made[0]), listening(made[1]):
        yield made


def settle(state: Path, places: list[tuple[str, str]], quorum: int) -> None:
    lines = "".join(f"  - {{url: '{url}', key: '{key}'}}\n" for url, key in places)
    (state / "witnesses.yaml").write_text(f"witnesses:\n{lines}quorum: {quorum}\n", "utf-8")


def cosign(state: Path, witnesses: list[FakeWitness], quorum: int = 2) -> Result:
    settle(state, [(witness.url, witness.verifier_key) for witness in witnesses], quorum)
    return run("cosign", "--dir", state)


def verify(state: Path, witnesses: list[FakeWitness], *words: str) -> Result:
    asked = [word for witness in witnesses for word in ("--witness", witness.verifier_key)]
    result = run("verify", "--dir", state, *asked, *words)
    foreign = by_the_file(state, state / "records", *asked, *words)
    assert foreign.returncode == result.exit_code, foreign.stdout + foreign.stderr + result.output
    return result


def test_a_log_is_cosigned_as_it_grows_and_is_held_against_what_was_seen(
    state: Path, witnesses: list[FakeWitness]
) -> None:
    first = cosign(state, witnesses)
    assert first.exit_code == 0, first.output
    lines = first.output.splitlines()
    assert lines[0].startswith("authz-0: 2 of 2 witnesses cosigned its ")
    assert lines[1] == "  witness.example/w1: at 2027-01-15T08:00:00Z"
    size = int(lines[0].split()[-2])
    grow(state, range(20, 30))
    assert cosign(state, witnesses).exit_code == 0
    proofs = [request.partition(b"\n")[0] for request in witnesses[0].requests]
    assert proofs == [b"old 0", f"old {size}".encode()]
    grow(state, range(30, 32))
    result = verify(state, witnesses)
    assert result.exit_code == 0, result.output
    seen = witnesses[0].seen[ORIGIN][0]
    assert f"note: 2 of the witnesses saw its first {seen} records as they are, the last at 2027-01-15" in result.output


def test_a_witness_that_has_seen_more_than_we_know_of_says_how_much(state: Path, witnesses: list[FakeWitness]) -> None:
    cosign(state, witnesses)
    (state / "records" / "authz-0" / "cosigned.note").unlink()
    grow(state, range(20, 25))
    assert cosign(state, witnesses).exit_code == 0
    assert [request.partition(b" ")[2][:1] for request in witnesses[0].requests[1:2]] == [b"0"]
    assert len(witnesses[0].requests) == 3


def test_a_log_that_was_rolled_back_is_refused_by_the_witness_and_by_what_it_cosigned(
    state: Path, witnesses: list[FakeWitness]
) -> None:
    shutil.copytree(state / "records", state / "before")
    grow(state, range(20, 30))
    assert cosign(state, witnesses).exit_code == 0
    kept = (state / "records" / "authz-0" / "cosigned.note").read_bytes()
    shutil.rmtree(state / "records")
    shutil.copytree(state / "before", state / "records")
    missing = verify(state, witnesses)
    assert missing.exit_code == 1 and "no head that witnesses cosigned is there" in missing.output
    refused = cosign(state, witnesses)
    assert refused.exit_code == 1
    assert "are here: the log was rolled back" in refused.output
    (state / "records" / "authz-0" / "cosigned.note").write_bytes(kept)
    result = verify(state, witnesses)
    assert result.exit_code == 1 and "the log was truncated or rolled back" in result.output


def test_what_was_cosigned_of_a_longer_log_stays_though_a_witness_has_not_seen_it(
    state: Path, witnesses: list[FakeWitness]
) -> None:
    shutil.copytree(state / "records", state / "before")
    grow(state, range(20, 30))
    assert cosign(state, witnesses, quorum=1).exit_code == 0
    kept = (state / "records" / "authz-0" / "cosigned.note").read_bytes()
    shutil.rmtree(state / "records")
    shutil.copytree(state / "before", state / "records")
    (state / "records" / "authz-0" / "cosigned.note").write_bytes(kept)
    witnesses[0].seen.clear()
    refused = cosign(state, witnesses, quorum=1)
    assert refused.exit_code == 1 and "it was rolled back" in refused.output
    assert (state / "records" / "authz-0" / "cosigned.note").read_bytes() == kept


def test_a_log_that_was_forked_is_found_though_its_key_signed_all_of_it(
    state: Path, witnesses: list[FakeWitness]
) -> None:
    shutil.copytree(state / "records", state / "before")
    grow(state, range(20, 30))
    assert cosign(state, witnesses).exit_code == 0
    kept = (state / "records" / "authz-0" / "cosigned.note").read_bytes()
    shutil.rmtree(state / "records")
    shutil.copytree(state / "before", state / "records")
    grow(state, range(40, 60))
    assert run("verify", "--dir", state).exit_code == 0
    refused = cosign(state, witnesses)
    assert refused.exit_code == 1 and "it does not find the checkpoint to continue what it has seen" in refused.output
    (state / "records" / "authz-0" / "cosigned.note").write_bytes(kept)
    result = verify(state, witnesses)
    assert result.exit_code == 1 and "the log was rewritten or forked" in result.output


def test_fewer_witnesses_than_the_quorum_are_too_few(state: Path, witnesses: list[FakeWitness]) -> None:
    witnesses[1].status = 500
    few = cosign(state, witnesses)
    assert few.exit_code == 1
    assert few.output.splitlines()[0].startswith("authz-0: NOT COSIGNED: 1 of 2 witnesses cosigned its ")
    assert "answers with status 500" in few.output
    assert not (state / "records" / "authz-0" / "cosigned.note").exists()
    assert cosign(state, witnesses, quorum=1).exit_code == 0
    assert verify(state, witnesses, "--quorum", "1").exit_code == 0
    result = verify(state, witnesses)
    assert result.exit_code == 1 and "1 of the witnesses cosigned it, and 2 are asked for" in result.output


def test_who_is_away_now_signed_this_head_before(state: Path, witnesses: list[FakeWitness]) -> None:
    assert cosign(state, witnesses).exit_code == 0
    witnesses[1].status = 503
    assert cosign(state, witnesses).exit_code == 0
    assert verify(state, witnesses).exit_code == 0


@pytest.mark.parametrize(
    ("logs", "words"),
    [({}, "it does not know the log"), ({ORIGIN: b"\x01" * 32}, "it does not trust the key that signed")],
)
def test_a_witness_that_does_not_know_the_log_says_what_to_do(
    state: Path, witnesses: list[FakeWitness], logs: dict[str, bytes], words: str
) -> None:
    witnesses[0].logs = logs
    result = cosign(state, witnesses)
    assert result.exit_code == 1 and words in result.output and "--log-keys" in result.output


def test_a_witness_whose_lines_are_of_another_key_has_not_cosigned(state: Path, witnesses: list[FakeWitness]) -> None:
    one, other = witnesses
    settle(state, [(one.url, other.verifier_key)], 1)
    result = run("cosign", "--dir", state)
    assert result.exit_code == 1 and "no line verifies with its key" in result.output


def test_a_log_that_is_not_proven_is_shown_to_nobody(state: Path, witnesses: list[FakeWitness]) -> None:
    first = state / "records" / "authz-0" / "00000001.jsonl"
    first.write_bytes(first.read_bytes().replace(b"finance-agent", b"finance-agenT", 1))
    result = cosign(state, witnesses)
    assert result.exit_code == 1 and "NOT COSIGNED: authz-0: record 1 " in result.output
    assert witnesses[0].requests == []


def test_what_was_cosigned_and_then_retired_has_to_be_cosigned_again(state: Path, witnesses: list[FakeWitness]) -> None:
    anchor(state)
    assert cosign(state, witnesses).exit_code == 0
    grow(state, range(20, 40))
    anchor(state)
    assert run("retain", "--dir", state, *NOW, "--apply").exit_code == 0
    result = verify(state, witnesses)
    assert result.exit_code == 1 and "were retired since: have the log cosigned again" in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("witnesses: []\nquorum: 1\n", "witnesses"),
        ("witnesses: [{url: 'http://127.0.0.1:9', key: 'x'}]\nquorum: 2\n", "quorum is 2"),
        ("witnesses: [{url: 'http://127.0.0.1:9', key: 'x'}]\nquorum: 1\n", "'x' is no verifier key"),
        ("witnesses: [{url: 'http://elsewhere.example', key: 'x'}]\nquorum: 1\n", "https"),
    ],
)
def test_settings_that_cannot_be_used_are_named(state: Path, text: str, words: str) -> None:
    assert run("cosign", "--dir", state).exit_code == 2
    (state / "witnesses.yaml").write_text(text, "utf-8")
    result = run("cosign", "--dir", state)
    assert result.exit_code == 2 and words in result.output


def test_a_quorum_of_more_than_the_witnesses_that_are_named_is_refused(state: Path) -> None:
    assert run("verify", "--dir", state, "--quorum", "1").exit_code == 2
    assert run("verify", "--dir", state, "--witness", "x").exit_code == 2


@pytest.mark.slow
def test_a_real_witness_cosigns_what_grows_and_nothing_else(state: Path) -> None:
    (key,) = run("cosign", "--dir", state, "--log-keys").output.split()
    assert key.startswith(f"{ORIGIN}+")
    shutil.copytree(state / "records", state / "before")
    with running_witness({ORIGIN: key}) as witness:
        settle(state, [(witness.url, witness.verifier_key)], 1)
        assert run("cosign", "--dir", state).exit_code == 0
        grow(state, range(20, 30))
        again = run("cosign", "--dir", state, "--json")
        assert again.exit_code == 0, again.output
        assert json.loads(again.output)["logs"][0]["is_kept"] is True
        (state / "records" / "authz-0" / "cosigned.note").rename(state / "kept.note")
        assert run("cosign", "--dir", state).exit_code == 0, "what it has seen is learnt from its answer"
        words = ("--witness", witness.verifier_key)
        assert run("verify", "--dir", state, *words).exit_code == 0
        assert by_the_file(state, state / "records", *words).returncode == 0
        assert by_the_file(state, state / "records", *words, "--pure").returncode == 0
        shutil.rmtree(state / "records")
        shutil.copytree(state / "before", state / "records")
        back = run("cosign", "--dir", state)
        assert back.exit_code == 1 and "the log was rolled back" in back.output
        grow(state, range(40, 60))
        forked = run("cosign", "--dir", state)
        assert forked.exit_code == 1, forked.output
