"""The real servers the tests run against, found once; and a run that does not depend on how it was started."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from aegis_authz import native

os.environ.setdefault(native.VARIABLE, native.Mode.OFF.value)  # what is tested does not depend on what is installed
COMPILED = native.use_as_environment_says()[0] != native.INTERPRETED  # before the first of what may be compiled

from aegis_authz.local.servers import find_envoy, find_opa, find_redis  # after it

TESTS = Path(__file__).parent
WORKERS = {
    "clients": "meshes",
    "e2e": "meshes",
    "docs": "meshes",
    "load": "meshes",
    "sdk": "meshes",
    "proxy": "envoys",
    "differential": "envoys",
    "bypass": "envoys",
}
"""Rooms that are played on one worker together: they share a server, or must not start two meshes side by side."""
LONGEST = ("e2e", "docs", "load", "policy")
"""Rooms to begin with, so that no worker is left with a long one at the end."""

settings.register_profile("untimed", deadline=None)  # a property does not fail for what else the machine does
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Hear what nohup or a shell's `&` made us ignore, and do nothing: unlike SIG_IGN, a handler ends with exec."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    if "PYTEST_XDIST_WORKER" in os.environ:
        config.pluginmanager.register(PoliteWorker())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest rooms; leave out what cannot be played with compiled modules, where they run."""
    if COMPILED:
        for item in items:
            if item.get_closest_marker("interpreted"):
                item.add_marker(pytest.mark.skip("puts something in place of what is compiled"))
    items.sort(key=lambda item: LONGEST.index(_room(item)) if _room(item) in LONGEST else len(LONGEST))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Keep what shares a server on one worker."""
    return RoomScheduling(config, log)


class RoomScheduling(LoadScopeScheduling):
    """Gives a worker a module, or rooms that are played together.

    By the path of a test and not by marks: xdist writes a mark's group into what pytest 9.2 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        parts = Path(path).parts
        return WORKERS.get(parts[1] if parts[0] == TESTS.name else parts[0], path)


class PoliteWorker:
    """Lets a worker that does not play the mesh's tests step back for it: the mesh answers within milliseconds."""

    def __init__(self) -> None:
        self._is_decided = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if not self._is_decided and WORKERS.get(_room(item)) != "meshes":
            os.nice(10)
        self._is_decided = True


def _room(item: pytest.Item) -> str:
    # the tests of an SDK stand with it
    return item.path.relative_to(TESTS if item.path.is_relative_to(TESTS) else TESTS.parent).parts[0]


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    return find_opa()


@pytest.fixture(scope="session")
def redis_binary() -> Path:
    return find_redis()


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    return find_envoy()
