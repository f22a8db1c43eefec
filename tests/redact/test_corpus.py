"""How much of what must be redacted is, and how little of what must not, in every kind of body."""

from __future__ import annotations

import json
import random
import re
from urllib.parse import unquote_plus

import pytest

from aegis_authz.core.decision import Redact, RedactionTerms, Target
from aegis_authz.redact.bodies import BodyFacts, filter_for
from aegis_authz.redact.detectors import credentials
from aegis_authz.redact.heads import judged_response_head
from aegis_authz.redact.sanitizer import Sanitizer
from tests.redact.redaction_corpus import FRAMES, MANY, SPELLINGS, VALUES, look_alike
from tests.redact.secret_corpus import SECRETS

_DATA = re.compile(rb"data: (\{.*\})")


def shown(content_type: str, body: bytes, name: str, is_loose: bool) -> bytes:
    obligations = (
        Redact(Target.RESPONSE, (name,), ()),
        RedactionTerms(Target.RESPONSE, is_loose, False, False, ()),
    )
    sanitizer = Sanitizer(obligations, Target.RESPONSE, False, None)
    chosen = filter_for(BodyFacts(200, (content_type,), (), False), sanitizer)
    return chosen.feed(body) + chosen.finish()


def text_of(content_type: str, body: bytes) -> str:
    """What a reader makes of a body."""
    if content_type == "text/event-stream" and b'"choices"' in body:
        events = [json.loads(data) for data in _DATA.findall(body)]
        return "".join(event["choices"][0]["delta"].get("content", "") for event in events)
    if content_type == "application/x-ndjson" and b'"done"' in body:
        lines = [json.loads(line) for line in body.splitlines()]
        return "".join(line.get("message", {}).get("content", "") for line in lines)
    if content_type == "application/x-www-form-urlencoded":
        return unquote_plus(body.decode())
    return body.decode()


QUICK = ("text", "form")
"""Bodies that are cheap to make and to search; the others are left to `make test-all`."""

EVERY_FRAME = [frame if frame in QUICK else pytest.param(frame, marks=pytest.mark.slow) for frame in FRAMES]


@pytest.mark.parametrize("frame", EVERY_FRAME)
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("is_loose", "least"), [(False, 0.80), (True, 0.95)], ids=["strict", "loose"])
def test_values_are_redacted(name: str, frame: str, is_loose: bool, least: float) -> None:
    chance = random.Random(f"{name}")  # noqa: S311  the same values in every run
    content_type, body_of = FRAMES[frame]
    missed = []
    for value in (VALUES[name](chance) for _ in range(MANY)):
        text = text_of(content_type, shown(content_type, body_of(value.text), name, is_loose))
        if f"[REDACTED:{name}]" not in text:
            missed.append(value.text)
    assert len(missed) <= (1 - least) * MANY, missed[:20]


@pytest.mark.parametrize("frame", EVERY_FRAME)
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("is_loose", [False, True], ids=["strict", "loose"])
def test_look_alikes_are_left(name: str, frame: str, is_loose: bool) -> None:
    chance = random.Random(f"like {name}")  # noqa: S311  the same look-alikes in every run
    content_type, body_of = FRAMES[frame]
    changed = []
    for text in (look_alike(name, chance) for _ in range(MANY)):
        body = body_of(text)
        seen = shown(content_type, body, name, is_loose)
        if text_of(content_type, seen) != text_of(content_type, body):
            changed.append(text)
    assert len(changed) <= 0.03 * MANY, changed[:20]


QUICK_SPELLINGS = ("entities",)
EVERY_SPELLING = [
    spelling if spelling in QUICK_SPELLINGS else pytest.param(spelling, marks=pytest.mark.slow)
    for spelling in SPELLINGS
]


@pytest.mark.parametrize("spelling", EVERY_SPELLING)
@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("is_loose", "least"), [(False, 0.80), (True, 0.95)], ids=["strict", "loose"])
def test_values_are_redacted_however_they_are_spelled(name: str, spelling: str, is_loose: bool, least: float) -> None:
    chance = random.Random(f"{name}")  # noqa: S311
    missed = []
    for value in (VALUES[name](chance) for _ in range(MANY)):
        text = SPELLINGS[spelling](value.text)
        if b"[REDACTED:%s]" % name.encode() not in shown("text/plain", f"see {text} there".encode(), name, is_loose):
            missed.append(text)
    assert len(missed) <= (1 - least) * MANY, missed[:20]


@pytest.mark.parametrize("spelling", EVERY_SPELLING)
@pytest.mark.parametrize("name", VALUES)
def test_look_alikes_are_left_however_they_are_spelled(name: str, spelling: str) -> None:
    chance = random.Random(f"like {name}")  # noqa: S311
    changed = []
    for text in (SPELLINGS[spelling](look_alike(name, chance)) for _ in range(MANY)):
        body = f"see {text} there".encode()
        if shown("text/plain", body, name, True) != body:
            changed.append(text)
    assert len(changed) <= 0.03 * MANY, changed[:20]


@pytest.mark.parametrize("name", VALUES)
def test_values_in_header_lines_are_redacted_and_look_alikes_left(name: str) -> None:
    sanitizer = Sanitizer((Redact(Target.RESPONSE, (name,), ()),), Target.RESPONSE, False, None)
    chance = random.Random(f"{name}")  # noqa: S311

    def line(text: str) -> str:
        value = " ".join(text.split()).encode("utf-8", "surrogateescape").decode("latin-1")
        return judged_response_head({"x-note": (value,)}, sanitizer).changed.get("x-note", "")

    missed = [value.text for value in (VALUES[name](chance) for _ in range(MANY)) if not line(value.text)]
    assert len(missed) <= 0.2 * MANY, missed[:20]
    changed = [text for text in (look_alike(name, chance) for _ in range(MANY)) if line(text)]
    assert len(changed) <= 0.03 * MANY, changed[:20]


@pytest.mark.parametrize("form", credentials.FORMS, ids=lambda form: form.head)
def test_every_form_of_a_secret_has_rows_which_are_found_whole(form: credentials.Form) -> None:
    chance = random.Random(form.head)  # noqa: S311
    tail = re.compile(form.tail.encode())
    rows = [secret(chance) for secret in SECRETS]
    having = [row for row in rows if tail.search(f"{row.before}{row.text}{row.after}".encode())]
    assert having
    for row in having:
        output = shown("text/plain", f"{row.before}{row.text}{row.after}".encode(), "secrets", False).decode()
        assert output == f"{row.before}[REDACTED:secrets]{row.after}"
