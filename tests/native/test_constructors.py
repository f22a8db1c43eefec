"""The `__init__` that is written out for the compiler does what `dataclasses` makes of the same fields."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

CLASSES = '''
import dataclasses
from dataclasses import dataclass, field

@dataclass(frozen=True, slots=True)
class Plain:
    """Without a default."""

    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Bounded:
    low: int
    high: int = 10
    seen: list[int] = field(default=None, compare=False)
    notes: str = field(default="", repr=False)

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low above high")


@dataclass(slots=True)
class Open:
    name: str
    size: int = 0


class Other:
    name: str

'''
LEFT = """
@dataclass(frozen=True, slots=True)
class Shared:
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Called:
    names: dict[str, int] = dict(default=1)


@dataclass(slots=True)
class Constant:
    kind: typing.ClassVar[str] = "constant"
    name: str = ""


@dataclass(slots=True)
class Early:
    name: str
    size: dataclasses.InitVar[int]


@dataclass(slots=True)
class Branch:
    name: str
    if FULL:
        size: int = 1


@dataclass(frozen=True, slots=True)
class Made:
    names: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Derived:
    size: int = field(init=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    name: str


@dataclass(frozen=True, slots=True)
class Heir(Plain):
    more: str


@dataclass(frozen=True, slots=True)
class Own:
    name: str

    def __init__(self):
        object.__setattr__(self, "name", "own")
"""


def module_of(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"native_{file.stem}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def constructors() -> ModuleType:
    return module_of(ROOT / "native" / "constructors.py")


def classes(text: str, folder: Path) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    file = folder / "classes.py"
    file.write_text(text, "utf-8")
    return vars(module_of(file))


def outcome(make: Any, *arguments: object, **words: object) -> object:
    try:
        value = make(*arguments, **words)
    except (TypeError, ValueError) as fault:
        return type(fault)
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


@pytest.mark.parametrize("name", ["Plain", "Bounded", "Open"])
def test_a_written_constructor_does_what_the_made_one_does(constructors: ModuleType, name: str, tmp_path: Path) -> None:
    made = classes(CLASSES, tmp_path / "made")[name]
    written = classes(constructors.with_constructors(CLASSES), tmp_path / "written")[name]
    for arguments, words in [
        ((1, 2), {}),
        ((1,), {}),
        ((), {}),
        ((11,), {}),
        ((1, 2, 3, 4), {}),
        ((1, 2, 3, 4, 5), {}),
        ((), {"name": "a", "size": 1}),
        ((1,), {"notes": "b"}),
        ((1,), {"nobody": "c"}),
    ]:
        assert outcome(written, *arguments, **words) == outcome(made, *arguments, **words)
    assert list(inspect.signature(written).parameters) == list(inspect.signature(made).parameters)


def test_what_was_frozen_stays_frozen(constructors: ModuleType, tmp_path: Path) -> None:
    value = classes(constructors.with_constructors(CLASSES), tmp_path)["Plain"]("a", 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "b"


def test_every_line_keeps_its_number(constructors: ModuleType) -> None:
    before, after = CLASSES.splitlines(), constructors.with_constructors(CLASSES).splitlines()
    assert len(before) == len(after)
    changed = [number for number, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]
    assert len(changed) == 3
    assert not any(before[number] for number in changed)


def test_what_is_not_made_of_fields_and_defaults_alone_is_left_as_it_is(constructors: ModuleType) -> None:
    assert constructors.with_constructors(LEFT) == LEFT


def test_a_separator_within_a_text_is_no_line_of_its_own(constructors: ModuleType) -> None:
    text = '@dataclass(slots=True)\nclass Word:\n    name: str = "a\u2028b"\n\nNAME = 1\n'
    before, after = text.split("\n"), constructors.with_constructors(text).split("\n")
    assert [number for number, line in enumerate(after) if line != before[number]] == [3]
    assert len(before) == len(after)


def test_a_class_at_the_end_of_a_file_has_its_constructor(constructors: ModuleType) -> None:
    text = "@dataclass(slots=True)\nclass Last:\n    name: str\n"
    assert constructors.with_constructors(text) == text + "    def __init__(self, name: str) -> None: self.name = name"


def test_a_class_without_room_after_it_is_named(constructors: ModuleType) -> None:
    with pytest.raises(ValueError, match="line 4: no empty line after Tight"):
        constructors.with_constructors("@dataclass(slots=True)\nclass Tight:\n    name: str\nNAME = 1\n")
