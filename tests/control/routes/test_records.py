"""/v1/records, /v1/decisions and the trail of an approval: for those who may, of their tenants."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from tests.support.made_records import APPROVAL
from tests.support.people import with_people
from tests.support.readable_records import READERS, write_records

Connect = Callable[[ControlServices, str], httpx.AsyncClient]


@pytest.fixture
async def plane(new_plane: Callable[..., ControlServices], settings: ControlSettings, keys: Keys) -> ControlServices:
    services = with_people(new_plane(), *READERS)
    await write_records(settings.records, settings.keys, keys.records)
    await services.records.live.look()
    return services


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["record"]["decision_id"] for entry in answer.json()["records"]]


async def test_records_are_found_newest_first_and_each_reader_finds_those_of_their_tenants(
    plane: ControlServices, client: Connect
) -> None:
    found = {}
    for name in ("ann", "eve", "tom", "gus"):
        async with client(plane, name) as reader:
            found[name] = ids(await reader.get("/v1/records"))
    assert found["ann"][:2] == ["used", "held"]
    assert sorted(found["ann"]) == ["abroad", "held", "held", "nobodys", "used"]
    assert (found["eve"], found["tom"], found["gus"]) == (["used", "held", "held"], ["abroad"], [])


async def test_records_are_found_by_what_they_are_of_and_page_after_page(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "ann") as ann:
        for query, names in (
            ({"tool": "ehr"}, ["abroad"]),
            ({"effect": "allow"}, ["used"]),
            ({"reason": "allowed"}, ["used"]),
            ({"kind": "approval"}, ["held"]),
            ({"tenant": "acme/apac"}, ["abroad"]),
            ({"approval": APPROVAL}, ["used", "held", "held"]),
            ({"until": 1}, []),
        ):
            assert ids(await ann.get("/v1/records", params=query)) == names, query
        names, older = [], ""
        while True:
            answer = await ann.get("/v1/records", params={"limit": 2, "before": older})
            names += ids(answer)
            older = answer.json()["older"]
            if not older:
                break
        assert names == ids(await ann.get("/v1/records"))
        for wrong in ({"effect": "block"}, {"reason": "no"}, {"before": "x"}, {"limit": 0}, {"tenant": "a"}):
            assert (await ann.get("/v1/records", params=wrong)).status_code == 400, wrong


async def test_a_decision_is_answered_whole_to_those_of_its_tenant_and_is_not_there_for_others(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "eve") as eve:
        answer = (await eve.get("/v1/decisions/used")).json()
        assert [entry["record"]["kind"] for entry in answer["records"]] == ["decision", "outcome"]
        assert (answer["reason"], answer["position"]["standing"], answer["position"]["seq"]) == ("ALLOWED", "proven", 3)
        for name in ("abroad", "nobodys", "no-such"):
            assert (await eve.get(f"/v1/decisions/{name}")).status_code == 404
    async with client(plane, "ann") as ann:
        assert (await ann.get("/v1/decisions/nobodys")).status_code == 200


async def test_the_trail_of_an_approval_is_told_in_order(plane: ControlServices, client: Connect) -> None:
    async with client(plane, "eve") as eve:
        answer = (await eve.get(f"/v1/approvals/{APPROVAL}/timeline")).json()
        assert [step["record"]["kind"] for step in answer["steps"]] == ["decision", "approval", "decision", "outcome"]
        assert "approved by ann" in answer["steps"][1]["sentence"]
    async with client(plane, "tom") as tom:
        assert (await tom.get(f"/v1/approvals/{APPROVAL}/timeline")).status_code == 404


async def test_records_are_for_those_who_may_read_them_and_proofs_for_auditors_of_all(
    plane: ControlServices, client: Connect
) -> None:
    async with client(plane, "vic") as viewer:
        for path in ("/v1/records", "/v1/decisions/used", f"/v1/approvals/{APPROVAL}/timeline"):
            assert (await viewer.get(path)).status_code == 403
    for name, status in (("eve", 403), ("tom", 403), ("ada", 202)):
        async with client(plane, name) as asker:
            assert (await asker.post("/v1/records/verification")).status_code == status


async def test_a_proof_ends_and_says_what_came_of_each_log(
    plane: ControlServices, client: Connect, settings: ControlSettings
) -> None:
    async with client(plane, "ada") as ada:
        assert (await ada.get("/v1/records/verification")).json()["state"] == "none"
        assert (await _proof(ada))["state"] == "intact"
        file = settings.records / "authz-0" / "00000001.jsonl"
        file.write_bytes(file.read_bytes().replace(b'"ehr"', b'"ehs"'))
        answer = await _proof(ada)
        assert (answer["state"], answer["by"]) == ("damaged", "ada")
        assert "its bytes do not match its hash" in answer["logs"][0]["damages"][0]


async def _proof(client: httpx.AsyncClient) -> dict[str, object]:
    await client.post("/v1/records/verification")
    async with asyncio.timeout(30):
        while True:
            answer: dict[str, object] = (await client.get("/v1/records/verification")).json()
            if answer["state"] != "running":
                return answer
            await asyncio.sleep(0.01)
