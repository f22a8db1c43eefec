"""OPA's configuration says whose bundles to believe, under the root key, and a former key is believed no more."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.control.keys.rotating import NotRotated
from aegis_authz.control.policies.bulletin import Live
from aegis_authz.control.policies.discovery import Discovery, configuration_of
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.verifying_key import p256_jwk
from aegis_authz.testing.releases import MemoryReleases
from tests.support.real_opa import RealOpa, opa_config, running_opa

ROOT, FIRST, SECOND = (generate_private_key(SECP256R1()) for _ in range(3))
Serving = Callable[..., AbstractAsyncContextManager[str]]


def kid(key: Any) -> str:
    return p256_jwk(key.public_key())["kid"]


def files(bundle: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def test_while_there_is_one_key_it_is_pinned_and_while_there_are_more_each_is_found_by_its_name() -> None:
    alone = configuration_of([FIRST.public_key()])["opa"]
    both = configuration_of([FIRST.public_key(), SECOND.public_key()])["opa"]
    assert isinstance(alone, dict)
    assert isinstance(both, dict)
    assert alone["bundles"]["aegis"]["signing"] == {"keyid": kid(FIRST)}
    assert both["bundles"]["aegis"]["signing"] == {}
    assert set(both["keys"]) == {kid(FIRST), kid(SECOND)}


def test_the_configuration_is_signed_by_the_root_key_and_named_for_its_content() -> None:
    keys = [FIRST.public_key()]
    discovery = Discovery(ROOT, lambda: keys)
    first = discovery.refresh()
    assert discovery.refresh() == first == discovery.current
    signature = json.loads(files(first.bundle)[".signatures.json"])["signatures"][0]
    assert jwt.decode(signature, ROOT.public_key(), algorithms=["ES256"])
    keys.append(SECOND.public_key())
    assert discovery.refresh().revision != first.revision


async def test_only_the_bearer_of_the_opa_token_gets_the_configuration(
    plane: ControlServices, client: Callable[[ControlServices, str], httpx.AsyncClient]
) -> None:
    async with client(plane, plane.opa_token) as opa, client(plane, "ann") as admin:
        answer = await opa.get("/bundles/opa.tar.gz")
        assert (answer.status_code, "data.json" in files(answer.content)) == (200, True)
        again = await opa.get("/bundles/opa.tar.gz", headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert (await admin.get("/bundles/opa.tar.gz")).status_code == 401


async def test_an_opa_that_fetches_no_configuration_keeps_the_key_as_it_is(
    plane: ControlServices, documents: Callable[..., Sources]
) -> None:
    plane.publisher.start(documents)
    live = plane.bulletin.live
    assert live is not None
    status = {"active_revision": live.revision, "code": "", "message": ""}
    plane.board.hear({"labels": {"id": "x", "instance": "static"}, "bundles": {"aegis": status}})
    with pytest.raises(NotRotated):
        await plane.rotator.rotate("bundle", "ann", 0.1)
    assert plane.bulletin.live == live


class Questions:
    """Asks an OPA without a pause; `failures` are the questions it could not answer."""

    def __init__(self, opa: RealOpa) -> None:
        self._opa = opa
        self.failures = 0
        self.answers = 0

    async def ask(self) -> None:
        while True:
            if await self._opa.revision() is None:
                self.failures += 1
            self.answers += 1
            await asyncio.sleep(0.002)


async def test_a_key_of_bundles_is_replaced_under_a_running_opa_that_answers_all_the_while(
    plane: ControlServices,
    settings: ControlSettings,
    opa_binary: Path,
    tmp_path: Path,
    serving: Serving,
    documents: Callable[..., Sources],
    releases: MemoryReleases,
    keys: Keys,
) -> None:
    """Afterwards a bundle of the former key, newer than all others, is refused, by name or by another's name."""
    plane.publisher.start(documents)
    first = releases.current()
    async with serving(plane) as url:
        config = opa_config(tmp_path, url, keys)
        async with running_opa(opa_binary, tmp_path, config) as opa, asyncio.TaskGroup() as group:
            await opa.runs(first, 20)
            questions = Questions(opa)
            asking = group.create_task(questions.ask())
            before = plane.bulletin.live
            rotated = await plane.rotator.rotate("bundle", "ann", 20)
            live = plane.bulletin.live
            assert before is not None
            assert live is not None
            assert (live.revision, live.signer) == (before.revision, rotated.key_id)
            assert releases.bundle(first) == live.bundle != before.bundle
            second = await plane.publisher.publish(documents(9000), {}, "ann", "")
            assert (await plane.board.activation(second.revision, 20)).active_on == ("opa-1",)

            ring = plane.rotator.rotations["bundle"].ring
            ring.drop(Epoch(time.time() + 1e6))
            assert await plane.board.configured(plane.discovery.refresh().revision, 20)
            stolen = policy_builder(settings, keys).build(documents(1))
            for forged in (stolen, Live(stolen.revision, stolen.bundle, stolen.directory, None, "another")):
                plane.bulletin.announce(forged)
                standing = await plane.board.activation(stolen.revision, 20)
                assert (standing.active_on, list(standing.refused)) == ((), ["opa-1"])
            asking.cancel()
            assert (questions.failures, await opa.revision()) == (0, second.revision)
            assert questions.answers > 10
    async with running_opa(opa_binary, tmp_path, config) as opa:
        await opa.runs(second.revision, 20)  # from its disk: nobody serves any more
