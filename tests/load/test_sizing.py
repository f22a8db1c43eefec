"""How large a mesh is: arithmetic that can be done by hand, and figures that are the benchmark's own."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.load.sizing import Demand, Figures, SizingFault, figures, opa_memory, size
from scripts.sizing import FIGURES, PAGE, PERFORMANCE, benchmark_figures, page_text

MEASURED = Figures(
    cpu_us={"authz": 500.0, "opa": 100.0, "redis": 25.0, "envoy": 200.0},
    resident_mib={"authz": 100.0, "redis": 10.0},
    opa_mib=((10, 50.0), (1000, 149.0)),
    record=1000.0,
    key=1024.0,
    keys=1.0,
    redis_traffic=500.0,
)


def test_a_mesh_is_what_a_reckoner_on_paper_finds() -> None:
    mesh = size(Demand(1000, 1000, 60), MEASURED)
    assert mesh.cores == {"authz": 0.5, "opa": 0.1, "redis": 0.025, "envoy": 0.2}
    assert (mesh.planned_cores, mesh.authorizers, mesh.gateways) == (2, 2, 1)
    assert (mesh.opa_mib, mesh.authorizers_mib) == (149.0, 200.0)
    assert (mesh.redis_keys, mesh.redis_mib, mesh.redis_mbit) == (60_000, 10 + 60_000 / 1024, 4.0)
    assert (mesh.record_bytes, round(mesh.records_gib_a_day, 2)) == (1000, round(86_400_000_000 / 2**30, 2))
    assert (mesh.breaks_first, mesh.breaks_at_rps) == ("the authorizers", 4000)


def test_redis_ends_first_where_everything_else_can_be_added() -> None:
    mesh = size(Demand(30_000, 10, 60), MEASURED)
    assert (mesh.breaks_first, mesh.breaks_at_rps) == ("Redis", 40_000)


@pytest.mark.parametrize(("policies", "mib"), [(1, 50.0), (10, 50.0), (505, 99.5), (1000, 149.0), (1990, 248.0)])
def test_the_memory_of_opa_is_on_the_line_between_what_was_measured(policies: int, mib: float) -> None:
    assert opa_memory(policies, MEASURED.opa_mib) == pytest.approx(mib)


@pytest.mark.parametrize(
    ("rps", "agents", "life"),
    [
        (0, 1, 60),
        (-1, 1, 60),
        (math.nan, 1, 60),
        (math.inf, 1, 60),
        (1, 0, 60),
        (1, 2_000_000, 60),
        (1, 1, 0),
        (1, 1, 3601),
        (1, 1, math.nan),
    ],
)
def test_what_is_no_mesh_is_refused_with_its_bounds(rps: float, agents: int, life: float) -> None:
    with pytest.raises(SizingFault, match=r"^--(rps|agents|token-life) is "):
        Demand(rps, agents, life)


@given(st.floats(0.1, 500_000), st.floats(0.1, 500_000), st.integers(1, 10_000), st.floats(1, 3600))
def test_more_calls_never_take_less(fewer: float, more: float, agents: int, life: float) -> None:
    small, large = (size(Demand(rps, agents, life), figures()) for rps in sorted((fewer, more)))
    assert small.planned_cores <= large.planned_cores
    assert small.authorizers <= large.authorizers
    assert small.opa_mib <= large.opa_mib
    assert small.redis_mib <= large.redis_mib
    assert small.records_gib_a_day <= large.records_gib_a_day


def test_the_figures_are_those_of_the_page_of_the_benchmark() -> None:
    shipped = json.loads(FIGURES.read_text("utf-8"))
    of_the_page = benchmark_figures(PERFORMANCE.read_text("utf-8"))
    assert {name: shipped[name] for name in of_the_page} == of_the_page
    assert all(value > 0 for value in of_the_page["cpu_us"].values())


def test_the_tables_of_the_page_are_made_of_the_figures() -> None:
    page = PAGE.read_text("utf-8")
    assert page == page_text(page, figures()), "make docs-sizing"
