"""What becomes of the traffic of a pod and of a host's users under rules: whose it is, who is held, and who is not."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.intercept.redirection import Redirection
from aegis_authz.local.namespaces import inside, namespace, run
from aegis_authz.wire.envoy.ext_authz import read_check_request
from tests.bypass.conftest import (
    AGENT_UID,
    EVIL4,
    GATEWAY_UID,
    POD4,
    POD6,
    RULES,
    TOOL4,
    Bypass,
    gateway,
)
from tests.proxy.conftest import ALLOWED

if TYPE_CHECKING:
    from aegis_authz.wire.http.call import HttpCall

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

OUTSIDE = {"do": "http", "to": "EVIL4", "port": 80}
LISTED = {**OUTSIDE, "host": "pay.example"}
OTHER_UID, THIRD_UID = 10002, 10003
DENIED = replace(ALLOWED, effect=Effect.DENY, grpc_code=7, status=403, metadata={})
AEGIS = (sys.executable, "-m", "aegis_authz.cli")


def last(bypass: Bypass) -> HttpCall:
    """What the authorizer was asked last."""
    return read_check_request(bypass.authorizer.checks[-1].SerializeToString())


@pytest.mark.parametrize(("to", "source"), [("EVIL4", POD4), ("EVIL6", POD6)])
async def test_a_call_arrives_as_that_of_the_workload_and_with_its_address(
    bypass: Bypass, to: str, source: str
) -> None:
    await bypass.rules(RULES)
    await bypass.attempt({**LISTED, "to": to, "target": "/v1/payments?a=1"})
    call = last(bypass)
    assert (call.listener, call.is_redirected, call.source, call.tool_hint) == ("pod", True, source, "")
    assert (call.scheme, call.host, call.path, call.query) == ("http", "pay.example", "/v1/payments", "a=1")


async def test_a_call_out_of_tls_is_judged_as_https_of_the_workload(bypass: Bypass) -> None:
    await bypass.rules(RULES)
    names = {"sni": "bank.example", "host": "bank.example", "authority": "MESH"}
    await bypass.attempt({**OUTSIDE, "do": "https", "port": 443, **names})
    call = last(bypass)
    assert (call.listener, call.is_redirected, call.scheme, call.host) == ("pod", True, "https", "bank.example")
    assert (call.tunnel, call.over_tls) == (None, True)


async def test_what_is_passed_through_is_judged_first_as_a_connect_of_the_workload(bypass: Bypass) -> None:
    await bypass.rules(RULES)
    probe = {**OUTSIDE, "do": "https", "port": 443, "sni": "pinned.example", "host": "pinned.example"}
    assert await bypass.attempt(probe, TOOL4) == ("200 tool", {TOOL4})
    call = last(bypass)
    assert (call.method, call.host, call.port, call.path) == ("CONNECT", "pinned.example", 443, "")
    assert (call.listener, call.is_redirected, call.source) == ("pod", True, POD4)
    assert (call.opens_tunnel, call.tunnel) == (False, None)
    bypass.authorizer.answer = DENIED
    assert await bypass.attempt(probe, TOOL4) == ("closed", set())


async def test_a_name_that_nobody_listed_is_in_the_access_log(bypass: Bypass) -> None:
    await bypass.rules(RULES)
    await bypass.attempt({**OUTSIDE, "do": "https", "port": 443, "sni": "secret.evil.example"})
    line = await bypass.proxy.access_line(lambda line: line.get("server_name") == "secret.evil.example")
    assert (line["listener"], line["source"], line["destination"]) == ("pod", POD4, f"{EVIL4}:443")


async def test_the_command_puts_up_what_holds_and_counts_what_it_held(bypass: Bypass) -> None:
    words = ("intercept", "up", "--pod", "--inbound", "15021", "--device", "vp")
    await run(inside(bypass.pod, *AEGIS, *words))
    assert await bypass.attempt(OUTSIDE) == ("403", set())
    assert (await bypass.attempt({"do": "udp", "to": "EVIL4", "port": 9999}))[1] == set()
    packets = json.loads(await run(inside(bypass.pod, *AEGIS, "intercept", "status", "--json")))["packets"]
    assert packets["redirected"] >= 1
    assert packets["refused"] >= 1
    await run(inside(bypass.pod, *AEGIS, "intercept", "down"))
    assert await bypass.attempt(OUTSIDE) == ("200 evil", {EVIL4})


async def test_each_agent_has_its_listener_and_a_user_without_one_is_refused(bypass: Bypass) -> None:
    await bypass.rules(replace(RULES, agents={AGENT_UID: 15001, OTHER_UID: 15002}))
    listeners = {}
    for uid in (AGENT_UID, OTHER_UID):
        assert (await bypass.attempt({**LISTED, "uid": uid}, TOOL4))[0] == "200 tool"
        listeners[uid] = last(bypass).listener
    assert listeners == {AGENT_UID: "pod", OTHER_UID: "job"}
    answer, places = await bypass.attempt({**LISTED, "uid": THIRD_UID})
    assert (answer.startswith("refused"), places) == (True, set())
    for uid, port in ((AGENT_UID, 15002), (OTHER_UID, 15001), (THIRD_UID, 15001)):
        answer, _ = await bypass.attempt({**LISTED, "to": "127.0.0.1", "port": port, "uid": uid})
        assert answer.startswith("refused"), answer


async def test_on_a_host_one_user_is_held_and_the_others_are_left_alone(bypass: Bypass) -> None:
    await bypass.rules(Redirection((GATEWAY_UID,), {AGENT_UID: 15001}, is_pod=False, devices=("vp",)))
    assert await bypass.attempt(OUTSIDE) == ("403", set())
    for probe in (
        {"do": "udp", "to": "EVIL4", "port": 9999},
        {"do": "ping", "to": "EVIL4"},
        {"do": "name", "to": "EVIL4", "port": 53, "name": "{token}.evil.example"},
        {"do": "frame", "to": "EVIL4", "device": "vp", "frame": "arp", "capabilities": ["net_raw"]},
    ):
        assert (await bypass.attempt(probe))[1] == set()
    assert await bypass.attempt({**OUTSIDE, "uid": OTHER_UID}) == ("200 evil", {EVIL4})
    # and nobody else is taken for the agent
    answer, _ = await bypass.attempt({**LISTED, "to": "127.0.0.1", "port": 15001, "uid": OTHER_UID})
    assert answer.startswith("refused")
    assert not any(
        read_check_request(check.SerializeToString()).host == "pay.example" for check in bypass.authorizer.checks
    )


@pytest.mark.parametrize("is_pod", [True, False])
async def test_what_the_rules_of_others_lead_to_a_port_of_our_number_goes_nowhere(bypass: Bypass, is_pod: bool) -> None:
    await bypass.rules(Redirection((GATEWAY_UID,), {AGENT_UID: 15001}, is_pod=is_pod))
    # as a container engine does with a port that it publishes
    published = (
        "table ip engine { chain output { type nat hook output priority -100; policy accept;"
        f" ip daddr {POD4} tcp dport 8088 dnat to {EVIL4}:15001;"
        f" ip daddr {POD4} udp dport 8088 dnat to {EVIL4}:15053; }}; }}"
    )
    await run(inside(bypass.pod, "nft", "-f", "-"), published)
    try:
        for probe in ({"do": "http", "to": "POD4", "port": 8088}, {"do": "udp", "to": "POD4", "port": 8088}):
            answer, places = await bypass.attempt(probe)
            assert (answer.startswith(("refused", "silence", "closed")), places) == (True, set()), answer
    finally:
        await run(inside(bypass.pod, "nft", "delete", "table", "ip", "engine"))


async def test_without_a_gateway_nothing_goes_out(bypass: Bypass) -> None:
    await bypass.rules(replace(RULES, port=15099, names_port=15098))
    for probe in (
        OUTSIDE,
        {**OUTSIDE, "do": "https", "port": 443},
        {"do": "name", "to": "EVIL4", "port": 53, "name": "{token}.x"},
    ):
        answer, places = await bypass.attempt(probe)
        assert (answer.startswith(("refused", "silence")), places) == (True, set()), answer


async def test_a_connection_from_before_the_rules_is_cut(bypass: Bypass) -> None:
    probe = {"do": "patient", "to": "EVIL4", "port": 80}
    for redirection, reaches in ((None, True), (RULES, False)):
        await bypass.rules(None)
        await bypass.agent.say({**bypass.placed(probe), "token": f"early{reaches}"})
        assert await bypass.agent.listen() == "connected"
        await bypass.rules(redirection)
        await bypass.world.ask("seen")
        await bypass.agent.say({"go": "on"})
        answer = await bypass.agent.listen()
        frames = [bytes.fromhex(frame) for frame in await bypass.world.ask("seen")]
        assert any(f"early{reaches}".encode() in frame for frame in frames) is reaches, answer


async def test_nobody_speaks_in_a_flow_of_the_gateway(bypass: Bypass) -> None:
    """A packet that the agent writes itself, with the addresses and ports of what the gateway may say; no device is held."""
    flow = {"do": "udp", "to": "EVIL4", "port": 9999, "uid": GATEWAY_UID, "from": "POD4", "source_port": 4444}
    forged = {"do": "written", "to": "EVIL4", "capabilities": ["net_raw"]}  # from port 4444 to 9999
    await bypass.rules(replace(RULES, devices=()))
    assert await bypass.attempt(flow) == ("answered", {EVIL4})
    answer, places = await bypass.attempt(forged)
    assert (answer.startswith("refused"), places) == (True, set())


@pytest.mark.parametrize("port", [8000, 15021])
async def test_nobody_from_outside_gets_an_answer_of_an_agent(bypass: Bypass, port: int) -> None:
    """Also not at the port of the health check, where only the gateway may answer."""
    for redirection, answer in ((None, "inward"), (RULES, "TimeoutError")):
        await bypass.rules(redirection)
        await bypass.agent.say({"do": "listen", "port": port, "token": "inward"})
        assert await bypass.agent.listen() == "listening"
        assert await bypass.world.ask(f"dial {POD4} {port}") == answer
        await bypass.agent.listen()


async def test_agents_reach_a_port_of_loopback_that_is_opened_to_them(bypass: Bypass, second: Any) -> None:
    for local, answer in (((), "refused"), ((8000,), "closed")):
        await bypass.rules(replace(RULES, local=local))
        await second.say({"do": "listen", "port": 8000, "token": "beside"})
        assert await second.listen() == "listening"
        assert (await bypass.attempt({**LISTED, "to": "127.0.0.1", "port": 8000}))[0].startswith(answer)
        await second.listen()


async def test_where_there_is_no_ipv6_the_gateway_starts_and_holds(
    bypass: Bypass, envoy_binary: Path, open_folder: Path, tmp_path: Path
) -> None:
    """A container often has none."""
    async with namespace() as pod:
        await run(inside(pod, "sh", "-e"), "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6\nip link set lo up\n")
        folder = open_folder / "without"
        folder.mkdir()
        os.symlink(open_folder / "sds.sock", folder / "sds.sock")
        async with gateway(pod, envoy_binary, folder, bypass.authorizer, tmp_path / "none.pem"):
            listening = await run(inside(pod, "ss", "-Hltun"))
        assert "127.0.0.1:15001" in listening
        assert "127.0.0.1:15053" in listening
