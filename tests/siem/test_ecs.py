"""Documents of the Elastic Common Schema, held to the words that it allows."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest

from aegis_authz.core.record import Record
from aegis_authz.siem.entry import Entry
from aegis_authz.siem.event import Parameters
from aegis_authz.siem.formats import Format, Shape
from tests.support.exported_records import ALLOWED, APPROVED, DENIED, EGRESS, entries

# elastic.co/guide/en/ecs/current/ecs-allowed-values-event-kind.html and its neighbours
KINDS = {"alert", "asset", "enrichment", "event", "metric", "state", "pipeline_error", "signal"}
CATEGORIES = {
    "api",
    "authentication",
    "configuration",
    "iam",
    "intrusion_detection",
    "network",
    "process",
    "session",
    "web",
}
TYPES = {
    "iam": {"admin", "change", "creation", "deletion", "group", "info", "user", "allowed", "denied"},
    "api": {"access", "admin", "allowed", "change", "creation", "deletion", "denied", "end", "info", "start", "user"},
}
OUTCOMES = {"success", "failure", "unknown"}
ROOTS = {
    "@timestamp", "ecs", "observer", "event", "aegis", "message", "source", "user", "organization", "service", "rule",
    "http", "url", "destination", "trace",
}  # fmt: skip


def ecs(entry: Entry, parameters: Parameters = Parameters.NAMES) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(Shape(Format.ECS, parameters, UTC, "1.0.0").event(entry, None).text)
    return document


def of(record: Record, parameters: Parameters = Parameters.NAMES) -> dict[str, Any]:
    return ecs(entries((record,))[0], parameters)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: type(entry.record).__name__)
def test_every_record_is_a_document_of_allowed_words(entry: Entry) -> None:
    document = ecs(entry)
    event = document["event"]
    assert document.keys() <= ROOTS
    assert event["kind"] in KINDS and event["outcome"] in OUTCOMES
    assert set(event["category"]) <= CATEGORIES
    assert set(event["type"]) <= set().union(*(TYPES[category] for category in event["category"]))


def test_a_denied_call_says_who_what_and_by_which_rule() -> None:
    document = of(DENIED)
    assert document["event"]["type"] == ["access", "denied"] and document["event"]["reason"] == "POLICY_DENIED"
    assert document["user"] == {"id": "acme/emea/finance-agent", "name": "finance-agent", "domain": "acme/emea"}
    assert document["rule"]["name"] == "acme/emea/finance-agent" and document["rule"]["version"] == "r1"
    assert document["service"]["target"]["name"] == "stripe-payments"
    assert document["event"]["duration"] == 2_500_000


def test_alerts_are_alerts() -> None:
    assert of(EGRESS)["event"]["kind"] == "alert"
    assert of(ALLOWED)["event"]["kind"] == "event"


def test_an_approval_names_the_person_and_the_agent() -> None:
    assert of(APPROVED)["user"] == {
        "name": "ann",
        "target": {"id": "acme/emea/finance-agent", "name": "finance-agent"},
    }


def test_values_of_parameters_leave_only_when_they_are_asked_for() -> None:
    assert of(DENIED)["aegis"]["parameter_names"] == ["amount"] and "parameters" not in of(DENIED)["aegis"]
    assert of(DENIED, Parameters.CLEAR)["aegis"]["parameters"] == {"amount": 50000}
    assert of(DENIED, Parameters.NONE)["aegis"]["parameter_names"] == []
