"""Money as whole micro-units: what a call names is charged exactly, or refused."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, Decimal

from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import MOST_MICROS
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Micros


def micros_of(value: Json, worth: Micros, label: str) -> Micros:
    """The micro-units of a parameter of which 1 is worth so many; a fraction of one counts as a whole.

    Raises Refused(CHARGE_INVALID) for anything but a number above zero that can be counted.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(Reason.CHARGE_INVALID, f"{label} is not a number")
    if value <= 0:
        raise Refused(Reason.CHARGE_INVALID, f"{label} is not above zero")
    if value > MOST_MICROS:
        raise Refused(Reason.CHARGE_INVALID, f"{label} is more than can be counted")
    # of a float, the shortest decimal that is this float: what its text said
    micros = int((Decimal(repr(value)) * worth).to_integral_value(ROUND_CEILING))
    if micros > MOST_MICROS:
        raise Refused(Reason.CHARGE_INVALID, f"{label} is more than can be counted")
    return Micros(micros)
