"""The changes of limits and breakers: each taken away, each amount and window moved, what comes beyond it exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.lab.edits import Edit, elements, members, moved, removed, replaced, without_each, words_of
from aegis_authz.policy.language.limits import (
    COUNTED,
    LIMIT_WORDS,
    ORDERED,
    budget_of,
    concurrency_of,
    count_of,
    flags_of,
    rate_of,
    seconds_of,
)
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.reader import Location

_IN_FULL: Mapping[str, Callable[[object], object]] = {
    "budget": budget_of,
    "rate_limit": rate_of,
    "count": count_of,
    "concurrency": concurrency_of,
    **dict.fromkeys(ORDERED, flags_of),
}
"""What the short form of a word stands for."""
_NUMBERS = ("amount", "calls", "burst", "max")
_SHORTER: Mapping[str, str] = {"minute": "second", "hour": "30m", "day": "hour", "week": "day", "month": "week"}
_TERMS = ("per", "on_exceed")


def limit_changes(root: Json, at: Location) -> Iterator[Edit]:
    """The changes of the limits of a rule or an entry at a location. Numbers move so that more calls pass."""
    limited = members(root, at)
    listed = [word for word in LIMIT_WORDS if word in limited]
    for word in listed:
        where = (*at, word)
        rest = removed(root, where)
        if len(listed) == 1:  # what is said of limits says nothing without any
            for term in _TERMS:
                rest = removed(rest, (*at, term)) if term in limited else rest
        yield Edit(where, f"{word} {words_of(limited[word])} is removed", rest)
        several = [*elements(root, where)] if word not in ORDERED else []
        for place, terms in several or [(where, limited[word])]:
            if len(several) > 1:
                yield Edit(place, f"{word} {words_of(terms)} is removed", removed(root, place))
            yield from _term_changes(root, place, word, _IN_FULL.get(word, _same)(terms))
    if "per" in limited:
        opposite = "tenant" if limited["per"] == "agent" else "agent"
        yield Edit((*at, "per"), f"per is {opposite}", replaced(root, (*at, "per"), opposite))
    if any(word in COUNTED for word in listed):
        yield from _exceed_changes(root, at, "of the limits")


def breaker_changes(root: Json) -> Iterator[Edit]:
    """The changes of a document's breaker. Numbers move so that more refusals pass."""
    at: Location = ("breaker",)
    terms = members(root, at)
    if not terms:
        return
    yield Edit(at, "breaker is removed", removed(root, at))
    counting = [word for word in ("refusals", "forbidden_domain") if word in terms]
    for word in counting:
        where = (*at, word)
        if len(counting) > 1:
            yield Edit(where, f"{word} {words_of(terms[word])} is removed", removed(root, where))
        yield from moved(root, where, word, is_raised=True)
    for word in ("within", "quarantine"):
        yield from _halved(root, (*at, word))


def _same(value: object) -> object:
    return value


def _term_changes(root: Json, at: Location, word: str, terms: object) -> Iterator[Edit]:
    """The changes of one limit, whose `terms` are written out in full."""
    if not isinstance(terms, Mapping):
        return
    whole = replaced(root, at, {**terms})
    for name in _NUMBERS:
        if name in terms:
            yield from moved(whole, (*at, name), f"{word} {name}", is_raised=True)
    window = terms.get("per")
    if isinstance(window, str) and window in _SHORTER:
        shorter = _SHORTER[window]
        yield Edit(at, f"{word} per {window} became {shorter}", _rewindowed(whole, at, shorter))
    yield from _halved(whole, (*at, "per"))
    if "unit" in members(whole, (*at, "of")):
        yield Edit((*at, "of", "unit"), "unit is removed", removed(whole, (*at, "of", "unit")))
    if "on_exceed" in terms:
        yield from _exceed_changes(whole, at, f"of {word}")
    if word in ORDERED:
        yield from without_each(whole, (*at, "flags"), f"flag of {word}")
        yield from _halved(whole, (*at, "life"))
    if word in ("requires", "unless"):
        flipped = "deny" if terms.get("else") == "approval_needed" else "approval_needed"
        yield Edit(at, f"else of {word} is {flipped}", replaced(whole, (*at, "else"), flipped))


def _rewindowed(whole: Json, at: Location, window: str) -> Json:
    changed = replaced(whole, (*at, "per"), window)
    has_zone = "zone" in members(changed, at) and window == _SHORTER["hour"]
    return removed(changed, (*at, "zone")) if has_zone else changed


def _exceed_changes(root: Json, at: Location, words: str) -> Iterator[Edit]:
    exceed = members(root, at).get("on_exceed", "deny")
    opposite = "deny" if exceed == "observe" else "observe"
    where = (*at, "on_exceed")
    place = where if "on_exceed" in members(root, at) else at
    yield Edit(place, f"on_exceed {words} is {opposite}", replaced(root, where, opposite))
    if exceed in ("approval_needed", "sanitize"):
        yield Edit(where, f"on_exceed {words} is deny", replaced(root, where, "deny"))


def _halved(root: Json, at: Location) -> Iterator[Edit]:
    """A duration cut in half, so that less is remembered."""
    duration = inside(root, at)
    try:
        seconds = seconds_of(duration) if isinstance(duration, str) else 0
    except ValueError:
        return
    if seconds > 1:
        shorter = f"{seconds // 2}s"
        yield Edit(at, f"{at[-1]} {duration} became {shorter}", replaced(root, at, shorter))
