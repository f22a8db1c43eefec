"""Pages show all of a call, as it is, or none of it; they hold no script and take no form but their own."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from starlette.requests import Request

from aegis_authz.approvals.statement import is_statement_of
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Form, Pages, problem_page
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.waiting import WaitingFilter, waiting_page
from aegis_authz.core.approval import Approval, ApprovalRequest, ApprovalState
from aegis_authz.core.person import Person
from tests.support.held_calls import HELD, REQUEST, held, requests

ANN, BEN = (Person(name, name, frozenset(), ()) for name in ("ann", "ben"))
PAGES = Pages(b"k" * 32, "https://aegis.acme.example/", "Acme")


def asked(headers: dict[str, str] | None = None, body: bytes = b"") -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    named = [(name.encode(), value.encode()) for name, value in (headers or {"cookie": "session=1"}).items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": named}, receive)


def page(approval: Approval, refusal: str = "") -> str:
    return bytes(PAGES.sheet(approval, ANN, asked(), refusal).body).decode()


class Reader(HTMLParser):
    """What a browser makes of a page: its tags, and the text of the call."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.call = ""
        self._is_call = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._is_call = (tag, dict(attrs).get("id")) == ("pre", "call")

    def handle_endtag(self, tag: str) -> None:
        self._is_call = self._is_call and tag != "pre"

    def handle_data(self, data: str) -> None:
        self.call += data if self._is_call else ""


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


@settings(max_examples=150)
@given(requests())
def test_any_call_is_shown_whole_and_changes_nothing_of_the_page(request_: ApprovalRequest) -> None:
    reader, plain = read(page(held(request_))), read(page(HELD))
    assert is_statement_of(reader.call, request_)
    assert [tag for tag, _ in reader.tags] == [tag for tag, _ in plain.tags]


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None)
@given(requests())
def test_any_of_ten_thousand_calls_is_shown_whole_on_the_page(request_: ApprovalRequest) -> None:
    assert is_statement_of(read(page(held(request_))).call, request_)


def test_the_page_holds_no_script_and_nothing_of_elsewhere() -> None:
    for text in (
        page(HELD),
        page(HELD, "no"),
        bytes(waiting_page([HELD], WaitingFilter("", "", "", 1), frame_of(asked())).body).decode(),
    ):
        reader = read(text)
        assert not {tag for tag, _ in reader.tags} & {"script", "iframe", "object", "embed", "img", "style"}
        names = {name for _, attributes in reader.tags for name in attributes}
        assert not {name for name in names if name.startswith("on")} | names & {"style", "srcdoc"}
        links = [
            value for _, entry in reader.tags for name, value in entry.items() if name in ("href", "src", "action")
        ]
        own = ("/approvals", "/audit/", "/decisions/", "/oversight", "/console/assets/")
        assert all(str(link).startswith(own) or link in ("/", "#main") for link in links)


def test_the_policy_of_the_content_allows_nobody_any_script() -> None:
    response = PAGES.sheet(HELD, ANN, asked(), "")
    policy = dict(part.strip().partition(" ")[::2] for part in response.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }


def test_what_an_agent_named_is_escaped_everywhere() -> None:
    sly = replace(REQUEST, tool="<script>alert(1)</script>", action='"><img src=x>', confirm=("<b>",))
    text = page(held(sly), "<i>")
    assert "<script" not in text
    assert "<img" not in text
    assert "<i>" not in text


@pytest.mark.parametrize("state", [state for state in ApprovalState if state is not ApprovalState.PENDING])
def test_what_is_settled_has_no_form(state: ApprovalState) -> None:
    text = page(replace(HELD, state=state, decided_by="ben"))
    assert "<form" not in text
    used = "Approved by ben; the call has been let through."
    assert (used if state is ApprovalState.USED else f"{state.value.capitalize()} by ben.") in text


def test_the_values_that_must_be_typed_are_asked_for_and_not_filled_in() -> None:
    inputs = [entry for tag, entry in read(page(held(replace(REQUEST, confirm=("payee",))))).tags if tag == "input"]
    (typed,) = [entry for entry in inputs if str(entry["name"]).startswith("value ")]
    assert (typed["name"], "value" in typed, typed["autocomplete"]) == ("value payee", False, "off")


def seal_of(text: str) -> str:
    (seal,) = re.findall(r'name="seal" value="([0-9a-f]{64})"', text)
    return html.unescape(seal)


