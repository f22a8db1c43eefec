"""A folder of policy documents or tool catalogues as texts."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.core.release import MAX_FILES, MAX_SOURCE_BYTES

TESTS = "_test"
"""How the name of a file of policy tests ends, before its suffix."""

_SUFFIXES = {".yaml", ".yml", ".json"}
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class SourceFolderError(OSError):
    """The folder cannot be read as documents; the message names each file at fault and is fit to show."""


def read_sources(folder: Path) -> dict[str, str]:
    """Every .yaml, .yml and .json file below the folder: path relative to it -> text.

    Hidden files and folders are left out, as are tests, and links, which could lead anywhere. Raises SourceFolderError.
    """
    return _read(folder, tests=False)


def read_tests(folder: Path) -> dict[str, str]:
    """The same for the tests beside the documents, and for nothing else. Raises SourceFolderError."""
    return _read(folder, tests=True)


def _read(folder: Path, *, tests: bool) -> dict[str, str]:
    if not folder.is_dir():
        raise SourceFolderError(f"{folder}: no such folder")
    texts: dict[str, str] = {}
    faults: list[str] = []
    left = MAX_SOURCE_BYTES
    for path in _documents(folder, tests=tests):
        try:
            with path.open("rb") as file:
                content = file.read(left + 1)
        except OSError as fault:
            faults.append(f"{path}: {fault.strerror}")
            continue
        left -= len(content)
        if left < 0 or len(texts) >= MAX_FILES:
            raise SourceFolderError(f"{folder}: more than {MAX_SOURCE_BYTES} bytes or {MAX_FILES} files")
        try:
            texts[path.relative_to(folder).as_posix()] = content.decode("utf-8")
        except UnicodeDecodeError as fault:
            faults.append(f"{path}: {_encoding(content, fault.start)}; save it as UTF-8")
    if faults:
        raise SourceFolderError("\n".join(faults))
    return texts


def _documents(folder: Path, *, tests: bool) -> list[Path]:
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix not in _SUFFIXES or path.stem.endswith(TESTS) is not tests:
            continue
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or path.is_symlink():
            continue
        if path.is_file():
            found.append(path)
    return found


def _encoding(content: bytes, at: int) -> str:
    if content.startswith(_UTF_16):
        return "is UTF-16"
    line = content.count(b"\n", 0, at) + 1
    return f"not UTF-8 at byte {at} (line {line})"
