"""The operator's commands against a real control plane on a real port (OPA's reports are played)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from aegis_authz.adapters.files.key_ring import FileBundleKeyRing, FileKeyRing
from aegis_authz.adapters.files.keys import ADMIN_TOKEN, load_token, open_keys
from aegis_authz.adapters.files.record_keys import RecordKeyRing
from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.channels import OpenChannels
from aegis_authz.bootstrap.control_services import control_services
from aegis_authz.bootstrap.control_stores import ControlStores, LimitStores
from aegis_authz.bootstrap.outreach import Notices
from aegis_authz.cli import agents, approvals, limits, token
from aegis_authz.cli import keys as keys_cli
from aegis_authz.cli.app import app
from aegis_authz.cli.approvals_text import waiting_line
from aegis_authz.cli.policy import app as policy
from aegis_authz.commands.approvals import watch_approvals
from aegis_authz.commands.proof import live_channels, static_keys
from aegis_authz.config.publishing import BacktestSettings, PublishSettings
from aegis_authz.control.app import ControlServices
from aegis_authz.control.host import ControlHost
from aegis_authz.core.alert import Alert
from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalRequest
from aegis_authz.core.decision import SetHeader
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.notice import ChannelHealth, Notice
from aegis_authz.core.reason import Reason
from aegis_authz.core.release import Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement
from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import ApprovalId
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.identity.token import read_agent_token, read_override_token
from aegis_authz.local.mesh_facts import take_lock, write_facts
from aegis_authz.ports.notices import ChannelFault
from aegis_authz.testing.agent_states import MemoryEnrolments, MemoryFirstStart, MemoryRevocationList
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from aegis_authz.testing.issuing import MemoryJournal, MemorySingleUses
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.releases import MemoryReleases
from aegis_authz.testing.store import MemoryRevocations, MemoryStore
from tests.control.conftest import NoClusters
from tests.support.control_settings import control_settings
from tests.support.made_records import DENIED
from tests.support.memory_notices import memory_notices
from tests.support.mesh_facts import made_facts
from tests.support.people import memory_people
from tests.support.recorded_payments import write_log

POLICY = """\
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: 5000
"""
TOOL = """\
tool: stripe-payments
host: api.stripe.example
actions:
  create_payment:
    match: POST /v1/payments
