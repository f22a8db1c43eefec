"""The real servers the tests run against, found once; and a run that does not depend on how it was started."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from aegis_authz.local.servers import find_envoy, find_opa, find_redis


def pytest_configure() -> None:
    """Hear what nohup or a shell's `&` made us ignore, and do nothing: unlike SIG_IGN, a handler ends with exec."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    return find_opa()


@pytest.fixture(scope="session")
def redis_binary() -> Path:
    return find_redis()


@pytest.fixture(scope="session")
def envoy_binary() -> Path:
    return find_envoy()
