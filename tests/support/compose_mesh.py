"""The mesh of docker-compose.yml on a real engine, as the compose of Debian 12 reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.container_engine import ROOT, Engine

AGENT = "acme/emea/finance-agent"
CALL = """
import json, sys, urllib.error, urllib.request
amount, url, approval = json.loads(sys.argv[1])
headers = {"content-type": "application/json"} | ({"x-aegis-approval": approval} if approval else {})
request = urllib.request.Request(url, json.dumps({"amount": amount}).encode(), headers)
try:
    reply = urllib.request.urlopen(request, timeout=30)
except urllib.error.HTTPError as refusal:
    reply = refusal
body = json.loads(reply.read())
print(json.dumps({"status": reply.status, "decision": reply.headers["x-aegis-decision"], "body": body}))
"""

BUSY = 5
"""So often is asked of a gateway that is too busy to judge."""


@dataclass(frozen=True)
class Mesh:
    """The mesh of docker-compose.yml, up."""

    engine: Engine
    secrets: Path
    file: Path

    def compose(self, *words: str) -> str:
        project = ("--project-name", "aegis", "--project-directory", str(ROOT), "--file", str(self.file))
        return self.engine.run("docker-compose", *project, *words)

    def inside(self, service: str, *command: str, given: str | None = None) -> str:
        return self.engine.docker(
            "exec", *(["-i"] if given is not None else []), f"aegis_{service}_1", *command, given=given
        )

    def state(self, service: str) -> dict[str, dict[str, object]]:
        [state] = json.loads(self.engine.docker("inspect", f"aegis_{service}_1"))
        return state

    def address(self, service: str, network: str) -> str:
        networks = json.loads(json.dumps(self.state(service)["NetworkSettings"]["Networks"]))
        return str(networks[f"aegis_{network}"]["IPAddress"])

    def call(
        self, amount: int, url: str = "http://api.stripe.example/v1/payments", approval: str = ""
    ) -> dict[str, str]:
        """What an agent is answered; asked again where the gateway was too busy to judge, which is another refusal."""
        words = ("aegis", "agent", "run", "--agent", AGENT, "--", "/usr/bin/python3", "-c", CALL)
        for _ in range(BUSY):
            reply: dict[str, str] = json.loads(self.inside("agent", *words, json.dumps([amount, url, approval])))
            if "DEADLINE_EXCEEDED" not in json.dumps(reply):
                break
        return reply


def for_old_compose(text: str, profiles: tuple[str, ...]) -> str:
    """The file for the compose of Debian 12: no name of a project, and nothing of a profile that is not on."""
    text = re.sub(r"(?m)^name: .*\n", "", text)
    dependency = r"(?m)^      postgres: {condition: service_healthy, required: false}\n"
    kept = "      postgres: {condition: service_healthy}\n" if "postgres" in profiles else ""
    text, count = re.subn(dependency, kept, text)
    assert count == 1
    return text


@contextmanager
def running_mesh(engine: Engine, *profiles: str) -> Iterator[Mesh]:
    file, secrets = engine.folder / "compose.yml", engine.folder / f"secrets-{'-'.join(profiles)}"
    file.write_text(for_old_compose((ROOT / "docker-compose.yml").read_text("utf-8"), profiles), "utf-8")
    engine.environment |= {"AEGIS_SECRETS": str(secrets), "COMPOSE_HTTP_TIMEOUT": "300"}
    mesh = Mesh(engine, secrets, file)
    mesh.compose("--profile", "init", *on(profiles), "run", "--rm", "--no-deps", "init")
    try:
        mesh.compose(*on(profiles), "up", "--detach", "--no-build")
        code = json.loads(mesh.inside("control", "aegis", "agents", "invite", AGENT, "--json"))["code"]
        mesh.inside("agent", "aegis", "agent", "enroll", code, "--control", "http://gateway:10002")
        yield mesh
    except BaseException:
        print(mesh.compose("logs", "--tail", "30"))  # noqa: T201  # shown where a test fails
        raise
    finally:
        mesh.compose(*on(profiles), "down", "--volumes", "--timeout", "20")


def on(profiles: tuple[str, ...]) -> list[str]:
    return [word for profile in profiles for word in ("--profile", profile)]