"""
HELD = "apr_0a0123456789abcdef0123456789abcdef"


@dataclass
class Mesh:
    """A state folder, the control plane that serves it, and the folders of documents."""

    state: Path
    services: ControlServices
    releases: MemoryReleases
    store: MemoryStore
    loop: asyncio.AbstractEventLoop

    @property
    def policies(self) -> Path:
        return self.state / "edited" / "policies"

    @property
    def tools(self) -> Path:
        return self.state / "edited" / "tools"

    def opa_reports(self, revision: str, trouble: str = "") -> None:
        status = {"active_revision": revision, "code": "bundle_error" if trouble else "", "message": trouble}
        report = {"labels": {"id": "x", "instance": "opa-1"}, "bundles": {"aegis": status}}
        self.loop.call_soon_threadsafe(self.services.board.hear, report)

    def opa_follows(self) -> None:
        """From now on one OPA activates whatever is served, at once."""

        async def follow() -> None:
            etag = ""
            while True:
                live = await self.services.bulletin.other_than(etag, 60)
                assert live is not None
                if live.etag == etag:
                    return
                etag = live.etag
                self.opa_reports(live.revision)

        asyncio.run_coroutine_threadsafe(follow(), self.loop)

    def held(self, approval_id: str = HELD, digest: str = "d") -> None:
        live = self.services.bulletin.live
        assert live is not None
        assert live.bases is not None
        basis = live.bases.of(Scope("acme", "emea", "finance-agent"), "stripe-payments")
        now = SystemClock().now()
        who = Identity(
            Scope("acme", "emea", "finance-agent"),
            "aegis",
            "k",
            f"j-{approval_id}",
            now,
            now + 60,
            (),
            "",
            Way.TOKEN,
            None,
            "",
            None,
        )
        parameters = {"amount": 7000, "note": "\x1b[2Jgone \u202e [red]x[/red]"}
        opens = ApprovalRequest(
            ApprovalId(approval_id), Scope("acme", "emea", "finance-agent"), "stripe-payments", "create_payment", parameters,
            digest, "r1", ("p",), ("finance",), now, now + 900, {"request": "POST api.stripe.example/v1/payments"}, basis, "d-1", 1, (), (), ApprovalProof.ANY, "task-4711")  # fmt: skip
        asyncio.run(self.store.settle(Settlement(who, None, opens, now, (), None, None, None), 0))


@pytest.fixture
def mesh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mesh]:
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    edited = tmp_path / "edited"
    settings = control_settings(
        tmp_path,
        listen=url.removeprefix("http://"),
        public_url=url,
        policies=edited / "policies",
        tools=edited / "tools",
        max_token_life=120,
        bootstrap_owner_decides=True,
        publish=getattr(request, "param", PublishSettings()),
    )
    for folder, name, text in ((settings.policies, "finance.yaml", POLICY), (settings.tools, "stripe.yaml", TOOL)):
        folder.mkdir(parents=True)
        (folder / name).write_text(text)
    facts = made_facts(tmp_path, control=url, policies=str(settings.policies), tools=str(settings.tools))
    write_facts(tmp_path / "mesh.json", facts)
    (tmp_path / "control.yaml").write_text(json.dumps(settings.model_dump(mode="json")))
    waiting = MemoryProposals(for_tests=True)
    releases = MemoryReleases(waiting, for_tests=True)
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    ready, holder = threading.Event(), []

    async def run() -> None:
        keys = open_keys(settings.keys)
        clock = SystemClock()
        settings.state.mkdir(exist_ok=True)
        enrolments = MemoryEnrolments(for_tests=True)
        rings = {name: FileKeyRing(settings.keys, name) for name in ("issuer", "approvals")}
        listed = MemoryRevocationList(for_tests=True)
        uses, journal = MemorySingleUses(clock, for_tests=True), MemoryJournal(for_tests=True)
        records = MemoryRecordLog("control", for_tests=True)
        await records.start()
        stores = ControlStores(
            releases=releases,
            approvals=store,
            records=records,
            revocations=MemoryRevocations(store),
            uses=uses,
            journal=journal,
            enrolments=enrolments,
            key_sets=HttpKeySets(),
            revoked=listed,
            rings=rings,
            bundle_ring=FileBundleKeyRing(settings.keys),
            record_ring=RecordKeyRing(settings.keys),
            reviews=NoClusters(),
            limits=LimitStores(store, store, MemoryFirstStart(for_tests=True), store),
            people=memory_people(),
            history=MemoryApprovalHistory(for_tests=True),
            proposals=waiting,
            openid=None,
        )
        notices = Notices(*memory_notices(), OpenChannels({}, None, ()))
        services = control_services(settings, keys, stores, clock, SystemIds(), None, notices)
        services.publisher.start(lambda: Sources({"finance.yaml": POLICY}, {"stripe.yaml": TOOL}))
        host = ThreadedHost(services)
        holder.append((services, host, asyncio.get_running_loop()))
        ready.set()
        await host.serve(sockets=[listening])

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert ready.wait(10)
    services, host, loop = holder[0]
    yield Mesh(tmp_path, services, releases, store, loop)
    loop.call_soon_threadsafe(services.bulletin.close)
    host.should_exit = True
    thread.join(10)
    listening.close()
    assert not thread.is_alive()


class DeadChannel:
    """A channel that takes nothing."""

    tells_outcomes = False

    async def deliver(self, notice: Notice, approval: Approval) -> str:
        raise ChannelFault("answered HTTP 503", is_final=False)

    async def deliver_alert(self, notice: Notice, alert: Alert) -> str:
        raise ChannelFault("answered HTTP 503", is_final=False)


class ThreadedHost(ControlHost):
    """A host beside the test, which keeps the signals."""

    capture_signals = ControlHost.__mro__[1].capture_signals  # type: ignore[assignment]


@pytest.fixture
def aegis(mesh: Mesh) -> Callable[..., Result]:
    """`aegis(app, command, ...)` with `--dir` of the mesh added."""

    def run(app: Typer, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--dir", str(mesh.state)])

    return run


Aegis = Callable[..., Result]
WHO = ("--org", "acme", "--tenant", "emea", "--agent", "finance-agent")


def test_a_control_plane_that_aegis_up_did_not_start_is_named_by_the_environment(
    mesh: Mesh, aegis: Aegis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = json.loads((mesh.state / "mesh.json").read_text())["control"]
    token = tmp_path / "elsewhere.token"
    (mesh.state / "keys" / "admin.token").rename(token)
    (mesh.state / "mesh.json").unlink()
    assert aegis(agents.app, "invite", "acme/emea/finance-agent").exit_code == 2
    monkeypatch.setenv("AEGIS_CONTROL", url)
    assert "admin.token: no such file" in aegis(agents.app, "invite", "acme/emea/finance-agent").stderr
    monkeypatch.setenv("AEGIS_ADMIN_TOKEN_FILE", str(token))
    assert aegis(agents.app, "invite", "acme/emea/finance-agent").exit_code == 0
    monkeypatch.setenv("AEGIS_CONTROL", "redis://user:sesame@control")
    wrong = aegis(agents.app, "invite", "acme/emea/finance-agent")
    assert (wrong.exit_code, "AEGIS_CONTROL must be http:// or https://" in wrong.stderr) == (2, True)
    assert "sesame" not in wrong.stderr
    monkeypatch.setenv("AEGIS_CONTROL", "http://control.acme.example:1")
    clear = aegis(agents.app, "invite", "acme/emea/finance-agent")
    assert (clear.exit_code, "http:// to another machine" in clear.stderr) == (2, True)
    monkeypatch.setenv("AEGIS_CONTROL_CLEAR", "1")
    assert "no control plane answers" in aegis(agents.app, "invite", "acme/emea/finance-agent").stderr


def trust_of(mesh: Mesh, name: str) -> Trust:
    keys = open_keys(mesh.state / "keys")
    raw = getattr(keys, name).public_key().public_bytes_raw()
    trusted = {thumbprint(raw): raw}
    return Trust("aegis", "aegis-mesh", trusted, trusted, 120, 5)


def test_token_mint_prints_just_a_token_the_mesh_accepts(mesh: Mesh, aegis: Aegis) -> None:
    result = aegis(token.app, "mint", *WHO, "--ttl", "30", "--act", "acme/emea/planner")
    assert result.exit_code == 0
    identity = read_agent_token(result.stdout.strip(), trust_of(mesh, "issuer"), SystemClock().now())
    assert str(identity.scope) == "acme/emea/finance-agent"
    assert identity.actors == ("acme/emea/planner",)
    assert identity.expires_at - identity.issued_at == pytest.approx(30, abs=0.01)


def test_two_minted_tokens_have_different_ids(mesh: Mesh, aegis: Aegis) -> None:
    read = [
        read_agent_token(aegis(token.app, "mint", *WHO).stdout.strip(), trust_of(mesh, "issuer"), SystemClock().now())
        for _ in range(2)
    ]
    assert read[0].jti != read[1].jti


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*WHO, "--ttl", "121"), "at most 120 seconds"),
        ((*WHO, "--ttl", "0"), "ttl must be"),
        (("--org", "Acme", "--tenant", "emea", "--agent", "a"), "is not a name"),
    ],
)
def test_token_mint_refuses_what_would_never_be_accepted(aegis: Aegis, arguments: tuple[str, ...], words: str) -> None:
    result = aegis(token.app, "mint", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert words in result.stderr


def test_publish_validates_activates_and_names_the_revision(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    result = aegis(policy.app, "publish", "-m", "more", "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (said["changed"], said["active_on"]) == (True, ["opa-1"])
    assert said["revision"] == mesh.releases.current()
    assert (mesh.releases.changes()[0].by, mesh.releases.changes()[0].message) == ("bootstrap-owner", "more")


def test_publishing_the_same_again_says_so(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    result = aegis(policy.app, "publish")
    assert result.exit_code == 0
    assert result.stdout.startswith("no change: revision")
    assert "active on opa-1" in result.stdout


def test_publish_says_which_files_change(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    (mesh.policies / "more.yaml").write_text(POLICY.replace("finance-agent", "other-agent"))
    result = aegis(policy.app, "publish")
    assert result.stdout.splitlines()[:2] == ["+ policy more.yaml", "~ policy finance.yaml"]
    (mesh.policies / "more.yaml").unlink()
    assert aegis(policy.app, "publish").stdout.splitlines()[0] == "- policy more.yaml"


def test_policies_are_replaced_by_nothing_only_when_that_is_said(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    served = mesh.releases.current()
    (mesh.policies / "finance.yaml").unlink()
    refused = aegis(policy.app, "publish")
    assert (refused.exit_code, mesh.releases.current()) == (1, served)
    assert f"{mesh.policies} holds no documents, and 1 are served" in refused.stderr
    assert aegis(policy.app, "publish", "--allow-empty").stdout.splitlines()[0] == "- policy finance.yaml"
    assert mesh.releases.current() != served


@pytest.mark.parametrize("mesh", [PublishSettings(approvals=1)], indirect=True)
def test_what_waits_for_a_second_person_is_shown_line_by_line_and_withdrawn(mesh: Mesh, aegis: Aegis) -> None:
    before = mesh.releases.current()
    assert aegis(policy.app, "proposals").stdout == "nothing waits for a second person\n"
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    waits = aegis(policy.app, "publish", "-m", "more")
    assert (waits.exit_code, mesh.releases.current()) == (0, before)
    name = waits.stdout.split("proposal ")[1].split(" ")[0]
    assert f"proposal {name} waits until another person confirms it" in waits.stdout
    shown = aegis(policy.app, "proposals", name).stdout
    assert "  ~ policy finance.yaml" in shown.splitlines()
    assert "-      max_amount: 5000" in shown.splitlines()
    assert "+      max_amount: 9000" in shown.splitlines()
    digest = shown.split("digest ")[1].split("\n")[0]
    refused = aegis(policy.app, "confirm", name, "--digest", digest)
    assert (refused.exit_code, mesh.releases.current()) == (1, before)
    assert "bootstrap-owner proposed it: another person confirms it" in refused.stderr
    assert aegis(policy.app, "withdraw", name, "--note", "no").stdout == f"{name} is withdrawn\n"
    assert aegis(policy.app, "proposals").stdout == "nothing waits for a second person\n"


def test_two_revisions_are_held_against_each_other_line_by_line_and_by_what_they_decide(
    mesh: Mesh, aegis: Aegis, tmp_path: Path
) -> None:
    mesh.opa_follows()
    first = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    (mesh.policies / "more.yaml").write_text(POLICY.replace("finance-agent", "other-agent"))
    assert aegis(policy.app, "publish").exit_code == 0
    calls = tmp_path / "calls.jsonl"
    call = {"agent": "acme/emea/finance-agent", "tool": "stripe-payments", "action": "create_payment"}
    amounts = [{**call, "parameters": {"amount": amount}} for amount in (100, 7000, 10000)]
    calls.write_text("".join(json.dumps(entry) + "\n" for entry in amounts))
    shown = aegis(policy.app, "diff", first, "--calls", str(calls))
    assert shown.exit_code == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[:4] == [
        "+ policy more.yaml",
        "~ policy finance.yaml",
        "~ policy */*/finance-agent: allows stripe-payments: create_payment: amount max 5000 -> amount max 9000",
        "+ policy */*/other-agent: policy for */*/other-agent",
    ]
    assert {"-      max_amount: 5000", "+      max_amount: 9000", "--- finance.yaml", "+++ more.yaml"} <= set(lines)
    assert "milder" in shown.stdout
    told = json.loads(aegis(policy.app, "diff", first, "--calls", str(calls), "--json").stdout)
    assert (told["policy"]["added"], told["tool"]["changed"]) == (["more.yaml"], [])
    assert [change["mark"] for change in told["rules"]] == ["~", "+"]
    assert len(told["calls"]["changes"]) == 1
    witnessed = aegis(policy.app, "diff", first, "--witnesses")
    assert "milder" in witnessed.stdout
    tried = json.loads(aegis(policy.app, "diff", first, "--witnesses", "--json").stdout)["witnesses"]["changes"]
    assert {change["direction"] for change in tried} >= {"milder"}
    same = aegis(policy.app, "diff", first, first)
    assert same.stdout == "the documents are the same\n"
    assert aegis(policy.app, "diff", "0" * 24).exit_code == 1


TEST_OF_A_RULE = """\
tests:
  - name: a payment within the limit
    call: {agent: acme/emea/finance-agent, tool: stripe-payments, action: create_payment, parameters: {amount: 100}}
    expect: {effect: EFFECT}
