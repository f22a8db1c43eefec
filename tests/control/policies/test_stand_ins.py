"""What a mesh registers by itself makes way for what its operator registers, at once and for that agent alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.control.policies.stand_ins import yielding
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from tests.support.token_requests import key_id, private_key, public_jwk

PAYER, SHOP = "acme/emea/payer", "acme/emea/shop"
LOCAL, OWN = private_key(b"l"), private_key(b"o")


def registered(key: object, *names: str) -> str:
    return json.dumps({"agents": {name: {"keys": [public_jwk(key)]} for name in names}})  # type: ignore[arg-type]


def test_only_the_local_registration_of_that_agent_makes_way() -> None:
    own = {
        "/aegis/policies/local-agents.yaml": registered(LOCAL, PAYER, SHOP),
        "/aegis/policies/doctor.yaml": "agent: x",
    }
    document = f"# people\nagents:\n  {PAYER}: {{owner: me}}\n---\nagent: payer\n"
    left = yielding(own, {"who.yaml": document, "broken.yaml": "agents: [", "none.yaml": "agents: 1"})
    assert set(json.loads(left["/aegis/policies/local-agents.yaml"])["agents"]) == {SHOP}
    assert left["/aegis/policies/doctor.yaml"] == "agent: x"
    assert yielding(own, {"policy.yaml": "agent: payer"}) == {
        **own,
        "/aegis/policies/local-agents.yaml": registered(LOCAL, PAYER, SHOP),
    }
    whole = f"agents: {{{PAYER}: {{}}, {SHOP}: {{}}}}"
    assert set(yielding(own, {"who.yaml": whole})) == {"/aegis/policies/doctor.yaml"}


async def test_a_document_for_an_agent_of_this_machine_is_published_without_a_restart_and_taken_back_as_well(
    new_plane: Callable[..., ControlServices],
    settings: ControlSettings,
    documents: Callable[..., Sources],
    tmp_path: Path,
) -> None:
    for part in ("policies", "tools"):
        (tmp_path / "probe" / part).mkdir(parents=True)
    (tmp_path / "probe" / "policies" / "local-agents.yaml").write_text(registered(LOCAL, PAYER))
    plane = new_plane(settings=settings.model_copy(update={"probe": tmp_path / "probe"}))
    plane.publisher.start(documents)
    agent = Scope.parse(PAYER)

    def keys() -> set[str]:
        return set(plane.directory().agent(agent).keys)

    before = plane.bulletin.live
    assert before is not None
    assert keys() == {key_id(LOCAL)}
    usual = documents()
    text = f"agents:\n  {PAYER}: {{keys: [{json.dumps(public_jwk(OWN))}]}}\n"
    await plane.publisher.publish(Sources({**usual.policies, "who.yaml": text}, usual.tools), {}, "ann", "")
    assert keys() == {key_id(OWN)}
    await plane.publisher.rollback(before.revision, "ann", "")
    assert keys() == {key_id(LOCAL)}
