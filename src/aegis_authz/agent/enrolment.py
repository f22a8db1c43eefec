"""An agent's folder: what enrolment left there. Its key, and where it gets tokens and sends calls."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import mapping, members, text

KEY_FILE = "key.pem"
_FILE = "agent.json"
_MEMBERS = {"agent", "token_endpoint", "issuer", "audience", "proxy", "reverse", "authorities"}
_LATER = "evaluation"
"""A member that enrolments of before do not have."""


class EnrolmentFault(Exception):
    """An agent's folder is not there or cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Who the agent is, where its tokens come from, where the mesh is.

    `proxy`, `reverse` and `evaluation`, the evaluation endpoint, are base URLs, "" for what the mesh does not have;
    `authorities` is a file of certificate authorities of the mesh, or "".
    """

    agent: str
    token_endpoint: str
    issuer: str
    audience: str
    proxy: str
    reverse: str
    authorities: str
    evaluation: str

    @property
    def scope(self) -> Scope:
        """The agent by its names."""
        return Scope.parse(self.agent)


def write_enrolment(folder: Path, enrolment: Enrolment) -> None:
    """Write it into the agent's folder, whole or not at all. Raises OSError."""
    durable.replace(folder / _FILE, json.dumps(asdict(enrolment), indent=2).encode("utf-8") + b"\n")


def read_enrolment(folder: Path) -> Enrolment:
    """What enrolment left in the folder. Raises EnrolmentFault."""
    path = folder / _FILE
    try:
        enrolment = _enrolment(strict_json.parse(path.read_bytes()))
        Scope.parse(enrolment.agent)
    except FileNotFoundError:
        raise EnrolmentFault(f"no agent is enrolled in {folder}; enrol it with: aegis agent enroll CODE") from None
    except (OSError, Refused, ValueError) as fault:
        raise EnrolmentFault(f"{path} cannot be read: {fault}") from None
    return enrolment


def agent_folder(home: Path, agent: Scope) -> Path:
    """Where an agent's key and enrolment lie below a folder of agents."""
    return home / agent.org / agent.tenant / agent.agent


def enrolled_agents(home: Path) -> tuple[Scope, ...]:
    """The agents with an enrolment below a folder of agents, in order."""
    agents = (Scope(*path.parent.relative_to(home).parts) for path in sorted(home.glob(f"*/*/*/{_FILE}")))
    return tuple(agents)


def users_agents() -> Path:
    """The folder of the agents that this user enrolled."""
    home = os.environ.get("XDG_CONFIG_HOME") or ""
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".config") / "aegis" / "agents"


def _enrolment(data: Json) -> Enrolment:
    named = {_LATER: "", **mapping(data, _FILE)}
    values = members(named, {*_MEMBERS, _LATER}, _FILE)
    return Enrolment(**{name: text(value, name) for name, value in values.items()})
