"""What Envoy says of the certificates that it asks for."""

from __future__ import annotations

from enum import Enum

NAMES_METADATA = "x-aegis-names"
"""The metadata of a stream, set by Envoy's configuration, by which it says whose choice its names are."""


class NamesOf(Enum):
    """Whose choice the names of a stream are."""

    CATALOGUE = "catalogue"  # an operator's: always served
    CLIENTS = "clients"  # whoever shakes hands: bounded
