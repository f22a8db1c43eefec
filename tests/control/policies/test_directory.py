"""Who is registered by now is worked out once for what is served and who enrolled, and follows both."""

from __future__ import annotations

from types import MappingProxyType

from aegis_authz.control.policies.directory import EMPTY_DIRECTORY, NOBODY, CurrentDirectory, Directory
from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import thumbprint

BOT, CLERK = Scope("acme", "emea", "bot"), Scope("acme", "emea", "clerk")
KEY = bytes(range(32))
DOCUMENTS = Directory(MappingProxyType({CLERK: NOBODY}), (), None)


def test_the_directory_follows_what_is_served_and_who_enrolled() -> None:
    published, enrolled = EMPTY_DIRECTORY, NOBODY_ENROLLED
    current = CurrentDirectory(lambda: published, lambda: enrolled, "")
    assert current().agents == {}
    published = DOCUMENTS
    assert set(current().agents) == {CLERK}
    enrolled = Enrolled((), (EnrolledKey(BOT, KEY, Epoch(1.0), "ann"),))
    assert set(current().agents) == {BOT, CLERK}
    assert current().agent(BOT).keys == {thumbprint(KEY): KEY}
    published, enrolled = EMPTY_DIRECTORY, NOBODY_ENROLLED
    assert current().agents == {}


def test_while_nothing_changes_it_is_worked_out_once() -> None:
    enrolled = Enrolled((), (EnrolledKey(BOT, KEY, Epoch(1.0), "ann"),))
    current = CurrentDirectory(lambda: DOCUMENTS, lambda: enrolled, "")
    assert current() is current()
