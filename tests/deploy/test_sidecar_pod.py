"""A pod of the chart with its gateway beside it, played: the rules first, then the gateway, then an agent that knows nothing
of either. Its calls are judged as its service account's, and no way leads around.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import DNSName

from aegis_authz.commands.secrets import MeshAddresses, make_mesh_secrets
from aegis_authz.server.pod_patch import Injection, patch_of
from tests.deploy.conftest import HERE
from tests.support.authority import Authority
from tests.support.container_engine import NAMES, PROGRAMS, ROOT, WORLD, WORLD6, Engine, missing
from tests.support.json_patch import with_additions
from tests.support.pod_player import PodPlayer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"the containers are NOT tested: {missing()}"),
]

CONTROL = "aegis-control.mesh.svc"
HOST = "10.123.0.1"
"""The engine's own address on its bridge."""
AGENT: dict[str, Any] = {
    "metadata": {"namespace": "shop", "labels": {"aegis/agent": "finance"}},
    "spec": {
        "serviceAccountName": "finance",
        "containers": [
            {
                "name": "agent",
                "image": "aegis:0.1.0",
                "command": ["/usr/bin/python3", "-P", "-c", "import signal; signal.pause()"],
                "securityContext": {"runAsUser": 20001, "allowPrivilegeEscalation": False},
            }
        ],
    },
}
TRUST = """
trust: cluster
owner: platform
kind: kubernetes
issuer: https://kubernetes.default.svc
audience: aegis
keys: [{jwk}]
algorithms: [ES256]
reuse: same_key
subjects:
  - claims: {{"/kubernetes.io/namespace": shop, "/kubernetes.io/serviceaccount/name": finance}}
    agent: acme/emea/finance-agent
"""
REGISTERED = """
agents:
  acme/emea/finance-agent:
    owner: finance-platform
    ways: [workload]
"""
CALL = """
import json, sys, urllib.error, urllib.request
body = json.dumps({"amount": int(sys.argv[1])}).encode()
request = urllib.request.Request("http://api.stripe.example/v1/payments", body, {"content-type": "application/json"})
try:
    reply = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as refusal:
    reply = refusal
print(json.dumps([reply.status, reply.headers["x-aegis-decision"], json.loads(reply.read())]))
"""
WAYS = (
    *("http", "other-port", "datagram", "ipv6", "mapped", "name", "name-server", "host", "metadata", "frame", "raw"),
    *("route", "direct-control", "direct-redis", "direct-tools", "direct-metrics", "files"),
)
RECORD_KEYS = "/run/secrets/public/records.pub.json"
PATIENCE = 120
"""Seconds in which a gateway judges a call."""


@dataclass(frozen=True, slots=True)
class Shop:
    """The mesh, and the pod of an agent."""

    engine: Engine
    mesh: PodPlayer
    pod: PodPlayer

    def call(self, amount: int) -> tuple[int, str, dict[str, Any]]:
        """What the agent is answered: status, decision, body. Asked again where the gateway is too busy to judge, and
        where its Redis has only just begun to remember tokens.
        """
        end = time.monotonic() + PATIENCE
        while True:
            answer = self.pod.inside("shop-agent", "/usr/bin/python3", "-P", "-c", CALL, str(amount))
            status, decision, body = json.loads(answer)
            if (status != 503 and body.get("reason") != "STORE_RESET") or time.monotonic() > end:
                return status, decision, body


@pytest.fixture(scope="module")
def shop(engine: Engine) -> Iterator[Shop]:
    folder = engine.folder / "shop"
    secrets = folder / "secrets"
    folder.mkdir()
    objects = [entry for entry in yaml.safe_load_all((HERE / "renders" / "webhook.yaml").read_text("utf-8")) if entry]
    settings = {entry["metadata"]["name"]: entry.get("data") or {} for entry in objects if entry["kind"] == "ConfigMap"}
    owners = {entry["metadata"]["name"]: entry for entry in objects if entry["kind"] in ("Deployment", "StatefulSet")}
    token, jwk = service_account()
    make_secrets(secrets, folder)
    settings["aegis-control-policies"] = {
        "finance-agent.yaml": documents("agents/finance-agent.yaml"),
        "shop.yaml": REGISTERED,
        "trust.yaml": TRUST.format(jwk=jwk),
    }
    settings["aegis-control-tools"] = {"stripe-payments.yaml": documents("tools/stripe-payments.yaml")}
    redis = owners["aegis-redis"]["spec"]["template"]["spec"]["containers"][0]["image"]
    own = dict.fromkeys((CONTROL, "aegis-redis"), "127.0.0.2")
    mesh = PodPlayer(engine, folder / "mesh", own, redis, "mesh-pods", "bridge")
    pod = PodPlayer(
        engine,
        folder / "pod",
        dict.fromkeys((CONTROL, "aegis-redis", "tools"), mesh.address),
        redis,
        "shop-pod",
        "bridge",
    )
    try:
        for part in ("redis", "control"):
            mesh.play(part, owners[f"aegis-{part}"], settings, secrets)
        mesh.start(
            "tools", "aegis:0.1.0", "serve", "echo", "--host", mesh.address, "--port", "9001", "--ready", "/tmp/up"
        )
        mesh.passes("tools", ("aegis", "ready", "unix:/tmp/up", "/readyz"))
        injection = Injection.of(yaml.safe_load(settings["aegis-injection"]["injection.yaml"]))
        spec = with_additions(AGENT, patch_of(AGENT, injection))["spec"]
        pod.play_pod("shop", spec, settings, secrets, token)
        yield Shop(engine, mesh, pod)
    except BaseException:
        print(mesh.logs(), pod.logs())  # noqa: T201  # shown where a test fails
        raise
    finally:
        pod.end()
        mesh.end()


