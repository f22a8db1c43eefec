"""What the real Envoy does with a tool whose name leads to an address that it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from tests.support.authority import Authority

if TYPE_CHECKING:
    from pathlib import Path

    from tests.proxy.conftest import Authorizer, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def tool(name: str, host: str, port: int | None, upstream: str) -> Tool:
    return Tool(name, host, port, upstream, (), "", "", None, False, False, NO_INTERFACE)


async def test_a_public_name_that_leads_to_this_machine_is_not_followed(
    envoys: Starter, server: ToolServer, authorizer: Authorizer, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with type(server)().serving(authority.context(x509.DNSName("localhost"))) as secure:
        public = tool("public", "localhost", secure.port, "")
        named = tool("named", "named.example", None, f"https://localhost:{secure.port}")
        catalogue = Catalogue.of((public, named))
        async with envoys.running("addresses", catalogue, authorizer.place, ca_file=authority.file) as proxy:
            refused = await proxy.get(f"http://localhost:{secure.port}/")
            assert (refused.status, secure.seen) == (403, [])
            line = await proxy.access_line(lambda line: line["status"] == 403)
            assert str(line["details"]).startswith("rbac_access_denied")
            assert (await proxy.get("http://named.example/")).status == 200
        assert len(secure.seen) == 1


@pytest.mark.parametrize("where", ["localhost", "127.0.0.1"])
async def test_a_place_that_the_catalogue_names_is_reached(
    envoys: Starter, server: ToolServer, authorizer: Authorizer, where: str
) -> None:
    named = tool("named", "named.example", None, f"http://{where}:{server.port}")
    async with envoys.running(f"place-{where}", Catalogue.of((named,)), authorizer.place) as proxy:
        assert (await proxy.get("http://named.example/")).status == 200
