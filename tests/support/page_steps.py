"""Pages that are followed to the letter: every command is run as printed, in order, in a folder of its own.

A ```console block holds commands after `$ ` and what they print; `...` stands for anything. A command that ends with
another code than 0 says so in a comment: `$ aegis policy test ...  # exit 1`. What a terminal keeps, a variable
(`x=$(...)`), a function or an activated environment, is there for the commands after it. A ```yaml block whose first line
is `# FILE` is that file's new content; one whose first line is `# FILE: replace` swaps the lines before `# by` for those
after.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

_BLOCK = re.compile(r"^```(console|yaml|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"\s+# exit (\d+)$")
_FILE = re.compile(r"# (\S+\.(?:yaml|json))(: replace)?\n")
_KEPT = re.compile(r"\. |[a-z_]+\(\) \{ ")
_VARIABLE = re.compile(r"([a-z_]+)=\S*\(")
_SECONDS = 90
_TIMES = 4


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


def follow(step: Command | Edit, folder: Path, environment: Mapping[str, str]) -> str:
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


def problems(
    steps: Iterable[Command | Edit],
    folder: Path,
    environment: Mapping[str, str],
    is_excused: Callable[[], bool] = lambda: False,
) -> Iterator[str]:
    """Do all that the page says, in order; yields what is wrong with each step that is not as printed.

    A command that printed something else and `is_excused` is run again, a few times: for a mesh on a busy machine, which
    may run out of time for a moment and says so.
    """
    kept = ""
    for step in steps:
        if isinstance(step, Edit):
            problem = follow(step, folder, environment)
        elif (variable := _VARIABLE.match(step.text)) is not None:
            file = folder / f".kept-{variable[1]}"
            problem = follow(
                replace(step, text=f"{kept}{step.text} && declare -p {variable[1]} >{file}"), folder, environment
            )
            kept += f". {file}\n"
        else:
            for _ in range(_TIMES):
                problem = follow(replace(step, text=kept + step.text), folder, environment)
                if not problem or not is_excused():
                    break
            if _KEPT.match(step.text):
                kept += step.text + "\n"
        if problem:
            yield problem


def terminal() -> dict[str, str]:
    """What a reader's terminal has: the installed commands on PATH, 100 columns, no colours."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def stop_mesh(folder: Path, state: str) -> None:
    """Stop the mesh the page started below the folder, if it did."""
    command = [Path(sys.executable).with_name("aegis"), "down", "--dir", state]
    subprocess.run(command, cwd=folder, env=terminal(), capture_output=True, check=False)
