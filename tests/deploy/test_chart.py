"""What the chart puts into a cluster, by its renders: settings that our own readers take, secrets for their process
alone, and no right that a container does not need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.config.certificates import CertificateSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.injection import InjectionSettings
from aegis_authz.config.routes import RoutesSettings
from aegis_authz.server.pod_patch import Injection, patch_of
from tests.deploy.conftest import CHART, HERE, SETS

KINDS = {
    "authz.yaml": AuthzSettings,
    "routes.yaml": RoutesSettings,
    "certificates.yaml": CertificateSettings,
    "control.yaml": ControlSettings,
    "settings.yaml": InjectionSettings,
}
SECRETS = {
    "control": {"control"},
    "authz": {"authz"},
    "opa": {"opa"},
    "certificates": {"certificates"},
    "redis": {"redis"},
}
"""Which Secrets each kind of container is given, `public` aside."""
SERVER_CERTIFICATE = {
    "production": {
        "envoy": {"gateway-tls"},
        "probe": {"gateway-tls"},
        "control": {"control-tls"},
        "authz": {"evaluation-tls"},
    },
    "webhook": {"injection": {"injection-tls"}, "control": {"control-tls"}},
}
"""And where servers speak TLS: of the gateway's the probe has the authority alone."""
URLS = {"redis.url": "redis://aegis:word@redis:6379", "database.url": "postgresql://aegis:word@db/aegis"}


def objects(name: str) -> list[dict[str, Any]]:
    text = (HERE / "renders" / f"{name}.yaml").read_text("utf-8")
    return [entry for entry in yaml.safe_load_all(text) if entry is not None]


def pod_specs(name: str) -> Iterator[dict[str, Any]]:
    for entry in objects(name):
        if entry["kind"] in ("Deployment", "StatefulSet"):
            yield entry["spec"]["template"]["spec"]
        elif entry["kind"] == "Pod":
            yield entry["spec"]


def settings(name: str) -> Iterator[tuple[str, str]]:
    for entry in objects(name):
        if entry["kind"] == "ConfigMap":
            yield from ((file, text) for file, text in (entry.get("data") or {}).items() if file in KINDS)


@pytest.mark.parametrize("name", SETS)
def test_settings_are_what_the_processes_read(name: str, tmp_path: Path) -> None:
    files = list(settings(name))
    assert files
    for file, text in files:
        for secret, url in URLS.items():  # of secrets the files alone are there, as in a pod
            for part in ("authz", "control"):
                text = text.replace(f"/run/secrets/{part}/{secret}", str(tmp_path / secret))
            (tmp_path / secret).write_text(f"{url}\n", "utf-8")
            (tmp_path / secret).chmod(0o600)
        (tmp_path / file).write_text(text, "utf-8")
        load_settings(tmp_path / file, KINDS[file])


