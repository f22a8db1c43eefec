"""Events of OCSF, held against the schema that OCSF publishes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aegis_authz.core.record import Record
from aegis_authz.siem.entry import Entry
from aegis_authz.siem.event import Parameters
from aegis_authz.siem.formats import Format, Shape
from tests.support.exported_records import ALLOWED, APPROVED, DENIED, EGRESS, EVERY, HELD, NOBODY, entries

SCHEMA = json.loads((Path(__file__).parents[1] / "support" / "schemas" / "ocsf.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
CALL, REST = (
    Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/class_{name}"}]})
    for name in ("api_activity", "base_event")
)


def ocsf(entry: Entry, parameters: Parameters = Parameters.NAMES) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(Shape(Format.OCSF, parameters, UTC, "1.0.0").event(entry, None).text)
    return event


def of(record: Record, parameters: Parameters = Parameters.NAMES) -> dict[str, Any]:
    return ocsf(entries((record,))[0], parameters)


@pytest.mark.parametrize("parameters", Parameters)
@pytest.mark.parametrize("entry", entries(), ids=lambda entry: type(entry.record).__name__)
def test_every_record_is_an_event_of_its_class(entry: Entry, parameters: Parameters) -> None:
    event = ocsf(entry, parameters)
    validator = CALL if event["class_uid"] == 6003 else REST
    assert [error.message for error in validator.iter_errors(event)] == []
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


@given(texts=st.lists(st.text(max_size=40), min_size=8, max_size=8), port=st.integers(0, 65535))
def test_whatever_an_agent_puts_into_names_the_event_is_valid(texts: list[str], port: int) -> None:
    tool, action, host, path, source, method, detail, request = texts
    record = replace(
        ALLOWED, tool=tool, action=action, host=host, path=path, source=source, method=method, detail=detail,
        request_id=request, port=port, parameters={tool: texts},
    )  # fmt: skip
    assert [error.message for error in CALL.iter_errors(of(record, Parameters.CLEAR))] == []


def test_the_schema_refuses_what_ocsf_does_not_have() -> None:
    event = of(DENIED)
    assert not VALIDATOR.is_valid({**event, "verdict": "deny"})
    assert not VALIDATOR.is_valid({**event, "action_id": 77})
    assert not VALIDATOR.is_valid({name: value for name, value in event.items() if name != "actor"})


@pytest.mark.parametrize(
    ("record", "action", "disposition", "status"),
    [
        (ALLOWED, "Allowed", "Allowed", "Success"),
        (DENIED, "Denied", "Blocked", "Failure"),
        (HELD, "Denied", "Blocked", "Failure"),
        (APPROVED, "Allowed", "Approved", "Success"),
    ],
)
def test_the_action_says_what_became_of_the_call(record: Record, action: str, disposition: str, status: str) -> None:
    event = of(record)
    assert (event["action"], event["disposition"], event["status"]) == (action, disposition, status)


def test_who_acted_for_whom_and_through_which_chain_is_told() -> None:
    event = of(ALLOWED)
    assert event["ai_agent"] == {
        "uid": "acme/emea/finance-agent",
        "name": "finance-agent",
        "type_id": 0,
        "instance_uid": "s-1",
    }
    assert event["actor"]["invoked_by"] == "ann"
    assert event["unmapped"]["aegis_actors"] == ["planner"]
    assert event["trace"] == {"uid": ALLOWED.trace_id}
    assert event["metadata"]["tenant_uid"] == "acme/emea"


def test_a_call_to_a_host_nobody_claims_is_an_alert() -> None:
    assert of(EGRESS)["is_alert"] is True and of(EGRESS)["severity"] == "High"
    assert of(NOBODY)["is_alert"] is False
    assert "ai_agent" not in of(NOBODY)


def test_the_attestation_is_that_of_the_line_that_raw_data_holds() -> None:
    first, second = entries((DENIED, ALLOWED))
    event = ocsf(second, Parameters.CLEAR)
    [attestation] = event["attestation_list"]
    covered = event["raw_data"][: event["raw_data"].rindex(',"hash":')].encode()
    before = bytes.fromhex(attestation["prev_event"]["fingerprint"]["value"])
    assert attestation["fingerprint"]["value"] == hashlib.sha256(b"aegis-record-v1\x00" + before + covered).hexdigest()
    assert before.hex() == ocsf(first)["attestation_list"][0]["fingerprint"]["value"]
    assert attestation["prev_event"]["uid"] == ocsf(first)["metadata"]["uid"]


def test_values_of_parameters_leave_only_when_they_are_asked_for() -> None:
    assert "50000" not in json.dumps(of(DENIED)) and of(DENIED)["api"]["request"]["data"] == {"names": ["amount"]}
    assert "data" not in of(DENIED, Parameters.NONE)["api"]["request"]
    assert of(DENIED, Parameters.CLEAR)["api"]["request"]["data"] == {"amount": 50000}


def test_every_kind_of_record_was_looked_at() -> None:
    assert len({type(record) for record in EVERY}) == 9
