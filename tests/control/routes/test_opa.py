"""The bundle door: first alone, then with the real OPA on its other side."""

from __future__ import annotations

import asyncio
import io
import tarfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys, open_keys
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.control.policies.bulletin import Live
from aegis_authz.control.policies.directory import EMPTY_DIRECTORY
from aegis_authz.core.release import Sources
from aegis_authz.testing.releases import MemoryReleases
from tests.support.real_opa import opa_config, running_opa

Documents = Callable[..., Sources]
Client = Callable[[ControlServices, str], httpx.AsyncClient]
Serving = Callable[..., AbstractAsyncContextManager[str]]
BUNDLE = "/bundles/aegis.tar.gz"
LONG = {"prefer": "modes=snapshot,delta;wait=30"}


async def test_the_bundle_comes_with_its_revision_as_etag(
    plane: ControlServices, documents: Documents, client: Client
) -> None:
    plane.publisher.start(documents)
    async with client(plane, plane.opa_token) as opa:
        answer = await opa.get(BUNDLE)
    live = plane.bulletin.live
    assert live is not None
    assert (answer.status_code, answer.content) == (200, live.bundle)
    assert answer.headers["etag"] == f'"{live.etag}"'
    assert answer.headers["content-type"] == "application/vnd.openpolicyagent.bundles"


async def test_only_the_bearer_of_the_opa_token_gets_it(
    plane: ControlServices, documents: Documents, client: Client, keys: Keys
) -> None:
    plane.publisher.start(documents)
    opa = plane.opa_token
    for sent in ([], [f"Bearer {keys.admin_token}"], ["Bearer "], [opa], [f"Basic {opa}"], [f"Bearer {opa}"] * 2):
        async with client(plane, "") as anyone:
            del anyone.headers["authorization"]
            answer = await anyone.get(BUNDLE, headers=[("authorization", value) for value in sent])
        assert answer.status_code == 401, sent
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert opa not in answer.text


async def test_nothing_published_is_503(plane: ControlServices, client: Client) -> None:
    async with client(plane, plane.opa_token) as opa:
        assert (await opa.get(BUNDLE)).status_code == 503
        assert (await opa.get("/readyz")).status_code == 503


async def test_a_known_revision_is_304_at_once_without_long_polling(
    plane: ControlServices, documents: Documents, client: Client
) -> None:
    plane.publisher.start(documents)
    async with client(plane, plane.opa_token) as opa:
        etag = (await opa.get(BUNDLE)).headers["etag"]
        answer = await opa.get(BUNDLE, headers={"if-none-match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


def report(plane: ControlServices) -> None:
    plane.board.hear({"labels": {"id": "i1"}, "bundles": {}})


async def test_a_held_poll_ends_the_moment_a_revision_is_published(
    plane: ControlServices, documents: Documents, client: Client
) -> None:
    plane.publisher.start(documents)
    report(plane)
    live = plane.bulletin.live
    assert live is not None
    async with client(plane, plane.opa_token) as opa:
        poll = asyncio.create_task(opa.get(BUNDLE, headers={**LONG, "if-none-match": f'"{live.etag}"'}))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(poll), 0.2)
        done = await plane.publisher.publish(documents(9000), {}, "ann", "")
        answer = await asyncio.wait_for(poll, 1)
    assert (answer.status_code, answer.headers["etag"].split(".")[0]) == (200, f'"{done.revision}')


async def test_a_held_poll_ends_with_304_after_its_time(
    plane: ControlServices, documents: Documents, client: Client
) -> None:
    plane.publisher.start(documents)
    report(plane)
    live = plane.bulletin.live
    assert live is not None
    async with client(plane, plane.opa_token) as opa:
        headers = {"prefer": "modes=snapshot,delta;wait=1", "if-none-match": f'"{live.etag}"'}
        began = time.monotonic()
        answer = await opa.get(BUNDLE, headers=headers)
    assert answer.status_code == 304
    assert 0.9 < time.monotonic() - began < 2


async def test_closing_lets_a_held_poll_go(plane: ControlServices, documents: Documents, client: Client) -> None:
    plane.publisher.start(documents)
    report(plane)
    live = plane.bulletin.live
    assert live is not None
    async with client(plane, plane.opa_token) as opa:
        poll = asyncio.create_task(opa.get(BUNDLE, headers={**LONG, "if-none-match": f'"{live.etag}"'}))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(poll), 0.1)
        plane.bulletin.close()
        assert (await asyncio.wait_for(poll, 1)).status_code == 304


