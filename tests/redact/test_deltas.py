"""Answers that models stream: a value cut in pieces is found, and every text arrives whole."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from aegis_authz.core.decision import OwnDetector, Redact, RedactionTerms, Target
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.redact.bodies import BodyFacts, filter_for
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.sanitizer import Sanitizer

VALUES = {
    "123-45-6789": "us_ssn",
    "\uff14111 1111 1111 1111": "credit_card",
    "4111111111111111": "credit_card",
    "DE89 3704 0044 0532 0130 00": "iban",
    "jo.do+x@mail.example.org": "email",
    "+49 (30) 1234-5678": "phone",
    "AKIAIOSFODNN7EXAMPLE": "secrets",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2lnbmF0dXJl": "secrets",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----": "secrets",
    "sk-proj-abcdefghij0123456789ABCDEFGH": "secrets",
}
SENTENCE = "Her number is {} as she said, 中文 and more."

Shape = Callable[[str], Json]


def chat(piece: str) -> Json:
    return {"id": "c1", "choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}


SHAPES: dict[str, tuple[Shape, tuple[str | int, ...], Json]] = {
    "chat": (
        chat,
        ("choices", 0, "delta", "content"),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ),
    "arguments": (
        lambda piece: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]},
        ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
    ),
    "responses": (
        lambda piece: {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": piece},
        ("delta",),
        {"type": "response.output_text.done", "item_id": "m", "output_index": 0},
    ),
    "messages": (
        lambda piece: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}},
        ("delta", "text"),
        {"type": "content_block_stop", "index": 0},
    ),
    "gemini": (
        lambda piece: {"candidates": [{"index": 0, "content": {"parts": [{"text": piece}]}}]},
        ("candidates", 0, "content", "parts", 0, "text"),
        {"candidates": [{"index": 0, "finishReason": "STOP"}]},
    ),
    "ollama": (
        lambda piece: {"message": {"role": "assistant", "content": piece}, "done": False},
        ("message", "content"),
        {"message": {"role": "assistant", "content": ""}, "done": True},
    ),
}


def sanitizer() -> Sanitizer:
    return Sanitizer((Redact(Target.RESPONSE, tuple(DETECTORS), ()),), Target.RESPONSE, False, None)


def shown(events: list[Json], content_type: str = "text/event-stream", at_once: int = 1) -> list[Json]:
    chosen = filter_for(BodyFacts(200, (content_type,), (), False), sanitizer())
    head, tail = ("data: ", "\n\n") if content_type == "text/event-stream" else ("", "\n")
    written = [(head + json.dumps(event) + tail).encode() for event in events]
    chunks = [b"".join(written[place : place + at_once]) for place in range(0, len(written), at_once)]
    body = b"".join(map(chosen.feed, chunks)) + chosen.finish()
    return [json.loads(line.removeprefix("data: ")) for line in body.decode().splitlines() if line]


def member(event: Json, path: tuple[str | int, ...]) -> str:
    for segment in path:
        if (isinstance(event, dict) and isinstance(segment, str) and segment in event) or (
            isinstance(event, list) and isinstance(segment, int) and segment < len(event)
        ):
            event = event[segment]
        else:
            return ""
    return event if isinstance(event, str) else ""


def pieces(text: str, cuts: list[int]) -> list[str]:
    return [text[start:end] for start, end in pairwise([0, *cuts, len(text)])]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_a_value_that_comes_in_pieces_is_redacted_and_the_text_arrives_whole(shape: str, value: str, size: int) -> None:
    make, path, end = SHAPES[shape]
    text = SENTENCE.format(value)
    events = [*map(make, pieces(text, list(range(size, len(text), size)))), end]
    types = ("application/x-ndjson",) if shape == "ollama" else ("text/event-stream", "application/x-ndjson")
    for content_type in types:
        for at_once in (1, 4, len(events)):
            out = shown(events, content_type, at_once)
            assert "".join(member(event, path) for event in out) == SENTENCE.format(f"[REDACTED:{VALUES[value]}]")
            assert len(out) <= len(events) + 1
            assert out[-1] == end or shape == "ollama"


@pytest.mark.parametrize("value", VALUES)
def test_a_value_cut_once_anywhere_is_redacted(value: str) -> None:
    for cut in range(1, len(value)):
        out = shown([chat(value[:cut]), chat(value[cut:])])
        assert "".join(member(event, SHAPES["chat"][1]) for event in out) == f"[REDACTED:{VALUES[value]}]"


@pytest.mark.parametrize("at_once", [1, 3])
def test_texts_at_once_are_kept_apart_and_end_each_for_itself(at_once: int) -> None:
    def both(first: str, second: str) -> Json:
        return {"choices": [{"index": 0, "delta": {"content": first}}, {"index": 1, "delta": {"content": second}}]}

    end: Json = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    events = [both("123-45", "a 234-5"), end, {"choices": [{"index": 1, "delta": {"content": "6-7890 b"}}]}]
    texts = {"0": "", "1": ""}
    for event in shown(events, at_once=at_once):
        assert isinstance(event, dict) and isinstance(event["choices"], list)
        for choice in event["choices"]:
            assert isinstance(choice, dict)
            texts[str(choice["index"])] += member(choice, ("delta", "content"))
    assert texts == {"0": "123-45", "1": "a [REDACTED:us_ssn] b"}


def test_random_pieces_of_prose_lose_nothing_and_wait_little() -> None:
    chance = random.Random(7)  # noqa: S311  the same pieces in every run
    text = "the quick brown fox, jumps over 12 lazy dogs; and nobody (not even 3 of them) minds. " * 20
    cuts = sorted(chance.sample(range(1, len(text)), 500))
    out = shown([*map(chat, pieces(text, cuts)), SHAPES["chat"][2]])
    texts = [member(event, SHAPES["chat"][1]) for event in out]
    assert "".join(texts) == text
    seen = 0
    for sent, piece in zip([*cuts, len(text)], texts, strict=False):
        seen += len(piece)
        assert sent - seen < 64


def test_plain_tokens_are_put_together_and_lines_are_not() -> None:
    chosen = filter_for(BodyFacts(200, ("text/event-stream",), (), False), sanitizer())
    body = b"".join(chosen.feed(b"data: %s\n\n" % token) for token in (b"is 123-", b"45-", b"6789", b" ok", b"[DONE]"))
    assert b"".join(line.removeprefix(b"data: ") for line in body.split(b"\n\n")).endswith(b"[DONE]")
    assert b"6789" not in body and b"[REDACTED:us_ssn]" in body
    lines = b"data: a whole line of a log, number 7\n\ndata: another line of the log, number 8\n\n"
    assert filter_for(BodyFacts(200, ("text/event-stream",), (), False), sanitizer()).feed(lines) == lines


def test_whole_messages_in_members_like_pieces_are_not_moved() -> None:
    events: list[Json] = [{"text": f"message number {n} of the whole conversation"} for n in range(3)]
    assert shown(events) == events


def test_a_key_without_end_is_swallowed_to_its_end() -> None:
    body = "".join(f"{n:064x}\n" for n in range(400))
    text = f"a -----BEGIN PRIVATE KEY-----\n{body}-----END PRIVATE KEY----- b"
    out = shown([*map(chat, pieces(text, list(range(50, len(text), 50)))), SHAPES["chat"][2]])
    assert "".join(member(event, SHAPES["chat"][1]) for event in out) == "a [REDACTED:secrets] b"


def test_a_token_longer_than_any_word_is_found() -> None:
    token = "eyJ" + "a1" * 1500 + ".eyJ" + "b2" * 400 + "." + "c3" * 40
    text = f"see {token} there"
    out = shown([*map(chat, pieces(text, list(range(7, len(text), 7)))), SHAPES["chat"][2]])
    assert "".join(member(event, SHAPES["chat"][1]) for event in out) == "see [REDACTED:secrets] there"


def test_events_without_a_match_stay_byte_for_byte() -> None:
    body = b': hi\nevent:x\nid:  7\ndata:{"a" :  1e0,\ndata: "b":"\\u00e9 \\/"}\n\nretry: 5\n\n'
    chosen = filter_for(BodyFacts(200, ("text/event-stream",), (), False), sanitizer())
    assert chosen.feed(body) + chosen.finish() == body


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_what_the_whole_text_shows_to_be_no_value_is_none_in_a_piece(size: int) -> None:
    text = "order a5146022977729191 of 2026"  # the letter says so, and may have gone out before the digits
    events = [*map(chat, pieces(text, list(range(size, len(text), size)))), SHAPES["chat"][2]]
    assert "".join(member(event, SHAPES["chat"][1]) for event in shown(events)) == text


LINES = "application/x-ndjson"


@pytest.mark.parametrize(
    "body",
    [b"1\n2\n3\n", b'"abc"\r\n"def"\r\n', b'1\n{"a":1}\n2\n{"a":2}\n3', b"a\n\nb\n", b"[DONE]\n1\n", b"\n"],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_plain_lines_come_back_as_the_lines_they_were(body: bytes, size: int) -> None:
    chosen = filter_for(BodyFacts(200, (LINES,), (), False), sanitizer())
    output = b"".join(chosen.feed(body[place : place + size]) for place in range(0, len(body), size)) + chosen.finish()
    assert sorted(output.splitlines()) == sorted(body.splitlines())
    assert b"{" in body or output == body


def test_an_end_of_a_line_in_two_chunks_is_no_part_of_a_plain_text() -> None:
    chosen = filter_for(BodyFacts(200, (LINES,), (), False), sanitizer())
    chunks = (b"a@examp\r", b"\n", b"le.org \r\n")
    assert b"".join(map(chosen.feed, chunks)) + chosen.finish() == b"[REDACTED:email]\r\n \r\n"


@pytest.mark.parametrize("blank", [b" ", b"\t"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_blank_by_itself_is_a_piece_of_a_plain_text(blank: bytes, at_once: bool) -> None:
    chosen = filter_for(BodyFacts(200, (LINES,), (), False), sanitizer())
    lines = [b"ssn\n", blank + b"\n", b"123456\n", b"789\n"]
    output = b"".join(map(chosen.feed, [b"".join(lines)] if at_once else lines)) + chosen.finish()
    assert output == b"ssn\n" + blank + b"\n[REDACTED:us_ssn]\n"


@pytest.mark.parametrize("content_type", ["text/event-stream", LINES])
def test_nul_in_pieces_of_a_plain_text_is_refused(content_type: str) -> None:
    head, tail = (b"data: ", b"\n\n") if content_type == "text/event-stream" else (b"", b"\n")
    chosen = filter_for(BodyFacts(200, (content_type,), (), False), sanitizer())
    pieces = [text.encode("utf-16-le") for text in ("ssn 123-", "45-6789 ")]
    with pytest.raises(Refused):
        chosen.feed(b"".join(head + piece + tail for piece in pieces))


def test_a_number_in_many_lines_is_redacted_however_they_come() -> None:
    body = b'{"a":1}\n123\n-45\n{"a":2}\n-67\n89\n{"a":3}\n'
    for size in range(1, len(body)):
        chosen = filter_for(BodyFacts(200, (LINES,), (), False), sanitizer())
        output = b"".join(chosen.feed(body[place : place + size]) for place in range(0, len(body), size))
        output += chosen.finish()
        assert sorted(output.splitlines()) == sorted([b'{"a":1}', b"[REDACTED:us_ssn]", b'{"a":2}', b'{"a":3}']), size


@pytest.mark.parametrize("content_type", ["text/event-stream", LINES])
@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_a_value_in_one_plain_event_is_redacted_whatever_stands_beside_it(content_type: str, at_once: int) -> None:
    chosen = filter_for(BodyFacts(200, (content_type,), (), False), sanitizer())
    head, tail = (b"data: ", b"\n\n") if content_type == "text/event-stream" else (b"", b"\n")
    events = [head + data + tail for data in (b"123-45-6789", b"123-45-6789", b"x 4", b"x a@b.co")]
    output = b"".join(chosen.feed(b"".join(events[place : place + at_once])) for place in range(0, 4, at_once))
    assert output + chosen.finish() == b"".join(
        head + data + tail for data in (b"[REDACTED:us_ssn]", b"[REDACTED:us_ssn]", b"x 4", b"x [REDACTED:email]")
    )


def test_pieces_stay_in_their_events_where_policy_defines_what_is_looked_for() -> None:
    own = RedactionTerms(Target.RESPONSE, False, False, False, (OwnDetector("ward", "W-[0-9]{4}", ""),))
    cleaner = Sanitizer((own,), Target.RESPONSE, False, None)
    chosen = filter_for(BodyFacts(200, (LINES,), (), False), cleaner)
    events = [json.dumps(chat(text)) + "\n" for text in ("is in ", "W-12", "34 ", "as said ")]
    output = chosen.feed("".join(events).encode()) + chosen.finish()
    texts = [member(json.loads(line), SHAPES["chat"][1]) for line in output.splitlines()]
    assert texts == ["is in ", "[REDACTED:ward]", " ", "as said "]


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_no_piece_alone_is_a_value_where_the_text_has_none(at_once: int) -> None:
    out = shown([chat("a"), chat("5146022977729191"), SHAPES["chat"][2]], at_once=at_once)
    texts = [member(event, SHAPES["chat"][1]) for event in out]
    assert "".join(texts) == "a5146022977729191"
    assert "5146022977729191" not in texts
