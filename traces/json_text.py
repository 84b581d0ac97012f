"""JSON as files from outside have it: parsed, or refused in one line that says where."""

import json
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import quoted

# A float64 needs 17 digits and bytes 19; Python's own parser takes 4,300 and says little.
_MAX_DIGITS = 400


def parse_json(text: str, path: str | Path) -> Any:
    """What a JSON text holds.

    Parameters
    ----------
    text : str
    path : path
        Begins the messages.

    Returns
    -------
    dict, list, str, int, float, bool or None
        NaN and Infinity are let through, as tools write them where nobody looks: what is used passes
        `collectives.gate.whole_value` or `real_value`, which refuse them.

    Raises
    ------
    InputError
        What is no JSON (with its line), a number of more than `_MAX_DIGITS` digits, nesting deeper than Python takes.
    """

    def whole(digits: str) -> int:
        if len(digits) > _MAX_DIGITS:
            raise InputError(f"{path}: a number {quoted(digits)}; expected at most {_MAX_DIGITS} digits")
        return int(digits)

    try:
        return json.loads(text, parse_int=whole)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}:{error.lineno}: not JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for JSON that means something") from None
