"""Agent keys: a static secret for clients that can show nothing better, known here by its hash alone.

A plain SHA-256 is enough at rest, because a key is 256 random bits and its form says so: nobody guesses it from the
hash, and a slow hash would protect nothing but chosen passwords, which the form refuses. It is looked up by the hash,
so the time that takes says nothing of the key.
"""

from __future__ import annotations

import hashlib
import re
from ipaddress import ip_address, ip_network

from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import AgentKey, Registry
from aegis_authz.core.units import Epoch, Jti, Seconds
from aegis_authz.encoding import base64url

KEY_PREFIX = "agk_"
"""What every agent key begins with, and no token."""
KEY_FORM = re.compile(r"agk_[A-Za-z0-9_-]{43}\Z")
"""256 random bits in base64url."""
ISSUER = "agent-keys"
"""Who vouches for an agent that showed a key: the documents of the bundle."""
CALL_LIFE = Seconds(1.0)
"""How long the id that is made for such a call could matter: it is never shown to anybody."""


def key_of(chance: bytes) -> str:
    """The agent key of 32 random bytes. Raises ValueError for another number of them."""
    if len(chance) != 32:
        raise ValueError("an agent key is made of 32 random bytes")
    return KEY_PREFIX + base64url.encode(chance).decode("ascii")


def key_digest(key: str) -> str:
    """What is kept of a key: its SHA-256 in lower-case hex."""
    return hashlib.sha256(key.encode("ascii")).hexdigest()


def read_agent_key(key: str, source: str, is_private: bool, registry: Registry, now: Epoch, jti: Jti) -> Identity:
    """Whose key it is.

    `source` is the address the request came from, `is_private` whether nobody else on the way could read the key (TLS,
    or loopback); `jti` is a fresh id for the call. Raises Refused with CREDENTIAL_MALFORMED, CREDENTIAL_NOT_ACCEPTED
    (from where it comes, or in the clear), CREDENTIAL_UNTRUSTED, CREDENTIAL_EXPIRED or CREDENTIAL_NOT_YET_VALID.
    """
    if KEY_FORM.match(key) is None:
        raise Refused(Reason.CREDENTIAL_MALFORMED, "not an agent key: agk_ and 43 characters of base64url")
    if not is_private:
        raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, "an agent key in the clear, from another machine")
    digest = key_digest(key)
    scope = registry.by_key_digest.get(digest)
    if scope is None:
        raise Refused(Reason.CREDENTIAL_UNTRUSTED, "no agent has this key")
    registration = registry.of_agent(scope)
    (entry,) = [entry for entry in registration.agent_keys if entry.digest == digest]
    if now < entry.starts_at:
        raise Refused(Reason.CREDENTIAL_NOT_YET_VALID, "the agent key counts from a later day on")
    if entry.ends_at is not None and now >= entry.ends_at:
        raise Refused(Reason.CREDENTIAL_EXPIRED, "the agent key counts no more")
    if not _may_come_from(entry, source):
        raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, "the agent key came from outside its ranges")
    return Identity(
        scope=scope,
        issuer=ISSUER,
        key_id=digest,
        jti=jti,
        issued_at=now,
        expires_at=Epoch(now + CALL_LIFE),
        actors=(),
        on_behalf_of="",
        way=Way.AGENT_KEY,
        proof=None,
        session="",
        grant=None,
    )


def _may_come_from(entry: AgentKey, source: str) -> bool:
    try:
        address = ip_address(source)
    except ValueError:
        return False  # a unix socket has no address, and no range holds it
    return any(address in ip_network(network) for network in entry.ranges)
