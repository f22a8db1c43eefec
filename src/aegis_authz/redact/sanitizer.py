"""What the obligations of one direction do to a message, whatever it is framed in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from operator import itemgetter

from aegis_authz.core.decision import FilterTools, HideTools, Obligation, Redact, RedactionTerms, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.detectors.own import own_detectors
from aegis_authz.redact.detectors.table import detectors_named
from aegis_authz.redact.edits import at_origin, edited, moved
from aegis_authz.redact.fields import field_edits, in_lines, read_field
from aegis_authz.redact.finder import Finder
from aegis_authz.redact.forms import MARKER, FieldPlaces, form_edits
from aegis_authz.redact.json_text import JsonText, escaped, looks_like_json, unescaped
from aegis_authz.redact.opaque import decoded, encoded_members, has_encoded_names
from aegis_authz.redact.parts import FormPart
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement
from aegis_authz.redact.tools import Choice, choice_of, cut_down

FILTERED = "filter_tools"
LINES = "lines"
"""The member by which pointers lead into a body of JSON lines."""


def unhurried() -> None:
    """A `tick` for callers that have all the time."""


class Sanitizer:
    """Meets the obligations of one direction.

    `rpc_id` is the id of the JSON-RPC request, which must come back as it was; `is_rpc` says that the
    body is JSON-RPC. `tick` is called now and then and raises Refused when there is no time left. `counts` is what was
    redacted so far. Raises Refused(OBLIGATION_UNKNOWN) for a detector or field that is not known.
    """

    def __init__(
        self,
        obligations: Sequence[Obligation],
        target: Target,
        is_rpc: bool,
        rpc_id: Json,
        tick: Callable[[], None] = unhurried,
    ) -> None:
        redactions = [item for item in obligations if isinstance(item, Redact) and item.target is target]
        filters = [obligation for obligation in obligations if isinstance(obligation, FilterTools | HideTools)]
        terms = [item for item in obligations if isinstance(item, RedactionTerms) and item.target is target]
        self._redactor = _redactor(redactions, terms, tick)
        # several rules may say so; it passes only if none of them wants it withheld
        self._passes_opaque = bool(terms) and all(item.passes_opaque for item in terms)
        pointers = dict.fromkeys(pointer for item in redactions for pointer in item.fields)
        self._fields = tuple(map(read_field, pointers))
        self._redacts = bool(redactions or terms)
        self._rpc_id = rpc_id
        self._choice = choice_of(filters) if target is Target.RESPONSE else None
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
    def redactor(self) -> Redactor:
        """What redacts texts by the detectors alone."""
        return self._redactor

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each detector and field matched, and how many tools were taken away."""
        return dict(+self._redactor.counts)

    @property
    def filters_tools(self) -> bool:
        """Whether lists of tools are cut down to the allowed ones."""
        return self._choice is not None

    @property
    def has_fields(self) -> bool:
        """Whether JSON pointers name something to blank."""
        return bool(self._fields)

    @property
    def passes_opaque(self) -> bool:
        """Whether what cannot be looked at may pass."""
        return self._passes_opaque

    @property
    def needs_json(self) -> bool:
        """Whether there is something that can only be found in JSON."""
        return self.has_fields or self.filters_tools

    def json(self, data: bytes, judged: Sequence[Span] = ()) -> bytes:
        """Redact one JSON text; what is no JSON is searched as text. Detectors leave `judged` places alone.

        Raises Refused(MALFORMED_CALL) for what is no JSON where something must be found that only JSON has, or that
        holds NUL; Refused(POLICY_DENIED) for a request whose id, which must come back as it was, holds what must be
        redacted.
        """
        _refuse_nul(data)
        if not (self.needs_json or self._may_be_opened(data) or self.has_match(data)):
            return data  # without a look at its form: most bodies hold nothing
        text = JsonText.read(data)
        if text is None:
            if self.needs_json:
                raise Refused(Reason.MALFORMED_CALL, "what must be found in JSON, in something that is none")
            return self._redactor.text(data)
        if self._choice is not None:
            data, text, judged = self._changed(data, list(self._filtered(text, self._choice)), text, judged)
        if not self._redacts:
            return data
        if self._fields:
            data, text, judged = self._changed(data, list(self._blanked(data, text)), text, judged)
        if self._carries_rpc(data, text):
            data, text, judged = self._changed(data, list(self._opened(data, text)), text, judged)
        return self._redactor.json(data, [*self._kept(text), *judged])

    def suspects(self, texts: Sequence[bytes]) -> Iterator[int]:
        """Which of the texts must go through `json` or `text`: all others would come out as they are.

        In order, and each at once, for what was found in it is remembered until the next.
        """
        whole = b"\n".join(texts)
        if self.needs_json or b"\0" in whole or self._may_be_opened(whole):
            yield from range(len(texts))
            return
        for place, matches in sorted(self._redactor.suspects(texts).items(), key=itemgetter(0)):
            if matches is not None:
                self._redactor.recall(texts[place], matches)
            yield place

    def text(self, data: bytes) -> bytes:
        """Redact a text, as JSON if it is JSON. Raises Refused as `json` does."""
        if looks_like_json(data) or (self.has_fields and data.strip()):
            return self.json(data)
        _refuse_nul(data)
        return self._redactor.text(data)

    def form(self, data: bytes) -> bytes:
        """Redact a form as browsers send it. Raises Refused(MALFORMED_CALL) for fields in what is no form."""
        if looks_like_json(data):
            return self.json(data)
        _refuse_nul(data)
        if self._fields and data.strip():
            edits = form_edits(data, FieldPlaces(self._fields, self._redactor.counts))
            if edits is None:
                raise Refused(Reason.MALFORMED_CALL, "what must be found in a form, in something that is none")
            data = edited(data, list(edits))
        return self._redactor.form(data)

    def parts(self, data: bytes, parts: Sequence[FormPart]) -> bytes:
        """Redact a form of several parts: its fields, what its headers say, and files that are text.

        Raises Refused(MALFORMED_CALL) for a file that cannot be looked at and may not pass unseen.
        """
        places = FieldPlaces(self._fields, self._redactor.counts)
        edits: list[Replacement] = []
        for part in parts:
            head, content = data[slice(*part.head)], data[slice(*part.content)]
            edits.append(Replacement(*part.head, self._redactor.text(head)))
            edits.append(Replacement(*part.content, self._part(part, content, places)))
        return edited(data, edits)

    def _part(self, part: FormPart, content: bytes, places: FieldPlaces) -> bytes:
        if part.is_file and places.is_above(part.name):
            raise Refused(Reason.MALFORMED_CALL, "a file is redacted as a whole, and not by what is said of it")
        if places.names(part.name) and content:
            return MARKER
        if b"\0" in content:
            if part.is_file and self._passes_opaque:
                return content
            raise Refused(Reason.MALFORMED_CALL, "a part that cannot be looked at")
        return self.plain(content.decode("utf-8", "surrogateescape"), "" if part.is_file else part.name).encode(
            "utf-8", "surrogateescape"
        )

    def of_lines(self) -> Sanitizer:
        """The same for JSON texts that come one by one, each redacted by itself.

        A pointer is met in every way it may be meant: in each text as it stands there, from the object whose `lines`
        they are (`/lines/*/a` is `/a`, and `/lines` all of each), and from a list of them (`/*/a` is `/a`).
        """
        lines = copy(self)
        lines._fields = tuple(dict.fromkeys(reading for field in self._fields for reading in in_lines(field, LINES)))
        return lines

    def plain(self, text: str, label: str = "") -> str:
        """Redact a text by the detectors alone. `label` is what it is called, which may say what it means."""
        before = f"{label}: ".encode() if label else b""
        output = self._redactor.text(before + text.encode("utf-8", "surrogateescape"))
        return output.removeprefix(before).decode("utf-8", "surrogateescape")

    def plain_bytes(self, data: bytes) -> bytes:
        """Redact bytes by the detectors alone, whatever else is among them."""
        return self._redactor.text(data)

    def has_match(self, data: bytes) -> bool:
        """Whether detectors find anything in a text."""
        return self._redactor.has_match(data)

    def _may_be_opened(self, data: bytes) -> bool:
        return (self._is_rpc or b'"jsonrpc"' in data) and has_encoded_names(data)

    def _carries_rpc(self, data: bytes, text: JsonText) -> bool:
        return self._is_rpc or (
            b'"jsonrpc"' in data and any(_has_rpc_version(text, message) for message in _messages(text))
        )

    def _changed(
        self, data: bytes, edits: list[Replacement], text: JsonText, judged: Sequence[Span]
    ) -> tuple[bytes, JsonText, Sequence[Span]]:
        if not edits:
            return data, text, judged
        data = edited(data, edits)
        changed = JsonText.read(data)
        if changed is None:
            raise Refused(Reason.INTERNAL_FAULT, "an edit broke the JSON")
        return data, changed, moved(judged, edits)

    def _filtered(self, text: JsonText, choice: Choice) -> Iterator[Replacement]:
        for message in _messages(text):
            cut = cut_down(text, message, choice)
            self._redactor.counts[FILTERED] += cut.removed
            yield from cut.edits

    def _blanked(self, data: bytes, text: JsonText) -> Iterator[Replacement]:
        counts = self._redactor.counts
        if not self._carries_rpc(data, text):
            yield from field_edits(text, text.root, self._fields, counts)
            return
        for message in _messages(text):
            for member in text.members(message) if text.first_byte(message) == b"{" else ():
                if member.name in ("jsonrpc", "id"):
                    continue
                yield from self._in_member(text, member.name, member.value)
        yield from self._in_strings(data, text)

    def _in_member(self, text: JsonText, name: str, value: Span) -> Iterator[Replacement]:
        """Fields of a message are meant in what it carries: results, arguments; and as they are written."""
        counts = self._redactor.counts
        below = [field for field in self._fields if field.segments[:1] in ((name.casefold(),), ("*",))]
        yield from field_edits(text, value, (field.below() for field in below), counts)
        carried = {"result": "structuredcontent", "params": "arguments"}.get(name)
        for member in text.members(value) if carried and text.first_byte(value) == b"{" else ():
            if member.name.casefold() == carried:
                yield from field_edits(text, member.value, self._fields, counts)
        if carried and any(not field.segments for field in self._fields):
            yield Replacement(*value, b'"[REDACTED]"')

    def _in_strings(self, data: bytes, text: JsonText) -> Iterator[Replacement]:
        """Fields in JSON that stands inside strings, as MCP tools answer."""
        for start, end in text.strings():
            view = unescaped(data[start:end])
            content = JsonText.read(view.data)
            if content is None:
                raise Refused(Reason.MALFORMED_CALL, "text like JSON in which no field can be found")
            edits = field_edits(content, content.root, self._fields, self._redactor.counts)
            for edit in at_origin(edits, view, start):
                yield Replacement(edit.start, edit.end, escaped(edit.shown))

    def _opened(self, data: bytes, text: JsonText) -> Iterator[Replacement]:
        """MCP content in Base64: text in it is redacted, anything else refused."""
        for start, end in encoded_members(data, text):
            content = decoded(text.string((start - 1, end + 1)))
            if content is None and self._passes_opaque:
                continue
            if content is None:
                raise Refused(Reason.MALFORMED_CALL, "binary content cannot be redacted")
            output = self.text(content)
            if output != content:
                yield Replacement(start, end, base64.b64encode(output))

    def _kept(self, text: JsonText) -> list[Span]:
        """The places of ids that must come back as they were."""
        spans: list[Span] = []
        for message in _messages(text) if self._is_rpc else ():
            for member in text.members(message) if text.first_byte(message) == b"{" else ():
                if member.name != "id" or text.first_byte(member.value) != b'"':
                    continue
                # an answer is known by its id; one that is not the caller's own is redacted like all else
                if text.string(member.value) != self._rpc_id:
                    continue
                if self._target is Target.REQUEST and self.has_match(text.bytes_of(member.value)):
                    raise Refused(Reason.POLICY_DENIED, "the JSON-RPC id holds what must be redacted")
                spans.append(member.value)
        return spans


