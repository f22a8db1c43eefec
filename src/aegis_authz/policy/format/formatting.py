"""`fmt`: one layout for the documents of the language. What they say stays, and so does every comment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import yaml
from pydantic import BaseModel

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.format.comments import attach, comments_of
from aegis_authz.policy.format.layout import aligned, json_text, yaml_lines
from aegis_authz.policy.format.member_order import KINDS, RULES, kind_of
from aegis_authz.policy.format.tree import Collection, Tree, trees_of
from aegis_authz.policy.language.shapes import Shape, shape_of
from aegis_authz.policy.source.problems import PolicyErrors, Problem
from aegis_authz.policy.source.reader import SourceDocument, read_source

_MOST_ROUNDS = 8
_LINE_BREAK = re.compile(r"\r\n|\r")
_LEFT = "left as it is: this program cannot write it anew without changing what it says"


def formatted(path: str, text: str, kinds: Mapping[str, type[BaseModel]] = KINDS) -> str:
    """The text of a file in the one layout.

    `path` names the file in messages; one that ends in `.json` stays JSON. `kinds` are the models of documents by the
    member that tells them. Raises PolicyErrors for a file that cannot be read, and for one that cannot be written
    anew with the same meaning and the same comments.
    """
    documents, problems = read_source(path, text)
    if problems:
        raise PolicyErrors(problems)
    try:
        output = _settled(path, _LINE_BREAK.sub("\n", text), kinds)
        same = _values(read_source(path, output)) == _values((documents, [])) and _remarks(output) == _remarks(text)
    except yaml.YAMLError:
        same = False
    if not same:
        raise PolicyErrors([Problem(path, 1, 1, "", _LEFT)])
    return output


def is_ours(path: str, text: str, kinds: Mapping[str, type[BaseModel]] = KINDS) -> bool:
    """Whether a file holds a document of the language; of one that cannot be read, whether it looks like that."""
    documents, problems = read_source(path, text)
    if problems:
        return re.search(rf"^(?:- )?[ {{\"]*(?:{'|'.join((*kinds, *RULES))})\"? *:", text, re.MULTILINE) is not None
    return any(
        isinstance(document.value, dict) and kind_of([*document.value], kinds) is not None for document in documents
    )


def _settled(path: str, text: str, kinds: Mapping[str, type[BaseModel]]) -> str:
    """The text written anew until that changes nothing: where a comment has moved, what it stood in may be short."""
    for _ in range(_MOST_ROUNDS):
        output = _rendering(path, text, kinds)
        if output == text:
            return text
        text = output
    raise yaml.YAMLError("no layout was found that stays as it is")


def _rendering(path: str, text: str, kinds: Mapping[str, type[BaseModel]]) -> str:
    trees = trees_of(text)
    attach(text, trees, comments_of(text, trees))
    if path.lower().endswith(".json"):
        return "".join(json_text(tree, _shape(tree, kinds)) + "\n" for tree in trees)
    if not trees:
        return text
    documents = (aligned(yaml_lines(tree, _shape(tree, kinds))) for tree in trees)
    return "---\n".join("".join(f"{line}\n" for line in lines) for lines in documents)


def _shape(tree: Tree, kinds: Mapping[str, type[BaseModel]]) -> Shape | None:
    root = tree.root
    if not isinstance(root, Collection) or not root.mapping:
        return None
    model = kind_of([entry.key.value for entry in root.entries if entry.key is not None], kinds)
    return None if model is None else shape_of(model)


def _values(read: tuple[list[SourceDocument], list[Problem]]) -> list[bytes] | None:
    """What the documents say, None where they cannot be read."""
    documents, problems = read
    values: list[Json] = [document.value for document in documents]
    return None if problems else [canonical(value) for value in values]


def _remarks(text: str) -> Counter[str]:
    text = _LINE_BREAK.sub("\n", text)
    return Counter(comment.text for comment in comments_of(text, trees_of(text)))
