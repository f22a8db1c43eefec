"""Documents written anew: one layout, whoever wrote them; every word and every comment kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from aegis_authz.policy.format.member_order import ordered
from aegis_authz.policy.format.tree import Collection, Entry, Scalar, Tree
from aegis_authz.policy.language.shapes import Shape

WIDTH = 120
"""The longest line on which a list or mapping is written between brackets, its comment not counted."""

_STEP = 2
_UNSAFE_IN_BRACKETS = re.compile(r"[,\[\]{}?]|^[-:]")
_INDICATED = re.compile(r"[1-9]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document and the comment beside it.

    In a `verbatim` line, one of a text, every character counts. A `greedy` one takes the blank lines after it, too.
    """

    text: str
    comment: str = ""
    verbatim: bool = False
    greedy: bool = False


def yaml_lines(tree: Tree, shape: Shape | None) -> list[Line]:
    """A document as YAML: members in the order of the reference, two columns a level, short lists in brackets."""
    lines = [Line(text) for text in tree.head]
    root = tree.root
    if isinstance(root, Collection) and root.entries:
        return _without_double_blanks([*lines, *_block(root, 0, shape)])
    above = [*lines, *(Line(text) for text in _said_inside(root))]
    return _without_double_blanks([*above, *_entry_lines("", root, 0, "", None)])


def json_text(tree: Tree, shape: Shape | None) -> str:
    """A document as JSON, in the same order."""
    return "\n".join(_json("", "", tree.root, 0, shape, True))


def aligned(lines: Sequence[Line]) -> list[str]:
    """The lines as text; the comments of lines of one level that follow each other begin in one column."""
    texts: list[str] = []
    for level, run in groupby(lines, key=_level):
        together = list(run)
        column = max(len(line.text) for line in together) + 2 if level >= 0 else 0
        texts += [f"{line.text:<{column}}{line.comment}" if line.comment else line.text for line in together]
    return texts


def _level(line: Line) -> int:
    """How far a line with a comment is indented, -1 for another line."""
    return len(line.text) - len(line.text.lstrip(" ")) if line.comment else -1


def _block(node: Collection, indent: int, shape: Shape | None) -> list[Line]:
    """A mapping or list with a line for each entry."""
    lines: list[Line] = []
    for entry in _in_order(node, shape):
        inner_shape, above = _inside(node, entry, shape), list(entry.above)
        beside = entry.beside[-1] if entry.beside else ""
        above += entry.beside[:-1]
        if isinstance(entry.value, Collection) and not entry.value.entries:
            above += _said_inside(entry.value)
        if entry.key is not None:
            body = _entry_lines(f"{entry.key.text}:", entry.value, indent, beside, inner_shape)
        else:
            body, hoisted = _item(entry.value, indent, beside, inner_shape)
            above += hoisted
        lines += [Line(" " * indent + text if text else "") for text in (above if lines else _trimmed(above))]
        lines += body
    lines += [Line(" " * indent + text if text else "") for text in node.trailing]
    return lines


def _entry_lines(name: str, value: Scalar | Collection, indent: int, beside: str, shape: Shape | None) -> list[Line]:
    """`name`, a key with its colon or a dash, and the value it holds."""
    lead = " " * indent + name
    if isinstance(value, Scalar):
        return _scalar(lead, value, indent, beside)
    short = _short(value, shape) if value.entries else "".join(_brackets(value))
    if short is not None and (len(lead) + 1 + len(short) <= WIDTH or not value.entries):
        return [Line(f"{lead} {short}" if name else lead + short, beside)]
    return [Line(lead, beside), *_block(value, indent + _STEP, shape)]


def _item(value: Scalar | Collection, indent: int, beside: str, shape: Shape | None) -> tuple[list[Line], list[str]]:
    """An item of a list, and the comments that have no room after its dash."""
    body = _entry_lines("-", value, indent, beside, shape)
    if isinstance(value, Scalar) or len(body) == 1:
        return body, []
    hoisted = [beside] if beside else []
    rest = body[1:]
    first = next(position for position, line in enumerate(rest) if not _is_remark(line))
    hoisted += [line.text.strip() for line in rest[:first]]
    began = rest[first]
    opened = Line(" " * indent + "-" + " " * (_STEP - 1) + began.text[indent + _STEP :], began.comment)
    return [opened, *rest[first + 1 :]], hoisted


def _scalar(lead: str, value: Scalar, indent: int, beside: str) -> list[Line]:
    gap = " " if lead.strip() and value.text else ""
    if value.is_block:
        header, lines = _block_scalar(value, indent)
        return [Line(f"{lead}{gap}{header}", beside, greedy=header.endswith("+")), *lines]
    first, *more = value.text.split("\n")
    lines = [Line(f"{lead}{gap}{_unpadded(first, value)}")]
    for line in more:
        stripped = _unpadded(line.lstrip(" "), value)
        lines.append(Line(" " * (indent + _STEP) + stripped if stripped else "", verbatim=True))
    lines[-1] = Line(lines[-1].text, beside, lines[-1].verbatim)
    return lines


