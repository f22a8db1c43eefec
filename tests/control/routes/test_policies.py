from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.control.app import ControlServices
from aegis_authz.control.routes.policies import MAX_POLICY_BYTES
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import Sources
from aegis_authz.testing.releases import MemoryReleases
from tests.support.people import by

Documents = Callable[..., Sources]
Client = Callable[[ControlServices, str], httpx.AsyncClient]


def body(sources: Sources, **more: Json) -> dict[str, Json]:
    return {"policies": dict(sources.policies), "tools": dict(sources.tools), **more}


@pytest.fixture
def served(plane: ControlServices, documents: Documents) -> ControlServices:
    plane.publisher.start(documents)
    return plane


@pytest.fixture
def first(served: ControlServices, releases: MemoryReleases) -> str:
    return releases.current()


async def test_publishing_serves_a_new_revision_and_logs_who_did_it(
    served: ControlServices, first: str, client: Client, documents: Documents
) -> None:
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies?wait=0", json=body(documents(9000), message="more money"))
        log = (await admin.get("/v1/revisions")).json()
    said = answer.json()
    assert answer.status_code == 200
    assert (said["previous"], said["changed"], said["tools_changed"]) == (first, True, False)
    assert said["active_on"] == said["waiting_for"] == []
    assert log["current"] == said["revision"] != first
    assert [(c["kind"], c["revision"], c["by"], c["message"]) for c in log["changes"]] == [
        ("published", said["revision"], "ann", "more money"),
        ("first", first, "control", "first start"),
    ]


async def test_the_same_content_is_no_change_and_says_so(
    served: ControlServices, first: str, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    renamed = Sources({"other.yaml": "# a comment\n" + documents().policies["finance.yaml"]}, documents().tools)
    async with client(served, "ann") as admin:
        said = (await admin.post("/v1/policies?wait=0", json=body(renamed))).json()
    assert (said["revision"], said["changed"]) == (first, False)
    assert len(releases.changes()) == 1


async def test_new_tools_are_told_so_that_routes_can_follow(
    served: ControlServices, client: Client, documents: Documents
) -> None:
    async with client(served, "ann") as admin:
        said = (await admin.post("/v1/policies?wait=0", json=body(documents(host="pay.example")))).json()
    assert said["tools_changed"] is True


async def test_invalid_documents_are_refused_with_every_problem_and_change_nothing(
    served: ControlServices, first: str, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    wrong = Sources({"a.yaml": "agent: finance-agent\nallowed_tool: []\n", "b.yaml": "agent: [1\n"}, documents().tools)
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies", json=body(wrong))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problems = answer.json()["problems"]
    assert {problem["path"] for problem in problems} == {"a.yaml", "b.yaml"}
    unknown = next(problem for problem in problems if problem["path"] == "a.yaml")
    assert (unknown["line"], unknown["column"], unknown["field"]) == (2, 1, "allowed_tool")
    assert releases.current() == first
    assert len(releases.changes()) == 1
    assert served.bulletin.live is not None
    assert served.bulletin.live.revision == first


async def test_what_lint_calls_an_error_is_refused_with_its_place(
    served: ControlServices, first: str, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    everything = "agent: '*'\nallowed_tools: [{name: stripe-payments, actions: ['*']}]\n"
    wide = Sources({"wide.yaml": everything}, documents().tools)
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies?wait=0", json=body(wide))
    assert answer.status_code == 422
    (problem,) = answer.json()["problems"]
    assert (problem["path"], problem["line"]) == ("wide.yaml", 2)
    assert problem["message"].endswith("(lint allow-everything)")
    assert releases.current() == first


async def test_rollback_serves_the_earlier_revision_again(
    served: ControlServices, first: str, client: Client, documents: Documents, releases: MemoryReleases
) -> None:
    async with client(served, "ann") as admin:
        await admin.post("/v1/policies?wait=0", json=body(documents(9000)))
        answer = await admin.post(
            "/v1/rollback?wait=0", json={"revision": first, "message": "too much"}, headers=by("bob")
        )
    assert answer.json()["revision"] == first == releases.current()
    assert releases.changes()[0].kind.value == "rolled_back"
    assert releases.changes()[0].by == "bob"


async def test_rollback_to_what_never_was_is_404(served: ControlServices, first: str, client: Client) -> None:
    async with client(served, "ann") as admin:
        for name in ("0" * 24, "../../etc/passwd", "current"):
            answer = await admin.post("/v1/rollback", json={"revision": name})
            assert answer.status_code == 404, name


async def test_a_rollback_does_not_bring_withdrawn_keys_back(
    served: ControlServices,
    first: str,
    client: Client,
    documents: Documents,
    releases: MemoryReleases,
    tmp_path: Path,
    new_plane: Callable[..., ControlServices],
) -> None:
    from aegis_authz.adapters.files.keys import open_keys

    await served.publisher.publish(documents(9000), {}, "ann", "")
    rotated = new_plane(keys=open_keys(tmp_path / "rotated"))
    rotated.publisher.start(documents)
    done = await rotated.publisher.rollback(first, "bob", "too much")
    assert done.revision != first
    assert f"documents of {first}" in releases.changes()[0].message
    assert dict(releases.sources(done.revision).policies) == dict(documents().policies)


async def test_the_documents_of_a_revision_can_be_read(
    served: ControlServices, first: str, client: Client, documents: Documents
) -> None:
    async with client(served, "ann") as admin:
        said = (await admin.get(f"/v1/revisions/{first}")).json()
        assert (await admin.get("/v1/revisions/nothing")).status_code == 404
    assert Sources(said["policies"], said["tools"]) == documents()


async def test_publish_waits_until_every_opa_has_it(
    served: ControlServices, first: str, client: Client, documents: Documents
) -> None:
    def report(instance: str, revision: str) -> None:
        status = {"name": "aegis", "active_revision": revision}
        served.board.hear({"labels": {"id": "x", "instance": instance}, "bundles": {"aegis": status}})

    assert served.bulletin.live is not None
    etag = served.bulletin.live.etag
    for instance in ("opa-1", "opa-2"):
        report(instance, first)
    async with client(served, "ann") as admin:
        publish = asyncio.create_task(admin.post("/v1/policies?wait=5", json=body(documents(9000))))
        live = await asyncio.wait_for(served.bulletin.other_than(etag, 5), 5)
        assert live is not None
        report("opa-1", live.revision)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(publish), 0.1)
        report("opa-2", live.revision)
        said = (await asyncio.wait_for(publish, 1)).json()
        states = (await admin.get("/v1/status")).json()
    assert said["active_on"] == ["opa-1", "opa-2"]
    assert said["seconds"] < 5
    assert [state["active_revision"] for state in states["opa"]] == [live.revision] * 2


@pytest.mark.parametrize(
    "change",
    [
        {"by": "ann"},
        {"message": 5},
        {"message": "a\nb"},
        {"message": "m" * 501},
        {"policies": []},
        {"policies": {"a.yaml": 5}},
        {"policies": {"": "x"}},
        {"tools": {"a\x1b[2J.yaml": "x"}},
        {"policy": {}},
    ],
    ids=str,
)
async def test_a_body_that_is_not_as_it_must_be_is_refused(
    served: ControlServices, first: str, client: Client, documents: Documents, change: dict[str, Json]
) -> None:
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies", json={**body(documents(1)), **change})
    assert answer.status_code == 400
    assert "\x1b" not in answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"message":"a","message":"b"}', {"content-type": "application/json"}, 400),
        (b"[1]", {"content-type": "application/json"}, 400),
        (b"{", {"content-type": "application/json"}, 400),
        (b"\xff", {"content-type": "application/json"}, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"{}", {"content-type": "application/json", "content-encoding": "gzip"}, 415),
        (b" " * (MAX_POLICY_BYTES + 1), {"content-type": "application/json"}, 413),
    ],
)
async def test_only_one_strict_json_object_of_bounded_size_is_read(
    served: ControlServices, client: Client, content: bytes, headers: dict[str, str], status: int
) -> None:
    async with client(served, "ann") as admin:
        assert (await admin.post("/v1/policies", content=content, headers=headers)).status_code == status


