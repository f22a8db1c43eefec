"""Network namespaces of our own: nothing of them is left, and what a machine lacks is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis_authz.local import namespaces
from aegis_authz.local.namespaces import CommandInside, inside, missing, namespace, run


def open_namespaces() -> set[str]:
    """The network namespaces that processes are in."""
    places = set()
    for process in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            places.add(os.readlink(process))
        except OSError:
            continue  # it ended meanwhile
    return places


async def test_a_namespace_is_its_own_and_gone_with_its_process() -> None:
    if missing():
        pytest.skip(missing())
    async with namespace() as pod:
        place = os.readlink(f"/proc/{pod}/ns/net")
        assert place in open_namespaces()
        assert place != os.readlink("/proc/self/ns/net")
        assert (await run(inside(pod, "ip", "-br", "link"))).split()[:2] == ["lo", "DOWN"]
    assert place not in open_namespaces()


async def test_a_namespace_is_gone_whatever_happens_in_it() -> None:
    if missing():
        pytest.skip(missing())
    place = ""
    with pytest.raises(CommandInside, match="false"):
        async with namespace() as pod:
            place = os.readlink(f"/proc/{pod}/ns/net")
            await run(inside(pod, "false"))
    assert place
    assert place not in open_namespaces()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    check = missing.__wrapped__
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert check() == "needs root"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(namespaces, "_SEARCHED", "/nowhere")
    assert check() == "needs iproute2 and nftables and util-linux (apt-get install iproute2 nftables util-linux)"
