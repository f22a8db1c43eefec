from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.server.readiness import Probe, Readiness


class Sink:
    def __init__(self) -> None:
        self.told: list[tuple[bool, bool]] = []

    async def set_health(self, ready: bool, serving: bool) -> None:
        self.told.append((ready, serving))


def probe(troubles: dict[str, str], name: str) -> Probe:
    async def look() -> str:
        return troubles[name]

    return look


def readiness(troubles: dict[str, str]) -> tuple[Readiness, Sink, Callable[[], tuple[bool, bool]]]:
    sink = Sink()
    return Readiness({name: probe(troubles, name) for name in troubles}, sink, 1), sink, lambda: sink.told[-1]


async def test_nothing_is_ready_before_it_was_looked_at() -> None:
    ready, _, _ = readiness({"bundle": "", "store": ""})
    assert not ready.ready
    assert set(ready.controls) == {"bundle", "store"}


async def test_one_missing_control_keeps_it_red_and_is_named() -> None:
    ready, _, told = readiness({"bundle": "", "store": "connection refused"})
    await ready.look()
    assert told() == (False, False)
    assert ready.controls == {"bundle": "", "store": "connection refused"}


async def test_all_controls_loaded_turns_it_green() -> None:
    troubles = {"bundle": "not loaded", "store": ""}
    ready, _, told = readiness(troubles)
    await ready.look()
    troubles["bundle"] = ""
    await ready.look()
    assert told() == (True, True)


async def test_a_later_outage_is_shown_but_envoy_keeps_asking() -> None:
    troubles = {"store": ""}
    ready, _, told = readiness(troubles)
    await ready.look()
    troubles["store"] = "connection refused"
    await ready.look()
    assert told() == (False, True)
    assert not ready.ready


async def test_a_drain_is_red_for_good() -> None:
    ready, _, told = readiness({"store": ""})
    await ready.look()
    await ready.drain()
    await ready.look()
    assert told() == (False, False)
    assert "drain" in ready.controls


async def test_what_one_caller_alone_needs_keeps_it_from_being_ready_and_not_from_serving_the_others() -> None:
    troubles = {"store": "connection refused", "workload": "pod has no token"}
    sink = Sink()
    ready = Readiness({name: probe(troubles, name) for name in troubles}, sink, 1, apart=("workload",))
    await ready.look()
    troubles["store"] = ""
    await ready.look()
    troubles["workload"] = ""
    await ready.look()
    assert sink.told == [(False, False), (False, True), (True, True)]


async def test_what_is_wrong_with_a_server_of_some_tenants_is_told_and_keeps_nobody_from_being_ready(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "aegis_authz.server.readiness")
    troubles = {"store": "", "masters": "10.0.0.1:6379 is gone"}
    sink = Sink()
    ready = Readiness({name: probe(troubles, name) for name in troubles}, sink, 1, partial=("masters",))
    await ready.look()
    troubles["store"] = "none answers"
    await ready.look()
    assert sink.told == [(True, True), (False, True)]
    assert ready.controls == troubles
    assert caplog.messages[0] == "ready: masters: 10.0.0.1:6379 is gone"


async def test_what_is_not_ready_is_in_the_log_once_and_that_all_is_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "aegis_authz.server.readiness")
    troubles = {"bundle": "waits", "store": ""}
    ready, _, _ = readiness(troubles)
    for bundle in ("waits", "waits", "", "", "gone"):
        troubles["bundle"] = bundle
        await ready.look()
    assert caplog.messages == ["not ready: bundle: waits", "ready", "not ready: bundle: gone"]
