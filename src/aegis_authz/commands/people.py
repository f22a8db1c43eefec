"""People of a mesh: adding them, their roles, and what was changed. Every function raises Unable and Rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.control_client import ControlClient
from aegis_authz.adapters.control_connection import ControlRefused, ControlUnreachable
from aegis_authz.adapters.files.keys import ADMIN_TOKEN, KeyFolderError, load_token
from aegis_authz.api.people import ChangeLineAnswer, CodeAnswer, PersonAnswer
from aegis_authz.commands.control import control_plane
from aegis_authz.commands.faults import Rejected, unable_on
from aegis_authz.core.change_line import Act, ChangeLine, ChangeLogAltered, verify_lines
from aegis_authz.core.units import Epoch
from aegis_authz.local.mesh_facts import MeshFacts

_PAGE = 1000
OWNER = "owner"
"""What the first owner of a mesh on this machine is called, who signs in by a link."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Lines of the change log, in order, and a sentence on whether they are what was written."""

    lines: tuple[ChangeLineAnswer, ...]
    verdict: str


def add_person(
    state: Path, person_id: str, name: str, roles: Sequence[str], groups: Sequence[str], note: str
) -> CodeAnswer:
    """Add a person; the answer holds the code by which that person sets a password."""
    with control_plane(state) as control:
        return control.add_person(person_id, name, roles, groups, note)


def people_of(state: Path) -> tuple[PersonAnswer, ...]:
    """The people whom the caller may see."""
    with control_plane(state) as control:
        return control.people().people


def person_of(state: Path, person_id: str) -> PersonAnswer:
    """One of them."""
    return _pick(people_of(state), person_id)


def change_roles(state: Path, person_id: str, added: Sequence[str], removed: Sequence[str], note: str) -> PersonAnswer:
    """Give and take roles."""
    with control_plane(state) as control:
        person = _pick(control.people().people, person_id)
        missing = [role for role in removed if role not in person.roles]
        if missing:
            raise Rejected(f"{person_id} is not {missing[0]}")
        roles = tuple(dict.fromkeys((*(role for role in person.roles if role not in removed), *added)))
        return control.change_person(person.model_copy(update={"roles": roles}), note)


def disable_person(state: Path, person_id: str, *, disabled: bool, note: str) -> PersonAnswer:
    """Let a person in no more, or again."""
    with control_plane(state) as control:
        person = _pick(control.people().people, person_id)
        return control.change_person(person.model_copy(update={"disabled": disabled}), note)


def new_code(state: Path, person_id: str, note: str) -> CodeAnswer:
    """Another code by which a person sets a password."""
    with control_plane(state) as control:
        return control.new_code(person_id, note)


def sign_in_link(state: Path, person_id: str, note: str) -> str:
    """A URL at which that person signs in, once."""
    with control_plane(state) as control:
        return control.sign_in_link(person_id, note).url


def owner_link(facts: MeshFacts, note: str) -> str:
    """A URL at which the owner of a mesh on this machine signs in, once: who becomes the first owner by it, or who is
    the only one of the whole mesh, or the one that is called so among several; "" for none of these.
    """
    keys = Path(facts.state) / "keys"
    with unable_on(KeyFolderError, ControlUnreachable):
        try:
            with ControlClient(facts.control, load_token(keys / ADMIN_TOKEN)) as control:
                people = control.people().people
                owners = [person.id for person in people if "owner" in person.roles and not person.disabled]
                name = owners[0] if len(owners) == 1 else OWNER
                if people and name not in owners:
                    return ""
                return control.sign_in_link(name, note).url
        except ControlRefused as refused:
            raise Rejected(str(refused)) from None


def confirm_person(state: Path, person_id: str, note: str) -> None:
    """Say that a person is in nobody's hand but their own."""
    with control_plane(state) as control:
        control.confirm_person(person_id, note)


def link_person(state: Path, person_id: str, channel: str, address: str, note: str) -> None:
    """Note where a person is in a channel; "" for nowhere."""
    with control_plane(state) as control:
        control.link_person(person_id, channel, address, note)


def verified_changes(state: Path) -> Changes:
    """All lines of the change log that the caller may see; who sees all of it has the chain followed from its first
    line. Raises Rejected when it is broken.
    """
    lines: list[ChangeLineAnswer] = []
    with control_plane(state) as control:
        after = 0
        while True:
            page = control.changes(after, _PAGE)
            lines += page.lines
            after = page.after
            if not after:
                break
        sees_all = any(role in ("owner", "auditor") for role in control.session().person.roles)
    if not sees_all:
        return Changes(tuple(lines), "the lines of your tenants alone: what is between them cannot be verified")
    try:
        count = verify_lines(map(_line, lines))
    except ChangeLogAltered as fault:
        raise Rejected(f"{fault}: somebody wrote to the database") from None
    head = lines[-1].hash if lines else "none"
    return Changes(tuple(lines), f"{count} lines, none altered; the last hash is {head}")


def _line(line: ChangeLineAnswer) -> ChangeLine:
    act = Act(Epoch(line.at), line.person, line.action, line.subject, line.domain, line.reason)
    return ChangeLine(line.number, act, line.previous, line.hash)


def _pick(people: Sequence[PersonAnswer], person_id: str) -> PersonAnswer:
    for person in people:
        if person.id == person_id:
            return person
    raise Rejected(f"there is no {person_id}")
