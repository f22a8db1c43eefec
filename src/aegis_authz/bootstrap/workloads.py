"""Listeners that stand for one agent each, by the settings of a worker: a key, a token, and its renewal."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz import durable
from aegis_authz.adapters.files.keys import load_ed25519
from aegis_authz.adapters.system import SystemClock, SystemIds, chance
from aegis_authz.agent.mesh import mesh_session
from aegis_authz.agent.proof import ProofKey
from aegis_authz.agent.subject_token import read_subject_token
from aegis_authz.agent.token_endpoint import TokenEndpoint, exchange_form
from aegis_authz.agent.tokens import TokenKeeper
from aegis_authz.check.workload import Workload
from aegis_authz.config.authz import WorkloadSettings
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope

_log = logging.getLogger(__name__)


class KeeperTokens:
    """`ports.WorkloadTokens` over a keeper that runs in the background."""

    def __init__(self, keeper: TokenKeeper, listener: str) -> None:
        self._keeper = keeper
        self._listener = listener

    def current(self) -> str:
        """The token that is good now; asks nobody. Raises Refused(WORKLOAD_UNAVAILABLE)."""
        text = self._keeper.current()
        if text is None:
            raise Refused(Reason.WORKLOAD_UNAVAILABLE, f"no token is held: {self._keeper.trouble}")
        return text

    def discard(self, token: str) -> None:
        """Never give this token again: it did not verify. Another is asked for."""
        _log.warning("the token of the listener %s does not verify; another is asked for", self._listener)
        self._keeper.discard(token)


@dataclass(frozen=True, slots=True)
class OpenWorkload:
    """A listener's agent, and what must run for its token to be renewed (`keeper.keep`)."""

    listener: str
    workload: Workload
    keeper: TokenKeeper

    @property
    def trouble(self) -> str:
        """Why there is no token, "" when there is one."""
        if self.keeper.current() is not None:
            return ""
        return f"{self.listener} has no token of {self.workload.agent}: {self.keeper.trouble}"


async def open_workloads(settings: Mapping[str, WorkloadSettings], stack: AsyncExitStack) -> tuple[OpenWorkload, ...]:
    """Each listener's workload. Raises KeyFolderError, OSError."""
    return tuple([await _opened(listener, workload, stack) for listener, workload in settings.items()])


async def _opened(listener: str, settings: WorkloadSettings, stack: AsyncExitStack) -> OpenWorkload:
    clock, ids = SystemClock(), SystemIds()
    agent, path = Scope.parse(settings.agent), settings.subject_token
    if path is not None and not settings.key.exists():
        _make_key(settings.key)
    key = ProofKey(load_ed25519(settings.key), clock.now, ids.token)
    session = await stack.enter_async_context(mesh_session(settings.authorities))
    form = None if path is None else partial(_exchange, path, settings.subject_token_type)
    endpoint = TokenEndpoint(session, settings.token_endpoint, agent, key, form)

    def report(sentence: str) -> None:
        _log.warning("the listener %s, which stands for %s: %s", listener, agent, sentence)

    keeper = TokenKeeper(endpoint.obtain, time.monotonic, report, chance)
    return OpenWorkload(listener, Workload(agent, KeeperTokens(keeper, listener)), keeper)


def _exchange(path: Path, kind: str) -> dict[str, str]:
    return exchange_form(read_subject_token(path), kind)


def _make_key(path: Path) -> None:
    """A key of this workload, made once: of several workers one makes it, and all have the same."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    durable.create(path, pem)
