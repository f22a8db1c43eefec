"""What versions of before published, in files of the state folder: read once, to be taken into the database.

bundles/<revision>.tar.gz  signed bundle          sources/<revision>.json  its documents
current                    the revision served    changes.jsonl            who changed it, when
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.release import REVISION, Change, ChangeKind, ReleasesFault, Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import NO_REVISION, Epoch, Revision
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import mapping, number, text

_SUFFIX = ".tar.gz"


@dataclass(frozen=True, slots=True)
class FormerRelease:
    """A revision of before: its signed bundle and its documents."""

    revision: Revision
    bundle: bytes
    sources: Sources


class FormerReleases:
    """The folder as a control plane of before left it, a crash of its included."""

    def __init__(self, folder: Path) -> None:
        self._bundles, self._sources = folder / "bundles", folder / "sources"
        self._pointer, self._change_log = folder / "current", folder / "changes.jsonl"

    @property
    def paths(self) -> list[Path]:
        """The files and folders of it that there are."""
        everything = (self._bundles, self._sources, self._pointer, self._change_log)
        return [path for path in everything if path.exists()]

    def current(self) -> Revision:
        """The revision that was served, "" for none. Raises ReleasesFault."""
        try:
            revision = Revision(self._pointer.read_text("ascii").strip())
        except FileNotFoundError:
            return NO_REVISION
        except (OSError, UnicodeDecodeError) as fault:
            raise _fault(self._pointer, fault) from None
        if REVISION.match(revision) is None or not (self._bundles / f"{revision}{_SUFFIX}").exists():
            raise ReleasesFault(f"{self._pointer}: names no revision that is stored here")
        return revision

    def changes(self, now: Epoch) -> list[Change]:
        """The change log, oldest first; a change that was logged and did not happen is told at its end.

        Raises ReleasesFault.
        """
        try:
            content = self._change_log.read_bytes() if self._change_log.exists() else b""
            lines = content[: content.rfind(b"\n") + 1].splitlines()  # a crash leaves half a line at most
            changes = [_change(line) for line in lines]
        except (OSError, Refused, KeyError, ValueError) as fault:
            raise _fault(self._change_log, fault) from None
        current = self.current()
        published = [change for change in changes if change.agent is None]
        if published and current and published[-1].revision != current:
            lost, message = published[-1].revision, "the change before this one was interrupted and did not happen"
            changes.append(Change(ChangeKind.INTERRUPTED, current, lost, "control", now, message, None))
        return changes

    def releases(self) -> Iterator[FormerRelease]:
        """All revisions. Raises ReleasesFault."""
        for path in sorted(self._bundles.glob(f"*{_SUFFIX}")):
            revision = Revision(path.name.removesuffix(_SUFFIX))
            if REVISION.match(revision) is None:
                continue  # half a file of a crash
            try:
                bundle = path.read_bytes()
            except OSError as fault:
                raise _fault(path, fault) from None
            yield FormerRelease(revision, bundle, self.sources(revision))

    def sources(self, revision: Revision) -> Sources:
        """The documents of a revision. Raises ReleasesFault."""
        path = self._sources / f"{revision}.json"
        try:
            stored = strict_json.parse_object(path.read_bytes())
            return Sources(_texts(stored["policies"], "policies"), _texts(stored["tools"], "tools"))
        except (OSError, Refused, KeyError, ValueError) as fault:
            raise _fault(path, fault) from None


def _texts(data: Json, label: str) -> dict[str, str]:
    return {path: text(content, path) for path, content in mapping(data, label).items()}


def _change(line: bytes) -> Change:
    members = strict_json.parse_object(line)
    return Change(
        kind=ChangeKind(members["kind"]),
        revision=Revision(text(members["revision"], "revision")),
        previous=Revision(text(members["previous"], "previous")),
        by=text(members["by"], "by"),
        time=Epoch(float(number(members["time"], "time"))),
        message=text(members["message"], "message"),
        agent=Scope.parse(text(members["agent"], "agent")) if "agent" in members else None,
    )


def _fault(path: Path, fault: Exception) -> ReleasesFault:
    reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return ReleasesFault(f"{path}: {reason}")
