"""The releases port on a folder: bundles, their documents, the pointer and the change log.

bundles/<revision>.tar.gz  signed bundle          sources/<revision>.json  its documents
current                    the revision served    changes.jsonl            who changed it, when
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.release import REVISION, Change, ChangeKind, ReleasesFault, RevisionUnknown, Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import NO_REVISION, Epoch, Revision
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import mapping, number, text
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)


class FileReleases:
    """`control.ports.Releases` on a folder that one process owns while it runs."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Make or open the folder and mend what a crash left.

        Raises ReleasesFault, also while another process has it.
        """
        self._bundles, self._sources = folder / "bundles", folder / "sources"
        self._pointer, self._change_log = folder / "current", folder / "changes.jsonl"
        self._folder = folder
        try:
            for part in (folder, self._bundles, self._sources):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._take_lock()
            self._cut_torn_line()
            self._mend(clock)
        except OSError as fault:
            raise _fault(folder, fault) from None

    def close(self) -> None:
        """Give the folder up to the next process."""
        os.close(self._lock)

    def current(self) -> Revision:
        try:
            revision = Revision(self._pointer.read_text("ascii").strip())
        except FileNotFoundError:
            return NO_REVISION
        except (OSError, UnicodeDecodeError) as fault:
            raise _fault(self._pointer, fault) from None
        if REVISION.match(revision) is None or not self._bundle_path(revision).exists():
            raise ReleasesFault(f"{self._pointer}: names no revision that is stored here")
        return revision

    def bundle(self, revision: Revision) -> bytes:
        return self._read(self._bundle_path(revision), revision)

    def sources(self, revision: Revision) -> Sources:
        path = self._sources_path(revision)
        try:
            stored = strict_json.parse_object(self._read(path, revision))
            return Sources(_texts(stored["policies"], "policies"), _texts(stored["tools"], "tools"))
        except (Refused, KeyError, ValueError) as fault:
            raise _fault(path, fault) from None

    def keep(self, revision: Revision, bundle: bytes, sources: Sources) -> None:
        documents = {"policies": dict(sources.policies), "tools": dict(sources.tools)}
        try:
            durable.create(self._sources_path(revision, ValueError), json.dumps(documents).encode("utf-8"))
            durable.create(self._bundle_path(revision, ValueError), bundle)
        except OSError as fault:
            raise _fault(self._folder, fault) from None

    def resign(self, revision: Revision, bundle: bytes) -> None:
        if self.bundle(revision) == bundle:
            return
        try:
            durable.replace(self._bundle_path(revision), bundle)
        except OSError as fault:
            raise _fault(self._folder, fault) from None

    def activate(self, change: Change) -> None:
        if not self._bundle_path(change.revision).exists():
            raise RevisionUnknown(change.revision)
        try:
            # The log first: a change without its line would be worse than a line without its change.
            durable.append(self._change_log, _line(change))
            durable.replace(self._pointer, change.revision.encode("ascii") + b"\n")
        except OSError as fault:
            raise _fault(self._folder, fault) from None

    def note(self, change: Change) -> None:
        try:
            durable.append(self._change_log, _line(change))
        except OSError as fault:
            raise _fault(self._folder, fault) from None

    def changes(self) -> list[Change]:
        try:
            lines = self._change_log.read_bytes().splitlines() if self._change_log.exists() else []
            return [_change(line) for line in reversed(lines)]
        except (OSError, Refused, KeyError, ValueError) as fault:
            raise _fault(self._change_log, fault) from None

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise ReleasesFault(f"{self._folder}: another control plane is using this folder") from None

    def _cut_torn_line(self) -> None:
        if not self._change_log.exists():
            return
        content = self._change_log.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            _log.warning("%s: cutting off %d bytes of an unfinished line", self._change_log, len(content) - whole)
            durable.replace(self._change_log, content[:whole])

    def _mend(self, clock: Clock) -> None:
        changes, current = [change for change in self.changes() if change.agent is None], self.current()
        if changes and current and changes[0].revision != current:
            lost = changes[0].revision
            _log.warning("the change to %s was interrupted; %s is still served", lost, current)
            message = "the change before this one was interrupted and did not happen"
            note = Change(ChangeKind.INTERRUPTED, current, lost, "control", clock.now(), message, None)
            durable.append(self._change_log, _line(note))

    def _read(self, path: Path, revision: Revision) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise RevisionUnknown(revision) from None
        except OSError as fault:
            raise _fault(path, fault) from None

    def _bundle_path(self, revision: Revision, otherwise: type[Exception] = RevisionUnknown) -> Path:
        return self._bundles / f"{_checked(revision, otherwise)}.tar.gz"

    def _sources_path(self, revision: Revision, otherwise: type[Exception] = RevisionUnknown) -> Path:
        return self._sources / f"{_checked(revision, otherwise)}.json"


def _checked(revision: Revision, otherwise: type[Exception]) -> str:
    if REVISION.match(revision) is None:
        raise otherwise("not a revision")
    return revision


def _texts(data: Json, label: str) -> dict[str, str]:
    return {path: text(content, path) for path, content in mapping(data, label).items()}


def _line(change: Change) -> bytes:
    members: dict[str, Json] = {
        "time": change.time,
        "kind": change.kind.value,
        "revision": change.revision,
        "previous": change.previous,
        "by": change.by,
        "message": change.message,
    }
    if change.agent is not None:
        members["agent"] = str(change.agent)
    return json.dumps(members).encode("ascii") + b"\n"


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
