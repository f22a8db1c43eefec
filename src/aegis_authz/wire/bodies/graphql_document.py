"""GraphQL documents: the one operation that will run, its fields through all fragments, and what they are given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from graphql.error import GraphQLError
from graphql.language import ast
from graphql.language.parser import Parser

from aegis_authz.core.catalogue import MAX_DOCUMENT, MAX_TOKENS
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

MAX_FIELDS = 1000
"""Fields with those of fragments, each counted as often as it is spread."""
MAX_PATHS = 128 * 1024
"""Characters of the paths of all fields together: a long name above many fields stands in the path of each."""
MAX_DEPTH = 32
_MOST_KEPT = 256  # documents, of which clients send the same again and again
_CONDITIONS = ("include", "skip")


@dataclass(frozen=True, slots=True)
class Variable:
    """A place in an argument where the value of a variable stands."""

    name: str


@dataclass(frozen=True, slots=True)
class Default:
    """What a variable is when it is not sent."""

    literal: Literal


Literal = None | bool | int | float | str | Variable | list["Literal"] | tuple[tuple[str, "Literal"], ...]
"""A value as it is written: an object is a tuple of its members."""


@dataclass(frozen=True, slots=True)
class Use:
    """The arguments of the field at a path, `user.orders`."""

    path: str
    arguments: tuple[tuple[str, Literal], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """What a document asks for. `variables` are the declared ones that some field uses, with their defaults.

    `tokens` is how many it has.
    """

    operation: str
    name: str
    fields: tuple[str, ...]
    selections: tuple[str, ...]
    uses: tuple[Use, ...]
    variables: Mapping[str, Default | None]
    tokens: int


def malformed(at: str, problem: str) -> Refused:
    """GRAPHQL_MALFORMED, with what to change."""
    return Refused(Reason.GRAPHQL_MALFORMED, "the GraphQL request cannot be judged", Fault("body", at, problem))


@lru_cache(_MOST_KEPT)
def read_document(query: str) -> Document:
    """Read a document with one operation. Raises Refused(GRAPHQL_MALFORMED)."""
    if len(query) > MAX_DOCUMENT:
        raise malformed("query", f"The query has more than {MAX_DOCUMENT} characters.")
    try:
        parser = Parser(query, no_location=True, max_tokens=MAX_TOKENS)
        document = parser.parse_document()
    except GraphQLError as fault:
        raise malformed("query", f"The query is no GraphQL: {fault.message}") from None
    except RecursionError:
        raise malformed("query", "The query is nested too deeply.") from None
    operation, fragments = _definitions(document)
    walk = _Walk(fragments, operation.operation.value == "mutation")
    walk.go(operation.selection_set, (), (), 0)
    if fragments.keys() != walk.spread:
        raise malformed("query", "The query has a fragment that it does not use.")
    return Document(
        operation=operation.operation.value,
        name="" if operation.name is None else operation.name.value,
        fields=tuple(path for path in walk.paths if "." not in path),
        selections=tuple(walk.paths),
        uses=tuple(Use(path, arguments) for path, arguments in walk.uses.items() if arguments),
        variables=_declared(operation, walk.variables),
        tokens=parser.token_count,
    )


def _definitions(
    document: ast.DocumentNode,
) -> tuple[ast.OperationDefinitionNode, Mapping[str, ast.FragmentDefinitionNode]]:
    operations: list[ast.OperationDefinitionNode] = []
    fragments: dict[str, ast.FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, ast.OperationDefinitionNode):
            operations.append(definition)
        elif isinstance(definition, ast.FragmentDefinitionNode) and definition.name.value not in fragments:
            fragments[definition.name.value] = definition
        else:
            raise malformed("query", "The query defines a fragment twice, or types of a schema.")
    if len(operations) != 1:
        raise malformed("query", f"The query has {len(operations)} operations. Send the one that is meant.")
    return operations[0], fragments


def _declared(operation: ast.OperationDefinitionNode, used: set[str]) -> Mapping[str, Default | None]:
    declared: dict[str, Default | None] = {}
    for definition in operation.variable_definitions or ():
        name = definition.variable.name.value
        if name in declared:
            raise malformed(name, f"The variable {quoted(name)} is declared twice.")
        if definition.directives:
            raise malformed(name, f"The variable {quoted(name)} has a directive, which servers read differently.")
        default = definition.default_value
        declared[name] = None if default is None else Default(_literal(default, set()))
    missing = next(iter(sorted(used - declared.keys())), None)
    if missing is not None:
        raise malformed(missing, f"The variable {quoted(missing)} is used and not declared.")
    return {name: default for name, default in declared.items() if name in used}


class _Walk:
    """Walks the fields of an operation, through its fragments."""

    def __init__(self, fragments: Mapping[str, ast.FragmentDefinitionNode], is_mutation: bool) -> None:
        self._fragments = fragments
        self._is_mutation = is_mutation
        self._count = 0
        self._characters = 0
        self._literals: dict[int, tuple[tuple[str, Literal], ...]] = {}
        self._keys: dict[str, tuple[str, ...]] = {}
        self.paths: list[str] = []
        self.uses: dict[str, tuple[tuple[str, Literal], ...]] = {}
        self.variables: set[str] = set()
        self.spread: set[str] = set()

    def go(self, selections: ast.SelectionSetNode, path: tuple[str, ...], keys: tuple[str, ...], depth: int) -> None:
        """Take all fields of a selection. `keys` are the names of the fields above in the answer."""
        if depth > MAX_DEPTH:
            raise malformed("query", f"The query is more than {MAX_DEPTH} levels deep, or a fragment spreads itself.")
        for selection in selections.selections:
            self._count += 1
            if self._count > MAX_FIELDS:
                raise malformed("query", f"The query selects more than {MAX_FIELDS} fields.")
            self._check_directives(selection)
            if isinstance(selection, ast.FieldNode):
                self._field(selection, path, keys, depth)
            elif isinstance(selection, ast.InlineFragmentNode):
                self.go(selection.selection_set, path, keys, depth + 1)
            elif isinstance(selection, ast.FragmentSpreadNode):
                fragment = self._fragments.get(selection.name.value)
                if fragment is None or fragment.directives:
                    name = quoted(selection.name.value)
                    raise malformed("query", f"The fragment {name} is not defined, or has a directive.")
                self.spread.add(selection.name.value)
                self.go(fragment.selection_set, path, keys, depth + 1)

    def _field(self, field: ast.FieldNode, path: tuple[str, ...], keys: tuple[str, ...], depth: int) -> None:
        name = field.name.value
        if name != "__typename":
            here, key = (*path, name), (*keys, name if field.alias is None else field.alias.value)
            self._note(".".join(here), key, self._arguments_of(field), not path)
            if field.selection_set is not None:
                self.go(field.selection_set, here, key, depth + 1)
        elif field.arguments or field.selection_set is not None:
            raise malformed("query", "__typename has neither arguments nor fields.")

    def _note(self, path: str, key: tuple[str, ...], arguments: tuple[tuple[str, Literal], ...], is_root: bool) -> None:
        if path not in self._keys:
            self._characters += len(path)
            if self._characters > MAX_PATHS:
                raise malformed("query", f"The paths of its fields have more than {MAX_PATHS} characters together.")
            self._keys[path] = key
            self.paths.append(path)
            self.uses[path] = arguments
            return
        has_arguments = bool(arguments or self.uses[path])
        if self._keys[path] == key:
            is_same = self.uses[path] == arguments
        else:
            is_same = not has_arguments and not (is_root and self._is_mutation)
        if not is_same:
            problem = f"The field {quoted(path)} is asked for twice, by other names or with other arguments."
            fault = Fault("body", path, f"{problem} Send one call each.")
            raise Refused(Reason.DUPLICATE_KEY, "a field is asked for twice", fault)

    def _arguments_of(self, field: ast.FieldNode) -> tuple[tuple[str, Literal], ...]:
        """The arguments of a field, made once: a fragment is walked as often as it is spread."""
        arguments = self._literals.get(id(field))
        if arguments is None:
            arguments = self._literals[id(field)] = tuple(self._arguments(field))
        return arguments

    def _arguments(self, field: ast.FieldNode) -> Iterator[tuple[str, Literal]]:
        names: set[str] = set()
        for argument in field.arguments or ():
            name = argument.name.value
            if name in names:
                raise malformed(name, f"The argument {quoted(name)} is given twice.")
            names.add(name)
            yield name, _literal(argument.value, self.variables)

    def _check_directives(self, selection: ast.SelectionNode) -> None:
        for directive in selection.directives or ():
            if directive.name.value not in _CONDITIONS:
                problem = f"The directive @{directive.name.value} is not judged. None pass but @include and @skip."
                raise malformed("query", problem)
            for argument in directive.arguments or ():
                _literal(argument.value, self.variables)


def _literal(node: ast.ValueNode, variables: set[str]) -> Literal:
    """A value as it is written; the variables in it are added to `variables`."""
    match node:
        case ast.VariableNode():
            variables.add(node.name.value)
            return Variable(node.name.value)
        case ast.IntValueNode() | ast.FloatValueNode():
            return _number(node.value)
        case ast.StringValueNode() | ast.EnumValueNode() | ast.BooleanValueNode():
            return node.value
        case ast.ListValueNode():
            return [_literal(element, variables) for element in node.values]
        case ast.ObjectValueNode():
            names = [field.name.value for field in node.fields]
            if len(set(names)) != len(names):
                raise malformed("query", "An object in the query names a field twice.")
            return tuple((field.name.value, _literal(field.value, variables)) for field in node.fields)
        case ast.NullValueNode():
            return None
        case _:
            raise malformed("query", "The query holds a value of an unknown kind.")


def _number(text: str) -> int | float:
    value: Json = strict_json.parse(text.encode("ascii"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed("query", f"{quoted(text)} is no number.")
    return value
