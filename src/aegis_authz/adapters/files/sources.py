"""A folder of policy documents or tool catalogues as texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from aegis_authz.core.release import BINARY_SUFFIXES, MAX_FILES, MAX_SOURCE_BYTES
from aegis_authz.policy.source.binaries import text_of

TESTS = "_test"
"""How the name of a file of policy tests ends, before its suffix."""

_SUFFIXES = {".yaml", ".yml", ".json"}
_VERSION_CONTROL = (".git", ".hg", ".svn")
_MOUNT = "..data"
"""By this link a mounted ConfigMap turns to its newest folder."""
_EDITOR_LOCK = ".#"
_DOCUMENT_WORDS = {"agent", "tool", "template", "define"}
_DOCUMENT = re.compile(rf"^(?:{'|'.join(sorted(_DOCUMENT_WORDS))})[ \t]*:", re.MULTILINE)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class SourceFolderError(OSError):
    """The folder cannot be read as documents; the message names each file at fault and is fit to show."""


def read_sources(folder: Path) -> dict[str, str]:
    """Every .yaml, .yml and .json file below the folder: path relative to it -> text; and the descriptor sets that
    documents name, as base64.

    Links are followed to files of the folder itself, as in a mounted ConfigMap of Kubernetes. Left out are tests,
    what version control keeps (`.git`) and the locks of editors (`.#name`). A document that would
    not be read otherwise - hidden, linked from elsewhere, no file, or a policy among the tests - is an error, so
    that no policy vanishes. Raises SourceFolderError.
    """
    texts = _read(folder, tests=False)
    misplaced = [
        f"{folder / name}: holds no tests but a policy or a tool, in a file named as one of tests; rename it"
        for name, text in _read(folder, tests=True).items()
        if _is_document(name, text)
    ]
    if misplaced:
        raise SourceFolderError("\n".join(misplaced))
    return texts


def read_tests(folder: Path) -> dict[str, str]:
    """The same for the tests beside the documents, and for nothing else. Raises SourceFolderError."""
    return _read(folder, tests=True)


def _read(folder: Path, *, tests: bool) -> dict[str, str]:
    if not folder.is_dir():
        raise SourceFolderError(f"{folder}: no such folder")
    texts: dict[str, str] = {}
    faults: list[str] = []
    left = MAX_SOURCE_BYTES
    for path, fault in _documents(folder):
        is_binary = path.suffix.lower() in BINARY_SUFFIXES
        if (path.stem.endswith(TESTS) and not is_binary) is not tests:
            continue
        if fault:
            faults.append(f"{path if str(path).isprintable() else ascii(str(path))}: {fault}")
            continue
        try:
            with path.open("rb") as file:
                content = file.read(left + 1)
        except OSError as unreadable:
            faults.append(f"{path}: {unreadable.strerror}")
            continue
        left -= len(content)
        if left < 0 or len(texts) >= MAX_FILES:
            raise SourceFolderError(f"{folder}: more than {MAX_SOURCE_BYTES} bytes or {MAX_FILES} files")
        name = path.relative_to(folder).as_posix()
        if is_binary:
            texts[name] = text_of(content)
            continue
        try:
            texts[name] = content.decode("utf-8")
        except UnicodeDecodeError as undecodable:
            faults.append(f"{path}: {_encoding(content, undecodable.start)}; save it as UTF-8")
    if faults:
        raise SourceFolderError("\n".join(faults))
    return texts


def _documents(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file that is named as a document, in order of path, and "" or why it cannot be read as such."""
    root = folder.resolve()
    is_mounted = (folder / _MOUNT).is_symlink()
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part in _VERSION_CONTROL for part in parts) or path.name.startswith(_EDITOR_LOCK):
            continue
        if path.is_symlink() and path.is_dir():
            # the names of a ConfigMap's own folders begin with two dots; its files are linked one by one
            if not path.name.startswith("..") and any(_is_named_as_document(entry) for entry in path.rglob("*")):
                yield path, "a linked folder; links are followed to files alone"
        elif _is_named_as_document(path) and not path.is_dir() and not (is_mounted and _is_of_mount(parts)):
            yield path, _fault(path, parts, root)


def _is_of_mount(parts: tuple[str, ...]) -> bool:
    """Whether a file lies in a ConfigMap's own folders, which its visible links lead to."""
    return len(parts) > 1 and parts[0].startswith("..")


def _fault(path: Path, parts: tuple[str, ...], root: Path) -> str:
    if not all(part.isprintable() and part == part.strip() for part in parts):
        return "its name holds characters that nobody sees; rename it"
    if any(part.startswith(".") for part in parts):
        return "hidden, so that nobody sees it; rename it, or move it out of the folder"
    if not path.exists():
        return "a link that leads to nothing"
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        return "a link that leads out of the folder; put the file itself here"
    return "" if path.is_file() else "is no file"


def _is_named_as_document(path: Path) -> bool:
    return path.suffix.strip().lower() in _SUFFIXES | BINARY_SUFFIXES


def _is_document(name: str, text: str) -> bool:
    if not name.lower().endswith(".json"):
        return _DOCUMENT.search(text) is not None
    try:
        value = json.loads(text)
    except ValueError:
        return False  # whoever runs the tests says what is wrong with it
    return isinstance(value, dict) and bool(value.keys() & _DOCUMENT_WORDS)


def _encoding(content: bytes, at: int) -> str:
    if content.startswith(_UTF_16):
        return "is UTF-16"
    line = content.count(b"\n", 0, at) + 1
    return f"not UTF-8 at byte {at} (line {line})"
