"""JSON texts, one a line (NDJSON, JSON Lines), each read as strictly as a body of JSON."""

from __future__ import annotations

from aegis_authz.core.fault import Fault
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.json_outline import Outline

MAX_LINES = 1000
_OTHER_ENDS = tuple(end.encode() for end in ("\u0085", "\u2028", "\u2029"))
"""What Python's `splitlines` takes for the end of a line, too; those of ASCII no JSON text holds."""


def read_lines(data: bytes) -> dict[str, Json]:
    """All lines as the member `lines`.

    Raises Refused(LINES_MALFORMED) for an empty line, another end of line than LF or CRLF, and more than `MAX_LINES`
    lines or more values than `strict_json` takes in one text; and what it raises for a line.
    """
    if data.count(b"\n") > MAX_LINES:
        raise _malformed("", f"The body has more than {MAX_LINES} lines.")
    texts = data.removesuffix(b"\n").split(b"\n")
    outline = Outline(data)
    if outline.values + len(texts) > strict_json.MAX_VALUES or outline.members > strict_json.MAX_MEMBERS:
        raise _malformed("", "The lines hold more values than can be judged in one call.")
    if b"\r" not in data and not any(end in data for end in _OTHER_ENDS) and b"" not in texts:
        # the usual text, in which no line has to be looked at but by the reader of JSON, to which blanks are no text
        return {"lines": _read(texts)}
    texts = [text.removesuffix(b"\r") for text in texts]
    for number, text in enumerate(texts, 1):
        _refuse_doubt(text, f"line {number}")
    return {"lines": _read(texts)}


def _refuse_doubt(text: bytes, at: str) -> None:
    if b"\r" in text or any(end in text for end in _OTHER_ENDS):
        problem = f"{at.capitalize()} holds a character that some readers take for its end. Write it as \\uXXXX."
        raise _malformed(at, problem)
    if not text.strip(b" \t"):
        raise _malformed(at, f"{at.capitalize()} is empty.")


def _read(texts: list[bytes]) -> list[Json]:
    canonical = strict_json.parse_canonical(texts)
    if canonical is not None:
        return canonical
    values: list[Json] = []
    try:
        for text in texts:
            values.append(strict_json.parse(text))  # noqa: PERF401  # their number says which line is refused
    except Refused as refusal:
        at = f"line {len(values) + 1}"
        if not texts[len(values)].strip(b" \t"):
            raise _malformed(at, f"{at.capitalize()} is empty.") from None
        if refusal.fault is None:
            raise
        fault = Fault("body", at, f"In {at}: {refusal.fault.problem}")
        raise Refused(refusal.reason, refusal.detail, fault) from None
    return values


def _malformed(at: str, problem: str) -> Refused:
    return Refused(Reason.LINES_MALFORMED, "the lines cannot be read without doubt", Fault("body", at, problem))
