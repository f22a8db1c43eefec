from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.load.calls import Signer
from benchmarks.contenders.documents import ALLOWED, FINANCE, REFUSED
from benchmarks.measure import processes
from benchmarks.measure.processes import NotUp, process, proven


@pytest.fixture
def signer() -> Signer:
    key = Ed25519PrivateKey.generate()
    return Signer(key, issuer="aegis", audience="aegis-mesh", scope=FINANCE)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 0.05)
    monkeypatch.setattr(processes, "_PAUSE", 0.01)


async def test_a_process_is_gone_when_its_block_ends(tmp_path: Path) -> None:
    async with process([sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "log", {}) as pid:
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_process_is_gone_when_its_block_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        async with process([sys.executable, "-c", "import signal; signal.pause()"], tmp_path / "log", {}) as pid:
            raise KeyError
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.usefixtures("hasty")
async def test_who_does_not_answer_is_named_with_the_end_of_its_log(tmp_path: Path, signer: Signer) -> None:
    log = tmp_path / "log"
    log.write_text("cannot listen", "utf-8")
    with pytest.raises(NotUp, match=r"(?s)the peer: no answer where HTTP 200 is due.*cannot listen"):
        await proven("the peer", "http://127.0.0.1:1", signer, [ALLOWED], log)


@pytest.mark.usefixtures("hasty")
async def test_who_answers_otherwise_is_named_with_what_it_answered(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answered_by(monkeypatch, lambda request: httpx.Response(503))
    with pytest.raises(NotUp, match=r"HTTP 503 where HTTP 200 is due$"):
        await proven("the peer", "http://peer", signer, [ALLOWED], tmp_path / "none")


@pytest.mark.usefixtures("hasty")
async def test_a_denial_for_another_reason_is_no_right_answer(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answered_by(monkeypatch, lambda request: httpx.Response(403, json={"reason": "REPLAYED"}))
    with pytest.raises(NotUp, match=r"HTTP 403 REPLAYED where HTTP 403 POLICY_DENIED is due$"):
        await proven("the peer", "http://peer", signer, [REFUSED], tmp_path / "none")


async def test_a_denial_without_a_reason_is_a_right_answer(
    tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answered_by(monkeypatch, lambda request: httpx.Response(403, text="no"))
    await proven("the peer", "http://peer", signer, [REFUSED], tmp_path / "none")


async def test_the_first_answers_may_be_late(tmp_path: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([503, 200])
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["x-aegis-token"])
        return httpx.Response(next(answers))

    _answered_by(monkeypatch, answer)
    monkeypatch.setattr(processes, "_PAUSE", 0.0)
    await proven("the peer", "http://peer", signer, [ALLOWED], tmp_path / "none")
    assert len(set(tokens)) == 2


def _answered_by(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    client = partial(httpx.AsyncClient, transport=httpx.MockTransport(answer))
    monkeypatch.setattr(httpx, "AsyncClient", client)
