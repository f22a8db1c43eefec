"""The webhook that gives pods their gateway, where a cluster has no MutatingAdmissionPolicy.

Source: Kubernetes, "Dynamic Admission Control" (AdmissionReview of admission.k8s.io/v1). Only the API server has a use
for it: what it answers is what the chart says, with the agent's name in it, and it keeps nothing.
"""

from __future__ import annotations

import asyncio
import base64
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.narrowing import mapping, text
from aegis_authz.server.pod_patch import Injection, NotInjected, patch_of
from aegis_authz.server.request_body import NotWhole, whole_body

INJECT_PATH: Final = "/inject"
_MOST_BYTES = 4 * 1024 * 1024  # the API server takes 3 MiB of one object, and a review of a new one holds no other
_AT_ONCE = 16
"""Reviews that are read at once: whoever reaches the port shall not fill the memory."""
_VERSION, _KIND = "admission.k8s.io/v1", "AdmissionReview"
_FORBIDDEN = 403


def injection_app(injection: Injection) -> Starlette:
    """POST /inject answers reviews of pods that are made; GET /readyz says that it does."""

    turns = asyncio.Semaphore(_AT_ONCE)

    async def inject(request: Request) -> Response:
        try:
            async with turns:
                return _json(reviewed(await whole_body(request, _MOST_BYTES), injection))
        except NotWhole as fault:
            return PlainTextResponse(str(fault), fault.status, {"connection": "close"})
        except ValueError as fault:
            return PlainTextResponse(f"no review of a pod: {fault}", 400)

    async def readyz(_: Request) -> Response:
        return PlainTextResponse("ready")

    return Starlette(routes=[Route(INJECT_PATH, inject, methods=["POST"]), Route("/readyz", readyz)])


def reviewed(body: bytes, injection: Injection) -> Json:
    """The answer to a review. Raises ValueError for what is no review of a pod that is made.

    The API server, which alone asks, has read the pod: it has no member twice.
    """
    review = mapping(orjson.loads(body), "it")
    if (review.get("apiVersion"), review.get("kind")) != (_VERSION, _KIND):
        raise ValueError(f"it is no {_KIND} of {_VERSION}")
    request = mapping(review.get("request"), "request")
    if request.get("operation") != "CREATE" or request.get("resource") != {
        "group": "",
        "version": "v1",
        "resource": "pods",
    }:
        raise ValueError("request is not about a pod that is made")
    uid = text(request.get("uid"), "uid")
    try:
        patch = patch_of(mapping(request.get("object"), "object"), injection)
    except NotInjected as why:
        refusal: Json = {"uid": uid, "allowed": False, "status": {"code": _FORBIDDEN, "message": str(why)}}
        return {"apiVersion": _VERSION, "kind": _KIND, "response": refusal}
    encoded = base64.b64encode(orjson.dumps(patch)).decode("ascii")
    response: Json = {"uid": uid, "allowed": True, "patchType": "JSONPatch", "patch": encoded}
    return {"apiVersion": _VERSION, "kind": _KIND, "response": response}


def _json(value: Json) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")
