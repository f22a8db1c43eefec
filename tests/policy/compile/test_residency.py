from __future__ import annotations

import pytest

from aegis_authz.policy.compile.residency import is_home_document, read_residency
from aegis_authz.policy.source.reader import read_source

HOME = frozenset({"acme/emea", "globex/*"})


def test_regions_are_told_in_one_document() -> None:
    texts = ("residency: {eu: {tenants: [a/b]}}", "residency: {us: {tenants: [a/c]}}")
    documents = [read_source(f"{place}.yaml", text)[0][0] for place, text in enumerate(texts)]
    residency, problems = read_residency(documents)
    assert residency is not None
    assert [problem.message for problem in problems] == [
        "regions are told in one document, and there is one (0.yaml:1)"
    ]


def test_all_of_an_org_here_and_one_of_its_tenants_there_is_an_error() -> None:
    text = "residency:\n  eu: {tenants: ['a/*']}\n  us: {tenants: [a/b, c/d]}\n  ap: {tenants: [c/d]}\n"
    _, problems = read_residency(read_source("regions.yaml", text)[0])
    assert [(problem.line, problem.message) for problem in problems] == [
        (3, "all tenants of 'a' are at home in 'eu': name them one by one there")
    ]


@pytest.mark.parametrize(
    ("document", "is_home"),
    [
        ({"org": "acme", "tenant": "emea", "agent": "*"}, True),
        ({"org": "acme", "tenant": "amer", "agent": "*"}, False),
        ({"org": "acme", "agent": "bot"}, True),
        ({"org": "ac*", "tenant": "em*", "agent": "bot"}, True),
        ({"org": "ac*", "tenant": "am*", "agent": "bot"}, False),
        ({"tenant": "amer", "agent": "bot"}, True),
        ({"org": "initech", "agent": "bot"}, False),
        ({"org": "globex", "tenant": "any", "agent": "bot"}, True),
        ({"agents": {"acme/emea/bot": {}}}, True),
        ({"agents": {"acme/amer/bot": {}, "initech/x/bot": {}}}, False),
        ({"template": "house-rules"}, None),
        ({"define": {}}, None),
        ({"trust": "corp"}, None),
        ({"org": 7, "agent": "bot"}, None),
        ([], None),
    ],
)
def test_of_which_region_a_document_is(document: object, is_home: bool | None) -> None:
    assert is_home_document(document, HOME) is is_home  # type: ignore[arg-type]  # what a file may hold


def test_agents_of_two_regions_in_one_document_cannot_be_told_apart() -> None:
    with pytest.raises(ValueError, match="of this region and of others"):
        is_home_document({"agents": {"acme/emea/bot": {}, "acme/amer/bot": {}}}, HOME)
