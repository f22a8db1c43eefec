from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aegis_authz.agent.peers import owner_of


@contextmanager
def connected(family: int, host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server((host, 0), family=family) as listener:
        client = socket.create_connection(listener.getsockname()[:2])
        server, _ = listener.accept()
        with client, server:
            yield client, server


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_kernel_knows_whose_connection_it_is(family: int, host: str) -> None:
    with connected(family, host) as (_, server):
        assert owner_of(server.getpeername()[:2], server.getsockname()[:2]) == os.getuid()


def test_an_ipv4_client_with_an_ipv6_socket_is_the_same_client() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket(socket.AF_INET6) as client:
        client.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
        server, _ = listener.accept()
        with server:
            assert owner_of(server.getpeername(), server.getsockname()) == os.getuid()


def test_a_connection_that_is_over_is_nobodys() -> None:
    with connected(socket.AF_INET, "127.0.0.1") as (client, server):
        peer, own = server.getpeername(), server.getsockname()
        client.close()
        assert owner_of(peer, own) is None


def test_a_connection_that_never_was_is_nobodys() -> None:
    assert owner_of(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