@pytest.mark.parametrize("name", SETS)
def test_containers_have_no_right_that_they_do_not_need(name: str) -> None:
    for spec in pod_specs(name):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not any(spec.get(word) for word in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert rights.get("runAsUser", spec["securityContext"]["runAsUser"]) > 0
            assert container["resources"]["limits"]["memory"]
            assert all(
                mount["readOnly"] for mount in container.get("volumeMounts", []) if "secrets" in mount["mountPath"]
            )


@pytest.mark.parametrize("name", SETS)
def test_a_secret_is_given_to_its_process_alone(name: str) -> None:
    for spec in pod_specs(name):
        secrets = (
            {entry["name"]: entry["secret"]["secretName"] for entry in spec["volumes"] if "secret" in entry}
            if "volumes" in spec
            else {}
        )
        for container in spec["containers"]:
            part = container["name"].removeprefix("aegis-").partition("-")[0]
            mounted = {
                secrets[mount["name"]] for mount in container.get("volumeMounts", []) if mount["name"] in secrets
            }
            shown = SERVER_CERTIFICATE.get(name, {}).get(part, set())
            assert {secret.removeprefix("aegis-") for secret in mounted} - {"public"} == SECRETS.get(
                part, set()
            ) | shown


def test_envoy_has_a_user_of_its_own() -> None:
    users = {
        container["name"]: container["securityContext"].get("runAsUser", spec["securityContext"]["runAsUser"])
        for spec in pod_specs("trial")
        for container in spec["containers"]
    }
    assert [name for name, user in users.items() if user == 1337] == ["aegis-envoy"]


def test_the_rules_of_a_pod_let_out_whoever_of_the_gateway_must_go_out() -> None:
    """The authorizers ask Redis and OPA the control plane: held as agents are, a sidecar would never become ready."""
    (policy,) = (entry for entry in objects("sidecar") if entry["kind"] == "MutatingAdmissionPolicy")
    expression = policy["spec"]["mutations"][0]["jsonPatch"]["expression"]
    users = set(re.findall(r'"runAsUser": dyn\((\d+)\)', expression)) - {"0"}
    assert users == set(re.findall(r'dyn\("--gateway"\), dyn\("(\d+)"\)', expression)) == {"1337", "10001", "10002"}


@pytest.mark.parametrize("name", SETS)
def test_no_rule_of_the_network_leads_everywhere_for_being_empty(name: str) -> None:
    for entry in objects(name):
        if entry["kind"] == "NetworkPolicy":
            rules = [*entry["spec"].get("ingress", []), *entry["spec"].get("egress", [])]
            assert all(rule.get("from") or rule.get("to") for rule in rules), entry["metadata"]["name"]


def test_a_webhook_gives_pods_what_the_admission_policy_would(tmp_path: Path) -> None:
    """One list of containers and volumes, written as CEL for the one and as YAML for the other."""
    (policy,) = (entry for entry in objects("sidecar") if entry["kind"] == "MutatingAdmissionPolicy")
    expression = policy["spec"]["mutations"][0]["jsonPatch"]["expression"]
    (injection,) = (
        entry["data"]
        for entry in objects("webhook")
        if entry["metadata"]["name"] == "aegis-injection" and entry["kind"] == "ConfigMap"
    )
    read = Injection.of(yaml.safe_load(injection["injection.yaml"]))
    pod = {"metadata": {"labels": {"aegis/agent": "finance"}}, "spec": {"containers": []}}
    added = [operation for operation in patch_of(pod, read) if operation["path"].count("/") == 3]
    names = [operation["value"]["name"] for operation in added if isinstance(operation["value"], dict)]
    assert names == re.findall(
        r'/spec/(?:volumes|initContainers)/[-\d]+", value: \{.*?"name": dyn\("(aegis-[a-z0-9-]+)"\)', expression
    )
    assert len(names) > 10


def test_agents_reach_the_gateway_and_nothing_else() -> None:
    (policy,) = (entry for entry in objects("trial") if entry["metadata"]["name"] == "aegis-agents")
    (egress,) = policy["spec"]["egress"]
    assert policy["spec"]["podSelector"] == {}
    assert [port["port"] for port in egress["ports"]] == [10000, 10001, 10002]
    (place,) = egress["to"]
    assert place["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"


def test_where_there_is_no_secret_for_it_there_is_no_evaluation_endpoint() -> None:
    for name in set(SETS) - {"production"}:
        text = (HERE / "renders" / f"{name}.yaml").read_text("utf-8")
        assert not re.search(r"evaluation|9191", text), name


def test_agents_alone_reach_the_evaluation_endpoint_by_tls_and_are_told_where_it_is() -> None:
    files = dict(settings("production"))
    evaluation = yaml.safe_load(files["authz.yaml"])["evaluation"]
    assert evaluation["tls"]["key"] == "/run/secrets/evaluation-tls/tls.key"
    assert evaluation["url"] == "https://aegis-gateway.mesh.svc:9191"
    assert yaml.safe_load(files["control.yaml"])["public_evaluation"] == evaluation["url"]
    policies = {
        entry["metadata"].get("namespace", "") + "/" + entry["metadata"]["name"]: entry["spec"]
        for entry in objects("production")
        if entry["kind"] == "NetworkPolicy"
    }
    (into,) = (
        rule["from"] for rule in policies["/aegis-gateway"]["ingress"] if {"port": "evaluation"} in rule["ports"]
    )
    assert [place["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for place in into] == [
        "shop",
        "desk",
    ]
    for namespace in ("shop", "desk"):
        (egress,) = policies[f"{namespace}/aegis-agents"]["egress"]
        assert [port["port"] for port in egress["ports"]] == [10000, 10001, 10002, 9191]


def test_nobody_but_gateways_and_operators_reaches_the_control_plane() -> None:
    policies = {
        entry["metadata"]["name"]: entry["spec"] for entry in objects("trial") if entry["kind"] == "NetworkPolicy"
    }
    (ingress,) = policies["aegis-control"]["ingress"]
    (place,) = ingress["from"]
    assert place["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"


def test_several_control_planes_have_a_volume_each_and_one_database() -> None:
    sets = {entry["metadata"]["name"]: entry for entry in objects("production") if entry["kind"] == "StatefulSet"}
    control = sets["aegis-control"]
    assert control["spec"]["replicas"] == 3
    assert [claim["metadata"]["name"] for claim in control["spec"]["volumeClaimTemplates"]] == ["state"]
    (text,) = (text for file, text in settings("production") if file == "control.yaml")
    assert yaml.safe_load(text)["database"] == {"file": "/run/secrets/control/database.url"}


def test_where_the_control_plane_speaks_tls_all_who_ask_it_do() -> None:
    (routes,) = (yaml.safe_load(text) for file, text in settings("production") if file == "routes.yaml")
    assert routes["proxy"]["door"]["authorities"] == "/run/secrets/public/control-ca.pem"
    containers = {container["name"]: container for spec in pod_specs("production") for container in spec["containers"]}
    for name in ("aegis-opa", "aegis-envoy"):
        assert "/run/secrets/public" in {mount["mountPath"] for mount in containers[name]["volumeMounts"]}
    assert containers["control"]["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    (text,) = (text for file, text in settings("production") if file == "control.yaml")
    assert yaml.safe_load(text)["tls"]["key"] == "/run/secrets/control-tls/tls.key"


def test_agents_are_told_the_authorities_of_https_by_every_control_plane() -> None:
    for name in ("trial", "control", "production"):
        (text,) = (text for file, text in settings(name) if file == "control.yaml")
        assert yaml.safe_load(text)["authorities"] == "/run/secrets/public/ca.pem"


def test_the_probe_is_given_the_authority_of_the_gateway_and_not_its_key() -> None:
    (probe,) = (entry for entry in objects("production") if entry["kind"] == "Pod")
    (volume,) = probe["spec"]["volumes"]
    assert volume["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}]


def test_values_are_what_their_schema_says_and_nothing_else_is_taken() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    jsonschema.validate(values, schema)
    assert paths(values) <= described(schema)
    with pytest.raises(jsonschema.ValidationError, match="'replica' was unexpected"):
        jsonschema.validate({"gateway": {"replica": 2}}, schema)


def paths(values: object, place: str = "") -> set[str]:
    """Every place of a value, maps included."""
    if not isinstance(values, dict):
        return set()
    return {f"{place}/{key}" for key in values} | {
        deep for key in values for deep in paths(values[key], f"{place}/{key}")
    }


def described(schema: dict[str, Any], place: str = "") -> set[str]:
    """Every place that the schema names; below a map of anything, those of the values themselves."""
    names: set[str] = set()
    for key, part in schema.get("properties", {}).items():
        names |= {f"{place}/{key}"} | described(part, f"{place}/{key}")
        if part.get("type") == "object" and "properties" not in part:
            names |= {f"{place}/{key}/{word}" for word in ("requests", "limits")}
            names |= {f"{place}/{key}/{word}/{kind}" for word in ("requests", "limits") for kind in ("cpu", "memory")}
            names |= {f"{place}/{key}/grafana_dashboard"}  # the label that Grafana's chart looks for
    return names