def documents(name: str) -> str:
    return (ROOT / "deploy" / "compose" / "documents" / name).read_text("utf-8")


def make_secrets(secrets: Path, folder: Path) -> None:
    """As `aegis init` writes them, and as cert-manager writes the certificate of the control plane."""
    authorities = Path("/run/secrets/public/control-ca.pem")
    token = Path("/run/secrets/opa/opa.token")
    addresses = MeshAddresses("aegis-redis:6379", f"https://{CONTROL}:7400", token, authorities)
    make_mesh_secrets(secrets, addresses, for_images=False)
    authority = Authority(folder)
    (secrets / "public" / "control-ca.pem").write_bytes(authority.file.read_bytes())
    pair = authority.leaf("control.pem", DNSName(CONTROL)).read_bytes()
    (secrets / "control-tls").mkdir()
    for name in ("tls.crt", "tls.key"):
        (secrets / "control-tls" / name).write_bytes(pair)


def service_account() -> tuple[bytes, str]:
    """A token as a cluster signs it for a pod of `shop/finance`, and the cluster's key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    now = int(time.time())
    claims = {
        "iss": "https://kubernetes.default.svc",
        "aud": ["aegis"],
        "sub": "system:serviceaccount:shop:finance",
        "iat": now,
        "nbf": now,
        "exp": now + 3600,
        "jti": "a-pod",
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "finance", "uid": "1"}},
    }
    jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    signed = jwt.encode(claims, private, "ES256", {"kid": "cluster"})
    return signed.encode("ascii"), json.dumps({**jwk, "kid": "cluster", "alg": "ES256", "use": "sig"})


def test_an_agent_that_knows_of_no_gateway_is_judged_as_its_service_account(shop: Shop) -> None:
    status, decision, body = shop.call(4200)
    assert (status, decision) == (200, "allow"), body
    assert body["echo"]["body"] == {"amount": 4200}
    status, decision, body = shop.call(50000)
    assert (status, body.get("reason")) == (403, "POLICY_DENIED"), body
    assert shop.call(7000)[1] == "approval_needed"


def test_no_way_leads_around_the_gateway_of_the_pod(shop: Shop) -> None:
    before = shop.engine.world
    address = shop.mesh.address
    places = {
        "world": WORLD,
        "world6": WORLD6,
        "names": NAMES,
        "host": HOST,
        "admin_token": "",
        "ways": WAYS,
        "parts": {
            "control": (address, 7400),
            "redis": (address, 6379),
            "tools": (address, 9001),
            "metrics": ("127.0.0.1", 9100),
        },
    }
    program = (PROGRAMS / "ways_around.py").read_text("utf-8")
    run = ("exec", "--interactive", "shop-agent", "/usr/bin/python3", "-P", "-", json.dumps(places))
    outcomes = json.loads(shop.engine.docker(*run, given=program))
    assert outcomes.keys() == set(WAYS)
    assert shop.engine.world == before, outcomes
    answered = {way: said for way, said in outcomes.items() if said.startswith("answered: ")}
    led = {way for way, said in answered.items() if re.match(r"answered: b'HTTP/1\.[01] [45]\d\d ", said)}
    assert answered.keys() - led <= {"name-server"}, json.dumps(outcomes)  # which its gateway answers, and nobody else


def test_whoever_is_another_user_in_the_pod_is_led_as_well(shop: Shop) -> None:
    run = ("run", "--rm", "--network", "container:shop-pod", "--user", "20002:20002", "--cap-drop", "ALL")
    program = f"import socket; socket.create_connection(('{WORLD}', 2222), timeout=3)"
    said = shop.engine.docker(*run, "--entrypoint", "/usr/bin/python3", "aegis:0.1.0", "-c", program, check=False)
    assert said == ""
    assert "other-port" not in shop.engine.world


def test_the_records_of_the_pod_are_intact(shop: Shop) -> None:
    shop.call(4200)
    said = shop.pod.inside(
        "shop-aegis-authz-0", "aegis", "audit", "verify", "/var/lib/aegis/records", "--key", RECORD_KEYS
    )
    assert "intact: " in said
