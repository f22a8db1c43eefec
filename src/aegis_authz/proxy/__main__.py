"""`python -m aegis_authz.proxy deploy/envoy [policies/tools]`: write the committed example configuration."""

from __future__ import annotations

import sys
from pathlib import Path

from aegis_authz.proxy.example import write_deploy

_TOOLS = "policies/tools"

if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(f"usage: python -m aegis_authz.proxy FOLDER [TOOLS={_TOOLS}]")
    write_deploy(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else _TOOLS))
