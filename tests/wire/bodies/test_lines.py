from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.lines import MAX_LINES, read_lines


def refusal(body: bytes) -> Refused:
    with pytest.raises(Refused) as refused:
        read_lines(body)
    return refused.value


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        (b'{"a":1}\r\n[2]\r\n', [{"a": 1}, [2]]),
        (b'"last without an end"', ["last without an end"]),
    ],
)
def test_each_line_is_a_json_text(body: bytes, lines: list[object]) -> None:
    assert read_lines(body) == {"lines": lines}


@pytest.mark.parametrize(
    ("body", "reason", "problem"),
    [
        (b"", Reason.LINES_MALFORMED, "Line 1 is empty."),
        (b"1\n\n2\n", Reason.LINES_MALFORMED, "Line 2 is empty."),
        (b"1\n2\n\n", Reason.LINES_MALFORMED, "Line 3 is empty."),
        (b"1\n \t\n2\n", Reason.LINES_MALFORMED, "Line 2 is empty."),
        (b"1\r\n\r\n2\r\n", Reason.LINES_MALFORMED, "Line 2 is empty."),
        (b"1\n2,\n3\n", Reason.MALFORMED_CALL, "In line 2: Not JSON"),
        (b"[1\n2]\n", Reason.MALFORMED_CALL, "In line 1: Not JSON"),
        (b"1\r2\n", Reason.LINES_MALFORMED, "that some readers take for its end"),
        ('"a\u2028b"\n'.encode(), Reason.LINES_MALFORMED, "that some readers take for its end"),
        ('"a\u0085b"\n'.encode(), Reason.LINES_MALFORMED, "that some readers take for its end"),
        (b'{"a":1\n,"b":2}\n', Reason.MALFORMED_CALL, "In line 1: Not JSON"),
        (b'1\n{"a":1,"A":2}\n', Reason.DUPLICATE_KEY, "In line 2: An object in the JSON text names"),
        (b"1\n" * (MAX_LINES + 1), Reason.LINES_MALFORMED, "has more than 1000 lines."),
        ((b"[" + b"1," * 9_000 + b"1]\n") * 3, Reason.LINES_MALFORMED, "more values than can be judged"),
    ],
)
def test_what_readers_of_lines_read_differently_is_refused(body: bytes, reason: Reason, problem: str) -> None:
    refused = refusal(body)
    assert refused.reason is reason
    assert refused.fault is not None
    assert problem in refused.fault.problem


@given(
    st.lists(
        st.recursive(st.integers(-9, 9) | st.text(max_size=4), lambda part: st.lists(part, max_size=3)), min_size=1
    )
)
def test_what_was_written_line_by_line_is_read(values: list[object]) -> None:
    body = "\n".join(json.dumps(value) for value in values).encode()
    assert read_lines(body) == {"lines": values}


@given(st.binary(max_size=40) | st.from_regex(rb'[\[\]{}":,1\n\r ]{0,20}', fullmatch=True))
def test_any_bytes_are_a_value_or_one_refusal(body: bytes) -> None:
    try:
        lines = read_lines(body)["lines"]
    except Refused as refused:
        assert refused.reason in (Reason.LINES_MALFORMED, Reason.MALFORMED_CALL, Reason.DUPLICATE_KEY)
        return
    assert lines == [json.loads(line) for line in body.decode().splitlines()]
