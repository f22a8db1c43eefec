"""docs/architecture.md and its picture are those of the tree as it is; `make docs-architecture` writes them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scripts.architecture import PAGE, PICTURE, House, page_with_rows, picture, read_house

MOST_ROOMS_OF_POLICY = 8


@pytest.fixture(scope="module")
def house() -> House:
    return read_house()


def test_the_page_has_a_row_for_every_room_as_it_is(house: House) -> None:
    page = PAGE.read_text("utf-8")
    assert page == page_with_rows(page, house), "run make docs-architecture"


def test_the_picture_is_that_of_the_tree(house: House) -> None:
    assert PICTURE.read_text("utf-8") == picture(house), "run make docs-architecture"


def test_no_arrow_goes_back(house: House) -> None:
    assert [house.crossing(floor)[1] for floor in range(len(house.floors) - 1)] == [0] * (len(house.floors) - 1)


def test_an_arrow_that_went_back_would_be_seen(house: House) -> None:
    (ground,) = house.floors[-1]
    (top,) = house.floors[0]
    turned = House((*house.floors[:-1], (replace(ground, imports=(top.name,)),)), house.rules)
    assert all(turned.crossing(floor)[1] == 1 for floor in range(len(house.floors) - 1))
    assert picture(turned).count('class="arrow back"') == 1
    assert picture(house).count('class="arrow back"') == 0


def test_policy_has_few_rooms(house: House) -> None:
    (policy,) = (room for room in house.rooms() if room.name == "policy")
    assert 1 < len(policy.inside) <= MOST_ROOMS_OF_POLICY


def test_a_page_without_a_place_for_the_rooms_is_refused(house: House) -> None:
    with pytest.raises(ValueError, match="no place"):
        page_with_rows("# Architecture\n", house)
