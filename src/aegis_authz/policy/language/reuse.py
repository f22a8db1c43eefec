"""Values that documents use by name: `{list: suppliers}` and the like, replaced by what `define` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aegis_authz.core.json_value import Json
from aegis_authz.policy.language.operators import Operand, words_with
from aegis_authz.policy.source.problems import MOST_IN_A_FILE, Problem, did_you_mean, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument

_KINDS: Mapping[str, str] = {
    "lists": "list",
    "patterns": "pattern",
    "time_windows": "time window",
    "approvers": "approvers",
    "detectors": "detectors",
}
_SAID_BY = ("list", "pattern")
_WINDOWS = words_with(Operand.WINDOWS)
_PATTERNS = words_with(Operand.PATTERN)
_VERBATIM = "schema"  # JSON Schema has words of its own


@dataclass(slots=True)
class Defined:
    """All definitions of a folder, as raw values, by kind and name.

    Of those that are `wrong`, users say nothing more.
    """

    values: dict[str, dict[str, Json]] = field(default_factory=lambda: {kind: {} for kind in _KINDS})
    wrong: set[tuple[str, str]] = field(default_factory=set)
    unread: bool = False
    """Whether a document of definitions could not be read: then any name might be defined."""

    def doubt(self, problems: Sequence[Problem]) -> None:
        """Remember which definitions are wrong themselves, by what was found in their documents."""
        fields = [problem.field for problem in problems if problem.field.startswith("define.")]
        for kind, names in self.values.items() if fields else ():
            self.wrong.update(
                (kind, name) for name in names if any(path.startswith(f"define.{kind}.{name}") for path in fields)
            )

    def add(self, source: SourceDocument) -> list[Problem]:
        """Take in a document of definitions; returns a problem for each name that is taken."""
        problems = []
        define = source.value.get("define") if isinstance(source.value, Mapping) else None
        self.unread = self.unread or source.broken or not isinstance(define, Mapping)
        for kind in _KINDS:
            entries = define.get(kind) if isinstance(define, Mapping) else None
            for name, value in entries.items() if isinstance(entries, Mapping) else ():
                if name in self.values[kind]:
                    at: Location = ("define", kind, name)
                    problems.append(source.problem(at, f"{quoted(name)} is defined twice", on_key=True))
                self.values[kind].setdefault(name, value)
        return problems


def written_out(source: SourceDocument, defined: Defined) -> SourceDocument:
    """The document with every name replaced by its value.

    Names that are not defined are among its problems, and doubtful.
    """
    writing = _Writing(source, defined)
    value = writing.value(source.value, ())
    if value is source.value:
        return source
    doubtful = source.doubtful.union(writing.doubtful)
    return replace(source, value=value, problems=(*source.problems, *writing.problems), doubtful=doubtful)


@dataclass(slots=True)
class _Writing:
    source: SourceDocument
    defined: Defined
    problems: list[Problem] = field(default_factory=list)
    doubtful: list[Location] = field(default_factory=list)

    def value(self, value: Json, at: Location) -> Json:
        """The value with its names written out; the same object where it holds none."""
        if isinstance(value, dict):
            word = _word(at)
            special = None if word == _VERBATIM else self._special(word, value, at)
            if special is not None or word == _VERBATIM:
                return value if special is None else special
            return self._mapping(value, at)
        if isinstance(value, list):
            word = _word(at)
            if word == "detectors":
                return self._detectors(value, at)
            if word in _WINDOWS:
                return self._list(value, at, self._window)
            holds_parts = any(isinstance(element, dict | list) for element in value)
            return self._list(value, at, self.value) if holds_parts else value
        return value

    def _mapping(self, value: dict[str, Json], at: Location) -> Json:
        copy: dict[str, Json] | None = None
        for name, member in value.items():
            if isinstance(member, dict | list):
                new = self.value(member, (*at, name))
                if new is not member:
                    copy = dict(value) if copy is None else copy
                    copy[name] = new
        return value if copy is None else copy

    def _list(self, value: list[Json], at: Location, read: Callable[[Json, Location], Json]) -> Json:
        elements = [read(element, (*at, position)) for position, element in enumerate(value)]
        return elements if any(new is not old for new, old in zip(elements, value, strict=True)) else value

    def _special(self, key: str | int, value: Mapping[str, Json], at: Location) -> Json:
        """What a mapping that names something stands for, None for any other mapping."""
        if at[:2] == ("define", "lists"):
            return None  # a list that names a list would have to be read in some order
        if "list" in value and len(value) == 1 and isinstance(value["list"], str):
            return self._definition("lists", value["list"], (*at, "list"), [])
        if key in _PATTERNS and "pattern" in value and len(value) == 1 and isinstance(value["pattern"], str):
            return self._definition("patterns", value["pattern"], (*at, "pattern"), "")
        if key == "approval" and isinstance(value.get("approvers"), str):
            terms = self._definition("approvers", str(value["approvers"]), (*at, "approvers"), {})
            own = {name: member for name, member in value.items() if name != "approvers"}
            return {**terms, **own} if isinstance(terms, Mapping) else own
        return None

    def _window(self, value: Json, at: Location) -> Json:
        if not isinstance(value, str):
            return self.value(value, at)
        window = self._definition("time_windows", value, at, {})
        if not isinstance(window, Mapping):
            return {"name": value}
        # Of names, a window may only use lists of holidays; anything else would let it name itself.
        holidays = window.get("holidays")
        dates = self._special("holidays", holidays, at) if isinstance(holidays, Mapping) else None
        return {"name": value, **window, **({} if dates is None else {"holidays": dates})}

    def _detectors(self, value: list[Json], at: Location) -> Json:
        """Sets written out. What several of them name counts once; what is written twice stays twice, an error."""
        sets = self.defined.values["detectors"]
        if not any(isinstance(entry, str) and entry in sets for entry in value):
            return value
        if any(isinstance(entry, str) and ("detectors", entry) in self.defined.wrong for entry in value):
            self.doubtful.append(at)
        own = [entry for entry in value if not (isinstance(entry, str) and isinstance(sets.get(entry), list))]
        additions = [detector for name in value if isinstance(name, str) for detector in _listed(sets.get(name))]
        own_names = {entry for entry in own if isinstance(entry, str)}
        added = {detector: None for detector in additions if isinstance(detector, str) and detector not in own_names}
        return [self._detector(entry) for entry in (*own, *added)]

    def _detector(self, value: Json) -> Json:
        """A detector that is defined, with its name; any other as it is."""
        if not isinstance(value, str) or ("detectors", value) in self.defined.wrong:
            return value
        definition = self.defined.values["detectors"].get(value)
        return {"name": value, **definition} if isinstance(definition, Mapping) else value

    def _definition(self, kind: str, name: str, at: Location, otherwise: Json) -> Json:
        """What is defined by that name, or `otherwise`."""
        definitions = self.defined.values[kind]
        if name in definitions and (kind, name) not in self.defined.wrong:
            return definitions[name]
        self.doubtful.append(at[:-1] if at[-1] in _SAID_BY else at)
        if name not in definitions and not self.defined.unread and len(self.problems) <= MOST_IN_A_FILE:
            be = "are" if kind == "approvers" else "is"
            message = f"no {_KINDS[kind]} {quoted(name)} {be} defined{did_you_mean(name, definitions)}"
            self.problems.append(self.source.problem(at, message))
        return otherwise


def _word(at: Location) -> str | int:
    """The word of the language that a value belongs to, "" where its key is a name that somebody chose."""
    if not at or (len(at) == 3 and at[0] == "define") or (len(at) > 2 and at[-3:-1] == ("conditions", "parameters")):
        return ""
    return at[-1]


def _listed(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()