"""


def test_what_fails_its_tests_is_not_published(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    before = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    (mesh.policies / "finance_test.yaml").write_text(TEST_OF_A_RULE.replace("EFFECT", "deny"))
    refused = aegis(policy.app, "publish", "-m", "more")
    assert refused.exit_code == 1
    assert "1 of 1 tests fail, and nothing is published: a payment within the limit" in refused.stderr
    assert mesh.releases.current() == before
    skipped = aegis(policy.app, "publish", "-m", "more", "--skip-tests")
    assert skipped.exit_code == 0, skipped.stderr
    assert mesh.releases.changes()[0].message == "more (tests were not run)"
    assert mesh.releases.tests(mesh.releases.current()) == {}


@pytest.mark.usefixtures("opa_binary", "redis_binary")
def test_what_recorded_calls_make_milder_is_published_for_a_reason_that_is_kept(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    before = mesh.releases.current()
    (mesh.tools / "stripe.yaml").write_text(f"{TOOL}    parameters:\n      amount: {{from: /amount, type: number}}\n")
    small = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, parameters={"amount": 1}, decision_id="d-2")
    write_log(mesh.state / "records", "authz-0", [DENIED, replace(small, obligations=(SetHeader("x-a", "b"),))])
    try_it = ("publish", "-m", "more", "--backtest", "2026-01-01")

    assert aegis(policy.app, *try_it).exit_code == 0
    kept = "more (tried on 2 recorded calls, 1 let through on other terms: none is decided more mildly)"
    assert mesh.releases.changes()[0].message == kept

    before = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "90000"))
    refused = aegis(policy.app, *try_it)
    assert (refused.exit_code, mesh.releases.current()) == (1, before)
    assert "1 of 2 recorded calls would be decided more mildly, the first of them stripe-payments" in refused.stderr

    with (mesh.state / "records" / "authz-0" / "00000001.jsonl").open("ab") as log:
        log.write(b"no record\n")
    accepted = aegis(policy.app, *try_it, "--accept", "the board decided so")
    assert accepted.exit_code == 0, accepted.stderr
    kept = "more (1 of 2 recorded calls are decided more mildly, 1 let through on other terms, 1 unreadable; accepted: "
    assert mesh.releases.changes()[0].message == f"{kept}the board decided so)"


@pytest.mark.usefixtures("opa_binary", "redis_binary")
@pytest.mark.parametrize("mesh", [PublishSettings(backtest=BacktestSettings())], indirect=True)
def test_a_reason_to_accept_reaches_the_control_plane_that_tries_it(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    before = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    refused = aegis(policy.app, "publish")
    assert (refused.exit_code, mesh.releases.current()) == (1, before)
    assert "tried on 0 recorded calls, and must be on 1. Nothing changed; an owner publishes" in refused.stderr
    assert aegis(policy.app, "publish", "--accept", "the mesh is new").exit_code == 0
    assert mesh.releases.changes()[0].message.endswith("; accepted by bootstrap-owner: the mesh is new)")
    assert aegis(policy.app, "rollback", before).exit_code == 1
    assert aegis(policy.app, "rollback", before, "--accept", "too wide").exit_code == 0
    assert mesh.releases.changes()[0].message.endswith("; accepted by bootstrap-owner: too wide)")


def test_what_passes_its_tests_is_published(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    (mesh.policies / "finance_test.yaml").write_text(TEST_OF_A_RULE.replace("EFFECT", "allow"))
    published = aegis(policy.app, "publish", "-m", "more")
    assert published.exit_code == 0, published.stderr
    assert mesh.releases.changes()[0].message == "more"
    assert mesh.releases.tests(mesh.releases.current()) == {
        "finance_test.yaml": TEST_OF_A_RULE.replace("EFFECT", "allow")
    }


def test_publish_tells_problems_by_file_line_and_field(mesh: Mesh, aegis: Aegis) -> None:
    before = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("max_amount: 5000", "max_amount: lots"))
    result = aegis(policy.app, "publish")
    assert result.exit_code == 1
    assert f"{mesh.policies}/finance.yaml:6:" in result.stderr
    assert "max_amount" in result.stderr
    assert mesh.releases.current() == before
    as_json = aegis(policy.app, "publish", "--json")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["problems"][0]["line"] == 6


def test_publish_fails_when_opa_refuses_and_says_why(mesh: Mesh, aegis: Aegis) -> None:
    first = mesh.releases.current()

    async def refuse() -> None:
        live = mesh.services.bulletin.live
        assert live is not None
        await mesh.services.bulletin.other_than(live.etag, 10)
        await asyncio.sleep(0.1)
        for _ in range(2):
            mesh.opa_reports(first, "bad signature")

    mesh.opa_reports(first)
    asyncio.run_coroutine_threadsafe(refuse(), mesh.loop)
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    result = aegis(policy.app, "publish")
    assert result.exit_code == 1
    assert "REFUSED by opa-1: bad signature" in result.stdout


def test_publish_fails_when_no_opa_runs_it_in_time(aegis: Aegis) -> None:
    result = aegis(policy.app, "publish", "--wait", "0.1")
    assert result.exit_code == 1
    assert "no OPA has reported yet" in result.stdout


def test_rollback_and_status_tell_the_same_story(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    first = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    aegis(policy.app, "publish")
    rolled = aegis(policy.app, "rollback", first, "-m", "too much")
    assert rolled.exit_code == 0
    assert mesh.releases.current() == first
    shown = json.loads(aegis(policy.app, "status", "--json").stdout)
    assert shown["revision"] == first
    assert [change["kind"] for change in shown["changes"]] == ["rolled_back", "published", "first"]
    assert shown["opa"][0]["active_revision"] == first
    assert first in aegis(policy.app, "status").stdout


def test_the_history_tells_who_published_what_and_which_is_served(mesh: Mesh, aegis: Aegis) -> None:
    mesh.opa_follows()
    first = mesh.releases.current()
    (mesh.policies / "finance.yaml").write_text(POLICY.replace("5000", "9000"))
    aegis(policy.app, "publish", "-m", "more for finance")
    second = mesh.releases.current()
    aegis(policy.app, "rollback", first, "-m", "too much")
    aegis(agents.app, "revoke", "acme/emea/finance-agent")
    lines = aegis(policy.app, "history").stdout.splitlines()
    assert [line[:26] for line in lines if not line.startswith("    ")] == [f"* {first}", f"  {second}", f"* {first}"]
    assert [line.strip() for line in lines if line.startswith("    ")][:2] == ["too much", "more for finance"]
    assert "rolled_back" in lines[0] and lines[0].endswith("by bootstrap-owner")
    shortened = aegis(policy.app, "history", "--max", "1").stdout.splitlines()
    assert (shortened[0][:26], shortened[-1]) == (f"* {first}", "2 older ones are left out")
    told = json.loads(aegis(policy.app, "history", "--json").stdout)
    assert told["current"] == first
    assert [change["kind"] for change in told["changes"]] == ["rolled_back", "published", "first"]


def test_rollback_to_an_unknown_revision_is_refused(mesh: Mesh, aegis: Aegis) -> None:
    for name in ("0" * 24, "../x", "a?b"):
        result = aegis(policy.app, "rollback", name)
        assert result.exit_code == 1
        assert "no such revision" in result.stderr


def test_validate_needs_no_mesh(mesh: Mesh) -> None:
    folders = ["--policies", str(mesh.policies), "--tools", str(mesh.tools)]
    (mesh.state / "mesh.json").unlink()
    good = CliRunner().invoke(policy.app, ["validate", *folders])
    assert (good.exit_code, good.stdout) == (0, "valid: 1 policies, 1 tools\n")
    (mesh.tools / "stripe.yaml").write_text("tool: stripe-payments\n")
    bad = CliRunner().invoke(policy.app, ["validate", *folders])
    assert bad.exit_code == 1
    assert f"{mesh.tools}/stripe.yaml:1:1: must have the host" in bad.stderr
    neither = CliRunner().invoke(policy.app, ["validate"])
    assert neither.exit_code == 2
    missing = CliRunner().invoke(policy.app, ["validate", "--policies", "/nowhere", "--tools", str(mesh.tools)])
    assert (missing.exit_code, missing.stderr) == (2, "aegis policy validate: /nowhere: no such folder\n")


def test_build_writes_the_very_bundle_the_control_plane_serves(mesh: Mesh, aegis: Aegis) -> None:
    out = mesh.state / "aegis.tar.gz"
    folders = ("--policies", str(mesh.policies), "--tools", str(mesh.tools))
    result = aegis(policy.app, "build", *folders, "--out", str(out), "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["revision"] == mesh.releases.current()
    assert out.read_bytes() == mesh.releases.bundle(mesh.releases.current())


def test_approve_prints_a_token_and_how_to_use_it(mesh: Mesh, aegis: Aegis) -> None:
    mesh.held()
    result = aegis(approvals.app, "approve", HELD)
    assert result.exit_code == 0
    override = result.stdout.rpartition("x-aegis-approval: ")[2].strip()
    assert read_override_token(override, trust_of(mesh, "approvals"), SystemClock().now()).approval_id == HELD
    again = aegis(approvals.app, "approve", HELD)
    assert again.exit_code == 1
    assert "is approved" in again.stderr


def test_the_admin_token_decides_under_its_own_name_whoever_the_operating_system_says(
    mesh: Mesh, aegis: Aegis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "carol")
    mesh.held()
    assert (
        json.loads(aegis(approvals.app, "deny", HELD, "--note", "no", "--json").stdout)["decided_by"]
        == "bootstrap-owner"
    )


def test_an_approval_says_how_many_of_which_groups_it_needs(mesh: Mesh, aegis: Aegis) -> None:
    mesh.held()
    assert 'needs: one person of ["finance"]' in aegis(approvals.app, "show", HELD).stdout


def test_a_denial_needs_a_reason(mesh: Mesh, aegis: Aegis) -> None:
    mesh.held()
    refused = aegis(approvals.app, "deny", HELD)
    assert (refused.exit_code, "--note" in refused.stderr) == (2, True)


@pytest.mark.parametrize("typed", [["--confirm", "amount"], ["--confirm", "a=1", "--confirm", "a=2"]])
def test_what_is_typed_is_a_name_and_a_value(mesh: Mesh, aegis: Aegis, typed: list[str]) -> None:
    mesh.held()
    refused = aegis(approvals.app, "approve", HELD, *typed)
    assert (refused.exit_code, "NAME=VALUE" in refused.stderr) == (2, True)


def test_what_waits_is_watched_and_each_call_is_told_once(mesh: Mesh) -> None:
    mesh.held()
    looks = []

    def wait() -> None:
        looks.append(1)
        if len(looks) == 3:
            raise KeyboardInterrupt

    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        told.extend(waiting_line(approval) for approval in watch_approvals(mesh.state, wait))
    assert len(told) == 1
    assert told[0].startswith(f"{HELD}  ")


def test_nothing_an_agent_wrote_reaches_the_terminal_raw(mesh: Mesh, aegis: Aegis) -> None:
    mesh.held()
    shown = [
        aegis(approvals.app, "list").stdout,
        aegis(approvals.app, "show", HELD).stdout,
        aegis(approvals.app, "approve", HELD).stdout,
    ]
    for text in shown:
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "[red]x[/red]" in shown[1]
    assert HELD in shown[0]


def test_an_unknown_approval_is_refused(aegis: Aegis) -> None:
    for name in ("apr_00ff", "a/b", "..", "a?state=x"):
        result = aegis(approvals.app, "show", name)
        assert result.exit_code == 1
        assert result.stderr.startswith("aegis approvals show: ")


def test_list_says_when_there_are_none_and_knows_the_states(aegis: Aegis) -> None:
    assert aegis(approvals.app, "list").stdout == "no pending approvals\n"
    assert json.loads(aegis(approvals.app, "list", "--state", "all", "--json").stdout) == {
        "approvals": [],
        "unreadable": [],
        "after": "",
    }
    assert aegis(approvals.app, "list", "--state", "maybe").exit_code == 1


def test_an_agent_is_revoked_listed_and_restored(mesh: Mesh, aegis: Aegis) -> None:
    assert aegis(agents.app, "list").stdout == "no agent is revoked\n"
    revoked = aegis(agents.app, "revoke", "acme/emea/finance-agent", "--note", "odd")
    assert (revoked.exit_code, revoked.stdout) == (
        0,
        "revoked: every call of acme/emea/finance-agent is refused from now on\n",
    )
    assert "acme/emea/finance-agent" in aegis(agents.app, "list").stdout
    [listed] = json.loads(aegis(agents.app, "list", "--json").stdout)["revocations"]
    assert (listed["org"], listed["agent"], listed["by"]) == ("acme", "finance-agent", "bootstrap-owner")
    [latest, *_] = json.loads(aegis(policy.app, "status", "--json").stdout)["changes"]
    assert (latest["kind"], latest["agent"], latest["message"]) == ("revoked", "acme/emea/finance-agent", "odd")
    restored = aegis(agents.app, "restore", "acme/emea/finance-agent", "--json")
    assert (restored.exit_code, json.loads(restored.stdout)["agent"]) == (0, "finance-agent")
    again = aegis(agents.app, "restore", "acme/emea/finance-agent")
    assert (again.exit_code, again.stderr) == (1, "aegis agents restore: acme/emea/finance-agent is not revoked\n")


def test_an_agent_is_quarantined_listed_and_released(mesh: Mesh, aegis: Aegis) -> None:
    made = aegis(agents.app, "quarantine", "acme/emea/finance-agent", "--for", "600", "--note", "odd")
    assert made.exit_code == 0
    assert re.fullmatch(r"quarantined: acme/emea/finance-agent until .+ by bootstrap-owner\n", made.stdout)
    assert made.stdout in aegis(agents.app, "list").stdout
    assert aegis(agents.app, "release", "acme/emea/finance-agent").exit_code == 0
    again = aegis(agents.app, "release", "acme/emea/finance-agent")
    assert (again.exit_code, again.stderr) == (
        1,
        "aegis agents release: acme/emea/finance-agent is not quarantined\n",
    )


def test_an_agent_is_killed_and_restored(aegis: Aegis) -> None:
    killed = aegis(agents.app, "kill", "acme/emea/finance-agent")
    assert (killed.exit_code, killed.stdout) == (
        0,
        "revoked: every call of acme/emea/finance-agent is refused from now on\n",
    )
    assert aegis(agents.app, "restore", "acme/emea/finance-agent").exit_code == 0


def test_limits_are_reset_by_name(mesh: Mesh, aegis: Aegis) -> None:
    answer = aegis(limits.app, "reset", "--note", "nothing was lost")
    assert (answer.exit_code, answer.stdout) == (
        0,
        "limits reset by bootstrap-owner: what is still known counts, and calls pass again\n",
    )


def test_a_tenant_is_revoked_listed_and_restored(aegis: Aegis) -> None:
    revoked = aegis(agents.app, "revoke", "acme/emea")
    assert (revoked.exit_code, revoked.stdout) == (0, "revoked: every call of acme/emea is refused from now on\n")
    [listed] = json.loads(aegis(agents.app, "list", "--json").stdout)["revocations"]
    assert (listed["org"], listed["tenant"], listed["agent"], listed["kind"]) == ("acme", "emea", "", "tenant")
    assert aegis(agents.app, "restore", "acme/emea").exit_code == 0
    assert aegis(agents.app, "list").stdout == "no agent is revoked\n"


@pytest.mark.parametrize(
    "name",
    ["finance-agent", "acme/", "acme/Emea", "acme/emea/", "acme/emea/a/b", "acme/emea/Finance", "acme/emea/../x", ""],
)
def test_what_is_no_agent_is_not_asked_for(aegis: Aegis, name: str) -> None:
    for command in ("revoke", "restore"):
        result = aegis(agents.app, command, name)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "must be org/tenant/agent" in result.stderr


def test_a_folder_without_a_mesh_says_how_to_start_one(tmp_path: Path) -> None:
    result = CliRunner().invoke(approvals.app, ["list", "--dir", str(tmp_path)])
    assert result.exit_code == 2
    assert f"aegis up --dir {tmp_path}" in result.stderr


def test_a_control_plane_that_is_gone_is_said_without_the_token(mesh: Mesh, aegis: Aegis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    write_facts(mesh.state / "mesh.json", made_facts(mesh.state, control=f"http://127.0.0.1:{port}"))
    result = aegis(approvals.app, "list")
    assert result.exit_code == 2
    assert f"no control plane answers at http://127.0.0.1:{port}" in result.stderr
    assert load_token(mesh.state / "keys" / ADMIN_TOKEN) not in result.output


def test_the_doctor_names_agents_with_a_static_key_and_calls_it_no_fault(mesh: Mesh, aegis: Aegis) -> None:
    assert static_keys(mesh.state) is None
    folders = ("--policies", str(mesh.policies), "--tools", str(mesh.tools))
    assert aegis(agents.app, "key", "acme/emea/legacy", *folders).exit_code == 0
    assert aegis(policy.app, "publish", "--wait", "0").exit_code in (0, 1)
    proof = static_keys(mesh.state)
    assert proof is not None
    assert (proof.answer, proof.trouble) == ("1: acme/emea/legacy", "")


def test_the_key_of_records_is_replaced_and_the_public_half_of_the_former_stays(mesh: Mesh, aegis: Aegis) -> None:
    published = mesh.state / "keys" / "records.pub.json"
    [former] = json.loads(published.read_text())["keys"]
    result = aegis(keys_cli.app, "rotate", "records")
    assert (result.exit_code, "still proves what it sealed" in result.stdout) == (0, True), result.output
    now, before = json.loads(published.read_text())["keys"]
    assert (before, now["kid"] in result.stdout) == (former, True)


def test_a_decision_is_offered_published_listed_and_revoked_by_command(mesh: Mesh, aegis: Aegis) -> None:
    mesh.held()
    assert "session: task-4711" in aegis(approvals.app, "show", HELD).stdout
    in_session = aegis(approvals.app, "allow-like", HELD, "--session", "--yes")
    assert f"standing-allow-{HELD} stands since revision" in in_session.stdout
    assert "in session task-4711" in aegis(approvals.app, "standing").stdout
    assert "is gone" in aegis(approvals.app, "revoke", f"standing-allow-{HELD}").stdout
    offered = aegis(approvals.app, "allow-like", HELD, "--days", "3")
    assert "waivers:" in offered.stdout
    assert "# not published" in offered.stdout
    assert "no decision stands" in aegis(approvals.app, "standing").stdout
    saved = aegis(approvals.app, "allow-like", HELD, "--yes", "--note", "monthly")
    assert f"standing-allow-{HELD} stands since revision" in saved.stdout
    assert f"standing-allow-{HELD}  allow  acme/emea/finance-agent" in aegis(approvals.app, "standing").stdout
    assert "is gone" in aegis(approvals.app, "revoke", f"standing-allow-{HELD}").stdout
    edited = mesh.state / "edited.yaml"
    edited.write_text(aegis(approvals.app, "allow-like", HELD, "--deny").stdout)
    denied = aegis(approvals.app, "allow-like", HELD, "--deny", "--document", str(edited), "--yes")
    assert f"standing-deny-{HELD} stands" in denied.stdout


def test_doctor_names_no_channels_where_there_are_none(mesh: Mesh) -> None:
    assert live_channels(mesh.state) is None


@pytest.fixture
def supervised(mesh: Mesh) -> Iterator[None]:
    """The mesh's lock is held, as by a supervisor."""
    lock = take_lock(mesh.state / "lock")
    yield
    os.close(lock)


