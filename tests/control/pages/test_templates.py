"""Parts of pages: moments, badges, tables, filters and pagers, whatever text is in them."""

from __future__ import annotations

import pytest
from jinja2 import Environment

from aegis_authz.control.pages import templates
from aegis_authz.control.pages.frame import NOBODY, frame_for
from aegis_authz.control.pages.templates import address, page_of
from tests.support.people import person

SLY = """"'><script>alert(1)</script>"""


def part(call: str, **words: object) -> str:
    environment: Environment = templates._templates
    return environment.from_string(f'{{% import "parts.html" as parts %}}{call}').render(**words)


def test_a_moment_is_exact_for_programs_and_readable_for_people() -> None:
    text = part("{{ parts.time(1764545947.25) }}")
    assert text == '<time datetime="2025-11-30T23:39:07.250Z" data-utc>2025-11-30 23:39:07 UTC</time>'


@pytest.mark.parametrize(
    "call",
    [
        "{{ parts.badge(sly) }}",
        "{{ parts.badge(sly, sly) }}",
        "{{ parts.effect(sly) }}",
        "{% call parts.table(sly, [sly]) %}{{ sly }}{% endcall %}",
        '{{ parts.filters("/x", [{"name": sly, "label": sly, "value": sly, "choices": [sly]}]) }}',
        '{{ parts.filters(sly, [{"name": sly, "label": sly, "value": sly}]) }}',
        "{{ parts.pager(sly, sly) }}",
        "{% call parts.empty(sly) %}{{ sly }}{% endcall %}",
        "{% call parts.alert(sly, sly) %}{{ sly }}{% endcall %}",
    ],
)
def test_whatever_a_part_shows_is_text(call: str) -> None:
    text = part(call, sly=SLY)
    assert "<script" not in text
    assert "\"'>" not in text


def test_a_filter_is_kept_in_the_address_and_what_says_nothing_is_left_out() -> None:
    assert address("/agents", {"tenant": "acme/emea", "state": "", "after": None, "page": 2}) == (
        "/agents?tenant=acme%2Femea&page=2"
    )
    assert address("/agents", {"tenant": ""}) == "/agents"
    form = part(
        '{{ parts.filters("/x", [{"name": "effect", "label": "e", "value": "deny", "choices": ["allow", "deny"]}]) }}'
    )
    assert '<option value="deny" selected>' in form
    assert '<a href="/x">Show all</a>' in form


def test_scripts_are_for_whoever_is_signed_in_and_come_from_this_server() -> None:
    reader = frame_for(person("eve", "owner"), "/approvals")
    for frame, is_with in ((NOBODY, False), (reader, True)):
        page = page_of("nothing.html", 200, frame)
        policy = page.headers["content-security-policy"]
        assert ("script-src 'self'" in policy) is is_with
        assert "unsafe" not in policy
        assert (b"<script src=" in page.body) is is_with
        assert b"<script>" not in page.body
