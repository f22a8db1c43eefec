"""Lines of the Common Event Format, read back as a collector reads them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.record import Record
from aegis_authz.siem.entry import Entry
from aegis_authz.siem.event import Parameters
from aegis_authz.siem.formats import Format, Shape
from tests.support.exported_records import ALLOWED, APPROVED, DENIED, entries


def cef(entry: Entry) -> tuple[list[str], dict[str, str]]:
    """The seven fields of the header, and the extension."""
    line = Shape(Format.CEF, Parameters.CLEAR, UTC, "1.0.0").event(entry, None).text
    assert len(line.splitlines()) == 1
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(parts) == 8
    pairs = re.findall(r"(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)", parts[7])
    return parts[:7], {
        key: re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], value) for key, value in pairs
    }


def of(record: Record) -> tuple[list[str], dict[str, str]]:
    return cef(entries((record,))[0])


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: type(entry.record).__name__)
def test_every_record_is_a_line(entry: Entry) -> None:
    header, extension = cef(entry)
    assert header[:4] == ["CEF:0", "Aegis", "aegis-authz", "1.0.0"]
    assert extension["externalId"] == entry.id and extension["cs1"] == entry.link.stated.hex()


def test_a_denial_and_an_approval_say_who_and_what() -> None:
    header, extension = of(DENIED)
    assert header[4:] == ["POLICY_DENIED", "call deny", "6"]
    assert extension["suser"] == "acme/emea/finance-agent" and extension["destinationServiceName"] == "stripe-payments"
    assert "50000" not in str(extension)
    header, extension = of(APPROVED)
    assert header[4] == "approval.approved" and extension["suser"] == "ann"


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_no_text_of_an_agent_makes_a_field_or_a_line_of_its_own(text: str) -> None:
    _, extension = of(replace(ALLOWED, path=text, tool=text))
    plain = dict(of(replace(ALLOWED, path="p", tool="t"))[1])
    assert extension.keys() == plain.keys()
    assert {**extension, "request": "p", "destinationServiceName": "t", "cs1": "", "externalId": ""} == {
        **plain, "cs1": "", "externalId": "",
    }  # fmt: skip
