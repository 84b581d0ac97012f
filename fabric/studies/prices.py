"""What a fabric costs by the user's own prices: railscope knows none.

A price file is TOML; a price is that of one piece::

    currency = "EUR"
    copper = ["host"]  # cables without transceivers

    [switch]           # by tier (leaf, spine, core), or by ports and their speed ("64x400")
    leaf = 100.0
    spine = 120.0

    [cable]            # by tier (host, leaf-spine, spine-core), or by speed in Gb/s (400)
    host = 3.0
    leaf-spine = 2.0

    [optics]           # a transceiver, by the speed of its cable in Gb/s
    400 = 5.0

Where a tier and a speed both fit, the tier counts.  `nic`, the price of a GPU's network cards, may be left out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collectives.errors import InputError
from collectives.gate import shown
from collectives.sizes import counted
from collectives.suggestion import hint
from fabric.studies.parts import ENDS, Parts
from traces.files import read_text
from traces.toml_text import parse_toml

Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]

_A_PRICE = "a finite number >= 0"
_SWITCHES = ("leaf", "spine", "core")
_CABLES = ("host", "leaf-spine", "spine-core")
_SPEED = r"\d+(\.\d+)?"
_CABLE_TIER = r"host( to tier \d+)?|leaf-spine|spine-core|tier \d+-\d+|within tier \d+"


class Prices(BaseModel):
    """A price file.

    Attributes
    ----------
    currency : str
    switch : dict of str to float
        By tier, or by ports and speed.
    cable : dict of str to float
        By tier, or by speed in Gbit/s.
    optics : dict of str to float
        A transceiver, by the speed of its cable in Gbit/s.
    copper : list of str
        Tiers whose cables are copper, which take no transceivers.
    nic : float or None
        For each GPU; None leaves network cards out.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    currency: Annotated[str, Field(min_length=1)]
    switch: dict[str, Price]
    cable: dict[str, Price]
    optics: dict[str, Price] = {}
    copper: list[str] = []
    nic: Price | None = None


_EXPECTED = {
    "currency": "a text in quotes that is not empty",
    "switch": "a table of prices",
    "cable": "a table of prices",
    "optics": "a table of prices",
    "copper": f"a list of tiers, such as {', '.join(_CABLES)}",
    "nic": _A_PRICE,
}
# What a name under each key may be, and the usual names.
_NAMES: dict[str, tuple[re.Pattern[str], tuple[str, ...]]] = {
    "switch": (re.compile(rf"leaf|spine|core|tier \d+|\d+x{_SPEED}"), (*_SWITCHES, "64x400")),
    "cable": (re.compile(rf"{_CABLE_TIER}|{_SPEED}"), (*_CABLES, "400")),
    "optics": (re.compile(_SPEED), ("400", "800")),
    "copper": (re.compile(_CABLE_TIER), _CABLES),
}


@dataclass(frozen=True)
class PartsCost:
    """What the parts of a fabric cost together, in `currency`.

    Attributes
    ----------
    currency : str
    switches, cables, optics, nics : float
        NICs are 0 where they have no price.
    endpoints : int
        GPUs that share it.
    """

    currency: str
    switches: float
    cables: float
    optics: float
    nics: float
    endpoints: int

    @property
    def total(self) -> float:
        """All together."""
        return self.switches + self.cables + self.optics + self.nics

    @property
    def per_gpu(self) -> float:
        """All together, for each GPU that the fabric has room for."""
        return self.total / self.endpoints


def read_prices(path: str | Path) -> Prices:
    """Read and check a price file.

    Raises
    ------
    InputError
        ``FILE: switch.leaf: expected a finite number >= 0, got 'x'``.
    """
    return parse_prices(read_text(path), str(path))


def parse_prices(text: str, source: str) -> Prices:
    """Check a TOML text; `source` is what errors name."""
    try:
        prices = Prices.model_validate(parse_toml(text, source))
    except ValidationError as error:
        raise InputError(f"{source}: {_first_error(error)}") from None
    for key, (known, usual) in _NAMES.items():
        for name in getattr(prices, key):
            if not known.fullmatch(name):
                raise InputError(f"{source}: {key}: {name!r} is not known; {hint(name, usual)}")
    return prices


def _first_error(error: ValidationError) -> str:
    # A misspelt key is both unknown and missing: the unknown one tells more.
    detail = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    loc: tuple[Any, ...] = detail["loc"]
    key = ".".join(map(str, loc))
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key; {hint(str(loc[0]), Prices.model_fields)}"
    if detail["type"] == "missing":
        return f"{key}: missing; expected {_EXPECTED[loc[0]]}"
    expected = _A_PRICE if len(loc) > 1 and loc[0] != "copper" else _EXPECTED[loc[0]]
    return f"{key}: expected {expected}, got {shown(detail['input'])}"


def price_parts(parts: Parts, prices: Prices, name: str = "the fabric") -> PartsCost:
    """Price the parts of a fabric; `name` is what errors call it.

    Raises
    ------
    InputError
        If something that is present has no price.
    """
    switches = cables = optics = 0.0
    for one in parts.switches:
        owner = f"{name} has {counted(one.count, f'{one.name} switch', f'{one.name} switches')}"
        switches += one.count * _price("switch", prices.switch, (one.name, one.model), owner)
    for kind in parts.cables:
        speed = f"{kind.gbps:g}"
        owner = f"{name} has {counted(kind.count, f'{kind.name} cable')} of {speed} Gb/s"
        cables += kind.count * _price("cable", prices.cable, (kind.name, speed), owner)
        if kind.name not in prices.copper:
            optics += ENDS * kind.count * _price("optics", prices.optics, (speed,), owner)
    return PartsCost(prices.currency, switches, cables, optics, parts.endpoints * (prices.nic or 0.0), parts.endpoints)


def _price(table: str, prices: Mapping[str, float], names: tuple[str | None, ...], owner: str) -> float:
    named = [name for name in names if name is not None]
    for name in named:
        if name in prices:
            return prices[name]
    raise InputError(f"prices: {table}.{named[0]}: missing; {owner}; expected {' or '.join(named)} in [{table}]")
