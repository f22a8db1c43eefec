"""The comments of a file: where they stand, and which entry each of them is about."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from aegis_authz.policy.format.tree import Collection, Entry, Scalar, Tree, entries_of, scalars_of
from aegis_authz.policy.source.places import Offset

_COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment from its `#` to the end of its line. `alone`: nothing else stands on the line."""

    at: Offset
    column: int
    text: str
    alone: bool


def comments_of(text: str, trees: Sequence[Tree]) -> list[Comment]:
    """Every comment of the text, in order."""
    comments: list[Comment] = []
    after = 0
    for scalar in (scalar for tree in trees for scalar in scalars_of(tree.root)):
        comments += _between(text, after, scalar.start)
        if scalar.is_block:
            comments += _between(text, scalar.start, _end_of_line(text, scalar.start))
        after = scalar.end
    return [*comments, *_between(text, after, len(text))]


def attach(text: str, trees: Sequence[Tree], comments: Sequence[Comment]) -> None:
    """Give each comment, and each blank line before an entry, to what it is about.

    A comment beside something stays beside it. One on a line of its own belongs to the next entry, unless it is
    indented deeper than that one: then it is a last remark on what stands before. Those before the first entry of a
    document belong to the document.
    """
    block_texts = [scalar for tree in trees for scalar in scalars_of(tree.root) if scalar.keeps_blank_lines]
    blanks = _Blanks(text, [(scalar.start, scalar.end) for scalar in block_texts])
    left = list(comments)
    for tree in trees:
        here = [comment for comment in left if comment.at < tree.end]
        left = left[len(here) :]
        _Attaching(text, tree, blanks).attach(here)
        for entry in entries_of(tree.root):
            if blanks.before(entry.start):
                _first_of(tree, entry).append("")


def _first_of(tree: Tree, entry: Entry) -> list[str]:
    """What stands above the entry; above the first of a document, that is what stands above the document."""
    root = tree.root
    return tree.head if isinstance(root, Collection) and root.entries[0] is entry else entry.above


def _between(text: str, start: Offset, end: Offset) -> Iterator[Comment]:
    for match in _COMMENT.finditer(text, start, end):
        begin = _line(text, match.start())
        alone = not text[begin : match.start()].strip()
        yield Comment(match.start(), match.start() - begin, match.group().rstrip(), alone)


def _line(text: str, at: Offset) -> Offset:
    """Where the line begins."""
    return text.rfind("\n", 0, at) + 1


def _end_of_line(text: str, at: Offset) -> Offset:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


@dataclass(frozen=True, slots=True)
class _Blanks:
    """Blank lines that are no part of a value."""

    text: str
    value_spans: list[tuple[Offset, Offset]]

    def before(self, at: Offset) -> bool:
        """Whether the line above is blank, and nothing stands before `at` on its own line."""
        line = _line(self.text, at)
        if line == 0 or self.text[line:at].strip():
            return False
        above = _line(self.text, line - 1)
        within = bisect_right(self.value_spans, (above, len(self.text))) - 1
        if within >= 0 and self.value_spans[within][0] <= above < self.value_spans[within][1]:
            return False
        return not self.text[above:line].strip()


class _Attaching:
    def __init__(self, text: str, tree: Tree, blanks: _Blanks) -> None:
        self._text = text
        self._tree = tree
        self._blanks = blanks
        points = [(entry.start, entry) for entry in entries_of(tree.root)]
        points += [(entry.end, entry) for entry in entries_of(tree.root) if _ends_visibly(entry)]
        points.sort(key=lambda point: point[0])  # of those that begin together the inner one comes later
        self._points = points
        self._offsets = [at for at, _ in points]

    def attach(self, comments: Sequence[Comment]) -> None:
        for comment in comments:
            beside = None if comment.alone else self._beside(comment)
            if beside is not None:
                beside.beside.append(comment.text)
                continue
            place = self._place(comment)
            if self._blanks.before(comment.at):
                place.append("")
            place.append(comment.text)

    def _beside(self, comment: Comment) -> Entry | None:
        """What begins or ends last before the comment, on the same line."""
        last = bisect_right(self._offsets, comment.at) - 1
        if last < 0 or self._offsets[last] < _line(self._text, comment.at):
            return None
        return self._points[last][1]

    def _place(self, comment: Comment) -> list[str]:
        node = self._tree.root
        if isinstance(node, Scalar):
            return self._tree.head
        if not node.entries or comment.at < node.entries[0].start:
            return self._tree.head
        while True:
            position = bisect_right(node.entries, comment.at, key=lambda entry: entry.start)
            earlier = node.entries[position - 1] if position else None
            later = node.entries[position] if position < len(node.entries) else None
            if earlier is not None and comment.at < earlier.end:
                value = earlier.value
                if isinstance(value, Scalar) or (value.flow and comment.at < value.start):
                    return earlier.above
                node = value
                continue
            if earlier is not None and comment.alone and not node.flow and comment.column > node.column:
                deeper = _last_within(earlier, comment.column)
                if deeper is not None:
                    return deeper.trailing
            return node.trailing if later is None else later.above


def _ends_visibly(entry: Entry) -> bool:
    return entry.value.flow if isinstance(entry.value, Collection) else not entry.value.is_block


def _last_within(entry: Entry, column: int) -> Collection | None:
    """The innermost collection that ends with the entry and is not indented deeper than the column."""
    deepest = None
    node = entry.value
    while isinstance(node, Collection) and not node.flow and node.column <= column:
        deepest = node
        node = node.entries[-1].value
    return deepest
