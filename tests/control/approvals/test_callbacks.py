"""Callbacks of access requests: what is posted when, and what is not."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.approvals.callbacks import ENDINGS, CallbackCourier, CallbackServices
from aegis_authz.control.commits import CommitWatch
from aegis_authz.core.approval import Approval, ApprovalNotFound, ApprovalState
from aegis_authz.core.callback import Callback, CallbackState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.notices.pause import LOOK_EVERY
from aegis_authz.ports.commits import LONGEST
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.notices import ChannelFault
from aegis_authz.ports.people import Account
from aegis_authz.testing.callbacks import MemoryCallbacks
from aegis_authz.testing.people import MemoryPeople
from tests.support.commit_marks import ScriptedMarks
from tests.support.held_calls import REQUEST
from tests.support.people import person

URL = "https://agents.example.com/callbacks/access-requests"
TASK = "apr_1"
WANTED = Callback(TASK, URL, "pep", "session_01HX69WJ8Q", ENDINGS, CallbackState.WATCHING, 0, "")


class SteppedClock(SystemClock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.moment = 1000.0

    def now(self) -> Epoch:
        return Epoch(self.moment)


@dataclass
class Endpoint:
    """Takes what is posted, after the faults that a test names."""

    posts: list[dict[str, object]] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    async def send(self, callback: Callback, content: bytes) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.posts.append(json.loads(content))


@dataclass
class Scene:
    """A courier, and all that it sees."""

    states: dict[str, ApprovalState] = field(default_factory=lambda: {TASK: ApprovalState.PENDING})
    store: MemoryCallbacks = field(default_factory=lambda: MemoryCallbacks(for_tests=True))
    endpoint: Endpoint = field(default_factory=Endpoint)
    people: MemoryPeople = field(default_factory=lambda: MemoryPeople(for_tests=True))
    clock: SteppedClock = field(default_factory=SteppedClock)
    counts: Counter[str] = field(default_factory=Counter)
    is_down: bool = False

    def __post_init__(self) -> None:
        services = CallbackServices(self.store, self.endpoint, {URL: frozenset({"pep"})})
        base = "https://pdp.example.com/"
        self.courier = CallbackCourier(services, self.stands, self.people, self.clock, self.count, base)

    async def stands(self, approval_id: ApprovalId) -> Approval:
        if self.is_down:
            raise StoreDown("redis is away")
        if approval_id not in self.states:
            raise ApprovalNotFound(approval_id)
        request = replace(REQUEST, id=approval_id)
        return Approval(request, self.states[approval_id], "ann", Epoch(999.0), (), None)

    def count(self, channel: str, outcome: str) -> None:
        self.counts[outcome] += 1

    async def turn(self) -> None:
        await self.courier.look()
        await self.courier.empty(URL)


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    reader = person("pep", f"auditor@{REQUEST.scope.org}/{REQUEST.scope.tenant}")
    await scene.people.add(Account(reader, is_disabled=False, created=Epoch(1.0)))
    await scene.store.enter(WANTED)
    return scene


async def test_the_example_of_the_profile_is_posted_once_the_task_is_settled_and_once_alone(scene: Scene) -> None:
    await scene.turn()
    assert scene.endpoint.posts == []
    scene.states[TASK] = ApprovalState.APPROVED
    for _ in range(3):
        await scene.turn()
    assert scene.endpoint.posts == [
        {
            "state": "session_01HX69WJ8Q",
            "task": {
                "id": TASK,
                "status": "approved",
                "status_endpoint": f"https://pdp.example.com/access/v1/requests/{TASK}",
            },
        }
    ]
    assert scene.counts == {"delivered": 1}


async def test_a_post_without_a_state_has_none(scene: Scene) -> None:
    await scene.store.enter(replace(WANTED, echo=None))
    scene.states[TASK] = ApprovalState.DENIED
    await scene.turn()
    (post,) = scene.endpoint.posts
    assert list(post) == ["task"]


async def test_an_ending_that_is_not_wanted_is_not_told_of(scene: Scene) -> None:
    await scene.store.enter(replace(WANTED, events=frozenset({"approved"})))
    scene.states[TASK] = ApprovalState.DENIED
    await scene.turn()
    scene.states[TASK] = ApprovalState.APPROVED
    await scene.turn()
    assert scene.endpoint.posts == []


async def test_several_calls_are_told_of_when_the_last_of_them_is_settled(scene: Scene) -> None:
    scene.states |= {"apr_2": ApprovalState.APPROVED}
    await scene.store.enter(replace(WANTED, task_id="bundle.apr_1.apr_2"))
    await scene.turn()
    assert scene.endpoint.posts == []
    scene.states[TASK] = ApprovalState.EXPIRED
    await scene.turn()
    statuses = {str(post["task"]["id"]): post["task"]["status"] for post in scene.endpoint.posts}  # type: ignore[index]  # JSON
    assert statuses == {"bundle.apr_1.apr_2": "partial", TASK: "expired"}


async def test_what_is_taken_back_before_it_is_posted_is_told_as_it_is_then(scene: Scene) -> None:
    scene.states[TASK] = ApprovalState.APPROVED
    await scene.courier.look()
    scene.states[TASK] = ApprovalState.CANCELLED
    await scene.courier.empty(URL)
    assert [post["task"]["status"] for post in scene.endpoint.posts] == ["cancelled"]  # type: ignore[index]  # JSON


async def test_an_endpoint_that_is_away_is_tried_again_later_and_later(scene: Scene) -> None:
    scene.states[TASK] = ApprovalState.APPROVED
    scene.endpoint.faults = [ChannelFault("HTTP 503", is_final=False), TimeoutError()]
    await scene.turn()
    assert scene.courier.failing == {URL: "HTTP 503"}
    for moment, posts in ((1000.9, 0), (1001.0, 0), (1002.9, 0), (1003.0, 1)):
        scene.clock.moment = moment
        await scene.turn()
        assert len(scene.endpoint.posts) == posts, moment
    assert scene.counts == {"postponed": 2, "delivered": 1}
    assert scene.courier.failing == {}


async def test_an_endpoint_that_refuses_is_not_tried_again(scene: Scene) -> None:
    scene.states[TASK] = ApprovalState.APPROVED
    scene.endpoint.faults = [ChannelFault("HTTP 404", is_final=True)]
    await scene.turn()
    scene.clock.moment += 1000
    await scene.turn()
    assert (scene.endpoint.posts, scene.counts) == ([], {"undelivered": 1})


async def test_who_may_not_see_it_any_more_is_not_told(scene: Scene) -> None:
    scene.states[TASK] = ApprovalState.APPROVED
    await scene.people.replace(Account(person("pep", "auditor@acme/elsewhere"), is_disabled=False, created=Epoch(1.0)))
    await scene.turn()
    assert (scene.endpoint.posts, scene.counts) == ([], {"undelivered": 1})


async def test_an_endpoint_that_the_settings_name_no_more_is_given_up(scene: Scene) -> None:
    await scene.store.enter(replace(WANTED, endpoint="https://former.example"))
    await scene.store.enter(replace(WANTED, person="stranger"))
    await scene.turn()
    assert await scene.store.watching() == [WANTED]
    assert scene.counts == {"undelivered": 2}


async def test_what_is_forgotten_is_given_up_and_what_cannot_be_read_is_not(scene: Scene) -> None:
    scene.is_down = True
    await scene.turn()
    assert await scene.store.watching() == [WANTED]
    scene.is_down = False
    del scene.states[TASK]
    await scene.turn()
    assert (await scene.store.watching(), scene.counts) == ([], {"undelivered": 1})


async def test_callbacks_are_looked_at_each_second_while_tasks_are_open_and_else_once_something_is_committed(
    scene: Scene,
) -> None:
    pauses = [await scene.courier.look()]
    scene.states[TASK] = ApprovalState.APPROVED
    pauses += [await scene.courier.look(), await scene.courier.look()]
    assert pauses == [LOOK_EVERY, LOOK_EVERY, LONGEST]


async def test_a_callback_is_posted_once_its_entry_is_committed_and_its_task_is_settled(scene: Scene) -> None:
    commits = CommitWatch(marks := ScriptedMarks())
    scene.states[TASK] = ApprovalState.APPROVED
    await scene.turn()  # of the first nothing is left
    watch = asyncio.create_task(scene.courier.watch(commits))
    for _ in range(20):
        await asyncio.sleep(0)
    scene.states["apr_later"] = ApprovalState.APPROVED
    await scene.store.enter(replace(WANTED, task_id="apr_later"))
    async with asyncio.timeout(20):  # sooner than anybody looks without a commit
        while len(scene.endpoint.posts) < 2:
            marks.mark += 1
            await commits.look()
            await asyncio.sleep(0)
    watch.cancel()
    assert [post["task"]["id"] for post in scene.endpoint.posts] == [TASK, "apr_later"]
