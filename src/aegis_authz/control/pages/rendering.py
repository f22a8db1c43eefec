"""How pages are rendered, and which forms are taken."""

from __future__ import annotations

import hmac
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.approvals.comparison import NO_PAST, Past
from aegis_authz.approvals.statement import is_statement_of, statement_digest, statement_text
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.frame import NOBODY, frame_for, frame_of
from aegis_authz.control.pages.templates import page_of
from aegis_authz.control.pages.waiting import call_row
from aegis_authz.core.approval import Approval, ApprovalState
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Person
from aegis_authz.notices.words import ascii_line, explanation, headline, outcome

_DEFAULT_PORTS = {"http": 80, "https": 443}
_MOST_BYTES = 64 * 1024
_MOST = 64  # fields
_MOST_ROWS = 200
_MOST_CHANGES = 40
_APPROVAL = re.compile(r"/approvals/(apr_[0-9a-f]{34})")
_CALL = re.compile(r'<pre id="call">(.*?)</pre>', re.DOTALL)
_ADVICE = {
    400: "Go back, correct what you wrote, and send it again.",
    403: "Somebody with that role can do it, or can give you the role. A form that has become old is had again by "
    "opening its page anew.",
    404: "It may be over, or its address may be cut short. Begin from its list.",
    409: "Look at the page again: what it is about has changed meanwhile.",
    413: "Send less at once.",
    429: "Wait a little, and try again.",
    503: "Nothing was lost that was shown as done. Try again in a moment; `aegis doctor` says what is away.",
}
_ELSE = "Try again; if it stays so, the log of the control plane says more."
_TYPED = "value "
"""Before the names of fields in which values of the call are typed."""


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, each once."""

    fields: Mapping[str, str]

    @classmethod
    async def read(cls, request: Request, most_bytes: int = _MOST_BYTES) -> Form:
        """Read the body of a form. Raises HttpProblem with 400, 413 or 415."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/x-www-form-urlencoded":
            raise HttpProblem(415, "the body must be a form")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                raise HttpProblem(413, f"the form is larger than {most_bytes} bytes")
        try:
            text = body.decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=_MOST)
        except ValueError:
            raise HttpProblem(400, "the body is no form") from None
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise HttpProblem(400, "a field of the form is there twice")
        return cls(fields)

    def text(self, name: str) -> str:
        """The field on one line, "" where it is not there. Raises HttpProblem for one that is too long."""
        value = " ".join(self.fields.get(name, "").split())
        if len(value) > MOST_NOTE or not value.isprintable():
            raise HttpProblem(400, f"{name} must be at most {MOST_NOTE} printable characters")
        return value

    def values(self) -> dict[str, str]:
        """What was typed of the call's values, by the names of its parameters."""
        return {name.removeprefix(_TYPED): value for name, value in self.fields.items() if name.startswith(_TYPED)}


