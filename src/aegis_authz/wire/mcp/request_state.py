"""What a client of MCP sends back when it repeats a call that wanted input, as far as it is this mesh's own.

Source: Model Context Protocol 2026-07-28, "Multi Round-Trip Requests". A server keeps a state of its own in
`requestState` and refuses any other, so ours is taken out before the call goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

STATE, RESPONSES = "requestState", "inputResponses"
STATE_PREFIX = "aegis-state1."
"""What the state of this mesh begins with; a server's own is passed on as it is."""
INPUT = "aegis_approval"
"""The one input that is asked for: that somebody looks at the page of the approval."""
STATE_CODING = "mcp-request-state"
"""How a body is called that goes on without our state; no content coding, and none that a client could name."""


def own_state(params: Mapping[str, Json]) -> str:
    """Our state among the members of a call, "" where there is none."""
    state = params.get(STATE)
    return state if isinstance(state, str) and state.startswith(STATE_PREFIX) else ""


def without_state(body: bytes) -> bytes:
    """The message without our state and the answer to our input.

    The rest is the same JSON: of a body that was judged so, the tool reads what was judged. Raises Refused as
    `strict_json.parse` does, and Refused(MALFORMED_CALL) for a message that brings none back.
    """
    message = strict_json.parse(body)
    params = message.get("params") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(params, dict) or not own_state(params):
        raise Refused(Reason.MALFORMED_CALL, "no message that brings a state of ours back")
    responses = params.get(RESPONSES)
    rest = {name: value for name, value in params.items() if name not in (STATE, RESPONSES)}
    if isinstance(responses, dict) and responses.keys() - {INPUT}:
        rest[RESPONSES] = {name: value for name, value in responses.items() if name != INPUT}
    return json.dumps({**message, "params": rest}, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
