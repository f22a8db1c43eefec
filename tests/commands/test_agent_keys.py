"""Making an agent key: shown once, registered by its hash, two at once and no third, and good at the door."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aegis_authz.cli import agents as agents_cli
from aegis_authz.commands.agent_keys import make_agent_key
from aegis_authz.commands.faults import Rejected
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity.agent_key import read_agent_key
from aegis_authz.policy.bundle.agent_data import agents_from_data
from aegis_authz.policy.compile.identities import snapshot_agents
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

AGENT = Scope("acme", "emea", "legacy")
HERE = ["127.0.0.0/8"]


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("agents", "tools"):
        (tmp_path / name).mkdir()
    return tmp_path / "agents", tmp_path / "tools"


def whose(folders: tuple[Path, Path], key: str, source: str = "127.0.0.1") -> Scope:
    """Whose key it is for a worker, once these documents are published."""
    loaded = load({path.name: path.read_text() for path in folders[0].iterdir()}, {})
    registry = agents_from_data(snapshot_agents(loaded.identities))
    return read_agent_key(key, source, True, registry, Epoch(time.time()), Jti("j")).scope


def test_a_key_is_good_at_the_door_from_its_networks_and_the_document_holds_its_hash_alone(
    folders: tuple[Path, Path],
) -> None:
    made = make_agent_key(*folders, AGENT, ["10.1.0.0/16"], "", None)
    assert made.key not in made.document.read_text()
    assert made.key not in repr(made)
    assert whose(folders, made.key, "10.1.2.3") == AGENT
    with pytest.raises(Refused, match="outside its ranges"):
        whose(folders, made.key, "10.2.0.1")


def test_two_keys_count_at_once_and_a_third_is_made_when_the_first_has_ended(folders: tuple[Path, Path]) -> None:
    first, second = (make_agent_key(*folders, AGENT, HERE, "", None) for _ in range(2))
    assert [whose(folders, key.key) for key in (first, second)] == [AGENT, AGENT]
    with pytest.raises(Rejected, match="two keys of acme/emea/legacy count already"):
        make_agent_key(*folders, AGENT, HERE, "", None)
    text = first.document.read_text()
    line = next(line for line in text.splitlines() if "hash" in line)
    first.document.write_text(text.replace(line, line[:-1] + ", until: 2020-01-01}", 1))
    third = make_agent_key(*folders, AGENT, HERE, "2999-01-01", None)
    assert third.counting == 2
    assert whose(folders, third.key) == AGENT
    with pytest.raises(Refused, match="counts no more"):
        whose(folders, first.key)


def test_a_key_written_to_a_file_is_its_owners_alone_and_overwrites_nothing(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    made = make_agent_key(*folders, AGENT, HERE, "", tmp_path / "key")
    assert (tmp_path / "key").read_text() == made.key + "\n"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    before = made.document.read_bytes()
    with pytest.raises(Rejected, match="is there already"):
        make_agent_key(*folders, AGENT, HERE, "", tmp_path / "key")
    assert made.document.read_bytes() == before


@pytest.mark.parametrize(("ranges", "until"), [(["nowhere"], ""), ([], ""), (HERE, "soon"), (HERE, "2020-13-01")])
def test_what_no_document_may_say_makes_no_key(folders: tuple[Path, Path], ranges: list[str], until: str) -> None:
    with pytest.raises(PolicyErrors):
        make_agent_key(*folders, AGENT, ranges, until, folders[0].parent / "key")
    assert list(folders[0].parent.rglob("*.yaml")) == []
    assert not (folders[0].parent / "key").exists()


def test_a_document_that_cannot_be_added_to_is_left_and_the_line_is_shown(folders: tuple[Path, Path]) -> None:
    (folders[0] / "own.yaml").write_text("agents: {acme/emea/legacy: {owner: me, ways: [token]}}\n")
    with pytest.raises(Rejected, match=r"own.yaml: .* add this by hand:\n  agent_keys:\n    - .hash: .sha256:"):
        make_agent_key(*folders, AGENT, HERE, "", None)
    assert (folders[0] / "own.yaml").read_text() == "agents: {acme/emea/legacy: {owner: me, ways: [token]}}\n"


def test_the_command_prints_the_key_alone_and_says_the_rest_beside(folders: tuple[Path, Path]) -> None:
    words = ["key", str(AGENT), "--policies", str(folders[0]), "--tools", str(folders[1])]
    result = CliRunner().invoke(agents_cli.app, words)
    assert result.exit_code == 0, result.output
    assert whose(folders, result.stdout.strip()) == AGENT
    assert "1 of at most 2 count" in result.stderr
    assert CliRunner().invoke(agents_cli.app, words).exit_code == 0
    assert CliRunner().invoke(agents_cli.app, words).exit_code == 1
