"""JSON-RPC messages as bridges carry them: looked at as far as their way demands, and otherwise left as they came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import mcp_header

PROTOCOL_META = "io.modelcontextprotocol/protocolVersion"
"""Where a message of a stateless revision names it (2026-07-28)."""

INITIALIZE, INITIALIZED, CANCELLED, PROGRESS = (
    "initialize",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
)
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_INTERNAL_ERROR = -32603


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `id` is None for a notification; `method` is "" for an answer."""

    members: Mapping[str, Json]
    id: str | int | None
    method: str

    @property
    def is_request(self) -> bool:
        """Whether an answer is due."""
        return self.method != "" and self.id is not None

    @property
    def params(self) -> Mapping[str, Json]:
        """Its parameters, empty where it has none."""
        params = self.members.get("params")
        return params if isinstance(params, Mapping) else {}

    @property
    def meta(self) -> Mapping[str, Json]:
        """`_meta` of its parameters."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, Mapping) else {}


def read_message(text: bytes | str) -> Message:
    """One message. Raises ValueError for anything else, batches included: revisions since 2025-06-18 have none."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(members, dict) or members.get("jsonrpc") != "2.0":
        raise ValueError("not a JSON-RPC 2.0 message")
    identifier, method = members.get("id"), members.get("method", "")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int | None) or not isinstance(method, str):
        raise ValueError("its id or method is of a wrong type")  # noqa: TRY004  # one error for every surprise
    return Message(members, identifier, method)


def one_line(text: bytes) -> bytes:
    """A JSON text on one line, as stdio carries it: a line break in JSON is nothing but space."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ").strip()


def error_line(identifier: str | int | None, sentence: str) -> bytes:
    """An error as the answer to a request."""
    error: dict[str, Json] = {"code": _INTERNAL_ERROR, "message": sentence}
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "error": error}).encode("utf-8")


def mirrored_headers(message: Message) -> tuple[tuple[str, str], ...]:
    """The headers in which a stateless revision repeats what the body says (2026-07-28)."""
    version = message.meta.get(PROTOCOL_META)
    if not isinstance(version, str) or not message.method:
        return ()
    headers = [("mcp-protocol-version", version), ("mcp-method", message.method)]
    name = message.params.get(_NAMED_BY.get(message.method, ""))
    if isinstance(name, str):
        headers.append(("mcp-name", name if _is_plain(name) else mcp_header.encode(name)))
    return tuple(headers)


def _is_plain(text: str) -> bool:
    is_shown = all(" " <= character <= "~" for character in text)
    return bool(text) and is_shown and text == text.strip() and not mcp_header.is_encoded(text)
