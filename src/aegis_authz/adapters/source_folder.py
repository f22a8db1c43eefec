"""A folder of policy documents or tool catalogues as texts."""

from __future__ import annotations

from pathlib import Path

MAX_FILES = 10_000
MAX_TOTAL_BYTES = 8 * 1024 * 1024
_SUFFIXES = {".yaml", ".yml", ".json"}


class SourceFolderError(OSError):
    """The folder cannot be read as documents; the message names the file and is fit to show."""


def read_sources(folder: Path) -> dict[str, str]:
    """Every .yaml, .yml and .json file below the folder: path relative to it -> text.

    Hidden files and folders are left out, and so are links, which could lead anywhere. Raises SourceFolderError.
    """
    if not folder.is_dir():
        raise SourceFolderError(f"{folder}: no such folder")
    texts: dict[str, str] = {}
    total = 0
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix not in _SUFFIXES or any(part.startswith(".") for part in name.parts):
            continue
        if path.is_symlink() or not path.is_file():
            continue
        try:
            content = path.read_bytes()
            total += len(content)
            texts[name.as_posix()] = content.decode("utf-8")
        except UnicodeDecodeError as fault:
            raise SourceFolderError(f"{path}: not UTF-8 at byte {fault.start}") from None
        except OSError as fault:
            raise SourceFolderError(f"{path}: {fault.strerror}") from None
        if total > MAX_TOTAL_BYTES or len(texts) > MAX_FILES:
            raise SourceFolderError(f"{folder}: more than {MAX_TOTAL_BYTES} bytes or {MAX_FILES} files")
    return texts
