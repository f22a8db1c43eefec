"""Rules as text, held against files; and the kernel takes each."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from aegis_authz.intercept.packet_rules import SETS, chains, frame_chains, removal_text, rules_text
from aegis_authz.intercept.redirection import Redirection
from aegis_authz.local.namespaces import in_namespace, missing

FOLDER = Path(__file__).parent / "rules"
REDIRECTIONS = {
    "pod": Redirection((1337,), {}, is_pod=True, inbound=(15021,), devices=("lo",)),
    "pod-of-two-agents": Redirection((1337, 1338), {10001: 15001, 10002: 15002}, is_pod=True, local=(8000,)),
    "users-of-a-host": Redirection((1337,), {10001: 15001, 10002: 15002}, is_pod=False, devices=("lo",)),
}


@pytest.mark.parametrize("name", REDIRECTIONS)
def test_rules_are_written_as_in_the_file(name: str) -> None:
    file, text = FOLDER / f"{name}.nft", rules_text(REDIRECTIONS[name])
    if os.environ.get("AEGIS_WRITE_DOCS"):
        file.write_text(text, "utf-8")
    assert text == file.read_text("utf-8")


@pytest.mark.parametrize("text", [*map(rules_text, REDIRECTIONS.values()), removal_text()])
def test_the_kernel_takes_them_also_where_they_are_in_force(text: str, tmp_path: Path) -> None:
    if missing():
        pytest.skip(missing())
    file = tmp_path / "rules.nft"
    file.write_text(text, "utf-8")
    done = in_namespace("sh", "-c", 'nft -c -f "$0" && nft -f "$0" && nft -f "$0"', str(file))
    assert (done.returncode, done.stderr) == (0, "")


def test_what_nobody_thought_of_is_refused() -> None:
    """The last rule for what a socket sent refuses, and so does the chain for the rest."""
    for redirection in REDIRECTIONS.values():
        leave = next(chain for chain in chains(redirection) if chain.name == "leave")
        last = [rule for rule in leave.rules if "reject" in rule][-1]
        if redirection.is_pod:
            assert leave.policy == "drop"
            assert last.startswith("meta skuid 0-4294967295 ")
            assert [rule for rule in leave.rules[leave.rules.index(last) :] if "accept" in rule] == [
                "ct mark 0xae915 ct state established,related accept",
                "oifname lo ct state related accept",
                "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } ip6 hoplimit 255 accept",
            ]
        else:
            assert leave.rules[-1] == last.replace("10001", "10002")


def test_nobody_but_the_kernel_sends_frames_by_a_device_that_is_held() -> None:
    (chain,) = frame_chains(REDIRECTIONS["pod"])
    assert (chain.policy, chain.device) == ("drop", "lo")
    assert chain.rules[0] == "meta skuid @gateways accept"
    assert chain.rules[1].endswith("drop")


def test_calls_to_this_machine_itself_are_led_nowhere() -> None:
    for redirection in REDIRECTIONS.values():
        divert = next(chain for chain in chains(redirection) if chain.name == "divert")
        local = divert.rules.index("fib daddr type local return")
        assert all("udp dport 53" in rule for rule in divert.rules[1:local])
        assert all("l4proto tcp" in rule for rule in divert.rules[local + 1 :])


def test_every_set_that_is_written_is_one_that_is_looked_for() -> None:
    (written, _) = rules_text(Redirection((1337,), {10001: 15001}, is_pod=True)).split("chain", 1)
    assert re.findall(r"(?:set|map) (\w+) \{", written) == list(SETS)
