"""`python -m aegis_authz.proxy deploy/envoy [policies/tools]`: write the committed example configuration."""

from __future__ import annotations

import argparse
from pathlib import Path

from aegis_authz.proxy.example import write_deploy

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m aegis_authz.proxy", description="Write the example configuration.")
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("tools", type=Path, nargs="?", default=Path("policies/tools"), help="default: policies/tools")
    arguments = parser.parse_args()
    write_deploy(arguments.folder, arguments.tools)
