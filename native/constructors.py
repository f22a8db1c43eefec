"""Writes out the `__init__` that a dataclass makes of its fields, for the compiler to compile it.

mypyc leaves that one to the interpreter: a call of it packs the arguments into a tuple and a dictionary and stores each
field by name. One that stands in the text is called and stores directly. It takes the place of the empty line after
its class, so that every line keeps its number, and does what `dataclasses` does; values stay as frozen as they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

STORES = {
    "dataclass(frozen=True, slots=True)": "object.__setattr__(self, {name!r}, {name})",
    "dataclass(slots=True)": "self.{name} = {name}",
}
"""How a field is stored, by the decorator as it is written. Classes with others are left to the interpreter."""
_AFTER = "__post_init__"
_NO_FIELDS = frozenset({"ClassVar", "InitVar", "KW_ONLY"})
_MEMBERS = (ast.AnnAssign, ast.Assign, ast.AsyncFunctionDef, ast.Expr, ast.FunctionDef)
"""What a class may be made of: fields of a branch within it would be overlooked."""


def with_constructors(source: str) -> str:
    """The source with an `__init__` in each dataclass whose fields have no factories, line by line the same else."""
    lines = source.split("\n")  # as the parser counts them; `splitlines` also ends one at U+2028 within a text
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and (constructor := _constructor(node)):
            end = node.end_lineno or 0
            if lines[end].strip():
                raise ValueError(f"line {end + 1}: no empty line after {node.name}")
            lines[end] = f"    {constructor}"
    return "\n".join(lines)


def _constructor(node: ast.ClassDef) -> str:
    """The `__init__` of a class in one line, "" for one that has none to write out."""
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    methods = {member.name for member in node.body if isinstance(member, ast.FunctionDef)}
    fields = [member for member in node.body if isinstance(member, ast.AnnAssign)]
    if node.bases or len(decorators) != 1 or decorators[0] not in STORES or "__init__" in methods:
        return ""
    if not all(isinstance(member, _MEMBERS) for member in node.body):
        return ""
    try:
        parameters = list(_parameters(fields))
    except LookupError:
        return ""
    names = [ast.unparse(field.target) for field in fields]
    stores = [STORES[decorators[0]].format(name=name) for name in names]
    if _AFTER in methods:
        stores.append(f"self.{_AFTER}()")
    return f"def __init__({', '.join(['self', *parameters])}) -> None: {'; '.join(stores)}"


def _parameters(fields: list[ast.AnnAssign]) -> Iterator[str]:
    """Each field as a parameter. Raises LookupError where a value is made by more than a default."""
    for field in fields:
        default = field.value
        annotation = ast.unparse(field.annotation)
        if isinstance(default, ast.Call):  # any other than `field` is the factory of one value, for all
            words = {word.arg: word.value for word in default.keywords}
            if ast.unparse(default.func) != "field" or not words.keys() <= {"default", "repr", "compare"}:
                raise LookupError(ast.unparse(default))
            default = words.get("default")
        if annotation.partition("[")[0].rpartition(".")[2] in _NO_FIELDS:
            raise LookupError(annotation)
        yield f"{ast.unparse(field.target)}: {annotation}" + (f" = {ast.unparse(default)}" if default else "")
