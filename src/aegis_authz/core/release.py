"""Published policy: the documents of a revision, and who changed which revision is served."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Revision

REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
"""What a revision may look like: also a file name, so nothing that could leave a folder."""
BUNDLE_NAME = "aegis"
"""What OPA's configuration calls the bundle, and OPA in its status reports."""
BUNDLE_KEY_ID = "aegis"
"""The `kid` of bundles that no control plane serves: the name of the key in the configuration of their OPA."""
ROOT_KEY_ID = "root"
"""What OPA's configuration calls the key that says which keys sign bundles."""
DISCOVERY_NAME = "opa"
"""The resource of OPA's configuration (OPA documentation, "Discovery"), and its root in there."""
BINARY_SUFFIXES = frozenset((".binpb", ".desc", ".pb", ".protoset"))
"""How files end that are no texts: descriptor sets, which documents name. Among the texts they are base64."""
MAX_FILES = 20_000
"""How many documents' files a folder may hold."""
MAX_SOURCE_BYTES = 24 * 1024 * 1024
"""How large they may be together."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The texts a revision is compiled from: policy documents and tool catalogues, by relative path."""

    policies: Mapping[str, str]
    tools: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DocumentChanges:
    """Files of documents that a publication adds, changes and removes, in order of path."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def between(cls, before: Mapping[str, str], after: Mapping[str, str]) -> DocumentChanges:
        """What becomes of these files."""
        return cls(
            added=tuple(sorted(after.keys() - before.keys())),
            changed=tuple(sorted(path for path in after.keys() & before.keys() if after[path] != before[path])),
            removed=tuple(sorted(before.keys() - after.keys())),
        )


class ChangeKind(Enum):
    """Why another revision came to be served."""

    FIRST = "first"  # the folders, at the first start
    PUBLISHED = "published"
    ROLLED_BACK = "rolled_back"
    REBUILT = "rebuilt"  # the same documents under other keys, settings or rules, at a start
    INTERRUPTED = "interrupted"  # the change before was logged and did not happen
    REVOKED = "revoked"  # an agent, whose calls are refused from then on; what is served stays
    INVITED = "invited"  # an agent, who may bring a key of its own; what is served stays
    ENROLLED = "enrolled"  # an agent brought its key; what is served stays
    RESTORED = "restored"  # an agent that was revoked; what is served stays
    QUARANTINED = "quarantined"  # an agent, whose calls are refused for a while; what is served stays
    RELEASED = "released"  # an agent that was quarantined; what is served stays
    LIMITS_RESET = "limits_reset"  # what was used of limits counts again; what is served stays


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the change log. `previous` is "" at the first.

    `agent` is whom it is about, where it is not about documents; then `revision` and `previous` are what was served
    meanwhile.
    """

    kind: ChangeKind
    revision: Revision
    previous: Revision
    by: str
    time: Epoch
    message: str
    agent: Scope | None


class RevisionUnknown(Exception):
    """No such revision was ever published here."""


class ReleaseConflict(Exception):
    """Another revision was published between the look and the change; the message is fit to show."""


class ReleasesFault(Exception):
    """The store of releases cannot be used; the message is fit to show."""
