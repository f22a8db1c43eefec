"""A body that came encoded: refused, or decoded where the catalogue says that its tool takes such calls."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.authzen.question import Question
from aegis_authz.wire.bodies.coding import CODINGS, Decoding, decoded
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import claimants

_HEADER = "content-encoding"


@dataclass(frozen=True, slots=True)
class Reading:
    """A call and the request it was read from. `decoding` is None where the body came as it is.

    `state` is the one of ours that it brought back and goes on without, "" for none. `question` is what was asked at
    the evaluation endpoint, None for a call that came by Envoy.
    """

    http: HttpCall
    call: ToolCall
    decoding: Decoding | None
    state: str
    question: Question | None = None


def coding_of(http: HttpCall, catalogue: Catalogue) -> str:
    """The content coding of the body, "" for none.

    Raises Refused(CONTENT_ENCODED) where not every tool at that address takes encoded bodies, and for codings that
    nobody takes, several of them, and spellings that some servers do not know for what they are.
    """
    encoding = http.header(_HEADER)
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return ""
    tools = () if http.opens_tunnel or encoding not in CODINGS else claimants(http, catalogue)[0]
    if tools and all(tool.decode for tool in tools):
        return encoding
    problem = f"The header {_HEADER} says {quoted(encoding)}."
    raise Refused(Reason.CONTENT_ENCODED, "the body is compressed", Fault("headers", _HEADER, problem))


def plain(http: HttpCall, coding: str) -> tuple[HttpCall, Decoding]:
    """The request as the tool will get it: its body decoded, and no word of a coding. Raises what `decoded` raises."""
    body = decoded(http.body, coding)
    headers = {name: values for name, values in http.headers.items() if name != _HEADER}
    decoding = Decoding(coding, hashlib.sha256(body).hexdigest())
    return replace(http, headers=headers, body=body), decoding
