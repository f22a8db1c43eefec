"""What the obligations of one direction do to a message, whatever it is framed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from aegis_authz.core.decision import FilterTools, Obligation, Redact, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.redact.detectors.table import detectors_named
from aegis_authz.redact.fields import blank_fields, blank_members, read_field
from aegis_authz.redact.json_redactor import JsonRedactor, looks_like_json
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.text.topics import NO_TOPICS, Topics

FILTERED = "filter_tools"
_JSON_STARTS = ("{", "[", '"')


class Sanitizer:
    """Meets the obligations of one direction.

    `rpc_id` is the id of the JSON-RPC request, which must come back as it was; `is_rpc` says that the
    body is JSON-RPC. `counts` is what was redacted so far. Raises Refused(OBLIGATION_UNKNOWN) for a
    detector or field that is not known.
    """

    def __init__(self, obligations: Sequence[Obligation], target: Target, is_rpc: bool, rpc_id: Json) -> None:
        redactions = [item for item in obligations if isinstance(item, Redact) and item.target is target]
        filters = [item for item in obligations if isinstance(item, FilterTools) and target is Target.RESPONSE]
        self._redactor = Redactor(detectors_named(name for item in redactions for name in item.detectors))
        pointers = dict.fromkeys(pointer for item in redactions for pointer in item.fields)
        self._fields = tuple(map(read_field, pointers))
        self._plain = JsonRedactor(self._redactor, (), opaque=False)
        self._rpc = JsonRedactor(self._redactor, self._fields, opaque=True)
        self._redacts = bool(redactions)
        self._rpc_id = rpc_id
        self._allowed = frozenset.intersection(*(frozenset(item.allowed) for item in filters)) if filters else None
        self._is_rpc = is_rpc
        self._target = target

    @property
    def is_rpc(self) -> bool:
        """Whether the body must be JSON-RPC."""
        return self._is_rpc

    @property
    def has_work(self) -> bool:
        """Whether any obligation concerns this direction."""
        return self._redacts or self.filters_tools

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each detector and field matched, and how many tools were taken away."""
        return dict(+self._redactor.counts)

    @property
    def filters_tools(self) -> bool:
        """Whether lists of tools are cut down to the allowed ones."""
        return self._allowed is not None

    @property
    def has_fields(self) -> bool:
        """Whether JSON pointers name something to blank."""
        return bool(self._fields)

    @property
    def needs_json(self) -> bool:
        """Whether there is something that can only be found in JSON."""
        return self.has_fields or self.filters_tools

    def json(self, data: bytes) -> bytes:
        """Redact one JSON text and write it anew.

        Raises Refused(MALFORMED_CALL or DUPLICATE_KEY) for what two readers could take differently, and
        Refused(POLICY_DENIED) for a request whose id, which must come back as it was, holds what must be redacted.
        """
        return orjson.dumps(self._value(strict_json.parse(data)))

    def text(self, text: str) -> str:
        """Redact a text, as JSON if it is JSON. Raises Refused when it is JSON of a doubtful kind."""
        if text.lstrip()[:1] in _JSON_STARTS:
            try:
                return self.json(text.strip().encode("utf-8")).decode("utf-8")
            except Refused as refused:
                doubtful = self.needs_json and looks_like_json(text)
                if doubtful or refused.reason is not Reason.MALFORMED_CALL:
                    raise
        return self.plain(text)

    def plain(self, text: str, topics: Topics = NO_TOPICS) -> str:
        """Redact a text by the detectors alone."""
        return self._redactor.text(text, topics)

    def _value(self, value: Json) -> Json:
        if isinstance(value, list) and any(map(_is_rpc_message, value)):
            return [self._value(item) for item in value]
        if self._allowed is not None and isinstance(value, dict):
            value = self._without_tools(value, self._allowed)
        if not self._redacts:
            return value
        if isinstance(value, dict) and (self._is_rpc or _is_rpc_message(value)):
            return self._message(value)
        return self._plain.value(blank_fields(value, self._fields, self._redactor.counts))

    def _message(self, message: dict[str, Json]) -> dict[str, Json]:
        kept = {name: message[name] for name in ("jsonrpc", "id") if self._is_kept(name, message)}
        if self._target is Target.REQUEST and self._plain.value(kept) != kept:
            raise Refused(Reason.POLICY_DENIED, "the JSON-RPC id holds what must be redacted")
        rest = {name: inner for name, inner in message.items() if name not in kept}
        for holder, member in (("result", "structuredContent"), ("params", "arguments")):
            inside = rest.get(holder)
            if isinstance(inside, dict) and member in inside:
                blanked = blank_fields(inside[member], self._fields, self._redactor.counts)
                rest[holder] = {**inside, member: blanked}
        redacted = self._rpc.members(blank_members(rest, self._fields, self._redactor.counts))
        return {**kept, **redacted}

    def _is_kept(self, name: str, message: dict[str, Json]) -> bool:
        if name == "jsonrpc":
            return message.get(name) == "2.0"
        # an answer is known by its id; one that is not the caller's own is redacted like all else
        return self._is_rpc and name in message and message[name] in (None, self._rpc_id)

    def _without_tools(self, message: dict[str, Json], allowed: frozenset[str]) -> dict[str, Json]:
        result = message.get("result")
        if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
            return message
        tools = result["tools"]
        kept = [tool for tool in tools if isinstance(tool, dict) and tool.get("name") in allowed]
        self._redactor.counts[FILTERED] += len(tools) - len(kept)
        private: dict[str, Json] = {**result, "tools": kept}
        if "cacheScope" in result:
            private["cacheScope"] = "private"  # the list is this agent's own
        return {**message, "result": private}


def _is_rpc_message(value: Json) -> bool:
    return isinstance(value, dict) and value.get("jsonrpc") == "2.0"