@pytest.mark.parametrize("body", ["[]", "{}", '{"labels": 1}', '{"labels": {}}', "{", '{"labels":{},"labels":{}}'])
async def test_a_report_that_is_none_is_refused(plane: ControlServices, body: str, client: Client) -> None:
    async with client(plane, plane.opa_token) as opa:
        answer = await opa.post("/status", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert plane.board.is_empty


async def test_the_admin_token_files_no_report(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        assert (await admin.post("/status", json={"labels": {"id": "i1"}})).status_code == 401


def repacked(bundle: bytes, old: bytes = b"", new: bytes = b"", without: str = "") -> bytes:
    """The bundle with a text replaced or a file left out, its signature as it was."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(bundle)) as source, tarfile.open(fileobj=buffer, mode="w:gz") as target:
        for member in source:
            content = source.extractfile(member)
            assert content is not None
            data = content.read()
            if member.name != without:
                data = data.replace(old, new) if old else data
                member.size = len(data)
                target.addfile(member, io.BytesIO(data))
    assert buffer.getvalue() != bundle
    return buffer.getvalue()


async def test_opa_runs_a_new_revision_within_moments_of_its_publishing(
    plane: ControlServices,
    opa_binary: Path,
    tmp_path: Path,
    serving: Serving,
    documents: Documents,
    releases: MemoryReleases,
    keys: Keys,
) -> None:
    plane.publisher.start(documents)
    first = releases.current()
    async with serving(plane) as url, running_opa(opa_binary, tmp_path, opa_config(tmp_path, url, keys)) as opa:
        await opa.runs(first, 10)
        assert (await plane.board.activation(first, 5)).active_on == ("opa-1",)
        async with httpx.AsyncClient(base_url=url) as admin:
            body = {"policies": dict(documents(9000).policies), "tools": dict(documents().tools)}
            headers = {"authorization": f"Bearer {keys.admin_token}"}
            answer = (await admin.post("/v1/policies", json=body, headers=headers)).json()
        assert await opa.revision() == answer["revision"] != first
        assert answer["active_on"] == ["opa-1"]
        assert answer["seconds"] < 1
        third = await plane.publisher.publish(documents(100), {}, "ann", "")
        assert await opa.runs(third.revision, 5) < 0.5


async def test_opa_refuses_bundles_that_are_altered_or_unsigned_and_keeps_the_old(
    plane: ControlServices,
    opa_binary: Path,
    tmp_path: Path,
    serving: Serving,
    settings: ControlSettings,
    documents: Documents,
    releases: MemoryReleases,
    keys: Keys,
) -> None:
    plane.publisher.start(documents)
    first = releases.current()
    foreign = policy_builder(settings, open_keys(tmp_path / "other-keys")).build(documents(1))
    good = policy_builder(settings, keys).build(documents(2))
    altered = Live("altered", repacked(good.bundle, b'"limit":2', b'"limit":9'), EMPTY_DIRECTORY, None, "")
    unsigned = Live("unsigned", repacked(good.bundle, without=".signatures.json"), EMPTY_DIRECTORY, None, "")
    async with serving(plane) as url, running_opa(opa_binary, tmp_path, opa_config(tmp_path, url, keys)) as opa:
        await opa.runs(first, 10)
        await plane.board.activation(first, 5)
        for bad in (foreign, altered, unsigned):
            plane.bulletin.announce(bad)
            standing = await plane.board.activation(bad.revision, 5)
            assert standing.active_on == ()
            assert list(standing.refused) == ["opa-1"]
            assert standing.refused["opa-1"]
            assert await opa.revision() == first
        plane.bulletin.announce(good)
        assert (await plane.board.activation(good.revision, 5)).active_on == ("opa-1",)


async def test_opa_started_without_the_control_plane_serves_the_last_good_revision(
    plane: ControlServices,
    opa_binary: Path,
    tmp_path: Path,
    serving: Serving,
    documents: Documents,
    releases: MemoryReleases,
    keys: Keys,
) -> None:
    plane.publisher.start(documents)
    first = releases.current()
    async with serving(plane) as url:
        config = opa_config(tmp_path, url, keys)
        async with running_opa(opa_binary, tmp_path, config) as opa:
            await opa.runs(first, 10)
            await plane.board.activation(first, 5)
    async with running_opa(opa_binary, tmp_path, config) as opa:
        await opa.runs(first, 10)


async def test_a_control_plane_that_comes_back_soon_learns_what_opa_runs(
    plane: ControlServices,
    new_plane: Callable[[], ControlServices],
    opa_binary: Path,
    tmp_path: Path,
    serving: Serving,
    documents: Documents,
    releases: MemoryReleases,
    keys: Keys,
) -> None:
    plane.publisher.start(documents)
    first = releases.current()
    again = new_plane()
    again.publisher.start(documents)
    async with AsyncExitStack() as opa_stack:
        async with serving(plane) as url:
            config = opa_config(tmp_path, url, keys)
            opa = await opa_stack.enter_async_context(running_opa(opa_binary, tmp_path, config))
            await opa.runs(first, 10)
        async with serving(again, int(url.rpartition(":")[2])):
            assert (await again.board.activation(first, 5)).active_on == ("opa-1",)
