"""Money as whole micro-units: what a call names is charged exactly, or refused."""

from __future__ import annotations

import math
from fractions import Fraction

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
    micros = _rounded_up(value, worth)
    if micros > MOST_MICROS:
        raise Refused(Reason.CHARGE_INVALID, f"{label} is more than can be counted")
    return Micros(micros)


def _rounded_up(value: float, worth: int) -> int:
    if isinstance(value, int):
        return value * worth
    # of a float, the shortest decimal that is this float: what its text said
    text = repr(value)
    if "e" in text:
        return math.ceil(Fraction(text) * worth)
    whole, _, fraction = text.partition(".")
    parts: int = 10 ** len(fraction)
    return -(-int(whole + fraction) * worth // parts)
