"""The control plane that runs, asked what its OpenAPI document says and what it does not: schemathesis, from PyPI."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.config.control import ControlSettings
from aegis_authz.local.tcp_ports import choose_ports
from tests.control.test_control_process import said, started
from tests.support.real_redis import RealRedis
from tests.support.registry_clients import python_clients

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "api" / "openapi.json"
SECONDS = 120
LEFT_OUT = (
    # what JSON Schema cannot say is refused all the same: printable text, roles there are, keys, passwords that are weak
    "positive_data_acceptance",
)


@pytest.mark.parametrize("phases", ["coverage", "fuzzing"])
async def test_every_operation_answers_as_the_document_says_whatever_it_is_sent(
    real_redis: RealRedis, tmp_path: Path, phases: str
) -> None:
    python = await asyncio.to_thread(python_clients, "schemathesis==4.32.5")
    port = choose_ports({"control": 0}, {})["control"]
    url = f"http://127.0.0.1:{port}"
    folders = {name: tmp_path / name for name in ("state", "records", "keys", "policies", "tools")}
    settings = ControlSettings(listen=f"127.0.0.1:{port}", public_url=url, redis=real_redis.url, **folders)
    for folder in (settings.policies, settings.tools):
        folder.mkdir()
    admin_token = open_keys(settings.keys).admin_token
    config = tmp_path / "schemathesis.toml"
    # publications and rotations wait for OPAs, of which there are none here
    config.write_text(f'[headers]\nAuthorization = "Bearer {admin_token}"\n[parameters]\n"query.wait" = 0\n')
    command = (
        *("--config-file", str(config), "run", str(DOCUMENT), "--url", url, "--phases", phases),
        *("--exclude-checks", ",".join(LEFT_OUT), "--max-examples", "12", "--max-time", str(SECONDS)),
        *("--generation-deterministic", "--continue-on-failure", "--no-color", "--request-timeout", "30"),
        *("--warnings", "off", "--output-truncate", "true"),
    )
    async with started(settings, tmp_path / "control.yaml") as process:
        await said(process, "listens on")
        log = asyncio.create_task(_rest(process))
        asked = await asyncio.create_subprocess_exec(
            str(python.parent / "schemathesis"),
            *command,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asked.communicate()
        process.terminate()
        lines = await log
    text = output.decode("utf-8", "replace")
    assert asked.returncode == 0, text[-8000:]
    assert "Traceback" not in lines, lines[-4000:]
    assert admin_token not in text + lines


async def _rest(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read()).decode("utf-8", "replace")
