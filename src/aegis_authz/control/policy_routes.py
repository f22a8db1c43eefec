"""The security engineer's doors: publish, roll back, look."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.control.http import HttpProblem, guarded, json_body, only, text_of, wait_of
from aegis_authz.control.publishing import Published
from aegis_authz.control.services import ControlServices
from aegis_authz.control.status_board import Activation, OpaState
from aegis_authz.core.json_value import Json
from aegis_authz.core.release import MAX_FILES, MAX_SOURCE_BYTES, Change, Sources
from aegis_authz.policy.source.problems import Problem

MAX_POLICY_BYTES = 3 * MAX_SOURCE_BYTES  # two folders, and what JSON adds to their texts
_MAX_SMALL_BYTES = 16 * 1024
_MAX_NAME = 128
_MAX_MESSAGE = 500
_DEFAULT_WAIT = 5.0


def policy_routes(services: ControlServices) -> list[Route]:
    """Publishing, rolling back and looking at revisions, for the bearer of the admin token."""

    async def publish(request: Request) -> Response:
        wait = wait_of(request, _DEFAULT_WAIT)
        body = await json_body(request, MAX_POLICY_BYTES)
        only(body, "policies", "tools", "message", "by")
        sources = Sources(_texts(body, "policies"), _texts(body, "tools"))
        by, message = text_of(body, "by", _MAX_NAME), text_of(body, "message", _MAX_MESSAGE, "")
        done = await services.publisher.publish(sources, by, message)
        return _outcome(done, await services.board.activation(done.revision, wait))

    async def rollback(request: Request) -> Response:
        wait = wait_of(request, _DEFAULT_WAIT)
        body = await json_body(request, _MAX_SMALL_BYTES)
        only(body, "revision", "message", "by")
        revision, by = text_of(body, "revision", _MAX_NAME), text_of(body, "by", _MAX_NAME)
        message = text_of(body, "message", _MAX_MESSAGE, "")
        done = await services.publisher.rollback(revision, by, message)
        return _outcome(done, await services.board.activation(done.revision, wait))

    async def revisions(_: Request) -> Response:
        changes = await services.publisher.changes()
        return JSONResponse({"current": _current(services), "changes": [_change(change) for change in changes]})

    async def revision(request: Request) -> Response:
        name = request.path_params["revision"]
        sources = await services.publisher.sources(name)
        return JSONResponse({"revision": name, "policies": dict(sources.policies), "tools": dict(sources.tools)})

    async def status(_: Request) -> Response:
        states = [_opa_state(state) for state in services.board.states()]
        return JSONResponse({"revision": _current(services), "opa": states})

    return [
        Route("/v1/policies", guarded(services.admin_token, publish), methods=["POST"]),
        Route("/v1/rollback", guarded(services.admin_token, rollback), methods=["POST"]),
        Route("/v1/revisions", guarded(services.admin_token, revisions), methods=["GET"]),
        Route("/v1/revisions/{revision}", guarded(services.admin_token, revision), methods=["GET"]),
        Route("/v1/status", guarded(services.admin_token, status), methods=["GET"]),
    ]


def problem_list(problems: tuple[Problem, ...]) -> list[Json]:
    """The problems of documents, as a 422 shows them."""
    return [
        {
            "path": problem.path,
            "line": problem.line,
            "column": problem.column,
            "field": problem.field,
            "message": problem.message,
            "excerpt": problem.excerpt,
            "before": problem.before,
            "cut": problem.cut,
        }
        for problem in problems
    ]


def _texts(body: Mapping[str, Json], name: str) -> dict[str, str]:
    files = body.get(name)
    if not isinstance(files, Mapping):
        raise HttpProblem(400, f"{name} must be an object of file name to text")
    if len(files) > MAX_FILES:
        raise HttpProblem(400, f"{name} has more than {MAX_FILES} files")
    texts: dict[str, str] = {}
    for path, text in files.items():
        if not isinstance(text, str) or not path.isprintable() or not 0 < len(path) <= 512:
            raise HttpProblem(400, f"{name} must be an object of file name to text")
        texts[path] = text
    return texts


def _current(services: ControlServices) -> str:
    live = services.bulletin.live
    return live.revision if live is not None else ""


def _outcome(done: Published, activation: Activation) -> Response:
    return JSONResponse(
        {
            "revision": done.revision,
            "previous": done.previous,
            "changed": done.changed,
            "tools_changed": done.tools_changed,
            "active_on": list(activation.active_on),
            "refused": dict(activation.refused),
            "waiting_for": list(activation.waiting_for),
            "seconds": round(activation.seconds, 3),
        }
    )


def _change(change: Change) -> dict[str, Json]:
    return {
        "kind": change.kind.value,
        "revision": change.revision,
        "previous": change.previous,
        "by": change.by,
        "time": change.time,
        "message": change.message,
    }


def _opa_state(state: OpaState) -> dict[str, Json]:
    return {
        "instance": state.instance,
        "version": state.version,
        "active_revision": state.active_revision,
        "trouble": state.trouble,
    }