@pytest.mark.usefixtures("supervised")
def test_status_and_doctor_name_a_channel_that_does_not_deliver(mesh: Mesh, aegis: Aegis) -> None:
    assert aegis(app, "status").exit_code == 0
    courier = mesh.services.outreach.courier
    assert courier is not None
    courier.channels["slack"] = DeadChannel()  # type: ignore[index]  # a dict, by this test
    courier.failing["slack"] = ChannelHealth("slack", 3, "answered HTTP 503")
    shown, data = aegis(app, "status"), aegis(app, "status", "--json")
    assert (shown.exit_code, data.exit_code) == (1, 1)
    assert shown.stdout.splitlines()[-1] == "channel    dead      slack: answered HTTP 503"
    assert (json.loads(data.stdout)["healthy"], json.loads(data.stdout)["dead_channels"]) == (
        False,
        ["slack: answered HTTP 503"],
    )
    proof = live_channels(mesh.state)
    assert proof is not None
    assert proof.trouble == "slack: answered HTTP 503"


def test_several_are_shown_and_approved_each_with_a_result_of_its_own(mesh: Mesh, aegis: Aegis) -> None:
    second, third = (f"apr_{number:034x}" for number in (2, 3))
    for approval_id in (HELD, second, third):
        mesh.held(approval_id, f"digest of {approval_id}")
    unsure = aegis(approvals.app, "approve", HELD, second)
    assert unsure.exit_code == 1
    assert unsure.stdout.count("amount") == 2
    assert "nothing is approved" in unsure.stderr
    both = aegis(approvals.app, "approve", HELD, second, "--yes")
    assert both.exit_code == 0
    assert f"{second}  approved" in both.stdout
    some = aegis(approvals.app, "approve", second, third, "--yes", "--json")
    assert some.exit_code == 1
    refused, approved = json.loads(some.stdout)
    assert "is approved and cannot be decided any more" in refused["refusal"]
    assert approved["override_token"]
    assert aegis(approvals.app, "approve", HELD, f"apr_{7:034x}", "--yes").exit_code == 1


@pytest.mark.parametrize(("options", "state"), [((), "approved"), (("--json",), "pending")])
def test_nobody_is_asked_at_a_terminal_about_calls_that_are_not_shown(
    mesh: Mesh, aegis: Aegis, options: tuple[str, ...], state: str
) -> None:
    second = f"apr_{2:034x}"
    for approval_id in (HELD, second):
        mesh.held(approval_id, f"digest of {approval_id}")
    keyboard, terminal = os.openpty()
    words = ("approvals", "approve", HELD, second, "--dir", str(mesh.state), *options)
    with open(keyboard, "wb", buffering=0) as keys, open(terminal, "rb") as stdin:
        keys.write(b"y\n")
        subprocess.run([sys.executable, "-m", "aegis_authz.cli", *words], stdin=stdin, capture_output=True, check=False)
    assert json.loads(aegis(approvals.app, "show", second, "--json").stdout)["state"] == state
