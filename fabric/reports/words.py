"""Numbers as words, and words laid into a width."""

import re
import textwrap

# What stays on one line: a number and its unit, a port and its number, an arrow and where it points, an option's value.
_KEPT_TOGETHER = re.compile(
    r"(?<=\d) (?=(?:%|x|[kMGTP]?i?B(?:/s)?|[kMGT]b(?:it)?/s|[mun]?s)(?![\w/]))"
    r"| (?=port \d)|(?<=\bport) (?=\d)|(?<=->) (?=\S)"
)
_OPTION = re.compile(r"(--[a-z-]+) (?=\d)")
_HOLD = "\u00a0"
_DOTS = "..."


def seconds_text(value: float) -> str:
    """A time with the unit that suits it, four digits."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1:
            return f"{value * factor:.4g} {unit}"
    return f"{value * 1e9:.4g} ns" if value > 0 else "0"


def bytes_text(value: float) -> str:
    """Bytes in decimal units, four digits."""
    for factor, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value:.4g} B"


def money_text(value: float) -> str:
    """An amount: whole from 1,000 on, four digits below."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def number_text(value: float | None, digits: str = ".3g") -> str:
    """A number, `-` where there is none."""
    return "-" if value is None else format(value, digits)


def ratio_text(value: float | None, digits: str = ".2f") -> str:
    """A ratio such as ``1.30x``, `-` where there is none."""
    return "-" if value is None else f"{value:{digits}}x"


def wrapped(text: str, width: int, first: str = "", rest: str = "  ") -> list[str]:
    """Lines of at most `width` characters, broken at words, never inside a number with its unit or a port.

    Parameters
    ----------
    first, rest : str
        What the first line, and the others, begin with.  A word longer than a line (a path) loses its middle.
    """
    held = _OPTION.sub(rf"\1{_HOLD}", _KEPT_TOGETHER.sub(_HOLD, text))
    room = width - max(len(first), len(rest))
    whole = " ".join(
        word if len(word) <= room else " ".join(shortened(part, room) for part in word.split(_HOLD))
        for word in held.split(" ")
    )
    lines = textwrap.wrap(
        whole, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(_HOLD, " ") for line in lines] or [first.rstrip()]


def shortened(text: str, width: int) -> str:
    """At most `width` characters of a name: dots in its middle, two thirds of the rest from its end."""
    if len(text) <= width:
        return text
    kept = max(width - len(_DOTS), 1)
    return text[: kept // 3] + _DOTS + text[len(text) - (kept - kept // 3) :]
