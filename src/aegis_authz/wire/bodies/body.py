"""A body as it is judged, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.json_value import Json

NO_FACTS: frozenset[str] = frozenset()


class Upload(dict[str, Json]):
    """An uploaded file: its `name`, `type`, `size` in bytes and `sha256`. No field can be taken for one."""

    __slots__ = ()


class Batch(dict[str, Json]):
    """What several operations of GraphQL ask for together, sent as a list: `operations` is how many there are."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Body:
    """What a body holds, by which pointers of the catalogue find it.

    `content_type` is what the tool must see. `facts` names the members of `value` that are said of the content and do
    not stand in it: no declaration is asked for them. `is_text` says that values stand there as texts, which are read
    as the types that the catalogue declares.
    """

    value: Json
    content_type: str
    facts: frozenset[str]
    is_text: bool


NO_BODY = Body(None, "", NO_FACTS, False)
