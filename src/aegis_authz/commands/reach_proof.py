"""`aegis doctor --dir`: whether somebody can be reached who decides what the published policies hold."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.faults import CommandFault
from aegis_authz.config.channels import ChannelSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.person import Domain, Person, RoleBinding
from aegis_authz.local.proof import Proof
from aegis_authz.people.permissions import Permission, may, may_somewhere
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.rule import Approval, ToolRule
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors

_MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Reach:
    """Who may decide, and which channels there are. Whether these deliver is proven apart.

    `owner_decides` says that the admin token decides for every group, as one of them.
    """

    people: Sequence[Person]
    owner_decides: bool
    channels: ChannelSettings


def prove_reach(state: Path) -> Proof:
    """Compare the rules that ask for an approval with the people and channels that the control plane has."""
    started = time.perf_counter()
    answer, troubles = "not compared", list[str]()
    try:
        loaded, reach = _published(state)
        troubles = reach_troubles(loaded, reach)
        amount = len([*_asking(loaded)])
        answer = f"{amount} rules ask, {len(troubles)} faults" if troubles else f"{amount} rules ask somebody"
    except (CommandFault, SettingsError, PolicyErrors, ValueError) as fault:
        troubles = [str(fault)]
    return Proof(
        call="no call: who decides held calls",
        control="what waits for a person can be decided by one",
        expected="somebody for each rule that asks",
        answer=answer,
        reason="",
        decision_id="",
        ms=(time.perf_counter() - started) * 1000,
        trouble=_told(troubles),
    )


def reach_troubles(loaded: Loaded, reach: Reach) -> list[str]:
    """One sentence for each rule that asks people who are not there, or tells a place there is no channel to."""
    told = (trouble for place, approval in _asking(loaded) for trouble in _troubles(place, approval, reach))
    return [*dict.fromkeys(told)]


def _published(state: Path) -> tuple[Loaded, Reach]:
    settings = load_settings(state / "control.yaml", ControlSettings)
    with control_plane(state) as control:
        revision = control.status().revision
        sources = control.sources(revision) if revision else None
        people = [
            Person(entry.id, entry.name, frozenset(entry.groups), tuple(map(RoleBinding.parse, entry.roles)))
            for entry in control.people().people
            if not entry.disabled
        ]
    loaded = load({}, {}) if sources is None else load(sources.policies, sources.tools)
    channels = settings.channels or ChannelSettings()
    slack = channels.slack
    named = () if slack is None else slack.people.values()
    people += [
        Person(entry.id, entry.id, frozenset(entry.groups), tuple(map(RoleBinding.parse, entry.roles)))
        for entry in named
    ]
    return loaded, Reach(people, settings.bootstrap_owner_decides, channels)


@dataclass(frozen=True, slots=True)
class _Place:
    document: PolicyDocument
    rule: str

    def __str__(self) -> str:
        return f"{self.document.title}: {self.rule}"


def _asking(loaded: Loaded) -> Iterator[tuple[_Place, Approval]]:
    """The enforcing rules that can ask for an approval."""
    for policy in loaded.loaded_policies:
        for compiled in policy.compiled.rules.allowing:
            rule = compiled.rule
            if policy.document.mode != "enforce" or not isinstance(rule, ToolRule):
                continue
            approval = rule.approval or Approval()
            if approval.always or compiled.asks:
                yield _Place(policy.document, f"{rule.name} {', '.join(rule.actions)}"), approval


def _troubles(place: _Place, approval: Approval, reach: Reach) -> Iterator[str]:
    groups = frozenset(approval.groups)
    deciding = {
        person.id
        for person in reach.people
        if _decides(person, place.document) and (not groups or groups & person.groups)
    }
    # where several must approve, whoever bears the admin token is none of them
    amount = max(len(deciding), 1) if reach.owner_decides and approval.approvals == 1 else len(deciding)
    if amount < approval.approvals:
        whose = f"of {', '.join(sorted(groups))}" if groups else "at all"
        yield f"{place} needs {approval.approvals} people {whose}, and the control plane has {amount} who may decide"
    for told in approval.notify:
        if not _is_there(told, reach.channels):
            yield f"{place} tells {told}, and the control plane has no such channel"


def _decides(person: Person, document: PolicyDocument) -> bool:
    if "*" in document.org + document.tenant:
        return may_somewhere(person, Permission.DECIDE_APPROVALS)
    return may(person, Permission.DECIDE_APPROVALS, Domain(document.org, document.tenant))


def _is_there(place: str, channels: ChannelSettings) -> bool:
    kind, _, name = place.partition(":")
    match kind:
        case "slack":
            return channels.slack is not None
        case "email":
            return channels.email is not None
        case "teams":
            return channels.teams is not None and name in channels.teams.webhooks
        case _:
            return name in channels.webhook


def _told(troubles: Sequence[str]) -> str:
    more = len(troubles) - _MOST_SHOWN
    return "; ".join(troubles[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
