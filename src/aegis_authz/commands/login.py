"""Signing in from a command line: an API key of the person's own, kept for the control plane it is of."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path

from aegis_authz.adapters.control_client import ControlClient
from aegis_authz.adapters.control_connection import ControlRefused, ControlUnreachable
from aegis_authz.adapters.files.logins import FileLogins, Login, LoginsFault, logins_path
from aegis_authz.api.people import PersonAnswer
from aegis_authz.commands.control import control_plane, control_tls, control_url
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.units import Epoch
from aegis_authz.people.secrets import split_key


def login(url: str, person_id: str, password: str, code: str, days: float) -> Login:
    """Sign in at the control plane of this URL, with a code for a new password or without, and keep an API key that
    lives so many days. Raises Unable, Rejected.
    """

    def enter(control: ControlClient) -> str:
        if code:
            control.set_password(code, person_id, password)
        else:
            control.sign_in(person_id, password)
        return person_id

    return keep_login(url, enter, days)


def keep_login(url: str, enter: Callable[[ControlClient], str], days: float) -> Login:
    """Keep an API key, that lives so many days, of whom `enter` signs in as: it returns the person's id.

    Raises Unable, Rejected.
    """
    with unable_on(ControlUnreachable, LoginsFault):
        try:
            with ControlClient(url, "", tls=control_tls()) as control:
                person_id = enter(control)
                made = control.make_key(f"aegis login on {platform.node()}"[:128], (), days)
                control.sign_out()
        except ControlRefused as refused:
            raise Rejected(str(refused)) from None
        kept = Login(person_id, made.key, Epoch(made.expires_at))
        FileLogins(logins_path(os.environ)).keep(url, kept)
        return kept


def logout(state: Path) -> None:
    """End the API key of the login at the mesh in this folder, and forget it. Raises Unable, Rejected."""
    url = control_url(state)
    with unable_on(LoginsFault):
        logins = FileLogins(logins_path(os.environ))
        kept = logins.of(url)
        if kept is None:
            raise Rejected(f"nobody is signed in at {url}")
    parts = split_key(kept.key)
    if parts is None:
        with unable_on(LoginsFault):
            logins.forget(url)
        raise Unable(
            "the login is forgotten here; what was kept is no API key, so that none could be ended: "
            "aegis people keys lists those of yours"
        )
    with unable_on(ControlUnreachable, LoginsFault), ControlClient(url, kept.key, tls=control_tls()) as control:
        try:  # the key first: once it is forgotten here, nobody could end it by its id
            control.revoke_key(parts[0])
        except ControlRefused as refused:
            logins.forget(url)
            raise Unable(f"the login is forgotten here; its key could not be ended: {refused}") from None
        logins.forget(url)


def whoami(state: Path) -> PersonAnswer:
    """As whom commands act. Raises Unable, Rejected."""
    with control_plane(state) as control:
        return control.session().person


def first_owner_code(state: Path) -> str:
    """The code that the first start of the control plane left in a file. Raises Unable."""
    path = state / "control" / "first-owner.code"
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeError):
        raise Unable(f"{path}: there is no code of the first owner, or this user may not read it") from None
