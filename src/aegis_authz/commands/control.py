"""The control plane of a mesh, and who asks it: the mesh on this machine, or what the environment names."""

from __future__ import annotations

import getpass
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from aegis_authz.adapters.control_client import ControlClient
from aegis_authz.adapters.control_connection import ControlRefused, ControlUnreachable
from aegis_authz.adapters.files.keys import ADMIN_TOKEN, KeyFolderError, load_token
from aegis_authz.adapters.files.logins import FileLogins, LoginsFault, logins_path
from aegis_authz.adapters.system import SystemClock
from aegis_authz.adapters.tls import TlsUnusable, client_context
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.address import says_loopback
from aegis_authz.local.mesh_facts import FACTS_FILE, MeshFacts, MeshNotRunning, left_facts

URL_VARIABLE = "AEGIS_CONTROL"
"""Where a control plane listens that `aegis up` did not start."""
TOKEN_VARIABLE = "AEGIS_ADMIN_TOKEN_FILE"  # noqa: S105  # a name
"""The file of its admin token; by default where the state folder has one."""
CA_VARIABLE = "AEGIS_CONTROL_CA"
"""The file of the authorities that its certificate is verified by, in place of the usual ones."""
CLEAR_VARIABLE = "AEGIS_CONTROL_CLEAR"
"""`1` lets what proves who asks go over a network in the clear, where something else keeps that private."""
CERTIFICATE_VARIABLE = "AEGIS_CONTROL_CERTIFICATE"
"""The file of a certificate to show it, and its key; none is shown by default."""
KEY_VARIABLE = "AEGIS_API_KEY"
"""An API key, which goes before a login and the admin token."""


@dataclass(frozen=True, slots=True)
class MeshFolders:
    """Where a mesh's documents are edited."""

    policies: Path
    tools: Path


@contextmanager
def control_plane(state: Path) -> Iterator[ControlClient]:
    """The control plane that the environment names, else that of the mesh in this folder, asked by whoever signed in
    there: the API key of the environment, else the login that is kept, else the admin token.

    Raises Unable, and Rejected for what it refuses inside the block.
    """
    with unable_on(KeyFolderError, ControlUnreachable, LoginsFault):
        url = control_url(state)
        client = ControlClient(url, _bearer(state, url), tls=control_tls())
        try:
            with client as control:
                yield control
        except ControlRefused as refused:
            raise Rejected(str(refused)) from None


def control_url(state: Path, option: str = "") -> str:
    """Where the control plane is that an option `--url` names, or the environment, else that of the mesh in this
    folder. Raises Unable.
    """
    if option:
        _require_private(option, "--url")
        return option
    url = os.environ.get(URL_VARIABLE, "")
    if not url:
        return mesh_facts(state).control
    _require_private(url, URL_VARIABLE)
    return url


def _require_private(url: str, name: str) -> None:
    """Refuse a URL to which a password or a token would go in the clear, over a network that nobody vouches for.

    `name` is what said the URL. Raises Unable.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_usable = parts.scheme in ("http", "https") and bool(host) and parts.username is None
    except ValueError:
        is_usable = False
    if not is_usable:
        raise Unable(f"{name} must be http:// or https:// and a host")
    if parts.scheme == "http" and not says_loopback(host) and os.environ.get(CLEAR_VARIABLE, "") != "1":
        raise Unable(
            f"{name} is http:// to another machine: what proves who asks would be there for all to read on the way. "
            f"Give the control plane `tls`, or set {CLEAR_VARIABLE}=1 where that network is private"
        )


def _bearer(state: Path, url: str) -> str:
    """What proves who asks. Raises Unable, KeyFolderError, LoginsFault."""
    key = os.environ.get(KEY_VARIABLE, "")
    if key:
        return key
    login = FileLogins(logins_path(os.environ)).of(url)
    if login is not None:
        if login.expires_at <= SystemClock().now():
            # not the admin token instead: what is done would be somebody else's
            raise Unable(f"the login of {login.person} is over: aegis login {login.person}, or aegis logout")
        return login.key
    named = os.environ.get(TOKEN_VARIABLE, "") if os.environ.get(URL_VARIABLE, "") else ""
    return load_token(Path(named or state / "keys" / ADMIN_TOKEN))


def control_tls() -> ssl.SSLContext | None:
    """How TLS is spoken to it, None as usual. Raises Unable."""
    authorities, certificate = (os.environ.get(name, "") for name in (CA_VARIABLE, CERTIFICATE_VARIABLE))
    if not authorities and not certificate:
        return None
    with unable_on(TlsUnusable):
        return client_context(Path(authorities) if authorities else None, Path(certificate) if certificate else None)


def mesh_folders(state: Path) -> MeshFolders:
    """The folders of documents in use. Raises Unable."""
    facts = mesh_facts(state)
    return MeshFolders(Path(facts.policies), Path(facts.tools))


def operator_name() -> str:
    """The name of whoever runs this command, as the operating system knows it."""
    return getpass.getuser()


def mesh_facts(state: Path) -> MeshFacts:
    """What mesh.json says, whether or not its mesh runs. Raises Unable."""
    with unable_on(MeshNotRunning):
        facts = left_facts(state)
    if facts is None:
        raise Unable(f"{state / FACTS_FILE}: no such file; start a mesh with: aegis up --dir {quote(str(state))}")
    return facts
