"""Files of documents brought into the one layout, in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from aegis_authz.durable import replace
from aegis_authz.lab.cases import CasesDocument
from aegis_authz.policy.format.formatting import formatted, is_ours
from aegis_authz.policy.format.member_order import KINDS
from aegis_authz.policy.source.problems import PolicyErrors, Problem

_KINDS: Mapping[str, type[BaseModel]] = {**KINDS, "tests": CasesDocument}
_SUFFIXES = (".yaml", ".yml", ".json")
_NOT_OURS = "holds no policy, template, definitions, tool or tests"


class NoSuchPath(OSError):
    """A path that was named is not there; the message is fit to show."""


@dataclass(frozen=True, slots=True)
class FileLayout:
    """A file as it is and as it ought to be; `problems` say why that is not known, and then both are the same."""

    path: Path
    before: str
    after: str
    problems: tuple[Problem, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether the file is not in the layout."""
        return self.before != self.after


def layouts(paths: Sequence[Path]) -> list[FileLayout]:
    """The layout of files, and of all files with documents below folders; each once, in order.

    Hidden files and links below a folder are left out, as are files that hold no document of the language. Raises
    NoSuchPath, OSError.
    """
    layout_of: dict[Path, FileLayout] = {}
    for path in paths:
        if not path.exists():
            raise NoSuchPath(f"{path}: no such file or folder")
        for file in sorted(_below(path)) if path.is_dir() else [path]:
            layout = _layout(file, is_named=file == path)
            if layout is not None:
                layout_of.setdefault(file.resolve(), layout)
    return list(layout_of.values())


def write(layout: FileLayout) -> None:
    """Put the file into its layout, in one step for every reader and with the rights it had. Raises OSError."""
    path = layout.path.resolve()  # a link stays one
    replace(path, layout.after.encode(), path.stat().st_mode & 0o777)


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in _SUFFIXES and not hidden and not path.is_symlink() and path.is_file():
            yield path


def _layout(path: Path, is_named: bool) -> FileLayout | None:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError as fault:
        problem = Problem(str(path), 1, 1, "", f"not UTF-8 at byte {fault.start}; save the file as UTF-8")
        return FileLayout(path, "", "", (problem,)) if is_named else None
    if not is_ours(str(path), text, _KINDS):
        return FileLayout(path, text, text, (Problem(str(path), 1, 1, "", _NOT_OURS),)) if is_named else None
    try:
        return FileLayout(path, text, formatted(str(path), text, _KINDS))
    except PolicyErrors as errors:
        return FileLayout(path, text, text, errors.problems)
