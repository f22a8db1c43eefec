from __future__ import annotations

import socket
from pathlib import Path

import pytest

from aegis_authz.local.tcp_ports import PortTaken, choose_ports, remember_ports, remembered_ports

PURPOSES = ("proxy", "reverse", "control", "metrics", "evaluation", "probe")


def test_ports_found_free_are_all_different_and_really_free() -> None:
    ports = choose_ports(dict.fromkeys(PURPOSES, 0), {})
    assert len(set(ports.values())) == len(PURPOSES)
    for port in ports.values():
        socket.create_server(("127.0.0.1", port)).close()


def test_a_port_that_was_asked_for_is_given() -> None:
    wanted = choose_ports({"proxy": 0}, {})["proxy"]
    ports = choose_ports({**dict.fromkeys(PURPOSES, 0), "proxy": wanted}, {"control": wanted})
    assert ports["proxy"] == wanted
    assert ports["control"] != wanted


def test_a_taken_port_is_an_error_that_names_it_and_its_purpose() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} for control cannot be used: Address already in use"):
            choose_ports({"proxy": 0, "control": port}, {})


def test_a_port_may_not_be_asked_for_twice() -> None:
    port = choose_ports({"proxy": 0}, {})["proxy"]
    with pytest.raises(PortTaken):
        choose_ports({"proxy": port, "control": port}, {})


def test_a_mesh_gets_the_ports_it_had_unless_they_are_taken(tmp_path: Path) -> None:
    first = choose_ports(dict.fromkeys(PURPOSES, 0), {})
    remember_ports(tmp_path, first)
    assert choose_ports(dict.fromkeys(PURPOSES, 0), remembered_ports(tmp_path)) == first
    with socket.create_server(("127.0.0.1", first["proxy"])):
        later = choose_ports(dict.fromkeys(PURPOSES, 0), remembered_ports(tmp_path))
    assert later["proxy"] != first["proxy"]
    assert later["control"] == first["control"]


@pytest.mark.parametrize("text", ["", "[]", "not json", '{"proxy": "80", "control": 0, "probe": 99999}'])
def test_a_memory_that_makes_no_sense_is_forgotten(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.json").write_text(text)
    assert remembered_ports(tmp_path) == {}
