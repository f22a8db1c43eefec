"""What changes in the texts of documents, line by line."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff

from aegis_authz.policy.source.problems import printable


def document_difference(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What changes in files of documents, as lines of a unified diff."""
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        texts = (before.get(path, ""), after.get(path, ""))
        if texts[0] == texts[1] and (path in before) == (path in after):
            continue
        names = (path if path in before else "/dev/null", path if path in after else "/dev/null")
        former, own = ([printable(line) for line in text.splitlines()] for text in texts)
        lines += unified_diff(former, own, printable(names[0]), printable(names[1]), lineterm="")
    return lines
