"""What everyone may ask: the public keys, and whether the control plane is well."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from fastapi import APIRouter, Response

from aegis_authz.api.keys import AuthoritiesAnswer, HealthAnswer, JwkAnswer, KeysAnswer, ReadyAnswer
from aegis_authz.control.agents.revoking import Revoker
from aegis_authz.control.http import HttpProblem, open_router
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.routing import RouteKeeper
from aegis_authz.intercept.authority import AuthorityUnreadable, MeshAuthorities

_log = logging.getLogger(__name__)


def open_routes(
    bulletin: Bulletin,
    keeper: RouteKeeper | None,
    revoker: Revoker,
    token_jwks: Callable[[], Sequence[Mapping[str, str]]],
    authorities: Callable[[], MeshAuthorities] | None,
) -> list[APIRouter]:
    """The routes that need no token."""
    everyone = open_router()

    @everyone.get("/.well-known/jwks.json")
    async def get_keys(response: Response) -> KeysAnswer:
        """Get the public keys that agent tokens are verified with."""
        response.headers["cache-control"] = "public, max-age=60"
        return KeysAnswer(keys=tuple(JwkAnswer(**jwk) for jwk in token_jwks()))

    @everyone.get("/v1/authorities")
    def get_authorities(response: Response) -> AuthoritiesAnswer:
        """Get the certificates that agents have to trust where the mesh opens HTTPS."""
        if authorities is None:
            raise HttpProblem(404, "the settings name no authorities of this mesh")
        try:
            mesh = authorities()
        except (OSError, AuthorityUnreadable):
            _log.exception("the mesh's authorities cannot be read")
            raise HttpProblem(503, "the mesh's authorities cannot be read; the log says why") from None
        response.headers["cache-control"] = "public, max-age=60"
        trusted, endorsements = ([pem.decode("ascii") for pem in part] for part in (mesh.trusted, mesh.endorsements))
        return AuthoritiesAnswer(authorities=tuple(trusted), endorsements=tuple(endorsements))

    @everyone.get("/healthz")
    async def get_health() -> HealthAnswer:
        """Say that the process runs."""
        return HealthAnswer(status="ok")

    @everyone.get("/readyz")
    async def get_readiness() -> ReadyAnswer:
        """Say that there is something to serve, that Redis has answered, and that the proxy has the routes of what OPA
        runs.
        """
        live = bulletin.live
        if live is None:
            raise HttpProblem(503, "nothing has been published yet")
        if revoker.is_apart:
            raise HttpProblem(503, "Redis has not answered since the start: start it, or mend `redis` in the settings")
        if keeper is not None and keeper.trouble:
            raise HttpProblem(503, "the proxy's routes are not those of the revision that OPA runs; the log says why")
        return ReadyAnswer(status="ok", revision=live.revision)

    return [everyone]
