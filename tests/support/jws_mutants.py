"""Changes of a compact JWS that no reader may take: bits flipped, parts written in another way, parts of two mixed."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable

_MIXES = ((0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1))


def flipped(text: str, chance: random.Random) -> str:
    """One bit of it is another."""
    place = chance.randrange(len(text))
    return text[:place] + chr(ord(text[place]) ^ 1 << chance.randrange(7)) + text[place + 1 :]


def recoded(text: str, chance: random.Random) -> str:
    """One part of it says the same, or nearly, in another way."""
    parts = text.split(".")
    place = chance.randrange(3)
    raw = base64.urlsafe_b64decode(parts[place] + "==")
    forms: list[Callable[[], str]] = [
        lambda: parts[place] + "=" * chance.randint(1, 3),
        lambda: base64.b64encode(raw).decode(),
        lambda: raw.hex(),
        lambda: base64.b32encode(raw).decode(),
        lambda: parts[place][:-1] + chance.choice(string.ascii_letters + string.digits + "-_"),
        lambda: parts[place] + chance.choice(string.whitespace + "\x00.,;"),
        lambda: chance.choice(" \t\n") + parts[place],
        lambda: parts[place].swapcase(),
        lambda: "",
        lambda: parts[(place + 1) % 3],
    ]
    return ".".join([*parts[:place], chance.choice(forms)(), *parts[place + 1 :]])


def mixed(left: str, right: str, chance: random.Random) -> str:
    """Some parts of one and some of the other."""
    parts = (left.split("."), right.split("."))
    return ".".join(parts[pick][place] for place, pick in enumerate(chance.choice(_MIXES)))
