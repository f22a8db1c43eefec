"""The command line. Commands import what they need when they run, so that help is quick."""

from __future__ import annotations

import sys
from types import MappingProxyType
from typing import Final

from aegis_authz.cli.exit_codes import UNABLE

EXTRAS: Final = MappingProxyType(
    {
        "aiohttp": "agent",
        "aiosqlite": "control",
        "alembic": "control",
        "betterproto2": "control",
        "boto3": "s3",
        "certifi": "local",
        "envoy_data_plane": "control",
        "fastapi": "control",
        "genai_prices": "prices",
        "httpx": "control",
        "httpx2": "demo",
        "openai": "demo",
        "stripe": "demo",
        "jinja2": "control",
        "jwt": "control",
        "mcp": "agent",
        "pkcs11": "pkcs11",
        "psycopg": "postgres",
        "rich": "cli",
        "slack_sdk": "slack",
        "sqlalchemy": "control",
        "tomlkit": "agent",
        "typer": "cli",
    }
)
"""The extra of the distribution that brings each module a bare installation, which can only be a worker, lacks."""


def main() -> None:
    """Run the command line; when a module of an extra is missing, say which extra to install."""
    try:
        # a worker's image has no typer
        if sys.argv[1:3] == ["serve", "envoy"]:
            from aegis_authz.cli.serve_envoy import serve_envoy

            serve_envoy(sys.argv[3:])
        elif sys.argv[1:2] == ["serve"]:
            from aegis_authz.cli.serve import serve

            serve(sys.argv[2:])
        elif sys.argv[1:2] == ["ready"]:
            from aegis_authz.cli.ready import ready

            ready(sys.argv[2:])
        else:
            from aegis_authz.cli.app import app

            app()
    except ModuleNotFoundError as fault:
        extra = EXTRAS.get((fault.name or "").partition(".")[0])
        if extra is None:
            raise
        sys.stderr.write(
            f"aegis: {fault.name} is not installed; install the extra: pip install 'aegis-authz[{extra}]'\n"
        )
        raise SystemExit(UNABLE) from None
