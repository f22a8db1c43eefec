"""docker-compose.yml on a real engine: the calls of an agent in its container, and every way around the gateway tried
from there. The images are built here, on a Debian that was made here; nothing is got from a registry of images.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.support.compose_mesh import BUSY, Mesh, running_mesh
from tests.support.container_engine import (
    NAMES,
    PROGRAMS,
    ROOT,
    WORLD,
    WORLD6,
    Engine,
    EngineFault,
    missing,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"the containers are NOT tested: {missing()}"),
]

IMAGE = "aegis:" + tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
SERVICES = {"redis", "control", "opa", "authz-0", "authz-1", "certificates", "routes", "gateway", "tools", "agent"}
LEAKS_WITHOUT_RULES = {
    "http": "GET /http HTTP",
    "other-port": "GET /other-port HTTP",
    "mapped": "GET /mapped HTTP",
    "host": "GET /host HTTP",
    "datagram": "b'datagram'",
    "name": r"\x04name\x06secret",
    "name-server": r"\x0bname-server\x06secret",
}
"""What the world reads from a container on a usual network: if it did not, a probe would prove nothing."""
WAYS = (
    *("http", "other-port", "datagram", "ipv6", "mapped", "name", "name-server", "host", "metadata", "frame", "raw"),
    *("route", "direct-control", "direct-redis", "direct-metrics", "direct-tools", "direct-gateway-inside"),
    *("proxy-world", "proxy-control", "proxy-redis", "tunnel-world", "tunnel-control", "no-credential"),
    *("reverse-no-credential", "door-admin", "door-bundle", "door-escape", "envoy-admin", "files"),
)


@pytest.fixture(scope="module")
def mesh(engine: Engine) -> Iterator[Mesh]:
    with running_mesh(engine, "demo") as mesh:
        yield mesh


def test_every_part_is_up_and_says_that_it_is_well(mesh: Mesh) -> None:
    states = {service: mesh.state(service)["State"] for service in SERVICES}
    assert {service for service, state in states.items() if state["Status"] != "running"} == set()
    health = {
        service: json.loads(json.dumps(state["Health"]))["Status"]
        for service, state in states.items()
        if "Health" in state
    }
    assert set(health) == SERVICES - {"opa", "agent"}
    assert set(health.values()) == {"healthy"}


def test_no_container_has_more_than_it_needs(mesh: Mesh) -> None:
    for service in SERVICES:
        state = mesh.state(service)
        host, config = state["HostConfig"], state["Config"]
        assert host["ReadonlyRootfs"] is True, service
        assert (host["CapDrop"], host["CapAdd"], host["Privileged"]) == (["ALL"], None, False), service
        assert "no-new-privileges:true" in json.dumps(host["SecurityOpt"]), service
        assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", str(config["User"])), service
        assert all(int(str(host[limit])) > 0 for limit in ("Memory", "PidsLimit", "NanoCpus")), service
        processes = mesh.engine.docker("top", f"aegis_{service}_1", "-eo", "pid,uid").splitlines()[1:]
        users = {line.split()[1] for line in processes}
        assert users == {str(config["User"]).partition(":")[0]}, service


def test_a_call_passes_as_policy_says(mesh: Mesh) -> None:
    paid = mesh.call(4200)
    assert (paid["status"], paid["decision"]) == (200, "allow")
    assert paid["body"] == {"echo": {"method": "POST", "path": "/v1/payments", "body": {"amount": 4200}}}


def test_a_call_over_https_is_opened_and_passes_as_policy_says(mesh: Mesh) -> None:
    assert mesh.call(4200, "https://api.stripe.example/v1/payments")["decision"] == "allow"
    refused = mesh.call(50000, "https://api.stripe.example/v1/payments")
    assert json.loads(json.dumps(refused["body"]))["reason"] == "POLICY_DENIED"


def test_a_call_over_the_limit_is_refused_and_read_by_its_agent(mesh: Mesh) -> None:
    refused = mesh.call(50000)
    assert (refused["status"], json.loads(json.dumps(refused["body"]))["reason"]) == (403, "POLICY_DENIED")


def test_a_held_call_passes_once_a_person_approved_it(mesh: Mesh) -> None:
    assert mesh.call(7000)["decision"] == "approval_needed"
    listed = json.loads(mesh.inside("control", "aegis", "approvals", "list", "--json"))["approvals"]
    [held] = [entry["id"] for entry in listed if entry["state"] == "pending"]
    approved = json.loads(mesh.inside("control", "aegis", "approvals", "approve", held, "--json"))
    assert mesh.call(7000, approval=approved["override_token"])["decision"] == "allow"
    again = mesh.call(7000, approval=approved["override_token"])
    assert json.loads(json.dumps(again["body"]))["reason"] == "APPROVAL_USED"


def test_every_answer_is_in_the_records_and_they_are_intact(mesh: Mesh) -> None:
    mesh.call(4200)
    assert "intact: " in mesh.inside("control", "aegis", "audit", "verify")


def test_the_doctor_finds_every_control_at_work_from_the_container_of_an_agent(mesh: Mesh) -> None:
    proof = mesh.inside(
        "agent", "aegis", "doctor", "--gateway", "http://gateway:10000", "--door", "http://gateway:10002"
    )
    assert "Every control does its work." in proof


def ways(mesh: Mesh, network: str, host: str, *run: str) -> dict[str, str]:
    places = {
        "world": WORLD,
        "world6": WORLD6,
        "names": NAMES,
        "host": host,
        "admin_token": (mesh.secrets / "operator" / "admin.token").read_text("ascii").strip(),
        "ways": list(WAYS),
        "parts": {
            "control": (mesh.address("control", "mesh"), 7400),
            "redis": (mesh.address("redis", "mesh"), 6379),
            "metrics": (mesh.address("authz-0", "mesh"), 9100),
            "tools": (mesh.address("tools", "tools"), 9001),
            "gateway-inside": (mesh.address("gateway", "mesh"), 10002),
        },
    }
    program = (PROGRAMS / "ways_around.py").read_text("utf-8")
    said = mesh.engine.docker(*run, "/usr/bin/python3", "-", json.dumps(places), given=program)
    outcomes: dict[str, str] = json.loads(said)
    assert outcomes.keys() == set(WAYS), network
    return outcomes


def ways_judged(mesh: Mesh) -> dict[str, str]:
    """The outcomes of the ways from the agent's container, asked again where the gateway was too busy to judge: 503 is a
    refusal, but not the one that is looked for.
    """
    for _ in range(BUSY):
        outcomes = ways(mesh, "agents", "10.231.77.1", "exec", "--interactive", "aegis_agent_1")
        if not any(said.startswith("answered: b'HTTP/1.1 503") for said in outcomes.values()):
            break
    return outcomes


def test_on_a_usual_network_the_probes_do_reach_the_world(mesh: Mesh) -> None:
    before = len(mesh.engine.world)
    run = ("run", "--rm", "--interactive", "--user", "10003:10003", "--cap-drop", "ALL", "--entrypoint", "", IMAGE)
    ways(mesh, "bridge", "10.123.0.1", *run)
    read = mesh.engine.world[before:]
    assert {way for way, mark in LEAKS_WITHOUT_RULES.items() if mark not in read} == set(), read


def test_no_way_leads_around_the_gateway(mesh: Mesh) -> None:
    before = mesh.engine.world
    outcomes = ways_judged(mesh)
    assert mesh.engine.world == before, outcomes
    unreached = {
        way: said for way, said in outcomes.items() if not re.match(r"\w+(Error|timeout|gaierror): |gaierror: ", said)
    }
    answered = {way: said.partition(" ")[2][11:14] for way, said in unreached.items() if said.startswith("answered: ")}
    # what the gateway itself answered, as a refusal each
    assert answered == {
        "proxy-world": "401",
        "proxy-control": "401",
        "proxy-redis": "401",
        "tunnel-world": "401",
        "tunnel-control": "401",
        "no-credential": "401",
        "reverse-no-credential": "401",
        "door-admin": "404",
        "door-bundle": "404",
        "door-escape": "404",
    }, outcomes
    assert unreached.keys() - answered.keys() == {"files"}
    assert outcomes["files"] == "none is there"


@pytest.mark.parametrize("url", ["http://control:7400/v1/policies", "http://redis:6379/", f"http://{WORLD}/"])
def test_with_its_credential_too_an_agent_reaches_its_tools_alone(mesh: Mesh, url: str) -> None:
    before = mesh.engine.world
    refused = mesh.call(1, url)
    assert (refused["status"], json.loads(json.dumps(refused["body"]))["reason"]) == (403, "EGRESS_DENIED")
    assert mesh.engine.world == before


def test_the_init_image_puts_up_its_rules_with_one_capability_and_not_without(mesh: Mesh) -> None:
    tag = IMAGE.partition(":")[2]
    run = ("run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")
    mesh.engine.docker(*run, "--cap-add", "NET_ADMIN", f"aegis-init:{tag}")
    with pytest.raises(EngineFault):
        mesh.engine.docker(*run, f"aegis-init:{tag}")


def test_without_its_secrets_a_process_says_what_is_missing_and_ends(mesh: Mesh) -> None:
    for process, settings, word in (
        ("authz", "authz.yaml", "redis.url: no such file; the secrets of a mesh are made once, by: aegis init"),
        ("control", "control.yaml", "redis.url: no such file; the secrets of a mesh are made once, by: aegis init"),
        ("certificates", "certificates.yaml", "signing.pem: no such file; an authority is made once, by: aegis init"),
    ):
        name = f"bare-{process}"
        mount = f"{ROOT}/deploy/compose/{settings}:/etc/aegis/{settings}:ro"
        run = ("run", "--name", name, "--read-only", "--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", mount, IMAGE)
        mesh.engine.docker(*run, "serve", process, "--config", f"/etc/aegis/{settings}", check=False)
        [state] = json.loads(mesh.engine.docker("inspect", name))
        log = mesh.engine.run("sh", "-c", f"/usr/bin/docker logs {name} 2>&1")
        mesh.engine.docker("rm", name)
        assert state["State"]["ExitCode"] == 2, log
        assert word in log.splitlines()[0]


def test_when_the_gateway_is_gone_nothing_passes_and_when_it_is_back_calls_do(mesh: Mesh) -> None:
    before = mesh.engine.world
    mesh.engine.docker("stop", "aegis_gateway_1")
    try:
        outcomes = ways(mesh, "agents", "10.231.77.1", "exec", "--interactive", "aegis_agent_1")
        assert mesh.engine.world == before, outcomes
        assert not any(said.startswith("answered") for said in outcomes.values()), outcomes
    finally:
        mesh.engine.docker("start", "aegis_gateway_1")
    mesh.compose("--profile", "demo", "up", "--detach", "--no-build")  # waits for its health
    assert mesh.call(4200)["decision"] == "allow"
