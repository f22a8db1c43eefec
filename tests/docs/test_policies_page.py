"""docs/policies.md, followed to the letter: every command on it is run as printed, in order, in an empty folder.

A ```console block holds commands after `$ ` and what they print; `...` stands for anything. A command that ends with
another code than 0 says so in a comment: `$ aegis policy test ...  # exit 1`. A ```yaml block whose first line is
`# FILE` is that file's new content; one whose first line is `# FILE: replace` swaps the lines before `# by` for those after.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"
_BLOCK = re.compile(r"^```(console|yaml|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)$")
_FILE = re.compile(r"# (\S+\.(?:yaml|json))(: replace)?\n")
_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the page, and what the page says comes of it."""

    line: int
    text: str
    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One file the reader writes or changes."""

    line: int
    path: str
    before: str
    after: str


def steps(page: str) -> Iterator[Command | Edit]:
    for block in _BLOCK.finditer(page):
        line = page.count("\n", 0, block.start()) + 1
        if block[1] == "console":
            yield from _commands(block[2], line)
            continue
        head = _FILE.match(block[2])
        if head is not None:
            rest = block[2][head.end() :]
            before, _, after = rest.partition("# by\n") if head[2] else ("", "", rest)
            yield Edit(line, head[1], before, after)


def _commands(block: str, line: int) -> Iterator[Command]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        text, _, output = part.partition("\n")
        while text.endswith("\\"):
            more, _, output = output.partition("\n")
            text = f"{text[:-1]}{more.removeprefix('>').strip()}"
        code = _EXIT.search(text)
        yield Command(line, _EXIT.sub("", text), int(code[1]) if code else 0, output)


def follow(step: Command | Edit, folder: Path, environment: dict[str, str]) -> str:
    """Do what the page says; returns what is wrong with it, "" when all is as printed."""
    if isinstance(step, Edit):
        path = folder / step.path
        text = path.read_text("utf-8") if path.exists() else ""
        if step.before and text.count(step.before) != 1:
            return f"line {step.line}: {step.path} does not have these lines once:\n{step.before}\nbut is:\n{text}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace(step.before, step.after) if step.before else step.after, "utf-8")
        return ""
    done = subprocess.run(
        ["/bin/bash", "-c", step.text],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    same = doctest.OutputChecker().check_output(
        step.output, done.stdout, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    if done.returncode == step.code and same:
        return ""
    return f"line {step.line}: {step.text}\nended with {done.returncode} (page: {step.code}) and printed\n{done.stdout}\npage:\n{step.output}"


@pytest.fixture
def environment() -> dict[str, str]:
    """What a reader's terminal has: the installed commands on PATH, 100 columns, no colours."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def test_the_page_can_be_followed_from_nothing_to_a_published_rule(tmp_path: Path, environment: dict[str, str]) -> None:
    found = list(steps(PAGE.read_text("utf-8")))
    try:
        for step in found:
            assert follow(step, tmp_path, environment) == ""
    finally:
        subprocess.run(
            [Path(sys.executable).with_name("aegis"), "down", "--dir", "mesh"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
        )
    commands = " ".join(step.text for step in found if isinstance(step, Command))
    words = set(re.findall(r"aegis policy (\w+)", commands))
    assert {"init", "validate", "lint", "test", "explain", "simulate", "mutate", "publish", "status"} <= words


def test_a_page_that_prints_something_else_is_noticed(tmp_path: Path, environment: dict[str, str]) -> None:
    (right, wrong, failing) = steps("```console\n$ echo a b\na ...\n$ echo a\nb\n$ false  # exit 1\n```\n")
    assert follow(right, tmp_path, environment) == ""
    assert "page:\nb" in follow(wrong, tmp_path, environment)
    assert follow(failing, tmp_path, environment) == ""
