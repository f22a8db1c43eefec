from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.agent.enrolment import (
    Enrolment,
    EnrolmentFault,
    agent_folder,
    enrolled_agents,
    read_enrolment,
    users_agents,
    write_enrolment,
)
from aegis_authz.core.scope import Scope

ENROLMENT = Enrolment(
    agent="acme/emea/coding-agent",
    token_endpoint="https://control/v1/token",
    issuer="aegis",
    audience="aegis-mesh",
    proxy="http://127.0.0.1:1",
    reverse="http://127.0.0.1:2",
    authorities="",
    evaluation="http://127.0.0.1:3",
)


def test_what_was_written_is_read_and_is_the_owners_alone(tmp_path: Path) -> None:
    write_enrolment(tmp_path, ENROLMENT)
    assert read_enrolment(tmp_path) == ENROLMENT
    assert ENROLMENT.scope == Scope("acme", "emea", "coding-agent")
    assert stat.S_IMODE((tmp_path / "agent.json").stat().st_mode) == 0o600


def test_an_enrolment_of_before_has_no_evaluation_endpoint(tmp_path: Path) -> None:
    write_enrolment(tmp_path, ENROLMENT)
    members = json.loads((tmp_path / "agent.json").read_text())
    del members["evaluation"]
    (tmp_path / "agent.json").write_text(json.dumps(members))
    assert read_enrolment(tmp_path) == replace(ENROLMENT, evaluation="")


def test_an_agent_that_is_not_enrolled_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(EnrolmentFault, match="enrol it with: aegis agent enroll CODE"):
        read_enrolment(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"agent": "acme/emea/coding-agent"}'])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "agent.json").write_text(text)
    with pytest.raises(EnrolmentFault, match="cannot be read"):
        read_enrolment(tmp_path)


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    write_enrolment(tmp_path, replace(ENROLMENT, agent="../../x"))
    with pytest.raises(EnrolmentFault, match="must be org/tenant/agent"):
        read_enrolment(tmp_path)


def test_enrolled_agents_are_listed(tmp_path: Path) -> None:
    for name in ("b", "a"):
        folder = agent_folder(tmp_path, Scope("acme", "emea", name))
        folder.mkdir(parents=True)
        write_enrolment(folder, ENROLMENT)
    assert enrolled_agents(tmp_path) == (Scope("acme", "emea", "a"), Scope("acme", "emea", "b"))
    assert enrolled_agents(tmp_path / "none") == ()


def test_a_users_agents_are_in_the_folder_of_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert users_agents() == tmp_path / "aegis" / "agents"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert users_agents() == Path.home() / ".config" / "aegis" / "agents"
