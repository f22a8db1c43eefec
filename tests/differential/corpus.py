"""The raw requests of `requests/*.yaml`: each is a sentence and what makes it odd, put into the template of its file.

A file has a `title`, a `template` of a head, and `cases`, each `[sentence, values...]`. In the template `{0}`, `{1}`, ...
stand for the values and `{host}` for a tool's host; lines end with CR LF. A `body: N` says which value is the body, whose
length is then written; `ways` are the ways on which the file is played, all where it has none. With `is_raw` the template
is all of the request, its body included; with `is_message` it is for the service of gRPC.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict

FOLDER = Path(__file__).parent / "requests"

Way = Literal["http1", "http2", "https"]
"""Plain to the forward listener by HTTP/1.1 or HTTP/2, or inside a tunnel that was opened by CONNECT."""
ALL_WAYS: tuple[Way, ...] = ("http1", "http2", "https")


class Family(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    title: str
    template: str
    body: int | None = None
    is_raw: bool = False
    is_message: bool = False
    ways: list[Way] = list(ALL_WAYS)
    cases: list[list[str]]


@dataclass(frozen=True)
class Case:
    """One request on all its ways: the lines of its head, the first one the request line, and its body.

    `is_raw` where the lines are all of it, the empty ones included; `is_message` where it is for the service of gRPC.
    """

    family: str
    sentence: str
    lines: tuple[str, ...]
    body: bytes
    ways: tuple[Way, ...]
    is_raw: bool
    is_message: bool

    @property
    def name(self) -> str:
        return f"{self.family}: {self.sentence}"


def cases() -> list[Case]:
    return [case for path in sorted(FOLDER.glob("*.yaml")) for case in _cases(path)]


def titles() -> dict[str, str]:
    return {path.stem: _family(path).title for path in sorted(FOLDER.glob("*.yaml"))}


def _family(path: Path) -> Family:
    document: Any = yaml.safe_load(path.read_text("utf-8"))
    return Family.model_validate(document)


def _cases(path: Path) -> list[Case]:
    family = _family(path)
    made: list[Case] = []
    for sentence, *values in family.cases:
        head = family.template
        for number, value in enumerate(values):
            head = head.replace(f"{{{number}}}", value)
        body = b"" if family.body is None else values[family.body].encode("latin-1")
        lines = (head if family.is_raw else head.rstrip("\n")).split("\n")
        made.append(Case(path.stem, sentence, tuple(lines), body, tuple(family.ways), family.is_raw, family.is_message))
    return made
