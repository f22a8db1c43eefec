"""Calls as people write them into files: one, a list, several documents, or one JSON object on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import ValidationError

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import call_faults
from aegis_authz.policy.language.validation import validated
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.places import Location, Places
from aegis_authz.policy.source.problems import MOST_IN_A_FILE, PolicyErrors, Problem
from aegis_authz.policy.source.reader import MAX_BYTES, SourceDocument, read_source
from aegis_authz.policy.source.texts import refused_text

_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class PlacedCall:
    """A call and where it begins in its file; line 0 where it was written in none."""

    call: TriedCall
    path: str
    line: int


def calls_of(path: str, text: str, loaded: Loaded) -> list[PlacedCall]:
    """Every call of a text, in order.

    `path` names the text in messages, and says by `.jsonl` that each line is a call; a text whose first line is a whole
    JSON object and which has a second one is read so, too. `loaded` is the catalogue the calls are made under. Raises
    PolicyErrors with every problem; a tool, action or parameter the catalogue does not have is one.
    """
    calls, problems = _lines_of(path, text, loaded) if _is_lines(path, text) else _documents_of(path, text, loaded)
    if not calls and not problems:
        problems = [Problem(path, 1, 1, "", "holds no call")]
    if problems:
        raise PolicyErrors(problems)
    return calls


def one_call(path: str, text: str, loaded: Loaded) -> PlacedCall:
    """The call of a text that must hold exactly one. Raises PolicyErrors."""
    calls = calls_of(path, text, loaded)
    if len(calls) > 1:
        second = calls[1].line
        raise PolicyErrors(
            [Problem(path, second, 1, "", f"holds {len(calls)} calls; only one can be explained at once")]
        )
    return calls[0]


def _is_lines(path: str, text: str) -> bool:
    if path.lower().endswith(_LINES):
        return True
    filled = (line for line in text.splitlines() if line.strip())
    first, second = next(filled, ""), next(filled, "")
    if not (first.startswith("{") and second.startswith("{")):
        return False
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _lines_of(path: str, text: str, loaded: Loaded) -> tuple[list[PlacedCall], list[Problem]]:
    calls: list[PlacedCall] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        call = _quickly(line, loaded)
        if call is not None:
            calls.append(PlacedCall(call, path, number))
            continue
        problems += _problems_of_line(path, number, line, loaded)
        if len(problems) > MOST_IN_A_FILE:
            break  # no more are told
    return calls, problems


def _quickly(line: str, loaded: Loaded) -> TriedCall | None:
    """The call of a line without fault. Whatever else the line is, it is read again with its places."""
    try:
        call = TriedCall.model_validate(strict_json.parse_object(line.encode("utf-8", "surrogatepass")))
    except (Refused, ValidationError):
        return None
    return call if next(call_faults(call, loaded), None) is None else None


def _problems_of_line(path: str, number: int, line: str, loaded: Loaded) -> list[Problem]:
    text = "\n" * (number - 1) + line
    early = refused_text(".json", text)  # which says that a text is no JSON
    if early is not None:
        return [replace(early, path=path)]
    _, problems = _documents_of(path, text, loaded)
    if problems:
        return problems
    try:
        strict_json.parse_object(line.encode())
    except Refused as refusal:
        return [Problem(path, number, 1, "", refusal.detail, line)]
    return [Problem(path, number, 1, "", "is no call", line)]


def _documents_of(path: str, text: str, loaded: Loaded) -> tuple[list[PlacedCall], list[Problem]]:
    documents, problems = read_source(path, text)
    if not documents and len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        message = f"larger than {MAX_BYTES} bytes; write one call on each line of a .jsonl file"
        return [], [replace(problems[0], message=message)]
    calls: list[PlacedCall] = []
    for source in documents:
        for at, element in _elements(source):
            call, wrong = validated(TriedCall, element)
            if call is not None:
                faults = call_faults(call, loaded)
                wrong += [
                    element.problem(location, message, on_key=location[:-1] == ("parameters",))
                    for location, message in faults
                ]
                place = element.at.get(())
                calls.append(PlacedCall(call, path, place.line if place is not None else 1))
            problems += [replace(problem, field=f"{at}.{problem.field}".strip(".")) for problem in wrong]
    return calls, problems


def _elements(source: SourceDocument) -> Iterator[tuple[str, SourceDocument]]:
    """The calls of a document, each as one of its own with the name of its place."""
    if source.broken:
        return  # the problem is told with the file
    if not isinstance(source.value, list):
        yield "", _unwrapped(replace(source, problems=()))
        return
    marks, start = source.places.marks, 1
    for position, element in enumerate(source.value):
        end = start + _marks_in(element)
        yield f"[{position}]", _unwrapped(_document_at(source, (position,), element, marks[start:end]))
        start = end


def _unwrapped(source: SourceDocument) -> SourceDocument:
    """What a document holds under `call`, as tests write it, when it holds nothing else."""
    if isinstance(source.value, dict) and source.value.keys() == {"call"}:
        return _document_at(source, ("call",), source.value["call"], source.places.marks[2:])
    return source


def _document_at(source: SourceDocument, at: Location, value: Json, marks: Sequence[int]) -> SourceDocument:
    depth = len(at)
    return SourceDocument(
        source.path,
        value,
        Places(source.places.text, value, list(marks)),
        doubtful=frozenset(location[depth:] for location in source.doubtful if location[:depth] == at),
        blank=tuple(location[depth:] for location in source.blank if location[:depth] == at),
    )


def _marks_in(value: Json) -> int:
    """How many places a value takes up: its own, and those of its keys and what they hold."""
    if isinstance(value, dict):
        return 1 + sum(1 + _marks_in(member) for member in value.values())
    return 1 + sum(map(_marks_in, value)) if isinstance(value, list) else 1
