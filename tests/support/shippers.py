"""Fluent Bit, Fluentd and Vector: found by their names or by AEGIS_FLUENT_BIT, AEGIS_FLUENTD and AEGIS_VECTOR.

No registry that a test may ask has them as packages: where they are not, what they do with deploy/fluent and
deploy/vector is NOT tried.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_PATIENCE = 90.0


def shipper(name: str) -> Path:
    """The program; skips the test, saying why, where it is not there."""
    variable = "AEGIS_" + name.upper().replace("-", "_")
    program = os.environ.get(variable) or shutil.which(name)
    if not program:
        pytest.skip(f"no {name} on PATH or in {variable}: its files in deploy are held to its schema, and NOT run")
    return Path(program)


@contextmanager
def running(command: list[str | Path], log: Path, environment: Mapping[str, str]) -> Iterator[Callable[..., None]]:
    """The program while the block runs; what is yielded waits until something is so, and fails with its log."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), **environment},
        )

    def until(holds: Callable[[], bool]) -> None:
        end = time.monotonic() + _PATIENCE
        while not holds():
            text = log.read_text("utf-8", "replace")
            if missing := re.search(r"Unknown \w+ plugin '\w+'", text):
                pytest.skip(f"{missing[0]}: this Fluentd has it not installed, and its file is NOT run")
            assert process.poll() is None, text[-3000:]
            assert time.monotonic() < end, text[-3000:]
            time.sleep(0.05)

    try:
        yield until
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()
        process.wait()


def fluentd_settings(text: str) -> dict[str, object]:
    """What a file of Fluentd's language says: a section is an object, by its name; a value is what stands there.

    As far as deploy/fluent uses it: docs.fluentd.org/configuration/config-file. Raises ValueError for any other line.
    """
    stack: list[dict[str, object]] = [{}]
    names: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words.startswith("#"):
            continue
        if opening := re.fullmatch(r"<(\w+)(?: [^>]+)?>", words):
            section: dict[str, object] = {}
            if opening[1] in stack[-1]:
                raise ValueError(f"line {number}: a second {words}")
            stack[-1][opening[1]] = section
            stack.append(section)
            names.append(opening[1])
        elif names and words == f"</{names[-1]}>":
            stack.pop()
            names.pop()
        elif names and (entry := re.fullmatch(r"(@?[\w.]+)\s+(.+)", words)):
            stack[-1][entry[1]] = entry[2]
        else:
            raise ValueError(f"line {number}: {words}")
    if names:
        raise ValueError(f"<{names[-1]}> has no end")
    return stack[0]
