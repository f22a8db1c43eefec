"""The evaluation endpoint of one worker: beside what Envoy asks, on the same handler."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aegis_authz.adapters.tls import ServerTls, TlsUnusable
from aegis_authz.check.pipeline import Pipeline
from aegis_authz.check.settling import Settler
from aegis_authz.config.authz import AuthzSettings, EvaluationTls, RecordMode
from aegis_authz.ports.data_plane import RecordLog
from aegis_authz.server.authz import CheckHandler
from aegis_authz.server.evaluation import EvaluationDesk
from aegis_authz.server.evaluation_app import OUTCOME_PATH, evaluation_app
from aegis_authz.server.status import StatusServer, shared_listener
from aegis_authz.server.value_redaction import ValueRedactor

_MOST_CONNECTIONS = 128  # each may hold a body of a mebibyte before anybody is known
_SERVING = "what answers questions"


@dataclass(frozen=True, slots=True)
class EvaluationEndpoint:
    """What serves it, None for none, and what runs while it does, by what is said where it ends."""

    server: StatusServer | None
    parts: dict[str, asyncio.Task[None]]

    async def stop(self) -> None:
        """Answer what is being asked, and end."""
        if self.server is None:
            return
        self.server.end()
        for name, part in self.parts.items():
            if name != _SERVING:
                part.cancel()
        await asyncio.gather(*self.parts.values(), return_exceptions=True)


def open_evaluation(
    settings: AuthzSettings, pipeline: Pipeline, checks: CheckHandler, settler: Settler, records: RecordLog
) -> EvaluationEndpoint:
    """Listen and serve, where the settings say so. Raises OSError where it cannot."""
    place = settings.evaluation
    if place is None:
        return EvaluationEndpoint(None, {})
    required = settings.record_mode is RecordMode.REQUIRED
    redactor = ValueRedactor(records, pipeline.clock, require_record=required)
    desk = EvaluationDesk(pipeline, checks, redactor, settler, f"{place.base}{OUTCOME_PATH}")
    tls = None if place.tls is None else _tls(place.tls)
    server = StatusServer(evaluation_app(desk, place.base), None if tls is None else tls.context, _MOST_CONNECTIONS)
    parts = {_SERVING: asyncio.create_task(server.serve(sockets=[shared_listener(place.listen)]))}
    if tls is not None:
        parts["what looks for another certificate"] = asyncio.create_task(tls.watch())
    return EvaluationEndpoint(server, parts)


def _tls(settings: EvaluationTls) -> ServerTls:
    try:
        return ServerTls(settings.certificate, settings.key, None)
    except TlsUnusable as fault:
        raise OSError(str(fault)) from None
