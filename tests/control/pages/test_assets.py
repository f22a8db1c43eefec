"""What pages are drawn with is what was taken in, at an address that changes with it."""

from __future__ import annotations

import re

import pytest

from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.assets import asset_response, asset_url, assets, checksums

OWN = {"console.js", "icon.svg", "style.css"}


def test_what_is_others_work_is_what_was_taken_in() -> None:
    kept = checksums()
    assert kept.keys() == assets().keys() - OWN
    assert {name: assets()[name].digest for name in kept} == kept


def test_an_asset_is_kept_for_good_at_the_address_of_its_content_alone() -> None:
    name, _, version = asset_url("style.css").rpartition("/")[2].partition("?v=")
    assert (name, len(version)) == ("style.css", 12)
    assert "immutable" in asset_response(name, version).headers["cache-control"]
    for other in ("", "0" * 12):
        assert asset_response(name, other).headers["cache-control"] == "no-cache"


def test_there_is_no_other_asset() -> None:
    for name in ("checksums.txt", "frame.html", "../frame.html", ""):
        with pytest.raises(HttpProblem) as caught:
            asset_response(name, "")
        assert caught.value.status == 404


def test_the_stylesheet_names_colours_in_its_properties_alone_and_loads_nothing() -> None:
    text = assets()["style.css"].content.decode()
    rules = re.sub(r"--[a-z0-9-]+:[^;]*;", "", text)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgb\(", rules)
    assert "url(" not in text
    assert "@import" not in text


def test_the_assets_of_a_page_are_small() -> None:
    assert sum(len(asset.content) for asset in assets().values()) < 120_000
