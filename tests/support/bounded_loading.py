"""Loads documents in processes of their own that may use little processor time and memory.

`python -m tests.support.bounded_loading` reads programs, each a JSON text on a line, and answers each with a line: what
loading the `policies` and `tools` that it makes says, or how its process ended. Each runs in a fork of this one, which
has imported the loader and done nothing else: so importing is paid for once.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aegis_authz.core.json_value import Json
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

_CPU_SECONDS = 20
_MEMORY = 1536 * 1024 * 1024
_MOST_TOLD = 2_000_000
_ROOT = Path(__file__).parents[2]


class BoundedLoading:
    """Loads what programs make, each in bounded time and memory, until the block ends."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", __name__]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def answers(self, program: str) -> list[str]:
        """What loading says, a line each. Fails when the process did not come back with an answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(program) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, list), answer
        return answer


def _answer(program: str) -> Json:
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    made: dict[str, Any] = {}
    exec(program, made)  # noqa: S102  # a program of the test itself
    try:
        loaded = load(made.get("policies", {}), made["tools"])
    except PolicyErrors as errors:
        assert len(str(errors)) < _MOST_TOLD
        return [str(problem).splitlines()[0] for problem in errors.problems[:200]]
    return [f"loaded {len(loaded.policies)}"]


def _say(answer: Json) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _say(_answer(json.loads(line)))
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            _say(f"it ended with {status}")


if __name__ == "__main__":
    _main()
