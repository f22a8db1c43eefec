"""Where the tokens of a load come from: signed as they are needed, or given by the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aegis_authz.commands.tokens import mesh_issuer
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.identity.mint import MAX_TTL
from aegis_authz.load.calls import Signer


class NoTokens(Exception):
    """The file of a key or of tokens cannot be used; the message names it and holds nothing of it."""


class Tokens(Protocol):
    """The tokens of a load, each for one call."""

    @property
    def life(self) -> float:
        """Seconds a token taken now is good for at least; infinity when nobody can tell."""

    def take(self, count: int) -> Iterable[str]:
        """Up to so many tokens; none when there are no more."""

    def spent(self, count: int) -> None:
        """So many of those taken last were sent."""


class SignedTokens:
    """Signed afresh each time. `chance` gives a name never given before."""

    def __init__(self, signer: Signer, now: Callable[[], Epoch], chance: Callable[[], str]) -> None:
        self._signer = signer
        self._now = now
        self._chance = chance
        self.life = signer.ttl

    def take(self, count: int) -> Iterable[str]:
        """That many tokens that nobody has seen. Raises ValueError for a signer with a name that cannot be one."""
        return islice(self._signer.tokens(self._chance(), self._now()), count)

    def spent(self, count: int) -> None:
        """Nothing is left over: the next ones are new."""


class GivenTokens:
    """Tokens signed elsewhere, taken in order, each sent once."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._next = 0
        self.life = float("inf")

    def take(self, count: int) -> Iterable[str]:
        """The next ones, fewer than asked for at the end."""
        return self._tokens[self._next : self._next + count]

    def spent(self, count: int) -> None:
        """The rest is taken again."""
        self._next += count


def read_tokens(path: Path) -> GivenTokens:
    """The tokens of a file, one a line. Raises NoTokens."""
    try:
        lines = [line.strip() for line in path.read_text("ascii").splitlines()]
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "not ASCII"
        raise NoTokens(f"{path}: {why}") from None
    tokens = [line for line in lines if line]
    if not tokens:
        raise NoTokens(f"{path}: no token in it")
    return GivenTokens(tokens)


def read_key(path: Path) -> Ed25519PrivateKey:
    """The issuer's key of a PEM file. Raises NoTokens."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as fault:
        raise NoTokens(f"{path}: {fault.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise NoTokens(f"{path}: not an unencrypted Ed25519 private key in PEM")
    return key


def mesh_signer(state: Path, scope: Scope) -> Signer:
    """A signer of the mesh in this folder. Raises Unable."""
    key, settings = mesh_issuer(state)
    return Signer(
        key,
        issuer=settings.issuer,
        audience=settings.mesh_audience,
        scope=scope,
        ttl=Seconds(min(MAX_TTL, settings.max_token_life)),
    )