async def form(**fields: str) -> Form:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return await Form.read(asked(headers, urlencode(fields).encode()))


async def test_a_form_is_taken_from_its_own_page_and_from_nowhere_else() -> None:
    own = await form(seal=seal_of(page(HELD)), verdict="approve")
    for headers in (
        {"cookie": "session=1"},
        {"cookie": "session=1", "origin": "https://aegis.acme.example", "sec-fetch-site": "same-origin"},
    ):
        PAGES.require_own(own, HELD, ANN, asked(headers))
    for person, approval, headers in (
        (BEN, HELD, {"cookie": "session=1"}),
        (ANN, held(replace(REQUEST, digest="e")), {"cookie": "session=1"}),
        (ANN, held(replace(REQUEST, id="apr_00" + "2" * 32)), {"cookie": "session=1"}),
        (ANN, HELD, {"cookie": "session=2"}),
        (ANN, HELD, {"authorization": "Bearer x"}),
        (ANN, HELD, {"cookie": "session=1", "origin": "https://evil.example"}),
        (ANN, HELD, {"cookie": "session=1", "origin": "null"}),
        (ANN, HELD, {"cookie": "session=1", "sec-fetch-site": "cross-site"}),
        (ANN, HELD, {"cookie": "session=1", "sec-fetch-site": "same-site"}),
    ):
        with pytest.raises(HttpProblem) as caught:
            PAGES.require_own(own, approval, person, asked(headers))
        assert caught.value.status == 403
    for seal in ("", "0" * 64, "\u00e9"):
        with pytest.raises(HttpProblem):
            PAGES.require_own(await form(seal=seal), HELD, ANN, asked())
    with pytest.raises(HttpProblem):
        Pages(b"j" * 32, "https://aegis.acme.example", "").require_own(own, HELD, ANN, asked())


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://Aegis.Acme.example:443/", "https://aegis.acme.example"),
        ("http://aegis.acme.example:80", "http://aegis.acme.example"),
        ("https://aegis.acme.example:8443/", "https://aegis.acme.example:8443"),
        ("http://[::1]:7300", "http://[::1]:7300"),
    ],
)
def test_the_origin_of_our_forms_is_as_a_browser_writes_it(public_url: str, origin: str) -> None:
    pages = Pages(b"k" * 32, public_url, "")
    pages.require_same_site(asked({"origin": origin}))
    with pytest.raises(HttpProblem):
        pages.require_same_site(asked({"origin": f"{origin}0"}))


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("application/x-www-form-urlencoded", b"a", 400),
        ("application/x-www-form-urlencoded", b"a=1&a=2", 400),
        ("application/x-www-form-urlencoded", b"a=\xff", 400),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 70_000, 413),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(65)), 400),
    ],
)
async def test_what_is_no_form_of_ours_is_refused(content_type: str, body: bytes, status: int) -> None:
    with pytest.raises(HttpProblem) as caught:
        await Form.read(asked({"content-type": content_type}, body))
    assert caught.value.status == status


async def test_a_reason_is_one_printable_line_of_a_bounded_length() -> None:
    assert (await form(note=" a\r\n b ")).text("note") == "a b"
    for note in ("x" * 501, "a\x00b", "a\u202eb"):
        with pytest.raises(HttpProblem):
            (await form(note=note)).text("note")


def test_a_problem_is_a_page_that_says_what_is_wrong() -> None:
    response = problem_page(HttpProblem(404, "there is no <such> approval"))
    text = bytes(response.body).decode()
    assert (response.status_code, "there is no &lt;such&gt; approval" in text) == (404, True)


async def test_a_form_about_anything_is_good_for_its_person_sign_in_and_words_alone() -> None:
    words = ("rollback", "r1")
    seal = PAGES.seal_of(words, ANN, asked())
    own = await form(seal=seal)
    PAGES.require_seal_of(own, words, ANN, asked())
    for others, person, request in (
        (("rollback", "r2"), ANN, asked()),
        (words, BEN, asked()),
        (words, ANN, asked({"cookie": "session=2"})),
        (words, ANN, asked({"cookie": "session=1", "origin": "https://evil.example"})),
    ):
        with pytest.raises(HttpProblem) as refused:
            PAGES.require_seal_of(own, others, person, request)
        assert refused.value.status == 403
    with pytest.raises(HttpProblem):
        PAGES.require_seal_of(await form(seal="\u00e9"), words, ANN, asked())
