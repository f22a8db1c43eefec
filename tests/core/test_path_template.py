from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.path_template import PathTemplate, Rank, read_template


def template(path: str) -> PathTemplate:
    return read_template(tuple(path[1:].split("/")))


def variables(path: str, request: str) -> dict[str, str] | None:
    reading = template(path).match(request[1:].split("/"))
    assert reading is None or reading.is_sure
    return reading and reading.variables


@pytest.mark.parametrize(
    ("path", "request_", "expected"),
    [
        ("/f/{path...}", "/f/a/b/c", {"path": "a/b/c"}),
        ("/f/{path...}", "/f/a", {"path": "a"}),
        ("/f/{path...}", "/f", None),
        ("/f/{path...}", "/f/", None),
        ("/f/{path...}", "/f/a/", None),
        ("/f/{path...}", "/f/a//b", None),
        ("/{path...}", "/a/b", {"path": "a/b"}),
        ("/{owner}/{path...}", "/o/a/b", {"owner": "o", "path": "a/b"}),
        ("/f/{id}.json", "/f/7.json", {"id": "7"}),
        ("/f/{id}.json", "/f/7.json.json", {"id": "7.json"}),
        ("/f/{id}.json", "/f/.json", None),
        ("/f/{id}.json", "/f/7.JSON", None),
        ("/{name}:cancel", "/a:b:cancel", {"name": "a:b"}),
        ("/v{major}", "/v2", {"major": "2"}),
        ("/{owner}@{version}", "/o@1", {"owner": "o", "version": "1"}),
        ("/{owner}@{version}", "/o@", None),
        ("/{owner}@{version}", "/@1", None),
        ("/{a}-{b}-{c}", "/1-2-3", {"a": "1", "b": "2", "c": "3"}),
        ("/{a}..{b}", "/x..y", {"a": "x", "b": "y"}),
    ],
)
def test_a_path_has_the_variables_of_its_template(path: str, request_: str, expected: dict[str, str] | None) -> None:
    assert variables(path, request_) == expected


@pytest.mark.parametrize(("path", "text"), [("/{a}-{b}", "x-y-z"), ("/{a}.{b}", "a.tar.gz"), ("/{a}--{b}", "x---y")])
def test_a_path_that_can_be_split_in_two_ways_is_not_sure(path: str, text: str) -> None:
    reading = template(path).match([text])
    assert reading is not None and not reading.is_sure


@pytest.mark.parametrize(
    "path", ["/{a}{b}", "/{a...}/b", "/a{b...}", "/{a}/{a}", "/{a}-{a}", "/{", "/a}", "/{1}", "/{a..}", "/é"]
)
def test_what_nobody_could_read_one_way_is_no_template(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        template(path)


LITERALS = st.text("ab.", max_size=2)
SEGMENTS = st.tuples(
    LITERALS, st.sampled_from(["", "{x}", "{x...}"]), LITERALS, st.sampled_from(["", "{y}"]), LITERALS
).map("".join)


def _template(segment: str) -> PathTemplate | None:
    try:
        return read_template((segment,))
    except ValueError:
        return None


TEMPLATES = SEGMENTS.map(_template).filter(lambda template: template is not None and not template.tail)
TEXTS = ["".join(characters) for length in range(6) for characters in product("ab.", repeat=length)]


def _ways(template: PathTemplate, text: str) -> list[tuple[str, ...]]:
    """Every way to split a text, by trying them all."""
    (segment,) = template.segments
    if not segment.variables:
        return [()] if text == segment.literals[0] else []
    lengths = product(range(1, len(text) + 1), repeat=len(segment.variables))
    ways = []
    for sizes in lengths:
        pattern = re.escape(segment.literals[0])
        for size, literal in zip(sizes, segment.literals[1:], strict=True):
            pattern += f"(.{{{size}}})" + re.escape(literal)
        match = re.fullmatch(pattern, text)
        if match is not None:
            ways.append(match.groups())
    return ways


@given(TEMPLATES)
def test_a_reading_is_sure_where_there_is_one_way_and_no_other(template: PathTemplate) -> None:
    for text in TEXTS:
        ways = _ways(template, text)
        reading = template.match([text])
        assert (reading is not None) is bool(ways)
        if reading is not None:
            assert tuple(reading.variables.values()) in ways
            assert reading.is_sure is (len(ways) == 1)


@given(TEMPLATES, TEMPLATES)
def test_two_templates_tie_where_a_path_matches_both_and_neither_comes_first(
    template: PathTemplate, rival: PathTemplate
) -> None:
    shared = any(template.match([text]) and rival.match([text]) for text in TEXTS)
    tied = template.may_tie(rival)
    assert tied is rival.may_tie(template)
    if shared and template.ranks == rival.ranks:
        assert tied
    if tied:
        assert template.ranks == rival.ranks


def test_the_ranks_order_templates_leftmost_first() -> None:
    paths = ["/a/b", "/a/{x}.b", "/a/{x}", "/a/{x}/{y...}", "/a/{x...}", "/{x}/b", "/{x...}"]
    ordered = sorted(paths, key=lambda path: template(path).ranks)
    assert ordered == paths
    assert template("/a/{x}.b").ranks == (Rank.LITERAL, Rank.MIXED)
