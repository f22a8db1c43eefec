"""Stage 1: CheckRequest -> HttpCall, whole and readable, or refused."""

from __future__ import annotations

from aegis_authz.core.fault import Fault
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.ext_authz import read_check_request
from aegis_authz.wire.http.call import HttpCall

_SINGLE = ("content-type", "content-length", "content-encoding", "x-aegis-approval")


def decode(message: bytes | HttpCall) -> HttpCall:
    """Read what Envoy sent and make sure that it is the whole request, but for a body that is not read at all.

    A question to the evaluation endpoint comes read, and is held to the same.

    Raises Refused with REQUEST_UNREADABLE, AMBIGUOUS_HEADERS or BODY_TRUNCATED.
    """
    http = message if isinstance(message, HttpCall) else read_check_request(message)
    for name in _SINGLE:
        if len(http.headers.get(name, ())) > 1:
            problem = f"The header {name} is given several times."
            raise Refused(Reason.AMBIGUOUS_HEADERS, f"{name} is given several times", Fault("headers", name, problem))
    _check_whole(http)
    return http


def _check_whole(http: HttpCall) -> None:
    partial = http.headers.get("x-envoy-auth-partial-body", ())
    if any(value != "false" for value in partial):
        raise Refused(Reason.BODY_TRUNCATED, "Envoy sent a part of the body")
    length = http.header("content-length")
    if length is None:
        return
    if not length.isdecimal() or not length.isascii():
        problem = "The header content-length is not a number."
        raise Refused(
            Reason.AMBIGUOUS_HEADERS, "content-length is not a number", Fault("headers", "content-length", problem)
        )
    if not http.is_unread and int(length) != len(http.body):
        problem = f"The body has {len(http.body)} bytes and not as many as content-length says."
        detail = "the body is not as long as content-length says"
        raise Refused(Reason.BODY_TRUNCATED, detail, Fault("body", "", problem))
