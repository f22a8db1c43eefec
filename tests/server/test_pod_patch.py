"""What a pod of an agent gets of its gateway, and before what."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.server.pod_patch import Injection, NotInjected, patch_of
from tests.support.json_patch import with_additions

INJECTION = Injection(
    10001,
    [{"name": "aegis-settings", "configMap": {"name": "aegis-sidecar-@AGENT@"}}, {"name": "aegis-run", "emptyDir": {}}],
    [{"name": "aegis-rules", "args": ["up", "@AGENT@"]}, {"name": "aegis-envoy", "ports": [{"containerPort": 1}]}],
)
LABELS = {"labels": {"aegis/agent": "finance"}}
ENTRIES = st.lists(st.fixed_dictionaries({"name": st.text(max_size=5)}), max_size=3)
SPECS = st.fixed_dictionaries(
    {"containers": ENTRIES},
    optional={
        "volumes": st.none() | ENTRIES,
        "initContainers": st.none() | ENTRIES,
        "securityContext": st.none()
        | st.fixed_dictionaries({}, optional={"fsGroup": st.just(5), "runAsUser": st.just(7)}),
    },
)


@given(SPECS)
def test_the_gateway_comes_first_and_nothing_of_the_pod_is_lost(spec: dict[str, Any]) -> None:
    pod = {"metadata": LABELS, "spec": spec}
    got = with_additions(pod, patch_of(pod, INJECTION))["spec"]
    own_init, own_volumes = spec.get("initContainers") or [], spec.get("volumes") or []
    assert [entry["name"] for entry in got["initContainers"][:2]] == ["aegis-rules", "aegis-envoy"]
    assert got["initContainers"][2:] == own_init
    assert got["volumes"][: len(own_volumes)] == own_volumes
    assert [entry["name"] for entry in got["volumes"][len(own_volumes) :]] == ["aegis-settings", "aegis-run"]
    assert got["securityContext"] == {**(spec.get("securityContext") or {}), "fsGroup": 10001}
    assert got["containers"] == spec["containers"]


def test_texts_of_the_injection_name_the_agent_of_the_pod() -> None:
    pod = {"metadata": LABELS, "spec": {"containers": []}}
    got = with_additions(pod, patch_of(pod, INJECTION))["spec"]
    assert got["volumes"][0]["configMap"] == {"name": "aegis-sidecar-finance"}
    assert got["initContainers"][0]["args"] == ["up", "finance"]


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"labels": {}},
        {"labels": None},
        {"labels": {"aegis/agent": ""}},
        {"labels": {"aegis/agent": "../x"}},
        {"labels": {"aegis/agent": "A"}},
        {"labels": {"aegis/agent": "a" * 64}},
        {"labels": {"aegis/agent": 5}},
    ],
)
def test_a_pod_that_does_not_say_its_agent_gets_none_and_does_not_run(metadata: Any) -> None:
    with pytest.raises(NotInjected, match="aegis: label the pod aegis/agent"):
        patch_of({"metadata": metadata, "spec": {}}, INJECTION)


@pytest.mark.parametrize("pod", [{"spec": []}, {"metadata": [], "spec": {}}, {"metadata": {"labels": "x"}, "spec": {}}])
def test_what_is_no_pod_is_not_patched(pod: Any) -> None:
    with pytest.raises(NotInjected, match="aegis: "):
        patch_of(pod, INJECTION)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], "the injection is not an object of containers, fsGroup, volumes"),
        ({"fsGroup": 1, "volumes": [], "containers": []}, "containers: a gateway has some"),
        ({"fsGroup": "1", "volumes": [], "containers": [{}]}, "fsGroup is not a whole number"),
        ({"fsGroup": 1, "volumes": {}, "containers": [{}]}, "volumes is not a list"),
    ],
)
def test_a_file_that_is_no_injection_is_refused_by_its_member(value: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Injection.of(value)
