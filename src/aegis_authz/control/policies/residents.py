"""What a region's control plane holds: the documents of its own tenants, and those that are of none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from aegis_authz.core.json_value import Json
from aegis_authz.core.release import Sources
from aegis_authz.core.residency import Residency
from aegis_authz.core.scope import Scope
from aegis_authz.policy.compile.residency import MEMBER, LoadedResidency, is_home_document, read_residency
from aegis_authz.policy.source.problems import PolicyErrors, Problem
from aegis_authz.policy.source.reader import SourceDocument, read_source

_SETTINGS = "settings"


def home_sources(sources: Sources, region: str) -> Sources:
    """These documents without the files about tenants of other regions, which are kept nowhere here.

    Raises PolicyErrors for a file that is about tenants of this region, or of none, as well: nobody would know which
    part of it to leave out. Without a region all documents are at home.
    """
    home = _home(sources, region)
    if home is None:  # building says what is missing
        return sources
    files = {path: read_source(path, text)[0] for path, text in sources.policies.items()}
    problems: list[Problem] = []
    kept: dict[str, str] = {}
    for path, text in sources.policies.items():
        places = [_place(document, home.tenants, problems) for document in files[path]]
        if False not in places:
            kept[path] = text
        elif not all(place is False for place in places):
            foreign = files[path][places.index(False)]
            message = f"is about tenants of another region than {region}: put it into a file of its own"
            problems.append(foreign.problem((), message))
    if problems:
        raise PolicyErrors(problems)
    return Sources(kept, sources.tools)


def home_tests(sources: Sources, tests: Mapping[str, str], region: str) -> Mapping[str, str]:
    """The policy tests of these documents without the files about agents of other regions, which are kept nowhere here.

    Raises PolicyErrors for a file that is about agents of this region as well.
    """
    home = _home(sources, region)
    if home is None:
        return tests
    problems: list[Problem] = []
    kept: dict[str, str] = {}
    for path, text in tests.items():
        documents = read_source(path, text)[0]
        places = {is_home_document({"agents": {agent: None}}, home.tenants) for agent in _agents(documents)}
        if False not in places:
            kept[path] = text
        elif True in places:
            message = f"is about agents of another region than {region}: put their tests into a file of its own"
            problems.append(documents[0].problem((), message))
    if problems:
        raise PolicyErrors(problems)
    return kept


def residency_of(loaded: LoadedResidency | None, region: str, own: frozenset[str]) -> Residency | None:
    """What holds in the control plane's region. Raises PolicyErrors where documents and settings disagree.

    `own` are the tenants of Aegis itself, which are at home everywhere.
    """
    if not region:
        if loaded is not None:
            message = "pins tenants to regions, and the control plane has none: set `region` in its settings"
            raise PolicyErrors([loaded.source.problem((MEMBER,), message)])
        return None
    residency = None if loaded is None else loaded.of(region, own)
    if residency is not None:
        return residency
    if loaded is not None:
        regions = ", ".join(sorted(loaded.document.residency))
        message = f"names {regions}, and no tenants of {region}, the `region` of the control plane's settings"
        raise PolicyErrors([loaded.source.problem((MEMBER,), message)])
    message = f"no document says which tenants are at home in {region}: publish one with `residency` (docs/regions.md)"
    raise PolicyErrors([Problem(_SETTINGS, 1, 1, "region", message)])


def _home(sources: Sources, region: str) -> Residency | None:
    """Who is at home in the region by these documents, None without a region and where they do not say it."""
    if not region:
        return None
    files = (read_source(path, text)[0] for path, text in sources.policies.items())
    named = [document for documents in files for document in documents if _is_residency(document)]
    residency = read_residency(named)[0]
    return None if residency is None else residency.of(region)


def _agents(documents: Sequence[SourceDocument]) -> set[str]:
    """Every agent that tests name, `org/tenant/agent`, wherever in them; what is no such name, their reader refuses."""
    agents: set[str] = set()
    rest: list[Json] = [document.value for document in documents]
    while rest:
        value = rest.pop()
        if isinstance(value, Mapping):
            agent = value.get("agent")
            if isinstance(agent, str):
                with suppress(ValueError):
                    agents.add(str(Scope.parse(agent)))
            rest += value.values()
        elif isinstance(value, list):
            rest += value
    return agents


def _is_residency(document: SourceDocument) -> bool:
    return isinstance(document.value, Mapping) and MEMBER in document.value


def _place(document: SourceDocument, tenants: frozenset[str], problems: list[Problem]) -> bool | None:
    """True at home, False elsewhere, None of no tenant."""
    try:
        return is_home_document(document.value, tenants)
    except ValueError as fault:
        problems.append(document.problem(("agents",), f"{fault}: put them into files of their own"))
        return None
