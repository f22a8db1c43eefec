"""docker-compose.yml as it is written: every service with the least it needs, and no way for an agent but the gateway."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.commands.secrets import IMAGE_USERS, MeshAddresses, make_mesh_secrets
from aegis_authz.config.authz import AuthzSettings
from aegis_authz.config.certificates import CertificateSettings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.routes import RoutesSettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.policy.load import load
from aegis_authz.proxy.render import config_files
from aegis_authz.redact.detectors.table import DETECTORS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "compose"
FILE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
RUNNING = sorted(set(SERVICES) - {"init"})
AGENT_UID, GATEWAY_UID = "10003", "1337"
SECRETS = "${AEGIS_SECRETS:-./secrets}"


def mounts(service: str) -> dict[str, str]:
    """What a service mounts: the place inside, and what is there."""
    pairs = (
        re.fullmatch(r"((?:\$\{[^}]*\}|[^:$])+):([^:]+)(:ro)?", text) for text in SERVICES[service].get("volumes", ())
    )
    return {match[2] + (match[3] or ""): match[1] for match in pairs if match}


def load_yaml(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return document


def image(service: str) -> str:
    return str(SERVICES[service]["image"])


def test_it_is_of_the_compose_specification() -> None:
    assert "version" not in FILE
    assert FILE.keys() <= {"name", "services", "networks", "volumes", "secrets"} | {
        key for key in FILE if key.startswith("x-")
    }


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_is_contained(service: str) -> None:
    given = SERVICES[service]
    assert given["read_only"] is True
    assert given["cap_drop"] == ["ALL"]
    assert given["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "cpus", "restart"} <= given.keys()
    assert not given.keys() & {"privileged", "devices", "pid", "ipc", "userns_mode", "cgroup_parent", "extra_hosts"}
    assert given.get("network_mode", "none") == "none"
    assert all("noexec" in line and "nosuid" in line for line in given.get("tmpfs", ()))


@pytest.mark.parametrize("service", RUNNING)
def test_nothing_that_runs_is_root_or_has_a_capability(service: str) -> None:
    user, _, group = SERVICES[service]["user"].partition(":")
    assert int(user) > 0 and int(group) > 0
    assert "cap_add" not in SERVICES[service]
    assert SERVICES[service]["restart"] == "unless-stopped"


def test_what_is_run_once_has_no_network_and_three_capabilities() -> None:
    init = SERVICES["init"]
    assert (init["network_mode"], init["profiles"], init["restart"]) == ("none", ["init"], "no")
    assert set(init["cap_add"]) == {"CHOWN", "DAC_OVERRIDE", "FOWNER"}


def test_users_are_those_that_the_secrets_are_made_for() -> None:
    made_for = {
        "control": "control",
        "authz-0": "authz",
        "authz-1": "authz",
        "authz-evaluation": "authz",
        "opa": "opa",
        "redis": "redis",
        "certificates": "certificates",
        "postgres": "postgres",
    }
    for service, folder in made_for.items():
        assert int(SERVICES[service]["user"].partition(":")[0]) == IMAGE_USERS[folder], service
    users = {service: SERVICES[service]["user"].partition(":")[0] for service in RUNNING}
    assert [service for service, user in users.items() if user == GATEWAY_UID] == ["gateway"]
    assert [service for service, user in users.items() if user == AGENT_UID] == ["agent"]


def test_an_agent_shares_a_network_with_the_gateway_alone_and_no_folder_with_anybody() -> None:
    agent = SERVICES["agent"]
    assert agent["networks"] == ["agents"]
    assert [service for service, given in SERVICES.items() if "agents" in given.get("networks", ())] == [
        "gateway",
        "agent",
    ]
    assert mounts("agent") == {"/etc/aegis/ca-bundle.pem:ro": f"{SECRETS}/public/ca-bundle.pem"}
    assert "secrets" not in agent
    assert not agent["user"].endswith(":10001")
    assert agent["dns"] == ["127.0.0.1"]


def test_the_gateway_alone_has_a_way_out() -> None:
    networks = FILE["networks"]
    assert {name for name, given in networks.items() if given.get("internal")} == {
        "agents",
        "mesh",
        "questions",
        "tools",
    }
    # a port of this machine leads to no internal network: this one has no address translation, and so no way back
    assert networks["console"] == {"driver_opts": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}
    assert [service for service, given in SERVICES.items() if "console" in given.get("networks", ())] == [
        "control",
        "grafana",
    ]
    assert [service for service, given in SERVICES.items() if "egress" in given.get("networks", ())] == ["gateway"]
    for agents in ("agents", "questions"):
        assert networks[agents]["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}


def test_ports_are_published_to_this_machine_alone() -> None:
    published = {service: given["ports"] for service, given in SERVICES.items() if "ports" in given}
    ports = ["127.0.0.1:10000:10000", "127.0.0.1:10001:10001", "127.0.0.1:10002:10002"]
    consoles = {"control": ["127.0.0.1:7400:7400"], "grafana": ["127.0.0.1:3000:3000"]}
    assert published == {"gateway": ports, **consoles}
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    ports += [port for console in consoles.values() for port in console]
    assert all(port.rpartition(":")[0] in page for port in ports)


def test_each_secret_is_given_to_those_it_was_made_for(tmp_path: Path) -> None:
    make_mesh_secrets(
        tmp_path,
        MeshAddresses("redis:6379", "http://control:7400", Path("/run/secrets/opa.token")),
        for_images=False,
        postgres="postgres:5432",
    )
    for name, given in FILE["secrets"].items():
        file = given["file"].removeprefix(SECRETS + "/")
        assert (tmp_path / file).is_file(), name
        folder = file.partition("/")[0]
        holders = {service.partition("-")[0] for service in RUNNING if name in SERVICES[service].get("secrets", ())}
        assert holders == {folder}, name
    folders = [place for service in RUNNING for place in mounts(service).values() if place.startswith(SECRETS)]
    public = [f"{SECRETS}/public/ca-bundle.pem", f"{SECRETS}/public/ca.pem"]  # what agents trust; no key
    assert sorted(folders) == [f"{SECRETS}/control", *public]


def test_what_is_mounted_from_here_is_there_and_read_only() -> None:
    for service in RUNNING:
        for inside, written in mounts(service).items():
            place = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", written)  # as it is where nobody says another
            if place.startswith("./") and not place.startswith("./secrets"):
                assert inside.endswith(":ro"), (service, inside)
                assert (ROOT / place).exists(), place


def test_the_database_is_all_that_its_profile_changes() -> None:
    usual, other = (load_yaml(f"control{end}.yaml") for end in ("", "-postgres"))
    assert other.pop("database") == {"file": "/var/lib/aegis/keys/database.url"}
    assert other == usual


def test_the_endpoint_is_all_that_its_profile_changes_and_its_authorizer_answers_nobody_else() -> None:
    usual, asking = load_yaml("authz.yaml"), load_yaml("authz-evaluation.yaml")
    assert asking.pop("evaluation") == {
        "listen": "0.0.0.0:9191",
        "url": "https://authz-evaluation:9191",
        "tls": {"certificate": "/run/secrets/evaluation/tls.crt", "key": "/run/secrets/evaluation/tls.key"},
    }
    # what listens on every address of its container is the endpoint alone
    assert (asking.pop("metrics"), usual.pop("metrics")) == ("127.0.0.1:9100", "0.0.0.0:9100")
    assert asking == usual
    answering = SERVICES["authz-evaluation"]
    assert answering["profiles"] == ["evaluation"]
    assert answering["networks"] == ["mesh", "questions"]
    assert [service for service, given in SERVICES.items() if "questions" in given.get("networks", ())] == [
        "authz-evaluation"
    ]
    worker = answering["command"][answering["command"].index("--worker") + 1]
    sockets = load_yaml("routes.yaml")["proxy"]["authz"]
    assert sockets and asking["listen"].replace("{worker}", worker) not in sockets


def test_what_comes_from_a_registry_can_be_pinned_by_its_digest() -> None:
    for service in RUNNING:
        assert re.fullmatch(
            r"(aegis(-envoy)?:\$\{AEGIS_TAG:-[^}]+\}|\$\{[A-Z]+_IMAGE:-[^}]+:[^}]+\})", image(service)
        ), service


def test_each_waits_for_what_it_needs_to_be_well() -> None:
    for service in RUNNING:
        for needed, terms in SERVICES[service].get("depends_on", {}).items():
            is_checked = "healthcheck" in SERVICES[needed]
            condition = {"condition": "service_healthy" if is_checked else "service_started"}
            is_elsewhere = not set(SERVICES[needed].get("profiles", ())) <= set(SERVICES[service].get("profiles", ()))
            assert terms == condition | ({"required": False} if is_elsewhere else {}), (service, needed)
    unchecked = {service for service in RUNNING if "healthcheck" not in SERVICES[service]}
    assert unchecked == {"opa", "agent", "collector"}


def test_sockets_are_in_a_folder_of_their_own_in_memory_for_one_group() -> None:
    run = FILE["volumes"]["run"]["driver_opts"]
    assert (run["type"], set(run["o"].split(",")) >= {"mode=0770", "gid=10001", "noexec", "nosuid", "nodev"}) == (
        "tmpfs",
        True,
    )
    holders = {service for service in RUNNING if "/run/aegis" in mounts(service)}
    assert holders == {*("opa", "authz-0", "authz-1", "authz-evaluation", "certificates", "routes", "gateway")}
    assert {SERVICES[service]["user"].partition(":")[2] for service in holders} == {"10001"}


def test_the_settings_are_read_as_their_processes_read_them(tmp_path: Path) -> None:
    for place, url in (("redis", "redis://aegis:x@redis:6379/0"), ("database", "postgresql://aegis:x@postgres/aegis")):
        (tmp_path / f"{place}.url").touch(0o600)
        (tmp_path / f"{place}.url").write_text(f"{url}\n")
    for name, kind in (
        ("authz", AuthzSettings),
        ("authz-evaluation", AuthzSettings),
        ("control", ControlSettings),
        ("control-postgres", ControlSettings),
        ("certificates", CertificateSettings),
        ("routes", RoutesSettings),
    ):
        written = (FOLDER / f"{name}.yaml").read_text("utf-8")
        text = re.sub(r"(?m)^(redis|database): .*$", rf"\1: {{file: {tmp_path}/\1.url}}", written)
        (tmp_path / f"{name}.yaml").write_text(text)
        settings = load_settings(tmp_path / f"{name}.yaml", kind)
        if isinstance(settings, AuthzSettings):
            [network] = settings.identity.private_networks
            assert FILE["networks"]["agents"]["ipam"] == {"config": [{"subnet": network}]}


def test_the_documents_and_the_gateway_they_make_are_valid() -> None:
    policies, tools = (
        {str(path): path.read_text("utf-8") for path in (FOLDER / "documents" / name).iterdir()}
        for name in ("agents", "tools")
    )
    loaded = load(policies, tools, DETECTORS)
    settings = load_settings(FOLDER / "routes.yaml", RoutesSettings)
    assert "envoy.yaml" in config_files(settings.proxy, Catalogue.of(loaded.tools))


def test_the_page_of_deployment_says_the_same_users() -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    rows = re.findall(r"(?m)^\| `([a-z]+)(?:-N)?` \| `[^|]+` \| \*{0,2}(\d+)\*{0,2} : (\d+) \|", page)
    services = {"authz": "authz-0", "envoy": "gateway"}
    said = {services.get(process, process): f"{user}:{group}" for process, user, group in rows}
    assert said == {service: SERVICES[service]["user"] for service in said}
    assert set(said) == {"redis", "control", "opa", "authz-0", "routes", "certificates", "gateway"}
