"""What is wrong with a JSON text, by line and column or by name, as the refusal of who sent it."""

from __future__ import annotations

import json

import orjson

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.folding import twin

_MOST_LOOKED_AT = 16 * 1024  # bytes; reading a text again to name its double member costs 250 ms a MiB


def malformed(detail: str, problem: str = "", at: str = "") -> Refused:
    """MALFORMED_CALL for a text. `problem` is for its author alone; where it is "", `detail` is for both."""
    return Refused(Reason.MALFORMED_CALL, detail, Fault("body", at, problem or f"The JSON text is refused: {detail}."))


def not_utf8(data: bytes, fault: UnicodeDecodeError) -> Refused:
    """MALFORMED_CALL for a byte that is no UTF-8."""
    before = data[: fault.start]
    at = _place(before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1)
    return malformed(f"not UTF-8 at byte {fault.start}", f"The JSON text is not UTF-8 at {at}.", at)


def not_json(data: bytes, fault: json.JSONDecodeError) -> Refused:
    """MALFORMED_CALL for a text that is no JSON. Tells in orjson's words, which say what was expected."""
    try:
        data.decode("utf-8", "strict")
        orjson.loads(data)
    except UnicodeDecodeError as undecodable:
        return not_utf8(data, undecodable)
    except orjson.JSONDecodeError as same:
        fault = same
    at = _place(fault.lineno, fault.colno)
    return malformed(f"not JSON: {fault.msg} at character {fault.pos}", f"Not JSON at {at}: {fault.msg}.", at)


def double_member(name: str | None) -> Refused:
    """DUPLICATE_KEY for a text with an object that names a member twice; `name` is None where it is not looked for."""
    subject = "a member" if name is None else f"the member {quoted(name)}"
    alike = "names that differ in case, width or what cannot be seen count as one"
    problem = f"An object in the JSON text names {subject} twice; {alike}."
    return Refused(Reason.DUPLICATE_KEY, "an object names a member twice", Fault("body", name or "", problem))


def first_double(names: list[str]) -> str | None:
    """The first of the names that some reader takes for one before it; None when there is none."""
    forms: set[str] = set()
    for name in names:
        form = twin(name)
        if form in forms:
            return name
        forms.add(form)
    return None


def double_member_in(data: bytes) -> Refused:
    """`double_member` for a text that has one, by name where the text is short enough to be read again."""
    doubles: list[str] = []

    def note(members: list[tuple[str, Json]]) -> None:
        name = first_double([name for name, _ in members])
        if name is not None:
            doubles.append(name)

    if len(data) <= _MOST_LOOKED_AT:
        json.loads(data, object_pairs_hook=note, parse_int=str, parse_float=str)
    return double_member(doubles[0] if doubles else None)


def _place(line: int, column: int) -> str:
    return f"line {line}, column {column}"
