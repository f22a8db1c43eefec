"""Bodies that cost much to redact: the pieces they are made of, the worst that was met, and what they cost in calls.

A body is a genome: pieces repeated in order, or mixed by a seed. Calls, of Python and of C, do not depend on the
machine; what one call may cost is bounded by the widths of the expressions and by RE2.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

PIECES = (
    *("1", "12 ", "1 1 ", "11 11 ", "123-45-", "123 45 6789 ", "3-45-6789", "4", "4111 ", "4111.", "4111111111111111 "),
    *("4111-1111-1111-111", "3400 000000 ", "DE12 ", "DE 12", "DE89370400440532013001 ", "gb82west", "2000", "1 "),
    *("a@b.cc", "x@y.zz", "@a", "a@", "a.b", ".com", "+1 2", "+49 30 1", "+14155552671", "(415) 555-", "415-555-2671 "),
    *("415.555.", "(415)", "00 49 ", "0049 30 ", "phone:1 ", "fax=1", "tel. ", '"phone":"+1', "may 5", "1/2/1980"),
    *("born ", "born1", "dob:", "dob:1 ", '{"dob":"', "1.1.1980 ", "99/99/1999 ", "jan ", "ssn ", "SSN:123", "tax id "),
    *(
        "ssn:000-00 ",
        "ssn123-45-",
        "social sec",
        "AKIA",
        "ASIA1",
        "eyJ",
        " eyJ",
        "-eyJ",
        "eyJa.",
        "sk-",
        "sk-12",
        "SK ",
    ),
    *("sk-proj-", "sk_live_", "ghp_", "xoxb-", "hf_", "SG.", "://", "a://b:", "a://b:c@", "bearer ", "basic ", "0Q~"),
    *("-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----END ", ";pwd=a", ";pwd=<", "a://b:<", "a://b:${", "1:AA"),
    *("aws_key=", "api_key=", "password:", "A1b2C3d4E5f6G7h8", "TWFu", "QUJD", "QUJDREVGR0hJSktMTU5P ", "data:", "=?"),
    *(
        "\\",
        "\\\\",
        "\\u0031",
        "\\\\u0031",
        "\\n",
        "\\x31",
        '\\"',
        "%31",
        "%2531",
        "%2D",
        "%",
        "&amp;",
        "&#49;",
        "&shy;",
    ),
    *("&", "<b>", "<a>", "<b ", "< ", "<!--", "</i>", "\uff11", "1\u200b", "\u0661", "\u2011", "\u00a0", "\u4e2d"),
    *("\uff0e", "\U0001d7ce", '"', '","a":', '"ssn":"', "{", "[", ",", "/", "\n", "\t", "  ", "-", "."),
)


@dataclass(frozen=True, slots=True)
class Genome:
    """`pieces` one after the other, or any of them after any other when `seed` is more than 0."""

    pieces: tuple[str, ...]
    seed: int = 0

    def body(self, size: int) -> bytes:
        """A body of so many bytes; a character at its end may be cut."""
        chance = random.Random(self.seed)  # noqa: S311  the same body in every run
        parts: list[bytes] = []
        length = 0
        while length < size:
            part = (chance.choice(self.pieces) if self.seed else "".join(self.pieces)).encode()
            parts.append(part)
            length += len(part)
        return b"".join(parts)[:size]


WORST = (
    Genome(("123 45 6789 ", "born1", "&#49;", "tax id ")),
    Genome(("/", "123 45 6789 ", "born1", "&#49;", "tax id ", "99/99/1999 ", "\uff0e", "%2D"), 7),
    Genome(("\U0001d7ce", "%", "0Q~", "ssn ", "+1 2", "a@b.cc", "<b ", "sk-")),
    Genome(("\U0001d7ce", "3-45-6789", "0Q~", "ssn ", "+1 2", "a@b.cc", "<b ", "SG."), 3),
    Genome(("ghp_", " eyJ", "%", "0Q~")),
    Genome(("basic ", "xoxb-", "4", "<a>", "dob:", "SG.", "123 45 6789 ", "ssn:000-00 ")),
    Genome(("AKIA", "AKIA", "%2531", "dob:1 ", '"ssn":"', ".", "bearer ", "ssn ")),
    Genome(("SSN:123", ".", "%2531", "bearer ", '{"dob":"', "\\", "\u4e2d", "QUJDREVGR0hJSktMTU5P "), 5),
    Genome(("a://b:", "< ")),
    Genome(("a://b:", "<b ", "eyJ")),
    Genome(("a://b:c@",)),
    Genome(("%", "\uff0e", "sk-", "a@b.cc", "\uff0e")),
    Genome(("a@b.cc ",)),
    Genome(("+14155552671 ", "415-555-2671 ")),
    Genome(("4111 ",)),
    Genome(("4111111111111111 ",)),
    Genome(("gb82west12345698765431 ", "DE89370400440532013001 ")),
    Genome(("born ", "99/99/1999 ", "1.1.1980 ")),
    Genome(("-----BEGIN PRIVATE KEY-----",)),
    Genome(("-----BEGIN ", "\\n")),
    Genome(("\uff11", "1\u200b")),
    Genome(("\\u0031", "%2531", "&#49;", "<b>")),
    Genome(("\\",)),
    Genome(("QUJDREVGR0hJSktMTU5P ",)),
    Genome(("QUJDREVGR0hJSktMTU5P/",)),
)
"""What searches of some hundred thousand bodies met, and each costly step by itself."""

DENSEST = (
    Genome(("6@a.cc", "&#198", "\\a", "\u0661", "%8584", "7@8.cc", "7@b.cc", "7@b.cc"), 3),
    Genome(("\\n", "&#49;", "%", "6@6.cc", "1@8.zz", "b53", "\u00a0", "\u00a0"), 2),
    Genome(("x@y.zz", "\\=", "%9538", "x@y.zz", "://", "&amp;", "x@y.zz", "x@9.zz")),
)
"""What long searches met: values close to each other, in texts that are read in each way."""


def calls(action: Callable[[], object]) -> int:
    """How many functions an action calls, of Python and of C."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count


