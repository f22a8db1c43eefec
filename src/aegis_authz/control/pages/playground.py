"""The playground: a call against any revision, and why it is decided so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import page_of
from aegis_authz.control.policies.laboratory import Trial
from aegis_authz.core.units import Revision
from aegis_authz.lab.call_drafts import agents_of, case_text, written_call
from aegis_authz.lab.explanation_outline import Branch, Span, decision_lines, outline
from aegis_authz.lab.trial import decided_data
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import printable

_MOST_ACTIONS = 400
_MOST_AGENTS = 200
_MOST_BELOW = 60


@dataclass(frozen=True, slots=True)
class PlaygroundSheet:
    """A call as it is written, and what became of it.

    `loaded` are the documents of the revision, None where they are not valid today. `trial` is None where nothing was
    tried; then `problems` say what is wrong with the call, and `untried` why it could not be tried, `missing` that it
    is for want of an OPA.
    """

    revision: Revision
    revisions: Sequence[Revision]
    served: Revision
    loaded: Loaded | None
    text: str
    trial: Trial | None = None
    problems: Sequence[str] = ()
    untried: str = ""
    missing: bool = False


def playground_page(sheet: PlaygroundSheet, frame: Frame) -> Response:
    """The page; 422 for a call that is none, 503 for one that cannot be tried now."""
    return page_of(
        "playground.html",
        422 if sheet.problems else 503 if sheet.untried else 200,
        frame,
        revision=sheet.revision,
        revisions=[
            {"name": revision, "is_open": revision == sheet.revision, "is_served": revision == sheet.served}
            for revision in dict.fromkeys((sheet.revision, *sheet.revisions))
        ],
        tools=[] if sheet.loaded is None else [*_tools(sheet.loaded)],
        agents=[] if sheet.loaded is None else agents_of(sheet.loaded)[:_MOST_AGENTS],
        text=sheet.text,
        answer=None if sheet.trial is None else _answer(sheet.trial),
        problems=sheet.problems,
        untried=printable(sheet.untried),
        is_missing=sheet.missing,
    )


def _answer(trial: Trial) -> dict[str, object]:
    explanation = trial.explanation
    data = decided_data(explanation.decision)
    effect, reason = str(data["effect"]), str(data["reason"])
    call = written_call(explanation.call)
    name = f"{explanation.call.action or explanation.call.method} is {effect}"
    return {
        "effect": effect,
        "reason": reason,
        "detail": printable(str(data["detail"] or "")),
        "lines": [*decision_lines(explanation)],
        "outline": _cut(outline(explanation, {})),
        "notes": [printable(note) for note in trial.notes],
        "test": case_text(name, call, effect, reason),
    }


def _cut(branch: Branch) -> Branch:
    """The outline with so many lines below each as a page holds."""
    below = tuple(map(_cut, branch.branches[:_MOST_BELOW]))
    if len(branch.branches) > _MOST_BELOW:
        left = len(branch.branches) - _MOST_BELOW
        below = (*below, Branch(None, (Span(f"and {left} more", "faint"),), ()))
    return replace(branch, branches=below)


def _tools(loaded: Loaded) -> Iterator[dict[str, object]]:
    """Tools with their actions, as many as a page holds."""
    left = _MOST_ACTIONS
    for tool in sorted(loaded.tools, key=lambda tool: tool.name):
        names = [action.name for action in tool.actions] or sorted(tool.mcp_tools or {})
        if left and names:
            yield {"name": tool.name, "actions": names[:left]}
            left -= min(left, len(names))
