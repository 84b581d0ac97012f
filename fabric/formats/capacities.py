"""Capacities of links as others write them: names of the attribute, and units."""

import re
from collections.abc import Sequence
from typing import Any

from collectives.errors import InputError
from collectives.gate import shown
from fabric.topology import MAX_GBPS

CAPACITY_NAMES = (
    "gbps", "bandwidth_gbps", "speed_gbps", "rate_gbps", "capacity", "bandwidth", "speed", "rate", "link_speed",
)  # fmt: skip
"""Attributes that are taken for a capacity, the first one that is there; `weight` is as often a distance."""

_TEXT = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([kKMGT]?)(?:(bytes|byte|B)|b|bits?|b?ase-?\w*)?(?:/s|ps|/sec|E)?", re.ASCII
)
_PREFIX_GBPS = {"": 1e-9, "k": 1e-6, "K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3}
# Numbers without a unit: up to here Gb/s, from there on bit/s.  Links of 1 to 10,000 Gb/s and of 1 Gb/s and more are
# meant; what lies between could be Mb/s or kb/s.
_MOST_GBPS, _LEAST_BPS = 10_000.0, 1e9


def capacities(values: Sequence[Any], name: str) -> tuple[list[float], str]:
    """Gb/s of each value, and what was assumed of the unit, in words.

    Raises
    ------
    InputError
        Names the edge: no value, no number, a unit that is none, or numbers that could be several.
    """
    gbps = [_gbps(value, f"edges[{number}]: {name}", name) for number, value in enumerate(values)]
    if name.endswith("gbps"):
        return gbps, ""
    numbers = [value for value in values if not isinstance(value, str)]
    if not numbers:
        return gbps, ""
    if all(0 < value <= _MOST_GBPS for value in numbers):
        return gbps, ", numbers as Gb/s"
    if all(value >= _LEAST_BPS for value in numbers):
        return [
            each * 1e-9 if not isinstance(value, str) else each for each, value in zip(gbps, values, strict=True)
        ], (", numbers as bit/s")
    raise InputError(
        f"edges: {name} from {min(numbers):g} to {max(numbers):g} without a unit; expected `capacity_gbps`, or texts "
        "such as 400Gbps"
    )


def _gbps(value: Any, where: str, name: str) -> float:
    if isinstance(value, str):
        found = _TEXT.fullmatch(value.strip())
        if found is None or (not found[2] and not name.endswith("gbps")):
            raise InputError(f"{where} {shown(value)}; expected a number with a unit, such as 400Gbps or 50 GB/s")
        factor = 1.0 if not found[2] else _PREFIX_GBPS[found[2]]
        result = float(found[1]) * factor * (8.0 if found[3] else 1.0)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(f"{where} {shown(value)}; expected a number > 0, or a text such as 400Gbps")
    else:
        result = float(value) if abs(value) < 1e300 else float("inf")
    if not 0 < result <= MAX_GBPS * (1.0 if isinstance(value, str) or name.endswith("gbps") else 1e9):
        raise InputError(f"{where} {shown(value)}; expected more than 0, and at most {MAX_GBPS:g} Gb/s")
    return result
