"""Which agent this process is, where its tokens come from, where its mesh is: what enrolment left on this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aegis_agent.errors import AegisUnavailable
from aegis_agent.strict_json import parse_object

FOLDER_VARIABLE, STATE_VARIABLE, AGENT_VARIABLE = "AEGIS_AGENT_FOLDER", "AEGIS_DIR", "AEGIS_AGENT"
EVALUATION_VARIABLE = "AEGIS_EVALUATION"
KEY_FILE = "key.pem"
TOKEN_PATH = "/v1/token"  # noqa: S105  # a path
_FILE = "agent.json"
_MESH_FILE = "mesh.json"
_MEMBERS = ("agent", "token_endpoint", "proxy", "reverse", "authorities")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){2}\Z")
_ENROL = "enrol it with: aegis agent enroll CODE --control URL"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """An agent and its mesh. `proxy` and `reverse` are base URLs, "" for what the mesh does not have.

    `authorities` is a file of the certificate authorities to trust, "" for the system's. `evaluation` is the base URL
    of the authorizer's evaluation endpoint, "" where nobody said it.
    """

    agent: str
    folder: Path
    token_endpoint: str
    proxy: str
    reverse: str
    authorities: str
    evaluation: str = ""

    @property
    def control(self) -> str:
        """The base URL of the control plane."""
        return self.token_endpoint.removesuffix(TOKEN_PATH)


def find_enrolment(environment: Mapping[str, str], home: Path, here: Path) -> Enrolment:
    """The agent that the environment means.

    `AEGIS_AGENT_FOLDER` is its folder. Else it is the one named by `AEGIS_AGENT`, or the only one, among those of the
    mesh whose state folder is `AEGIS_DIR`, else among this user's; who has none is an agent of the mesh in `.aegis` of
    the folder `here`. `AEGIS_EVALUATION` is where functions are asked about, where that is not at the mesh of this
    machine. Raises AegisUnavailable, which says what to do.
    """
    enrolment = _of_environment(environment, home, here)
    evaluation = environment.get(EVALUATION_VARIABLE, "")
    if not evaluation:
        return enrolment
    _require_urls(EVALUATION_VARIABLE, evaluation)
    return replace(enrolment, evaluation=evaluation.rstrip("/"))


def _of_environment(environment: Mapping[str, str], home: Path, here: Path) -> Enrolment:
    folder, state = environment.get(FOLDER_VARIABLE, ""), environment.get(STATE_VARIABLE, "")
    if folder:
        return _read(Path(folder))
    settings = environment.get("XDG_CONFIG_HOME", "")
    own = (Path(settings) if Path(settings).is_absolute() else home / ".config") / "aegis" / "agents"
    mesh = Path(state) if state else None
    if mesh is None and not _enrolled(own) and (here / ".aegis" / "agents").is_dir():
        mesh = here / ".aegis"
    agents = own if mesh is None else mesh / "agents"
    enrolment = _read(agents / _chosen(agents, environment.get(AGENT_VARIABLE, "")))
    return enrolment if mesh is None else _at_its_mesh(enrolment, mesh)


def _chosen(agents: Path, name: str) -> str:
    enrolled = _enrolled(agents)
    if name and _NAME.match(name) is None:
        raise AegisUnavailable(f"{AGENT_VARIABLE} is not ORG/TENANT/AGENT")
    if name in enrolled or (not name and len(enrolled) == 1):
        return name or enrolled[0]
    if not enrolled or name:
        raise AegisUnavailable(f"no agent {name or 'at all'} is enrolled in {agents}; {_ENROL}")
    raise AegisUnavailable(f"say which agent in {AGENT_VARIABLE}; enrolled are {', '.join(enrolled)}")


def _enrolled(agents: Path) -> list[str]:
    return ["/".join(path.parent.relative_to(agents).parts) for path in sorted(agents.glob(f"*/*/*/{_FILE}"))]


def _read(folder: Path) -> Enrolment:
    path = folder / _FILE
    members = _object(path, f"no agent is enrolled in {folder}; {_ENROL}")
    values = [members.get(name) for name in _MEMBERS]
    if not all(isinstance(value, str) for value in values) or not members["agent"] or not members["token_endpoint"]:
        raise AegisUnavailable(f"{path}: not what enrolment writes; enrol the agent anew: aegis agent enroll CODE")
    agent, endpoint, proxy, reverse, authorities = map(str, values)
    evaluation = members.get("evaluation", "")  # enrolments of before have none
    if not isinstance(evaluation, str):
        raise AegisUnavailable(f"{path}: evaluation is no text; enrol the agent anew: aegis agent enroll CODE")
    _require_urls(path, endpoint, proxy, reverse, evaluation)
    return Enrolment(agent, folder, endpoint, proxy, reverse.rstrip("/"), authorities, evaluation.rstrip("/"))


def _at_its_mesh(enrolment: Enrolment, state: Path) -> Enrolment:
    """The enrolment with the addresses that a mesh on this machine has now."""
    path = state / _MESH_FILE
    facts = _object(path, f"no mesh runs in {state}; start it with: aegis up --dir {state}")
    control, proxy, reverse, folder = (facts.get(name) for name in ("control", "proxy", "reverse", "state"))
    evaluation = facts.get("evaluation", "")
    texts = (control, proxy, reverse, evaluation)
    if not all(isinstance(value, str) for value in texts) or not control:
        raise AegisUnavailable(f"{path}: not what a running mesh writes; start it with: aegis up --dir {state}")
    control, proxy, reverse, evaluation = map(str, texts)
    _require_urls(path, control, proxy, reverse, evaluation)
    bundle = Path(str(folder)) / "ca" / "bundle.pem"
    return replace(
        enrolment,
        token_endpoint=f"{control.rstrip('/')}{TOKEN_PATH}",
        proxy=proxy,
        reverse=reverse.rstrip("/"),
        evaluation=evaluation.rstrip("/"),
        authorities=str(bundle) if bundle.is_file() else enrolment.authorities,
    )


def _require_urls(path: Path | str, endpoint: str, *others: str) -> None:
    for url in (endpoint, *(url for url in others if url)):
        try:
            parts = urlsplit(url)
            is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_url = False
        if not is_url:
            raise AegisUnavailable(f"{path}: {url!r} is no http:// or https:// address")


def _object(path: Path, missing: str) -> dict[str, Any]:
    try:
        return parse_object(path.read_bytes())
    except FileNotFoundError:
        raise AegisUnavailable(missing) from None
    except (OSError, ValueError) as fault:
        raise AegisUnavailable(f"{path} cannot be read: {fault}") from None
