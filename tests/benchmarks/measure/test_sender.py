from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.scope import Scope
from aegis_authz.load.calls import DENIED, Call, Signer
from benchmarks.measure.sender import Vegeta


@dataclass(frozen=True)
class Somebody:
    judges: bool
    proves: bool = False
    agent: str = "bot"
    name: str = "a"
    url: str = "http://127.0.0.1:1"
    pids: dict[str, tuple[int, ...]] = field(default_factory=dict)


@pytest.fixture
def vegeta(tmp_path: Path) -> Vegeta:
    signer = Signer(Ed25519PrivateKey.generate(), "aegis", "aegis-mesh", Scope("acme", "emea", "finance-agent"))
    return Vegeta(Path("/bin/true"), tmp_path, signer, Call("/allowed"), Call("/denied", DENIED))


async def targets(vegeta: Vegeta, contender: Somebody, count: int) -> list[dict[str, Any]]:
    path = await vegeta.prepare(contender, count)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def tokens(written: list[dict[str, Any]]) -> set[str]:
    return {json.dumps(target["header"]) for target in written}


async def test_a_judge_gets_a_token_for_each_call_and_one_call_in_twenty_to_deny(vegeta: Vegeta) -> None:
    written = await targets(vegeta, Somebody(judges=True), 40)
    assert len(tokens(written)) == 40
    assert sum("/denied#403" in target["url"] for target in written) == 2


async def test_each_is_called_by_its_own_agent(vegeta: Vegeta) -> None:
    (target,) = await targets(vegeta, Somebody(judges=True, agent="spending-agent"), 1)
    (token,) = target["header"]["X-Aegis-Token"]
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == "acme/emea/spending-agent"


async def test_two_loads_share_no_token(vegeta: Vegeta) -> None:
    one, other = [await targets(vegeta, Somebody(judges=True), 20) for _ in range(2)]
    assert not tokens(one) & tokens(other)


async def test_whoever_does_not_judge_gets_calls_of_the_same_size_and_none_to_deny(vegeta: Vegeta) -> None:
    written = await targets(vegeta, Somebody(judges=False), 40)
    assert len(written) == 40
    assert len(tokens(written)) == 1
    assert all("/allowed#200" in target["url"] for target in written)
