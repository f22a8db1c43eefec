"""What `native/setup.py` compiles, and rules of its compiler that are broken unseen until somebody compiles."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("native_setup", ROOT / "native" / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def places(setup: ModuleType, files: list[Path]) -> set[str]:
    return {file.relative_to(setup.SOURCES / setup.PACKAGE).as_posix() for file in files}


def test_each_module_is_named_once_and_in_order(setup: ModuleType) -> None:
    named = setup.SETTINGS["compiled"]
    assert named == sorted(set(named))
    assert len(setup.compiled_files()) == len(named)


def test_a_module_that_is_not_there_is_named(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(setup.SETTINGS, "compiled", ["core/nothing.py"])
    with pytest.raises(ValueError, match=r"there is no .*core/nothing\.py"):
        setup.compiled_files()


def test_what_writes_records_is_not_compiled(setup: ModuleType) -> None:
    compiled = places(setup, setup.compiled_files())
    assert not [place for place in compiled if place.startswith("adapters/records/") or place == "durable.py"]


def test_a_build_is_of_what_is_compiled_and_of_all_that_it_imports(setup: ModuleType) -> None:
    digests = setup.digests_of([setup.SOURCES / setup.PACKAGE / "check" / "decode.py"])
    assert {"check/decode.py", "wire/envoy/ext_authz.py", "core/reason.py"} <= digests.keys()
    assert "adapters/redis/store.py" not in digests
    assert set(map(len, digests.values())) == {64}


def _yields(function: ast.AST) -> bool:
    """Whether it is a generator by itself, and not by a function within it."""
    waiting = list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Yield):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return False


def _names(nodes: list[ast.expr]) -> set[str]:
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}


def broken_rules(tree: ast.AST) -> Iterator[str]:
    """Line and rule of what mypyc does not take, or takes and does otherwise."""
    for node in ast.walk(tree):
        match node:
            case ast.AsyncFunctionDef() if _yields(node):
                yield f"line {node.lineno}: an async generator"
            case ast.FunctionDef(name="__bool__", returns=ast.Name(id="NoReturn")):
                yield f"line {node.lineno}: a __bool__ that never returns"
            case ast.Attribute(attr="_thread"):
                yield f"line {node.lineno}: an attribute that is a word of C"
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple(elts=[*elements])]) if any(
                isinstance(element, ast.Starred) for element in elements
            ):
                yield f"line {node.lineno}: a search in a tuple with a star"
            case ast.ClassDef() if "Generic" in _names(node.bases) and "dataclass" in _names(node.decorator_list):
                yield f"line {node.lineno}: a generic dataclass"
            case ast.ClassDef() if "dataclass" in _names(node.decorator_list) and any(
                isinstance(member, ast.AnnAssign) and "ClassVar" in _names([member.annotation]) for member in node.body
            ):
                yield f"line {node.lineno}: a dataclass with a constant, which is a field to it"
            case ast.ClassDef() if _names(node.bases) & {"Enum", "IntEnum", "StrEnum"} and any(
                isinstance(member, ast.FunctionDef) and member.name == "__init__" for member in node.body
            ):
                yield f"line {node.lineno}: an enumeration with an __init__"
            case ast.Call(
                func=ast.Name(id="isinstance"),
                args=[ast.Attribute(value=ast.Name(id="self")), ast.Name(id="bool")],
            ):
                yield f"line {node.lineno}: a field of whole numbers takes True for 1"
            case ast.Assign(
                value=ast.BinOp(
                    op=ast.BitOr() | ast.BitAnd() | ast.Sub(), right=ast.Call(func=ast.Attribute(attr="keys"))
                )
            ):
                yield f"line {node.lineno}: a frozenset with the keys of a mapping is a set"


BROKEN = """
class Lane:
    def close(self): self._thread.join()
    def __bool__(self) -> NoReturn: raise TypeError
    async def each(self):
        yield 1
@dataclass(frozen=True)
class Waiting(Generic[Question]): pass
class Word(Enum):
    def __init__(self, word): pass
ALL = SOME | others.keys()
if word in (*ALL, "more"): pass
def __post_init__(self): assert not isinstance(self.micros, bool)
@dataclass(slots=True)
class Kind:
    name: ClassVar[str] = "kind"
"""


def test_the_rules_see_what_they_forbid() -> None:
    assert [line.partition(":")[0] for line in sorted(broken_rules(ast.parse(BROKEN)))] == [
        f"line {number}" for number in (11, 12, 13, 15, 3, 4, 5, 8, 9)
    ]


def test_what_is_compiled_keeps_the_rules_of_the_compiler(setup: ModuleType) -> None:
    broken = [
        f"{file.relative_to(ROOT)} {rule}"
        for file in setup.compiled_files()
        for rule in broken_rules(ast.parse(file.read_bytes()))
    ]
    assert broken == []


COPY = {
    "proxy/connection.py",  # a message of protobuf
    "redact/sanitizer.py",  # itself, which is not compiled
    "testing/people.py",  # what a twin in memory keeps, in tests and interpreted alone
}
"""Modules that copy, none of them a value that compiled code makes."""


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that are imported by their first names."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                yield from (alias.name.partition(".")[0] for alias in aliases)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]


def test_nothing_copies_or_pickles_what_compiled_code_made(setup: ModuleType) -> None:
    """Values with a compiled `__init__` refuse both: they begin with an empty one, which mypyc does not make."""
    assert set(imported(ast.parse("import copy.deepcopy\nfrom pickle import dumps"))) == {"copy", "pickle"}
    files = sorted((setup.SOURCES / setup.PACKAGE).rglob("*.py"))
    copying = [file for file in files if {"copy", "pickle"} & set(imported(ast.parse(file.read_bytes())))]
    assert places(setup, copying) == COPY