def redacted_text(text: str, obligations: Sequence[Obligation]) -> str:
    """A text without anything that any of the obligations has redacted, in whatever direction."""
    redactions = [obligation for obligation in obligations if isinstance(obligation, Redact)]
    terms = [obligation for obligation in obligations if isinstance(obligation, RedactionTerms)]
    output = _redactor(redactions, terms, unhurried).text(text.encode("utf-8", "surrogateescape"))
    return output.decode("utf-8", "surrogateescape")


def _redactor(redactions: Sequence[Redact], terms: Sequence[RedactionTerms], tick: Callable[[], None]) -> Redactor:
    detectors = detectors_named(name for item in redactions for name in item.detectors)
    own = own_detectors(dict.fromkeys(detector for item in terms for detector in item.own))
    finder = Finder({**detectors, **own}, is_loose=any(item.is_loose for item in terms), tick=tick)
    return Redactor(finder, numbers=any(item.numbers for item in terms))


def _messages(text: JsonText) -> list[Span]:
    """The values of a batch, or the one value; a list that is no batch counts as one value."""
    if text.first_byte(text.root) == b"[":
        elements = list(text.elements(text.root))
        if any(_has_rpc_version(text, element) for element in elements):
            return elements
    return [text.root]


def _has_rpc_version(text: JsonText, value: Span) -> bool:
    if text.first_byte(value) != b"{":
        return False
    return any(member.name == "jsonrpc" and text.bytes_of(member.value) == b'"2.0"' for member in text.members(value))


def _refuse_nul(data: bytes) -> None:
    if b"\0" in data:
        raise Refused(Reason.MALFORMED_CALL, "the text holds NUL, as binary data and UTF-16 do")
