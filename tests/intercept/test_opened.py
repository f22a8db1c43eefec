"""Which hosts are opened."""

from __future__ import annotations

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.intercept.opened import opened_hosts


def tool(name: str, host: str, port: int | None) -> Tool:
    return Tool(name, host, port, "http://127.0.0.1:9", (), "", "", None, False, False, NO_INTERFACE)


def test_hosts_without_a_port_are_opened_at_443_and_others_at_theirs() -> None:
    tools = (tool("a", "a.example", None), tool("b", "b.example", 8443), tool("c", "c.example", 443))
    hosts = opened_hosts(Catalogue.of(tools))
    assert [(host.target, host.authorities) for host in hosts] == [
        ("a.example:443", ("a.example", "a.example:443")),
        ("b.example:8443", ("b.example:8443",)),
        ("c.example:443", ("c.example", "c.example:443")),
    ]


def test_an_entry_without_a_port_goes_before_one_with_443_and_tools_of_a_host_stay_together() -> None:
    tools = (tool("late", "a.example", 443), tool("one", "a.example", None), tool("two", "a.example", None))
    (host,) = opened_hosts(Catalogue.of(tools))
    assert [each.name for each in host.tools] == ["one", "two"]


def test_an_address_is_not_opened() -> None:
    assert opened_hosts(Catalogue.of((tool("a", "192.0.2.1", None),))) == ()
