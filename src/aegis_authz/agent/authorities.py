"""The mesh's certificate authorities at an agent on another machine: asked for, believed or not, and kept for clients.

Believed is the authority that was named when the agent enrolled, and what follows it by endorsements; where none was
named, what comes by TLS or from this machine. So whoever sits between can put no authority of their own in its place,
nor whoever listens at a port of this machine in the place of a forwarded one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from aegis_authz import durable
from aegis_authz.agent.answers import AnswerTooLong, whole_body
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import items, text
from aegis_authz.intercept.authority import AuthorityUnreadable, MeshAuthorities, certificates_in
from aegis_authz.intercept.endorsements import authorities_among, endorsed, fingerprint_of

PATH = "/v1/authorities"
OWN, BUNDLE = "authorities.pem", "bundle.pem"
"""In an agent's folder: the mesh's authorities, and these with the public ones, which is what clients are given."""
PIN = "authority.sha256"
"""There, too: the fingerprint that was named, where one was. From then on only endorsements lead to another."""
_SECONDS = 5
_PUBLIC = 0o644


class AuthoritiesFault(Exception):
    """The authorities are not to be had, or not believed; the message says why and what to do."""


async def ask_authorities(session: aiohttp.ClientSession, control: str) -> MeshAuthorities | None:
    """What a control plane says, None where its mesh opens no HTTPS. Raises AuthoritiesFault."""
    url = f"{control.rstrip('/')}{PATH}"
    try:
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with session.get(url, allow_redirects=False, timeout=timeout) as response:
            body, status = await whole_body(response), response.status
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, AnswerTooLong) as fault:
        raise AuthoritiesFault(f"{url} does not answer: {fault or type(fault).__name__}") from None
    if status == 404:
        return None
    try:
        answer = strict_json.parse_object(body)
        if status != 200:
            raise AuthoritiesFault(f"{url} answered with status {status}")
        trusted, endorsements = (
            tuple(text(entry, name).encode("ascii") for entry in items(answer.get(name), name))
            for name in ("authorities", "endorsements")
        )
    except (Refused, ValueError):
        raise AuthoritiesFault(f"{url} answered with status {status} and no authorities") from None
    return MeshAuthorities(trusted, endorsements)


@dataclass(frozen=True, slots=True)
class AuthorityFiles:
    """The files in the folder of an agent. `public` is the file of public authorities of this machine."""

    folder: Path
    public: Path

    @property
    def bundle(self) -> Path:
        """What clients are given."""
        return self.folder / BUNDLE

    def take(self, offer: MeshAuthorities, pin: str, assured: bool, now: Epoch) -> bool:
        """Keep what is believed of an offer; whether the files have changed by that.

        `pin` is the fingerprint of an authority that is trusted whatever stands here, "" for none; `assured` counts
        where none was ever named alone. Raises AuthoritiesFault, and leaves what stands here, where none is believed;
        OSError.
        """
        try:
            own = self._believed(offer, pin, assured, now)
        except AuthorityUnreadable as fault:
            raise AuthoritiesFault(f"what was offered is {fault}") from None
        if pin:  # before what it is for: a copy without it would believe whoever is assured
            _write(self.folder / PIN, f"{pin}\n".encode("ascii"))
        changed = _write(self.folder / OWN, own)
        return _write(self.bundle, b"".join((own, self.public.read_bytes()))) or changed

    def _believed(self, offer: MeshAuthorities, pin: str, assured: bool, now: Epoch) -> bytes:
        offered = authorities_among(offer.trusted, now)
        if pin:
            named = [entry for entry in offered if fingerprint_of(entry) == pin]
            if not named:
                raise AuthoritiesFault(f"the authority {pin} is none of those that the mesh has now")
            believed = endorsed(named, offered, offer.endorsements, now)
        elif assured and not (self.folder / PIN).exists():
            believed = offered
        else:
            believed = endorsed(self._former(), offered, offer.endorsements, now)
        if not believed:
            raise AuthoritiesFault(
                "nothing says that they are the mesh's; name one by its fingerprint, which aegis ca show prints: "
                "aegis agent enroll ... --authority FINGERPRINT"
            )
        return b"".join(dict.fromkeys(believed))

    def _former(self) -> Sequence[bytes]:
        path = self.folder / OWN
        return certificates_in(path.read_bytes()) if path.exists() else ()


def _write(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    durable.replace(path, content, _PUBLIC)
    return True
