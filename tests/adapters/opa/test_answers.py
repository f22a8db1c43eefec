"""Answers that are remembered: with them every decision is what OPA would have said, through publications."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.adapters.opa.answers import FRESH, Answers
from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.adapters.opa.pdp import OpaPdp
from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope

AGENT = Identity(Scope("acme", "emea", "bot"), "aegis", "k", "j", 0.0, 1.0, (), "", Way.TOKEN, None, "", None)
MOST_DENIED = 8


def question(parameter: int, moment: float = 0.0, reads: frozenset[str] = frozenset()) -> Evaluation:
    parameters = {"n": parameter}
    parts = (CallKind.ACTION, "t", "a", parameters, (), "h", None, "GET", "/", "", NO_RPC, "d", "", "http", {}, {}, 0)
    return Evaluation(AGENT, ToolCall(*parts), moment, "test", "", reads, None)


def verdict(revision: str, call: dict[str, Any]) -> dict[str, Any]:
    """A pure function of both, as OPA is."""
    text = orjson.dumps([revision, call], option=orjson.OPT_SORT_KEYS)
    is_denied = hashlib.sha256(text).digest()[0] % 16 < MOST_DENIED
    effect, reason = ("deny", "POLICY_DENIED") if is_denied else ("allow", "ALLOWED")
    empty: dict[str, Any] = {"obligations": [], "findings": [], "approval": None, "would": None, "limits": []}
    return {"effect": effect, "reason": reason, "detail": text.decode(), "policies": ["p"], **empty}


class ScriptedOpa(OpaHttp):
    """Judges by the revision it has, and counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(Path("unused"))
        self.revision = "r0"
        self.calls = 0
        self.queries = 0

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        calls = orjson.loads(body)["input"]["calls"]
        self.calls += len(calls)
        self.queries += 1
        decisions = [verdict(self.revision, call) for call in calls]
        return 200, orjson.dumps({"result": {"revision": self.revision, "decisions": decisions}})


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("publish"), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("pass"), st.sampled_from([0.001, FRESH / 2, FRESH, 1.0]), st.booleans()),
    ),
    max_size=40,
)


@given(STEPS)
def test_with_and_without_it_every_decision_is_the_same_through_publications(
    steps: list[tuple[str, float, bool]],
) -> None:
    async def play() -> None:
        moment, published_at = 0.0, -1.0
        opa = ScriptedOpa()
        answers = Answers(lambda: moment)
        with_it, without = OpaPdp(opa, answers=answers), OpaPdp(opa)
        for word, number, flag in steps:
            if word == "pass":
                moment += number
            elif word == "publish":
                opa.revision, published_at = f"r{number}", moment
                if flag:
                    answers.follow(opa.revision)
            else:
                asked = question(int(number), moment, frozenset({"time"}) if flag else frozenset())
                decision = await with_it.evaluate(asked, time.monotonic() + 5)
                plain = await without.evaluate(asked, time.monotonic() + 5)
                if decision.revision != opa.revision:  # for a moment after a publication, as if it had come then
                    assert moment - published_at < FRESH
                    assert not flag
                    active, opa.revision = opa.revision, decision.revision
                    plain = await without.evaluate(asked, time.monotonic() + 5)
                    opa.revision = active
                assert decision == plain

    asyncio.run(play())


class Scene:
    """One OPA with a memory, and a clock that stands until it is set."""

    def __init__(self) -> None:
        self.moment = 0.0
        self.opa = ScriptedOpa()
        self.answers = Answers(lambda: self.moment)
        self.pdp = OpaPdp(self.opa, answers=self.answers)

    async def ask(self, parameter: int, reads: frozenset[str] = frozenset()) -> Decision:
        return await self.pdp.evaluate(question(parameter, self.moment, reads), time.monotonic() + 5)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    entire = Scene()
    yield entire
    await entire.pdp.close()


async def test_the_same_question_is_not_asked_again_while_opa_just_named_its_revision(scene: Scene) -> None:
    assert await scene.ask(1) == await scene.ask(1)
    assert scene.opa.calls == 1
    await scene.ask(2)
    assert scene.opa.calls == 2


async def test_a_revision_that_was_not_named_lately_is_asked_for(scene: Scene) -> None:
    await scene.ask(1)
    scene.moment += FRESH
    scene.opa.revision = "r1"
    assert (await scene.ask(1)).revision == "r1"


async def test_an_answer_under_another_revision_forgets_all_others(scene: Scene) -> None:
    await scene.ask(1)
    scene.opa.revision = "r1"
    assert (await scene.ask(2)).revision == "r1"
    assert (await scene.ask(1)).revision == "r1"


async def test_what_several_calls_ask_at_once_stands_in_the_query_once(scene: Scene) -> None:
    first, other, again = await asyncio.gather(scene.ask(1), scene.ask(2), scene.ask(1))
    assert (scene.opa.queries, scene.opa.calls) == (1, 2)
    assert first is again
    assert first != other


async def test_without_a_memory_each_call_is_asked(scene: Scene) -> None:
    pdp = OpaPdp(scene.opa)
    await asyncio.gather(*(pdp.evaluate(question(1), time.monotonic() + 5) for _ in range(3)))
    assert (scene.opa.queries, scene.opa.calls) == (1, 3)
    await pdp.close()