@pytest.mark.parametrize("wait", ["-1", "31", "nan", "x", "inf"])
async def test_a_wait_out_of_range_is_refused(
    served: ControlServices, client: Client, documents: Documents, wait: str, releases: MemoryReleases
) -> None:
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies", params={"wait": wait}, json=body(documents(9000)))
    assert answer.status_code == 400
    assert len(releases.changes()) == 1


DOORS = [
    ("POST", "/v1/policies"),
    ("POST", "/v1/rollback"),
    ("GET", "/v1/revisions"),
    ("GET", "/v1/revisions/x"),
    ("GET", "/v1/status"),
    ("GET", "/v1/approvals"),
    ("GET", "/v1/approvals/x"),
    ("POST", "/v1/approvals/x/approve"),
    ("POST", "/v1/approvals/x/deny"),
    ("GET", "/v1/agents/revoked"),
    ("POST", "/v1/agents/acme/emea/bot/revoke"),
    ("POST", "/v1/agents/acme/emea/bot/restore"),
]


@pytest.mark.parametrize(("method", "path"), DOORS)
async def test_no_admin_door_opens_to_anyone_else(
    served: ControlServices, client: Client, keys: Keys, method: str, path: str
) -> None:
    for token in ("", "wrong", served.opa_token, keys.admin_token[:-1], keys.admin_token + "0", "é"):
        async with client(served, "") as anyone:
            bearer = {b"authorization": f"Bearer {token}".encode("latin-1")}
            answer = await anyone.request(method, path, headers=bearer)
        assert answer.status_code == 401
        assert keys.admin_token not in answer.text


async def test_the_open_doors_tell_keys_and_health_only(served: ControlServices, first: str, client: Client) -> None:
    async with client(served, "") as anyone:
        del anyone.headers["authorization"]
        jwks = (await anyone.get("/.well-known/jwks.json")).json()
        assert [set(key) for key in jwks["keys"]] == [{"kty", "crv", "x", "kid", "use", "alg"}]
        assert (await anyone.get("/healthz")).json() == {"status": "ok"}
        assert (await anyone.get("/readyz")).json() == {"status": "ok", "revision": first}


async def test_every_answer_carries_the_security_headers(served: ControlServices, client: Client) -> None:
    async with client(served, "") as anyone:
        for path in ("/healthz", "/nowhere", "/v1/status", "/bundles/aegis.tar.gz"):
            answer = await anyone.get(path)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert "cache-control" in answer.headers


async def test_an_unknown_path_and_method_are_problem_documents(served: ControlServices, client: Client) -> None:
    async with client(served, "ann") as admin:
        missing, method = await admin.get("/nowhere"), await admin.delete("/v1/policies")
    assert (missing.status_code, missing.json()["status"]) == (404, 404)
    assert (method.status_code, method.headers["allow"]) == (405, "POST")


async def test_a_fault_of_our_own_tells_the_caller_nothing(
    served: ControlServices, client: Client, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: MemoryReleases) -> str:
        raise ZeroDivisionError("/secret/path")

    monkeypatch.setattr(MemoryReleases, "current", broken)
    async with client(served, "ann") as admin:
        answer = await admin.post("/v1/policies", json=body(documents(9000)))
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text