class Pages:
    """Renders pages. `key` seals forms: one is good for the sign-in, the approval and the call it was rendered for."""

    def __init__(self, key: bytes, public_url: str, provider: str) -> None:
        """`provider` is what they call where people sign in elsewhere, "" for nowhere."""
        self._key = key
        self._provider = provider
        self._origin = _origin(public_url)

    def sign_in(self, to: str) -> Response:
        """The form by which one signs in, to go on to that approval, "" for the first page."""
        return page_of("sign_in.html", 200, to=to, provider=self._provider)

    def sign_in_link(self, person_id: str, code: str) -> Response:
        """The form that uses a link up, and says as whom one is signed in by it."""
        return page_of("sign_in_link.html", 200, person=ascii_line(person_id), person_id=person_id, code=code)

    def signed_in(self, person: Person, to: str) -> Response:
        """Who one is now, and by itself on to that approval, "" for the first page.

        A page in between: a browser that comes from a provider shows a strict cookie to no redirection.
        """
        path = f"/approvals/{to}" if to else "/"
        return page_of("signed_in.html", 200, frame_for(person, path), person=ascii_line(person.id), path=path)

    def command(self, person: Person, words: Sequence[str], request: Request) -> Response:
        """The question whether a command may act as this person; `words` are what the command asks with."""
        port, challenge, state = words
        seal = self._sealed(("command", *words, person.id), request)
        content = {"port": port, "challenge": challenge, "state": state, "person": ascii_line(person.id)}
        return page_of("command.html", 200, frame_of(request), seal=seal, **content)

    def require_own_command(self, form: Form, person: Person, words: Sequence[str], request: Request) -> None:
        """Refuse a form of another site, or of another question. Raises HttpProblem."""
        self.require_same_site(request)
        seal = form.fields.get("seal", "").encode("utf-8")
        if not hmac.compare_digest(seal, self._sealed(("command", *words, person.id), request).encode("ascii")):
            raise HttpProblem(403, "this form is not of a page that was shown to you now; open the page again")

    def let_in(self, url: str) -> Response:
        """That a command was let in; by itself on to that command, which listens on this machine."""
        return page_of("command_done.html", 200, url=url)

    def sign_out(self) -> Response:
        """The form by which one signs out."""
        return page_of("sign_out.html", 200, is_done=False, provider="")

    def signed_out(self, provider: str) -> Response:
        """That one is signed out; and the URL where one signs out at the provider, "" for none."""
        return page_of("sign_out.html", 200, is_done=True, provider=provider)

    def sheet(
        self, approval: Approval, person: Person, request: Request, refusal: str, past: Past = NO_PAST
    ) -> Response:
        """One call, whole, with the form to decide it; `refusal` says why the last form was not taken.

        What does not read back from the page as this very call is not shown, and cannot be decided here.
        """
        held = approval.request
        content: dict[str, object] = {
            "id": held.id,
            "headline": headline(held),
            "explanation": explanation(held),
            "outcome": outcome(approval),
            "asked": held.requested_at,
            "decision_id": ascii_line(held.decision_id),
            "revision": ascii_line(held.revision),
            "session": ascii_line(held.session),
            "approved_by": ", ".join(map(ascii_line, approval.approved_by)),
            "person": ascii_line(person.id),
            "refusal": ascii_line(refusal),
            "confirm": [{"field": f"{_TYPED}{name}", "label": ascii_line(name)} for name in held.confirm],
            "seal": self.seal(approval, person, request),
            "is_open": approval.state is ApprovalState.PENDING,
            "call": statement_text(held),
            "most_note": MOST_NOTE,
            **_past(past),
        }
        response = page_of("approval.html", 409 if refusal else 200, frame_of(request), **content)
        match = _CALL.findall(bytes(response.body).decode("utf-8"))
        if len(match) != 1 or not is_statement_of(html.unescape(match[0]), held):
            return problem_page(
                HttpProblem(500, "this call cannot be shown as it is, and so not be decided here"), request
            )
        return response

    def require_own(self, form: Form, approval: Approval, person: Person, request: Request) -> None:
        """Refuse a form that another site sent, or that was rendered for somebody or something else.

        Raises HttpProblem.
        """
        self.require_same_site(request)
        seal = form.fields.get("seal", "").encode("utf-8")
        if not hmac.compare_digest(seal, self.seal(approval, person, request).encode("ascii")):
            raise HttpProblem(403, "this form is not of a page that was shown to you now; open the page again")

    def require_same_site(self, request: Request) -> None:
        """Refuse a form that a page of another site sent. Raises HttpProblem."""
        sites = request.headers.getlist("sec-fetch-site")
        origins = request.headers.getlist("origin")
        if any(site != "same-origin" for site in sites) or any(origin != self._origin for origin in origins):
            raise HttpProblem(403, "this form is of another site")

    def seal(self, approval: Approval, person: Person, request: Request) -> str:
        """What a form about that call must bring back."""
        parts = (
            approval.request.id,
            statement_digest(approval.request),
            person.id,
        )
        return self._sealed(parts, request)

    def seal_of(self, words: Sequence[str], person: Person, request: Request) -> str:
        """What a form about that which the words name must bring back: it is good for this person and sign-in."""
        return self._sealed(("form", *words, person.id), request)

    def require_seal_of(self, form: Form, words: Sequence[str], person: Person, request: Request) -> None:
        """Refuse a form of another site, or that was rendered for somebody or something else. Raises HttpProblem."""
        self.require_same_site(request)
        seal = form.fields.get("seal", "").encode("utf-8", "surrogatepass")
        if not hmac.compare_digest(seal, self.seal_of(words, person, request).encode("ascii")):
            raise HttpProblem(403, "this form is not of a page that was shown to you now; open the page again")

    def url(self, path: str) -> str:
        """The URL of a page, as people reach it."""
        return f"{self._origin}{path}"

    def _sealed(self, words: Sequence[str], request: Request) -> str:
        parts = (*words, request.headers.get("cookie", ""), request.headers.get("authorization", ""))
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()


def _past(past: Past) -> dict[str, object]:
    calls = [{**call_row(call.request), "outcome": ascii_line(outcome(call))} for call in past.calls]
    last = None if past.last is None else {**call_row(past.last.request), "outcome": ascii_line(outcome(past.last))}
    changes = [
        {"place": ascii_line(change.place), "before": change.before, "now": change.now}
        for change in past.differences[:_MOST_CHANGES]
    ]
    return {"calls": calls, "last": last, "changes": changes, "more_changes": len(past.differences) - len(changes)}


def problem_page(problem: HttpProblem, request: Request | None = None) -> Response:
    """A problem as a page that a person can read, and what to do next.

    Whoever is nobody yet is led to sign in, and back to the approval whose page was asked for.
    """
    match = None if request is None else _APPROVAL.fullmatch(request.url.path)
    to = match.group(1) if match is not None else ""
    is_nobody = problem.status == 401
    response = page_of(
        "problem.html",
        problem.status,
        NOBODY if request is None or is_nobody else frame_of(request),
        detail=problem.document.detail,
        advice=_ADVICE.get(problem.status, _ELSE),
        is_nobody=is_nobody,
        to=to,
    )
    if is_nobody:
        response.headers["www-authenticate"] = 'Bearer realm="aegis"'
    return response


def _origin(url: str) -> str:
    """The origin of a URL as browsers write it (RFC 6454 section 6.2)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    is_usual = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
    return f"{parts.scheme}://{host}" if is_usual else f"{parts.scheme}://{host}:{parts.port}"
