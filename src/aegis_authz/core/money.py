"""Money: whole millionths of a unit of one currency (micro-units), never a float.

A float is taken as the decimal that it is written as (its shortest form), so that 0.1 is a tenth and nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from aegis_authz.core.limit import MOST_MICROS

MICRO = 1_000_000
"""Micro-units of one unit of a currency."""

CURRENCIES = frozenset(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR
    ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES
    VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905  # a list of quoted words is harder to read
)
"""The currencies of ISO 4217 in which something can be paid."""


@dataclass(frozen=True, slots=True)
class Money:
    """`micros` millionths of a unit of `currency` (ISO 4217), neither negative nor beyond `MOST_MICROS`.

    Raises ValueError for anything else.
    """

    micros: int
    currency: str

    def __post_init__(self) -> None:
        if isinstance(self.micros, bool) or not isinstance(self.micros, int) or not 0 <= self.micros <= MOST_MICROS:
            raise ValueError("an amount is a whole number of micro-units, not negative and at most 4 * 10^15")
        if self.currency not in CURRENCIES:
            raise ValueError(f"{self.currency[:12]!r} is not a currency of ISO 4217, such as USD")

    def __str__(self) -> str:
        return f"{decimal_text(self.micros)} {self.currency}"


def exact(number: object) -> Fraction:
    """The very number that a JSON number is written as. Raises ValueError for anything else, true and false, too."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise ValueError("is no number")
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def scaled(number: Fraction, digits: int) -> int:
    """A number in units of 10^-`digits`. Raises ValueError for one with more digits behind the point."""
    units = number * 10**digits
    if units.denominator != 1:
        raise ValueError(f"has more than {digits} digits behind the point")
    return int(units.numerator)


def micros_of(number: object) -> int:
    """A number of units as micro-units, exactly.

    Raises ValueError for what is no number, is negative or huge, or has more than six digits behind the point.
    """
    micros = scaled(exact(number), 6)
    if not 0 <= micros <= MOST_MICROS:
        raise ValueError("must be between 0 and four thousand million")
    return micros


def decimal_text(micros: int) -> str:
    """Micro-units as a decimal of units, with two digits behind the point or as many more as it needs."""
    sign, whole = ("-" if micros < 0 else ""), abs(micros)
    fraction = f"{whole % MICRO:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole // MICRO}.{fraction}"