def _unpadded(line: str, value: Scalar) -> str:
    """Without the blanks before a line break; an escaped one in double quotes counts."""
    return line if value.style == '"' else line.rstrip(" ")


def _block_scalar(value: Scalar, indent: int) -> tuple[str, list[Line]]:
    """The header of a `|` or `>` text, and its lines."""
    indicators, _, body = value.text.partition("\n")
    indicators = indicators.partition("#")[0].strip()
    chomping = "-" if "-" in indicators else "+" if "+" in indicators else ""
    explicit = _INDICATED.search(indicators)
    lines = body.split("\n")
    if lines[-1].strip(" ") == "":
        lines.pop()
    elif chomping != "-":
        chomping = "-"  # the file ends within its last line
    while chomping != "+" and lines and not lines[-1].strip(" "):
        lines.pop()
    column = value.around + int(explicit[0]) if explicit else _first_column(lines)
    header = value.style + (str(_STEP) if explicit else "") + chomping
    texts = [line[column:] for line in lines]
    margin, greedy = " " * (indent + _STEP), chomping == "+"
    return header, [Line(margin + text if text else "", verbatim=True, greedy=greedy) for text in texts]


def _first_column(lines: Iterable[str]) -> int:
    return next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), 0)


def _short(node: Collection, shape: Shape | None) -> str | None:
    """The collection between brackets on one line, None where it has to have lines of its own.

    Lists of plain values are short where they fit; what holds more than values stays as its writer chose.
    """
    if _has_remarks(node):
        return None
    if not node.flow and (node.mapping or any(isinstance(entry.value, Collection) for entry in node.entries)):
        return None
    parts = []
    for entry in _in_order(node, shape):
        value = _short_value(entry.value, node.flow, _inside(node, entry, shape))
        if value is None or (entry.key is not None and "\n" in entry.key.text):
            return None
        parts.append(value if entry.key is None else f"{entry.key.text}: {value}")
    opening, closing = _brackets(node)
    return opening + ", ".join(parts) + closing


def _short_value(value: Scalar | Collection, safe: bool, shape: Shape | None) -> str | None:
    if isinstance(value, Collection):
        return _short(value, shape)
    if value.is_block or "\n" in value.text or not value.text:
        return None
    # what only a list without brackets may hold
    return None if not safe and not value.style and _UNSAFE_IN_BRACKETS.search(value.text) else value.text


def _json(
    lead: str, tail: str, node: Scalar | Collection, indent: int, shape: Shape | None, spread: bool = False
) -> Iterator[str]:
    """Lines of JSON. `spread` gives every entry a line, however short."""
    if isinstance(node, Scalar):
        yield f"{' ' * indent}{lead}{node.text}{tail}"
        return
    opening, closing = _brackets(node)
    short = None if spread and node.entries else _short(node, shape)
    if short is not None and indent + len(lead) + len(short) + len(tail) <= WIDTH:
        yield f"{' ' * indent}{lead}{short}{tail}"
        return
    yield f"{' ' * indent}{lead}{opening}"
    entries = _in_order(node, shape)
    for entry in entries:
        name = "" if entry.key is None else f"{entry.key.text}: "
        comma = "" if entry is entries[-1] else ","
        yield from _json(name, comma, entry.value, indent + _STEP, _inside(node, entry, shape))
    yield f"{' ' * indent}{closing}{tail}"


def _brackets(node: Collection) -> tuple[str, str]:
    return ("{", "}") if node.mapping else ("[", "]")


def _in_order(node: Collection, shape: Shape | None) -> list[Entry]:
    return ordered(node.entries, _name, shape) if node.mapping else node.entries


def _name(entry: Entry) -> str:
    return "" if entry.key is None else entry.key.value


def _inside(node: Collection, entry: Entry, shape: Shape | None) -> Shape | None:
    """The shape of what the entry holds; a list has that of each of its items."""
    if shape is None or not node.mapping:
        return shape
    return shape.below(_name(entry))


def _has_remarks(node: Collection) -> bool:
    return any(node.trailing) or any(
        any(entry.above) or bool(entry.beside) or (isinstance(entry.value, Collection) and _has_remarks(entry.value))
        for entry in node.entries
    )


def _said_inside(node: Scalar | Collection) -> list[str]:
    """The comments of a collection that is empty."""
    return node.trailing if isinstance(node, Collection) and not node.entries else []


def _is_remark(line: Line) -> bool:
    return not line.verbatim and (not line.text or line.text.lstrip().startswith("#"))


def _trimmed(texts: Sequence[str]) -> list[str]:
    """Without the blank lines at the beginning."""
    first = next((position for position, text in enumerate(texts) if text), len(texts))
    return list(texts[first:])


def _without_double_blanks(lines: Sequence[Line]) -> list[Line]:
    """At most one blank line at a time, none at the beginning nor, but for those of a text, at the end."""
    output: list[Line] = []
    for line in lines:
        blank = not line.text and not line.verbatim
        if blank and (not output or output[-1].greedy or not (output[-1].text or output[-1].verbatim)):
            continue
        output.append(line)
    while output and not output[-1].text and not output[-1].verbatim:
        output.pop()
    return output
