"""docker-compose.yml with its profile `postgres`, on a real engine."""

from __future__ import annotations

import json

import pytest

from tests.support.compose_mesh import AGENT, running_mesh
from tests.support.container_engine import Engine, EngineFault, load_postgres, missing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"the containers are NOT tested: {missing()}"),
]


def test_with_its_profile_the_control_plane_keeps_what_it_knows_in_postgresql(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_postgres(engine)
    monkeypatch.setitem(engine.environment, "AEGIS_CONTROL_SETTINGS", "control-postgres.yaml")
    with running_mesh(engine, "demo", "postgres") as mesh:
        assert mesh.call(4200)["decision"] == "allow"
        health = json.loads(json.dumps(mesh.state("postgres")["State"]["Health"]))
        assert health["Status"] == "healthy"
        ask = ("psql", "--host", "/var/run/postgresql", "--username", "aegis", "--tuples-only", "aegis", "-c")
        assert int(mesh.inside("postgres", *ask, "select count(*) from policy_releases")) == 1
        # nobody without the password, whoever reaches the port
        stranger = "import psycopg; psycopg.connect('postgresql://aegis@postgres/aegis')"
        with pytest.raises(EngineFault, match="no password supplied"):
            mesh.inside("control", "/usr/bin/python3", "-c", stranger)
        mesh.compose("--profile", "postgres", "restart", "control")
        again = mesh.inside("control", "aegis", "ready", "127.0.0.1:7400", "--wait", "60")
        assert again == ""
        assert AGENT in mesh.inside("control", "aegis", "agents", "list")