def child(parents: list[Genome], chance: random.Random) -> Genome:
    """A genome like one of its parents, or a new one."""
    if not parents or chance.random() < 0.3:
        return Genome(tuple(chance.choice(PIECES) for _ in range(chance.choice((1, 2, 2, 3, 4)))), chance.randrange(3))
    parent = chance.choice(parents)
    pieces = list(parent.pieces)
    place = chance.randrange(len(pieces))
    kind = chance.randrange(5)
    if kind == 0:
        pieces[place] = chance.choice(PIECES)
    elif kind == 1:
        pieces.append(chance.choice(PIECES))
    elif kind == 2 and len(pieces) > 1:
        del pieces[place]
    elif kind == 3 and len(pieces[place]) > 1:
        cut = chance.randrange(len(pieces[place]))
        pieces[place] = pieces[place][:cut] + chance.choice('0123456789 -.abAB@:="') + pieces[place][cut + 1 :]
    else:
        pieces += chance.choice(parents).pieces
    return Genome(tuple(pieces[:8]), parent.seed if chance.random() < 0.8 else chance.randrange(9))


def search(cost: Callable[[Genome], float], rounds: int, seed: int) -> list[tuple[float, Genome]]:
    """The costliest of so many genomes, each grown from the costliest before it; the worst first."""
    chance = random.Random(seed)  # noqa: S311  the same search in every run
    best: dict[Genome, float] = {}
    for _ in range(rounds):
        genome = child(list(best), chance)
        if genome not in best:
            best[genome] = cost(genome)
        if len(best) > 16:
            del best[min(best, key=lambda genome: best[genome])]
    return sorted(((figure, genome) for genome, figure in best.items()), key=lambda pair: -pair[0])
