"""Whom another provider vouches for, and what that makes them here: never more than a mapping of groups says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.person import PERSON_ID, RoleBinding
from aegis_authz.core.trusted_issuer import claim_of

_MOST_GROUPS, _MOST_GROUP = 1000, 256
_MOST_SUBJECT, _MOST_NAME = 255, 128
_EMAIL = ("email", "/email")
"""The claim by its name, and by its JSON pointer."""


class ProfileUnusable(Exception):
    """What the provider says of a person is not what is needed; the message is for the log and holds no claim."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as their provider says it.

    `subject` is the provider's own name for them, which stays; `person_id` is what they would be called here, "" where
    the provider says nothing that can be used; `groups` are those of the provider.
    """

    subject: str
    person_id: str
    name: str
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Membership:
    """What a group of the provider makes its people here: these roles, in these groups of approvers."""

    roles: tuple[RoleBinding, ...]
    groups: frozenset[str]


def profile_of(claims: Mapping[str, Json], person_claim: str, groups_claim: str) -> Profile:
    """The person of these verified claims; claims are named as `claim_of` reads them. Raises ProfileUnusable.

    An e-mail address is a name only where the provider has verified that it is theirs (OpenID Connect Core, 5.7).
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MOST_SUBJECT or not _is_plain(subject):
        raise ProfileUnusable("sub is no short text of ASCII")
    name = claims.get("name")
    is_name = isinstance(name, str) and 0 < len(name) <= _MOST_NAME and name.isprintable()
    person_id = _person_id(claims, person_claim)
    return Profile(subject, person_id, str(name) if is_name else "", _groups(claim_of(claims, groups_claim)))


def membership_of(profile: Profile, mapping: Mapping[str, Membership]) -> Membership:
    """What the groups of a person make them here, all together: nothing where none of them is mapped."""
    entries = [mapping[group] for group in sorted(profile.groups) if group in mapping]
    roles = tuple(dict.fromkeys(binding for entry in entries for binding in entry.roles))
    return Membership(roles, frozenset(group for entry in entries for group in entry.groups))


def _person_id(claims: Mapping[str, Json], person_claim: str) -> str:
    value = claim_of(claims, person_claim)
    if not isinstance(value, str) or (person_claim in _EMAIL and claims.get("email_verified") is not True):
        return ""
    person_id = value.lower()
    return person_id if value.isascii() and PERSON_ID.match(person_id) else ""


def _groups(value: Json) -> frozenset[str]:
    if value is None:
        return frozenset()
    if not isinstance(value, list) or len(value) > _MOST_GROUPS:
        raise ProfileUnusable("the claim of groups is no list of names")
    names = [name for name in value if isinstance(name, str) and 0 < len(name) <= _MOST_GROUP]
    if len(names) != len(value):
        raise ProfileUnusable("the claim of groups is no list of names")
    return frozenset(names)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip()
