"""docs/controls.md is what docs/controls.toml says, and what it names is there; `make docs-controls` writes it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
import typer

from aegis_authz.cli.app import app
from scripts.controls import NOT_COVERED, PAGE, ROOT, SOURCE, Framework, page, read_frameworks

FRAMEWORKS = read_frameworks(SOURCE.read_text("utf-8"))
EVIDENCE = sorted({name for framework in FRAMEWORKS for row in framework.controls for name in row.evidence})
RECORDS = (ROOT / "docs" / "records.md").read_text("utf-8")


def functions_of(file: str) -> Iterator[str]:
    """The names of the tests of a file."""
    for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


def is_command(words: list[str]) -> bool:
    """Whether there is such a command."""
    command: object = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word)
    return command is not None


def test_the_page_is_the_one_that_is_written() -> None:
    assert PAGE.read_text("utf-8") == page(FRAMEWORKS), "run make docs-controls"


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_what_shows_a_control_is_there(evidence: str) -> None:
    file, is_test, name = evidence.partition("::")
    if is_test:
        assert name in set(functions_of(file))
    elif evidence.startswith("aegis "):
        assert is_command(evidence.split()[1:])
    else:
        assert f"| `{evidence.removeprefix('record ')}` |" in RECORDS


def test_a_command_that_is_none_shows_nothing() -> None:
    assert not is_command(["audit", "believe"])


def test_a_row_without_evidence_says_so_and_counts_as_none() -> None:
    text = '[evidence]\nit = "aegis up"\n[[framework]]\nname = "F"\nsource = "https://f.example"\n'
    made = page(read_frameworks(text + 'rows = [["1", "a", ["it"]], ["2", "b", []]]\n'))
    assert "1 of 2 rows have evidence" in made
    assert f"| 2 | b | *{NOT_COVERED}* |" in made


def test_evidence_that_is_not_declared_is_an_error() -> None:
    with pytest.raises(KeyError):
        read_frameworks('[evidence]\n[[framework]]\nname = "F"\nsource = "s"\nrows = [["1", "a", ["it"]]]\n')


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_a_framework_names_its_source_and_each_control_once(framework: Framework) -> None:
    ids = [row.id for row in framework.controls]
    assert len(ids) == len(set(ids))
    assert re.match(r"https://", framework.source)
