"""Limits that a user sets on a result, for scripts and CI: what was crossed, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from fabric.reports.words import seconds_text


@dataclass(frozen=True)
class Headline:
    """The figures of a result that limits are set on; None where a result has none.

    Attributes
    ----------
    name : str
        What they are of: a design, a routing, a size; the same in two runs of one command.
    time_s : float or None
        Seconds.
    busbw_GBps : float or None
        As nccl-tests defines it, GB/s.
    over_bound : float or None
        Time over the bound.
    imbalance : float or None
        Max over mean between switches.
    """

    name: str
    time_s: float | None = None
    busbw_GBps: float | None = None
    over_bound: float | None = None
    imbalance: float | None = None


@dataclass(frozen=True)
class Gates:
    """Limits; None where none is set.

    Attributes
    ----------
    max_time_s, max_over_bound, min_busbw_GBps, max_imbalance : float or None
        On the first headline of a result: the best design, the largest size.
    baseline : path or None
        An earlier JSON document of the same command, whose every headline is compared.
    max_regression : float
        Part by which a time may be longer, or a bandwidth smaller, than in the baseline.
    """

    max_time_s: float | None = None
    max_over_bound: float | None = None
    min_busbw_GBps: float | None = None
    max_imbalance: float | None = None
    baseline: Path | None = None
    max_regression: float = 0.0


def crossed(gates: Gates, headlines: Sequence[Headline], schema: str) -> list[str]:
    """A line for each limit that is crossed.

    Parameters
    ----------
    gates : Gates
    headlines : sequence of Headline
        The result's, the one that counts first.
    schema : str
        The result's document, such as ``railscope.loads/2``.

    Raises
    ------
    InputError
        If a limit is set on a figure that the result has not, or the baseline is none of this command.
    """
    lines = []
    first = headlines[0]
    for name, limit, value, sign, text in (
        ("time", gates.max_time_s, first.time_s, 1, seconds_text),
        ("time over the bound", gates.max_over_bound, first.over_bound, 1, _plain),
        ("busbw", gates.min_busbw_GBps, first.busbw_GBps, -1, _bandwidth),
        ("imbalance (max/mean) between switches", gates.max_imbalance, first.imbalance, 1, _plain),
    ):
        if limit is None:
            continue
        if value is None:
            if name.startswith("imbalance"):
                continue  # nothing is carried between switches: perfectly even
            raise InputError(f"a limit on {name}: this result has none")
        if sign * (value - limit) > 0:
            side = "above" if sign > 0 else "below"
            lines.append(f"{first.name}: {name} {text(value)} is {_by(value, limit)} {side} the limit {text(limit)}")
    if gates.baseline is not None:
        lines += _regressions(gates.baseline, gates.max_regression, headlines, schema)
    return lines


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _bandwidth(value: float) -> str:
    return f"{value:.4g} GB/s"


def _by(value: float, limit: float) -> str:
    return f"{abs(value / limit - 1.0):.1%}" if limit > 0 else "infinitely"


def _regressions(path: Path, allowed: float, headlines: Sequence[Headline], schema: str) -> list[str]:
    before = _read_baseline(path, schema)
    lines = []
    for now in headlines:
        then = before.get(now.name)
        if then is None:
            continue
        for key, sign, text in (("time_s", 1, seconds_text), ("busbw_GBps", -1, _bandwidth)):
            old, new = then.get(key), getattr(now, key)
            if not isinstance(old, (int, float)) or new is None or old <= 0:
                continue
            if sign * (new / old - 1.0) > allowed:
                what = key.split("_")[0]
                lines.append(
                    f"{now.name}: {what} {text(new)}, was {text(old)} in {path}: {abs(new / old - 1.0):.1%} worse"
                )
    if not set(before) & {one.name for one in headlines}:
        raise InputError(f"{path}: has nothing of the same name ({', '.join(before) or 'no headline'}); "
                         f"expected {', '.join(one.name for one in headlines)}")  # fmt: skip
    return lines


def _read_baseline(path: Path, schema: str) -> dict[str, dict[str, Any]]:
    from traces.files import read_text
    from traces.json_text import parse_json

    document = parse_json(read_text(path), path)
    found = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(found, str) or found.rpartition("/")[0] != schema.rpartition("/")[0]:
        raise InputError(f"{path}: {found or 'no railscope document'}; expected {schema}, the JSON of the same command")
    rows = document.get("headline")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("name"), str) for row in rows
    ):
        raise InputError(f"{path}: has no `headline`; expected a document of railscope 0.2 or later")
    return {row["name"]: row for row in rows}
