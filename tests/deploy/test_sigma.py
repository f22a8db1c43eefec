"""The rules of deploy/sigma: each fires on what it is about, and keeps quiet where that is not so.

They run as SQL over exported events, as pySigma compiles them (`make sigma`).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest
import yaml

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CutRecord, Record
from aegis_authz.demo.use_cases.sigma import alerts, sigma_rules
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.siem.entry import Entry, read_entry
from aegis_authz.siem.event import Parameters
from aegis_authz.siem.formats import Format, Shape
from aegis_authz.siem.occasion import Uses
from tests.support.exported_records import ALLOWED, APPROVED, DENIED, REFUSALS, entries, payment

SIGMA = Path(__file__).resolve().parents[2] / "deploy" / "sigma"
RULES = {path.stem: [*yaml.safe_load_all(path.read_text("utf-8"))] for path in sorted(SIGMA.glob("*.yml"))}
DEMO = Path(__file__).parent / "demo_records.jsonl"
"""The records of one `aegis demo`, of its authorizers and its control plane."""
COMPILED = {rule.name: rule for rule in sigma_rules(SIGMA)}
SHAPE = Shape(Format.JSON, Parameters.CLEAR, UTC, "1.0.0")
NIGHT = APPROVED.time - 6 * 3600  # two o'clock of a friday

FIRES: dict[str, tuple[Record, ...]] = {
    "write-below-etc": (replace(ALLOWED, parameters={"path": "/etc/passwd"}),),
    "destination-outside-the-allowlist": (replace(DENIED, reason=Reason.EGRESS_DENIED),),
    "forged-or-replayed-token": (replace(REFUSALS, reason=Reason.CREDENTIAL_INVALID),),
    "tool-never-used-before": (ALLOWED,),
    "off-hours": (replace(APPROVED, time=NIGHT),),
    "agent-quarantined": (replace(DENIED, quarantined_until=DENIED.time + 900),),
    "budget-at-80-percent": (ALLOWED,),
    "budget-used-up": (replace(ALLOWED, charges=(ALLOWED.charges[0]._replace(used=100, left=0),)),),
    "mesh-fails-closed": (replace(DENIED, reason=Reason.STORE_UNAVAILABLE),),
    "records-cut": (CutRecord(DENIED.time, 40, "00000001-300.0.torn"),),
    "denial-burst": tuple(payment(number) for number in range(20)),
    "approvals-in-a-row": tuple(replace(APPROVED, time=APPROVED.time + number) for number in range(5)),
}
QUIET: dict[str, tuple[Record, ...]] = {
    "write-below-etc": (replace(DENIED, parameters={"path": "/etc/passwd"}), ALLOWED),
    "tool-never-used-before": (DENIED,),
    "off-hours": (APPROVED, replace(APPROVED, time=NIGHT, step=APPROVED.step.DENIED)),
    "denial-burst": tuple(replace(DENIED, time=DENIED.time + 4 * number) for number in range(40)),
    "approvals-in-a-row": tuple(replace(APPROVED, time=APPROVED.time + 20 * number) for number in range(9)),
    "agent-quarantined": (DENIED,),
    "budget-used-up": (replace(ALLOWED, effect=Effect.DENY, reason=Reason.BUDGET_EXCEEDED),),
}


def hits(name: str, exported: Iterable[Entry], uses: Uses) -> int:
    """How often a rule fires on the events of these records."""
    events = [json.loads(SHAPE.event(entry, uses).text) for entry in exported]
    return sum(alert.hits for alert in alerts([COMPILED[name]], events))


@pytest.mark.parametrize("name", RULES)
def test_a_rule_fires_on_what_it_is_about(name: str) -> None:
    assert hits(name, entries(FIRES[name]), Uses()) >= 1


@pytest.mark.parametrize("name", QUIET)
def test_a_rule_keeps_quiet_where_that_is_not_so(name: str) -> None:
    assert hits(name, entries(QUIET[name]), Uses()) == 0


PLAYED = {
    "agent-quarantined",
    "budget-at-80-percent",
    "budget-used-up",
    "destination-outside-the-allowlist",
    "forged-or-replayed-token",
    "mesh-fails-closed",
}
"""What `aegis demo` plays on purpose: attacks, a budget that ends, an OPA and a Redis that die."""


@pytest.mark.parametrize("name", RULES)
def test_on_the_calls_of_the_demo_a_rule_fires_only_on_what_it_plays(name: str) -> None:
    known = Uses()
    raws = DEMO.read_bytes().splitlines(keepends=True)
    demo = [read_entry(LogLine(DEMO.name, number, raw)) for number, raw in enumerate(raws, start=1)]
    for entry in demo:
        known.add(entry.record)  # the second day of its agents
    assert bool(hits(name, demo, known)) is (name in PLAYED)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_says_what_a_reader_needs(name: str) -> None:
    [*_, rule] = RULES[name]
    assert uuid.UUID(rule["id"]) and rule["title"] and rule["description"] and rule["falsepositives"]
    assert rule["level"] in {"low", "medium", "high", "critical"}


def test_no_two_rules_share_an_id() -> None:
    ids = [rule["id"] for documents in RULES.values() for rule in documents]
    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_what_is_compiled_is_what_the_rules_say(tmp_path: Path) -> None:
    """In an environment of its own, which `make sigma` installs from its lock file."""
    made = subprocess.run(
        [shutil.which("make") or "make", "sigma", f"ARGS={tmp_path}"],
        cwd=SIGMA.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    for path in tmp_path.iterdir():
        assert (SIGMA / "compiled" / path.name).read_text("utf-8") == path.read_text("utf-8"), "run `make sigma`"


def test_alerts_of_prometheus_ask_for_metrics_that_there_are() -> None:
    groups = yaml.safe_load((SIGMA / "compiled" / "prometheus.yaml").read_text("utf-8"))["groups"]
    asked = {name for alert in groups[0]["rules"] for name in re.findall(r"aegis_[a-z_]+", alert["expr"])}
    assert asked == {"aegis_decisions_total", "aegis_limits_reached_total"}