async def test_of_a_common_question_that_is_refused_each_call_has_its_own_refusal(scene: Scene) -> None:
    async def garble(_path: str, body: bytes) -> tuple[int, bytes]:
        broken = verdict("r0", {}) | {"effect": "maybe"}
        decisions = [broken] * len(orjson.loads(body)["input"]["calls"])
        return 200, orjson.dumps({"result": {"revision": "r0", "decisions": decisions}})

    scene.opa.post = garble  # type: ignore[method-assign]  # a broken OPA
    first, second = await asyncio.gather(scene.ask(1), scene.ask(1), return_exceptions=True)
    assert isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert str(first) == str(second)
    assert first is not second


async def test_opa_is_asked_for_its_revision_before_its_last_word_is_too_old(scene: Scene) -> None:
    await scene.ask(1)
    scene.moment += FRESH / 2
    await scene.ask(1)  # which is answered, and has OPA asked for those that come later
    await scene.pdp.close()
    assert (scene.opa.queries, scene.opa.calls) == (2, 1)
    scene.moment += 0.9 * FRESH
    await scene.ask(1)
    await scene.pdp.close()
    assert (scene.opa.queries, scene.opa.calls) == (3, 1)


async def test_a_revision_that_is_named_in_good_time_forgets_the_answers_of_the_last(scene: Scene) -> None:
    await scene.ask(1)
    scene.opa.revision = "r1"
    scene.moment += FRESH / 2
    await scene.ask(1)
    await scene.pdp.close()
    assert scene.answers.size == (0, 0)
    assert (await scene.ask(1)).revision == "r1"


async def test_an_opa_that_does_not_name_its_revision_is_asked_by_the_next_call_once_it_is_too_old(
    scene: Scene,
) -> None:
    async def gone(_path: str, _body: bytes) -> tuple[int, bytes]:
        raise OpaUnreachable("the connection was closed")

    await scene.ask(1)
    scene.opa.post = gone  # type: ignore[method-assign]  # an OPA that is dead
    scene.moment += FRESH / 2
    await scene.ask(1)
    await scene.pdp.close()
    scene.moment += FRESH / 2
    with pytest.raises(Refused, match="PDP_UNAVAILABLE"):
        await scene.ask(1)


async def test_an_opa_that_hangs_when_it_is_asked_ahead_costs_the_time_of_one_call(scene: Scene) -> None:
    async def hang(_path: str, _body: bytes) -> tuple[int, bytes]:
        await asyncio.Event().wait()
        raise AssertionError("which is never set")

    await scene.ask(1)
    sound, scene.opa.post = scene.opa.post, hang  # type: ignore[method-assign]  # an OPA that is stopped
    scene.moment += FRESH / 2
    decision = await scene.pdp.evaluate(question(1), time.monotonic() + 0.01)
    assert decision.revision == "r0"
    async with asyncio.timeout(5):
        await scene.pdp.close()
    scene.opa.post = sound  # type: ignore[method-assign]  # and goes on
    await scene.ask(1)
    await scene.pdp.close()
    assert (scene.opa.queries, scene.opa.calls) == (2, 1)


async def test_what_rules_read_of_the_time_is_never_remembered(scene: Scene) -> None:
    for word in ("time", "token_age"):
        await scene.ask(1, frozenset({word}))
        await scene.ask(1, frozenset({word}))
    assert scene.opa.calls == 4
    assert scene.answers.size == (0, 0)


async def test_calls_that_are_parsed_by_a_newer_revision_are_judged_by_it(scene: Scene) -> None:
    await scene.ask(1)
    scene.opa.revision = "r1"
    scene.answers.follow("r1")
    assert (await scene.ask(1)).revision == "r1"


async def test_a_late_answer_of_a_former_revision_does_not_bring_it_back(scene: Scene) -> None:
    decision = await scene.ask(1)
    sent = scene.moment - 0.001
    scene.answers.follow("r1")
    scene.answers.confirm("r0", sent)
    scene.answers.keep(b"late", decision)
    assert scene.answers.find(b"late") is None
    scene.moment += 0.001
    scene.answers.confirm("r1", scene.moment)
    scene.answers.confirm("r0", sent)  # which is newer is not known: neither is believed
    assert scene.answers.size == (0, 0)


async def test_a_refusal_of_one_call_is_not_remembered(scene: Scene) -> None:
    async def garble(_path: str, _body: bytes) -> tuple[int, bytes]:
        broken = verdict("r0", {}) | {"effect": "maybe"}
        return 200, orjson.dumps({"result": {"revision": "r0", "decisions": [broken]}})

    sound = scene.opa.post
    scene.opa.post = garble  # type: ignore[method-assign]  # one answer of a broken OPA
    with pytest.raises(Refused):
        await scene.ask(1)
    scene.opa.post = sound  # type: ignore[method-assign]  # and it is well again
    assert (await scene.ask(1)).revision == "r0"


async def test_the_oldest_leave_when_there_are_too_many_or_too_long_ones(scene: Scene) -> None:
    decision = await scene.ask(1)
    few = Answers(lambda: scene.moment, most_entries=3, most_bytes=10_000)
    few.confirm("r0", scene.moment)
    for name in (b"a", b"b", b"c", b"b", b"d"):
        few.keep(name, decision)
    assert [few.find(name) is not None for name in (b"a", b"b", b"c", b"d")] == [False, True, True, True]
    few.keep(b"x" * 4000, decision)
    assert few.size[0] == 1
    assert few.size[1] <= 10_000
    few.keep(b"x" * 6000, decision)
    assert few.size == (0, 0)
