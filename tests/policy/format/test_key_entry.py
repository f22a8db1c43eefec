"""A key is added to a document as it is written: what was there stays to the byte, in front of it and behind."""

from __future__ import annotations

import pytest
import yaml

from aegis_authz.policy.format.key_entry import EntryUnreadable, with_agent_key

ENTRY = '{hash: "sha256:new", ranges: [127.0.0.0/8]}'
PLAIN = """\
# who is who
agents:
  acme/emea/payer:   # pays
    owner: finance
    keys:
      - {kty: OKP, crv: Ed25519, x: abc}
  # the next one
  acme/emea/shop: {owner: shop}
"""


def entry(text: str, agent: str = "acme/emea/payer") -> dict[str, object]:
    documents = [document for document in yaml.safe_load_all(text) if document]
    return next(document["agents"][agent] for document in documents if agent in document.get("agents", {}))


def test_a_first_key_comes_with_the_way_it_is_shown_by() -> None:
    text = with_agent_key(PLAIN, "acme/emea/payer", ENTRY)
    after = entry(text)
    assert after["ways"] == ["bound", "token", "agent_key"]
    assert after["agent_keys"] == [{"hash": "sha256:new", "ranges": ["127.0.0.0/8"]}]
    assert (after["owner"], "# who is who" in text, "# the next one" in text) == ("finance", True, True)
    assert entry(text, "acme/emea/shop") == {"owner": "shop"}


def test_a_second_key_stands_behind_the_first() -> None:
    twice = with_agent_key(
        with_agent_key(PLAIN, "acme/emea/payer", ENTRY), "acme/emea/payer", ENTRY.replace("new", "b")
    )
    assert [key["hash"] for key in entry(twice)["agent_keys"]] == ["sha256:new", "sha256:b"]  # type: ignore[index,attr-defined]
    assert entry(twice)["ways"] == ["bound", "token", "agent_key"]


@pytest.mark.parametrize("ways", ["ways: [bound]", "ways:\n      - bound", "ways: [\n      bound  # only\n    ]"])
def test_the_way_is_added_in_the_form_that_the_list_has(ways: str) -> None:
    text = PLAIN.replace("owner: finance", f"owner: finance\n    {ways}")
    assert entry(with_agent_key(text, "acme/emea/payer", ENTRY))["ways"] == ["bound", "agent_key"]


def test_the_last_agent_of_the_last_document_of_a_file_is_reached_too() -> None:
    text = f"agent: other\nallowed_tools: []\n---\nagents:\n- x\n---\n{PLAIN}  acme/emea/last:\n    owner: me\n"
    assert entry(with_agent_key(text, "acme/emea/last", ENTRY), "acme/emea/last")["owner"] == "me"


@pytest.mark.parametrize(
    ("agent", "text", "why"),
    [
        ("acme/emea/shop", PLAIN, "in braces"),
        ("acme/emea/nobody", PLAIN, "no entry of acme/emea/nobody"),
        ("acme/emea/payer", PLAIN.replace("keys:", "agent_keys: [{hash: x}]\n    keys:"), "in brackets"),
        ("acme/emea/payer", "agents:\n  acme/emea/payer:\n    owner: me", "no end"),
        ("acme/emea/payer", "agents:\n  acme/emea/payer:\n    description: |\n      words\n", "a block of text"),
    ],
)
def test_what_cannot_be_added_to_by_text_is_said(agent: str, text: str, why: str) -> None:
    with pytest.raises(EntryUnreadable, match=why):
        with_agent_key(text, agent, ENTRY)
