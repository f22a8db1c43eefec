"""Write docs/controls.md from docs/controls.toml (`make docs-controls`): what shows that a control is met."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "docs" / "controls.toml"
PAGE = ROOT / "docs" / "controls.md"
NOT_COVERED = "not covered"
_HEAD = f"""\
# Controls

Which test, command or member of a record shows what a framework asks for. Each test is run in CI, each command and
member is held to what there is, and `make docs-controls` writes this page from [controls.toml](controls.toml). A row
without evidence says so: *{NOT_COVERED}*. The page is no certification: what shows that Aegis does its part says
nothing of the rest of an organisation, of models, or of tools. Titles are shortened; the text that counts is at the
source.
"""


@dataclass(frozen=True, slots=True)
class Control:
    """A row: the control's id and title, and what shows it, each a test, a command or a member of a record."""

    id: str
    title: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Framework:
    """A framework, where its text is, and its controls."""

    name: str
    source: str
    controls: tuple[Control, ...]


def read_frameworks(text: str) -> list[Framework]:
    """The frameworks of controls.toml. Raises KeyError for evidence that is not declared, ValueError for a bad row."""
    content = tomllib.loads(text)
    evidence = content["evidence"]
    return [
        Framework(
            entry["name"],
            entry["source"],
            tuple(Control(id_, title, tuple(evidence[name] for name in names)) for id_, title, names in entry["rows"]),
        )
        for entry in content["framework"]
    ]


def page(frameworks: list[Framework]) -> str:
    """The page, with a count of what is covered for each framework."""
    parts = [_HEAD.rstrip()]
    for framework in frameworks:
        covered = sum(bool(control.evidence) for control in framework.controls)
        parts.append(f"\n## {framework.name}\n")
        parts.append(f"[Source]({framework.source}). {covered} of {len(framework.controls)} rows have evidence.\n")
        parts.append("| control | | shown by |\n|---|---|---|")
        parts += [f"| {row.id} | {row.title} | {_shown(row.evidence)} |" for row in framework.controls]
    return "\n".join(parts) + "\n"


def _shown(evidence: tuple[str, ...]) -> str:
    return ", ".join(map(_link, evidence)) or f"*{NOT_COVERED}*"


def _link(evidence: str) -> str:
    file, is_test, name = evidence.partition("::")
    if is_test:
        words = name.removeprefix("test_").replace("_", " ")
        return f"[{words}](../{file})"
    kind, _, rest = evidence.partition(" ")
    return f"`{evidence}`" if kind == "aegis" else f"[`{rest}`](records.md) of records"


if __name__ == "__main__":
    PAGE.write_text(page(read_frameworks(SOURCE.read_text("utf-8"))), "utf-8")
