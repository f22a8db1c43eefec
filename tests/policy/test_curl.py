"""A curl command becomes the action of its request, and no credential of it is kept."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
import yaml

from aegis_authz.policy.curl import CurlEntry, CurlUnusable, curl_entry
from aegis_authz.policy.load import load


def entry(command: str, tool: str = "", action: str = "pay") -> CurlEntry:
    return curl_entry(shlex.split(command), tool, action, "")


def made(command: str) -> dict[str, Any]:
    document: Any = entry(command).document
    action: dict[str, Any] = document["actions"]["pay"]
    return action


def test_a_request_becomes_an_action_that_the_catalogue_takes() -> None:
    imported = entry(
        "curl -sS https://api.shop.example:443/v1/orders/4711/refunds?dry=1 -u user:secret -H 'X-Account: 7' "
        """--json '{"amount": 5, "note": "x", "tags": [], "gone": null}'"""
    )
    assert imported.document == {
        "tool": "api-shop-example",
        "host": "api.shop.example",
        "actions": {
            "pay": {
                "match": "POST /v1/orders/{order_id}/refunds",
                "parameters": {
                    "order_id": {"from": "{order_id}", "type": "string"},
                    "dry": {"from": "?dry", "type": "string"},
                    "x-account": {"from": "header:x-account", "type": "string"},
                    "amount": {"from": "/amount", "type": "number"},
                    "note": {"from": "/note", "type": "string"},
                    "tags": {"from": "/tags", "type": "array"},
                    "gone": {"from": "/gone", "type": "any"},
                },
            }
        },
    }
    load({}, {"shop.yaml": yaml.safe_dump(dict(imported.document))})


@pytest.mark.parametrize(
    ("command", "match"),
    [
        ("curl http://a.example", "GET /"),
        ("curl a.example/x", "GET /x"),
        ("curl a.example/x -d a=1", "POST /x"),
        ("curl a.example/x -XDELETE", "DELETE /x"),
        ("curl a.example/x --request=put -d '{}'", "PUT /x"),
        ("curl -G a.example/x -d q=1", "GET /x"),
        ("curl -I a.example/x", "HEAD /x"),
        ("curl a.example/users/0f8fad5b-d9cb-469f-a165-70867728950e", "GET /users/{user_id}"),
        ("curl a.example/1/2", "GET /{id}/{id_2}"),
        ("/usr/bin/curl --url a.example/x", "GET /x"),
    ],
)
def test_method_and_path_are_those_that_curl_would_send(command: str, match: str) -> None:
    assert made(command)["match"] == match


def test_data_of_a_get_is_its_query() -> None:
    assert made("curl -G a.example/x -d q=1 -d n=2")["parameters"] == {
        "q": {"from": "?q", "type": "string"},
        "n": {"from": "?n", "type": "string"},
    }


@pytest.mark.parametrize(
    "secret",
    [
        "http://u:hidden@a.example/y",
        "http://hidden@a.example/y",
        "u:p@hidden@a.example/y",
        "-u u:hidden",
        "-b c=hidden",
        "-H 'Authorization: Bearer hidden'",
        "-H 'cookie: hidden'",
    ],
)
def test_a_credential_is_named_and_left_out(secret: str) -> None:
    imported = entry(f"curl {secret}" if "@" in secret else f"curl a.example/x {secret}")
    assert "hidden" not in str(imported)
    assert imported.document["host"] == "a.example"
    assert any("inject_credentials" in sentence for sentence in imported.gaps)


@pytest.mark.parametrize(
    "command",
    [
        "curl http://u:hidden@a.example:99999/x",
        "curl http://u:hid/den@a.example/x",
        "curl ftp://u:hidden@a.example/x",
        "curl a.example -H Authorization: Bearer hidden",
        "curl -uhidden http://u:hidden@a.example http://u:hidden@b.example",
        "curl --odd-option=hidden a.example",
    ],
)
def test_a_refused_command_is_told_without_its_credentials(command: str) -> None:
    with pytest.raises(CurlUnusable) as refused:
        entry(command)
    assert "hid" not in str(refused.value)


def test_a_header_without_a_colon_may_be_a_secret_and_is_not_told() -> None:
    imported = entry("curl a.example/x -H 'Authorization Bearer hidden'")
    assert "hidden" not in str(imported)
    assert "a header without a name and a colon is left out" in imported.gaps


@pytest.mark.parametrize(
    ("command", "is_open"),
    [
        ("curl a.example/x", True),
        ("curl a.example/x -d @file.json", True),
        ("curl -G a.example/x -d @file", True),
        ("curl a.example/orders/7 -d @file.json", False),
        ("curl a.example/x?a=1", False),
    ],
)
def test_an_action_that_takes_any_parameters_is_named(command: str, is_open: bool) -> None:
    imported = entry(command)
    assert ("the action lists no parameters and takes any" in imported.gaps) is is_open
    assert any("not listed" in sentence for sentence in imported.gaps) is ("@" in command)


@pytest.mark.parametrize("data", ["-d @file.json", "-d '[1]'", "-d '{}' -d '{}'"])
def test_a_body_that_is_no_object_is_said_to_be_unlisted(data: str) -> None:
    assert any("not listed" in sentence for sentence in entry(f"curl a.example/x {data}").gaps)


def test_fields_of_a_form_are_parameters() -> None:
    assert made("curl a.example/x -d amount=5 -d 'metadata[order]=7' -d 'expand[]=a&expand[]=b' -d note=a%20b") == {
        "match": "POST /x",
        "body": "form",
        "parameters": {
            "amount": {"from": "/amount", "type": "string"},
            "metadata": {"from": "/metadata", "type": "object"},
            "expand": {"from": "/expand", "type": "array"},
            "note": {"from": "/note", "type": "string"},
        },
    }


def test_an_upload_is_a_file_among_fields() -> None:
    assert made("curl a.example/x -F purpose=batch -F file=@data.jsonl") == {
        "match": "POST /x",
        "body": "multipart",
        "parameters": {
            "purpose": {"from": "/purpose", "type": "string"},
            "file": {"from": "/file", "type": "file"},
        },
    }


def test_json_that_a_header_announces_is_no_form() -> None:
    assert "body" not in made("""curl a.example/x -H 'content-type: application/json' -d '{"a": 1}'""")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("curl", "no URL"),
        ("curl a.example b.example", "two URLs"),
        ("curl ftp://a.example/x", "not a URL of http or https"),
        ("curl http://a.example:99999/x", "not a URL of http or https"),
        ("curl --data-magic x a.example", "--data-magic is not known"),
        ("curl a.example -H", "-H has no value"),
    ],
)
def test_a_command_that_says_no_request_is_refused(command: str, sentence: str) -> None:
    with pytest.raises(CurlUnusable, match=sentence):
        entry(command)
