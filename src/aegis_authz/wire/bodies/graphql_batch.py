"""Several operations of GraphQL in one request, as one that asks for all that they ask for.

A decision is about one call. So a batch is judged as the one operation that its operations come to: every rule about a
field or an argument holds for each of them. What would make it two, a field with arguments in two operations, is
refused as it is within one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.wire.bodies.body import Batch
from aegis_authz.wire.bodies.graphql_document import MAX_FIELDS, MAX_PATHS, malformed

MAX_TOKENS_TOGETHER = 1200
"""Of all documents of a batch: so many cost the parser some 40 ms."""
MAX_ARGUMENTS = 1024 * 1024
"""Bytes of all arguments as JSON: one variable may be what many fields get."""
FEW_ARGUMENTS = 5 * strict_json.MAX_MEMBERS
"""Bytes of JSON that have no more members and values than a text may have."""


def joined(operations: Iterable[tuple[Mapping[str, Json], int]]) -> Batch:
    """What operations ask for together. Of each, its facts as `read_graphql` says them, and the tokens of its document.

    `name` and `variables` are lists, one of each operation, `operations` is how many there are. Raises
    Refused(GRAPHQL_MALFORMED) for operations of different kinds and for more of anything than one may have,
    Refused(DUPLICATE_KEY) for a field of two mutations, and for one with arguments that two operations ask for.
    """
    batch = _Joining()
    for operation, tokens in operations:
        batch.add(operation, tokens)
    return batch.value()


def too_many_arguments(subject: str) -> Refused:
    """GRAPHQL_MALFORMED for more arguments than the policy engine is given. `subject` is whose they are."""
    bounds = f"{MAX_ARGUMENTS} bytes, {strict_json.MAX_VALUES} values or {strict_json.MAX_MEMBERS} members"
    return malformed("query", f"The arguments of {subject} are more than {bounds} together.")


class _Joining:
    def __init__(self) -> None:
        self._kind: Json = None
        self._tokens = 0
        self._size = 0
        self._characters = 0
        self._names: list[Json] = []
        self._variables: list[Json] = []
        self._paths: dict[str, None] = {}
        self._arguments: dict[str, Json] = {}

    def add(self, operation: Mapping[str, Json], tokens: int) -> None:
        self._tokens += tokens
        if self._tokens > MAX_TOKENS_TOGETHER:
            raise malformed("", f"The operations of the batch have more than {MAX_TOKENS_TOGETHER} tokens together.")
        if self._names and operation["operation"] != self._kind:
            raise malformed("", "The batch mixes queries, mutations or subscriptions. Send each kind by itself.")
        self._kind = operation["operation"]
        self._names.append(operation["name"])
        self._variables.append(operation["variables"])
        self._add_fields(operation["selections"], operation.get("arguments"))

    def _add_fields(self, selections: Json, uses: Json) -> None:
        arguments = uses if isinstance(uses, Mapping) else {}
        paths = [path for path in selections if isinstance(path, str)] if isinstance(selections, list) else []
        for path in paths:
            runs_twice = self._kind == "mutation" and "." not in path
            if path in self._paths and (runs_twice or path in self._arguments or path in arguments):
                problem = f"The field {quoted(path)} is asked for by two operations of the batch. Send one call each."
                raise Refused(Reason.DUPLICATE_KEY, "a field is asked for twice", Fault("body", path, problem))
        self._characters += sum(len(path) for path in paths if path not in self._paths)
        if self._characters > MAX_PATHS:
            raise malformed("", f"The paths of its fields have more than {MAX_PATHS} characters together.")
        self._paths.update(dict.fromkeys(paths))
        self._arguments.update(arguments)
        self._size += len(orjson.dumps(arguments))
        if len(self._paths) > MAX_FIELDS:
            raise malformed("", f"The batch selects more than {MAX_FIELDS} fields.")
        if self._size > MAX_ARGUMENTS:
            raise too_many_arguments("the batch")

    def value(self) -> Batch:
        if self._size > FEW_ARGUMENTS and strict_json.is_too_dense(self._arguments):
            raise too_many_arguments("the batch")
        return Batch(
            operation=self._kind,
            name=self._names,
            fields=[path for path in self._paths if "." not in path],
            selections=[*self._paths],
            variables=self._variables,
            operations=len(self._names),
            **({"arguments": self._arguments} if self._arguments else {}),
        )
