"""Names that some reader takes for another name: folded, the two are equal.

A member `Arguments` is `arguments` to Go's JSON decoder, `a[]` and `a[0]` are `a` to PHP and Rails, `a.b` and `a b`
are `a_b` to PHP, and names with full-width letters or characters without width look like the plain name to a person
and to whatever normalises text (UAX #15, UAX #31 section 2.3).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

_PLAIN = re.compile(r"[a-z0-9_]*\Z")
_USUAL = re.compile(r"[A-Za-z0-9_-]+\Z")
_IGNORABLE = dict.fromkeys(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000))
)
"""Code points without a shape that are not of category Cf or Cc (DerivedCoreProperties, Default_Ignorable)."""
_SEPARATORS = str.maketrans({".": "_", " ": "_"})
_SHORT = 64
_MOST_KEPT = 1024
"""Texts of at most so many characters: each name of a call is looked at for each of what it may be taken for."""
_DOTTED = "i\u0307"  # what lower case makes of I with a dot (U+0130), which Java and Go take for i


def folded(name: str) -> str:
    """The form that two names have in common when some reader takes them for one, but for what brackets mean."""
    if _PLAIN.match(name):
        return name
    form = shape(name).strip()
    return form.translate(_SEPARATORS) if "." in form or " " in form else form


def shape(text: str) -> str:
    """A text without differences of case, of width and of composition, and without what has no shape.

    Case as the most generous reader folds it: dotless i and long s are I and S in upper case.
    """
    if text.isascii() and text.isprintable():
        return text.lower()
    return _remembered(text) if len(text) <= _SHORT else _shape(text)


def _shape(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).upper().casefold().replace(_DOTTED, "i")
    if not plain.isprintable():  # as no text is that has some of these
        plain = "".join(char for char in plain if unicodedata.category(char) not in ("Cf", "Cc"))
    return plain if plain.isascii() else unicodedata.normalize("NFKC", plain.translate(_IGNORABLE))


_remembered = lru_cache(_MOST_KEPT)(_shape)


def is_usual(name: str) -> bool:
    """Whether whoever takes a name for another at all takes it for one that differs in the case of ASCII letters."""
    return _USUAL.match(name) is not None


def twin(name: str) -> str:
    """The form that two members of one object have in common when some reader takes them for one."""
    return name if _PLAIN.match(name) else shape(name).strip()


def simply_folded(name: str) -> str | None:
    """What case, dots and spaces alone make of a name; None where readers differ in what is a space or a letter's case.

    `folded` in rego/values.rego comes to the same.
    """
    plain = name.strip().translate(_SEPARATORS)
    upper = plain.upper()
    return upper.lower() if name.isprintable() and len(upper) == len(plain) else None


def stem(name: str) -> str:
    """The folded form of the parameter that a name with brackets is a part of: `a` for `a[]` and `A[x][0]`."""
    return _stem(folded(name))


def _stem(form: str) -> str:
    return form.partition("[")[0].strip("_") or form if "[" in form else form


def mistakable(names: Iterable[str], vocabulary: Collection[str]) -> str | None:
    """The first of `names` that is no known name and that some reader takes for one; None when there is none."""
    forms: set[str] | None = None
    for name in names:
        if name in vocabulary:
            continue
        if forms is None:
            forms = {form for word in vocabulary for form in (folded(word), stem(word))}
        form = folded(name)
        if form in forms or _stem(form) in forms:
            return name
    return None
