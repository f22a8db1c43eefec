"""The certificate authority of a mesh on this machine: shown, given to clients, replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.files.authority_folder import AuthorityFolder, RotationFault
from aegis_authz.adapters.system import SystemClock
from aegis_authz.agent.authorities import BUNDLE
from aegis_authz.agent.command import AUTHORITIES
from aegis_authz.agent.enrolment import EnrolmentFault, agent_folder, users_agents
from aegis_authz.commands.agent import chosen_agent, nearest_mesh
from aegis_authz.commands.faults import Rejected, unable_on
from aegis_authz.intercept.authority import Authority, AuthorityUnreadable, NotCertified
from aegis_authz.local.layout import Layout
from aegis_authz.local.settings import trusted_authorities


@dataclass(frozen=True, slots=True)
class ShownAuthority:
    """One authority. `ends` is in wall-clock seconds; `names` are the domains it is held to, () for any."""

    fingerprint: str
    ends: float
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ShownAuthorities:
    """The authority that signs, the next one where a rotation has begun, and whether the one before is trusted yet.

    `trusted` and `bundle` are files: the mesh's authorities alone, and with the public ones.
    """

    signing: ShownAuthority
    upcoming: ShownAuthority | None
    trusts_former: bool
    trusted: str
    bundle: str


@unable_on(AuthorityUnreadable, OSError)
def shown_authorities(state: Path) -> ShownAuthorities:
    """What there is. Raises Unable."""
    folder = _folder(state)
    upcoming = folder.upcoming()
    return ShownAuthorities(
        _shown(folder.signing()),
        None if upcoming is None else _shown(upcoming),
        folder.has_former,
        str(folder.trusted.resolve()),
        str(folder.bundle.resolve()),
    )


@unable_on(AuthorityUnreadable, OSError)
def exported(state: Path, with_public: bool) -> str:
    """The certificates that clients have to trust, PEM; with the public ones on demand. Raises Unable."""
    folder = _folder(state)
    folder.signing()
    return (folder.bundle if with_public else folder.trusted).read_text("ascii", "replace")


@unable_on(AuthorityUnreadable, EnrolmentFault, ValueError, OSError)
def client_variables(state: Path | None, agent: str) -> dict[str, str]:
    """The variables that make clients trust the mesh of this folder, or that of an agent which this user enrolled.

    Raises Unable.
    """
    mesh = nearest_mesh(state)
    if mesh is None:
        return dict.fromkeys(AUTHORITIES, str(_copied_bundle(agent)))
    folder = _folder(mesh)
    folder.signing()
    return dict.fromkeys(AUTHORITIES, str(folder.bundle.resolve()))


def _copied_bundle(agent: str) -> Path:
    home = users_agents()
    scope = chosen_agent(home, agent)
    bundle = agent_folder(home, scope) / BUNDLE
    if not bundle.is_file():
        raise EnrolmentFault(f"{scope} has no authorities of its mesh; it gets them by: aegis agent run")
    return bundle


@unable_on(AuthorityUnreadable, NotCertified, OSError)
def begin_rotation(state: Path, names: tuple[str, ...]) -> ShownAuthority:
    """Make the next authority, held to `names`, and have clients trust it. Raises Unable, Rejected."""
    return _stepped(lambda: _shown(_folder(state).begin(SystemClock().now(), names)))


@unable_on(AuthorityUnreadable, OSError)
def sign_with_next(state: Path) -> ShownAuthority:
    """Let the next authority sign. Raises Unable, Rejected."""
    return _stepped(lambda: _shown(_folder(state).switch()))


@unable_on(AuthorityUnreadable, OSError)
def finish_rotation(state: Path) -> ShownAuthority:
    """Trust the former authority no more. Raises Unable, Rejected."""

    def step() -> ShownAuthority:
        folder = _folder(state)
        folder.finish()
        return _shown(folder.signing())

    return _stepped(step)


def _stepped(step: Callable[[], ShownAuthority]) -> ShownAuthority:
    try:
        return step()
    except RotationFault as fault:
        raise Rejected(str(fault)) from None


def _folder(state: Path) -> AuthorityFolder:
    return AuthorityFolder(Layout(state, state).authority, trusted_authorities())


def _shown(authority: Authority) -> ShownAuthority:
    return ShownAuthority(authority.fingerprint, authority.ends, authority.names)
