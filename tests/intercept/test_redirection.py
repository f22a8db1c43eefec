"""Which redirections there are, and that those which would hold nobody are none."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.intercept.redirection import Redirection, RedirectionFault


def of_pod(**changes: object) -> Redirection:
    return Redirection(**{"gateways": (1337,), "agents": {}, "is_pod": True, **changes})  # type: ignore[arg-type]  # by name


def test_a_pod_without_named_agents_leads_everybody_to_one_port() -> None:
    assert of_pod().listeners == (15001,)


def test_named_agents_have_ports_of_their_own_in_order() -> None:
    redirection = of_pod(agents={10002: 15002, 10001: 15001}, gateways=(1338, 1337, 1337))
    assert (list(redirection.agents), redirection.listeners) == ([10001, 10002], (15001, 15002))
    assert redirection.gateways == (1337, 1338)


FAULTS: dict[str, tuple[Callable[[], Redirection], str]] = {
    "nobody is held": (lambda: of_pod(is_pod=False), "name whom to hold"),
    "nobody may go out": (lambda: of_pod(gateways=()), "--gateway is missing"),
    "the gateway is held": (lambda: of_pod(agents={1337: 15001}), "both --uid and --gateway"),
    "root is held": (lambda: of_pod(agents={0: 15001}), "root takes rules off"),
    "no user": (lambda: of_pod(agents={4_294_967_295: 15001}), "no user id"),
    "no port": (lambda: of_pod(agents={10001: 0}), "no port"),
    "a port above all": (lambda: of_pod(inbound=(65_536,)), "no port"),
    "calls and names at one port": (lambda: of_pod(names_port=15001), "both calls and names"),
    "a listener opened to agents": (lambda: of_pod(local=(15001,)), "cannot open a port of the gateway"),
    "a listener opened to the world": (lambda: of_pod(inbound=(15053,)), "cannot open a port of the gateway"),
    "a device that ends the quotes": (lambda: of_pod(devices=('lo"; policy accept; #',)), "not the name of"),
    "inbound of a host": (
        lambda: of_pod(is_pod=False, agents={10001: 15001}, inbound=(15021,)),
        "a host has a firewall",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_redirection_that_would_not_hold_is_none(case: str) -> None:
    make, sentence = FAULTS[case]
    with pytest.raises(RedirectionFault, match=sentence):
        make()
