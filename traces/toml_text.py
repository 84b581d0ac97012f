"""TOML as people write it: parsed, or refused in one line."""

import tomllib
from typing import Any

from collectives.errors import InputError


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Tables of a TOML text; `source` is what errors name.

    Raises
    ------
    InputError
        What is no TOML, a number with more digits than Python takes, nesting deeper than it goes.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{source}: nested too deeply for TOML that means something") from None
    except ValueError:
        raise InputError(f"{source}: a number with too many digits; expected at most 4,300") from None
