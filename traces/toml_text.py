"""TOML as people write it: parsed, or refused in one line."""

import tomllib
from typing import Any

from collectives.errors import InputError
from collectives.saying import printable


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Tables of a TOML text; `source` is what errors name.

    Raises
    ------
    InputError
        What is no TOML, an integer of more than 64 bits (TOML 1.0, Integer), nesting deeper than Python goes.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{source}: nested too deeply for TOML that means something") from None
    except ValueError:
        raise InputError(f"{source}: a number with too many digits; expected at most 4,300") from None
    _check_integers(tables, source)
    return tables


def _check_integers(tables: dict[str, Any], source: str) -> None:
    """Integers as TOML has them: Python's go on, and end where they become numbers of floating point."""
    left: list[tuple[str, Any]] = [("", tables)]
    while left:
        key, value = left.pop()
        if isinstance(value, dict):
            left += [(f"{key}.{name}" if key else name, inner) for name, inner in value.items()]
        elif isinstance(value, list):
            left += [(f"{key}[{place}]", inner) for place, inner in enumerate(value)]
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InputError(
                f"{source}: {printable(key)[:80]}: an integer of more than 64 bits; expected one that TOML has"
            )
