"""What docs/traffic.md shows: its tools load, its forms are read as it says, its table lists every format."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from aegis_authz.core.catalogue import BodyFormat
from aegis_authz.core.interface import Sending
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.policy.bundle.tool_data import tools_from_data, tools_to_data
from aegis_authz.policy.load import load
from aegis_authz.wire.bodies.form import read_form
from tests.support.descriptors import descriptor_set

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "traffic.md").read_text("utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_tools_of_the_page_load() -> None:
    tool, conditions, graph, persisted, rpc, events, ticker = YAML
    loaded = load(
        {
            "p.yaml": f"org: acme\nagent: a\nowner: o\nallowed_tools:\n  - name: payments\n    actions: [upload]\n{indented(conditions)}"
        },
        {"t.yaml": f"{tool}{graph}---\n{events}---\n{ticker}"},
    )
    (listed,) = load({}, {"t.yaml": f"tool: listed\nhost: listed.example\nactions:\n{persisted}"}).tools
    assert min(listed.actions[0].operations.persisted.values()) == "query Order($id: ID!) { order(id: $id) { total } }"
    sets = {"t.yaml": rpc, "pay.binpb": base64.b64encode(descriptor_set()).decode()}
    methods = load({}, sets).tools[0].interface.methods
    assert (methods["create"].request, methods["talk"].sending) == ("pay.v1.CreateRequest", Sending.OPAQUE)
    by_name = {entry.name: entry for entry in loaded.tools}
    payments, sending, ticking = by_name["payments"], by_name["events"], by_name["ticker"]
    assert sorted(loaded.tools, key=lambda entry: entry.name) == list(tools_from_data(tools_to_data(loaded.tools)))
    assert (payments.decode, sending.decode) == (False, True)
    assert (payments.websocket, ticking.websocket) == (False, True)
    assert {action.name for action in payments.actions} == {"create_charge", "upload", "graph"}


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def test_every_format_has_its_row() -> None:
    rows = [
        name for name in re.findall(r"^\| `(\w+)` \| ", PAGE.partition("## Forms")[0], re.MULTILINE) if name != "body"
    ]
    assert sorted(rows) == sorted(body.value for body in BodyFormat)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("a=1&b=x+y%21", {"a": "1", "b": "x y!"}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[0][b]=1&a[1][b]=2", {"a": [{"b": "1"}, {"b": "2"}]}),
        ("a=1&a=2", {"a": ["1", "2"]}),
    ],
)
def test_a_form_is_read_as_the_page_says(written: str, value: dict[str, object]) -> None:
    assert f"| `{written}` |" in PAGE
    assert read_form(written.encode(), ("a",) if written == "a=1&a=2" else ()) == value


@pytest.mark.parametrize(
    "written", ["a=1&a[b]=2", "a[]=1&a[0]=2", "a.b=1&a_b=2", "Amount=1&amount=2", "a[][b]=1", "a=1;b=2"]
)
def test_a_form_is_refused_as_the_page_says(written: str) -> None:
    with pytest.raises(Refused) as refused:
        read_form(written.encode(), ())
    assert refused.value.reason in (Reason.DUPLICATE_KEY, Reason.FORM_MALFORMED)
