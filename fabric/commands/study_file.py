"""A study: the scenario file of `railscope report`, and what of it is varied.

    [study]
    title = "Which routing bears broken cables?"
    metric = "time_s"                     # by: time_s, over_bound, busbw_GBps, imbalance, over_fastest
    sample = 200                          # so many points of the grid, drawn; without it all
    seed = 1                              # of the sample

    [fabric]                              # what all points share: tables and keys of a scenario file
    name = "examples/tight-64.toml"

    [traffic]
    collective = "all-to-all"

    [vary.fabric]                         # the same tables, with a list of values for a key
    leaf.oversubscription = [1, 2]        # any key of the description too

    [vary.routing]
    routing = ["adaptive", "ecmp"]
    seed = { first = 0, count = 10 }      # 0, 1, ..., 9

    [vary.faults]                         # so many failures of a kind, drawn by the seed
    count = [0, 1, 2, 4]

    [[case]]                              # several keys that go together, by a name
    name = "small"
    traffic.group = 8

Every combination is a point; those of the tables that stand first go slowest.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectives.errors import InputError
from collectives.gate import real_value, shown, whole_value
from collectives.suggestion import hint
from fabric.builders.changes import check_description_value
from fabric.builders.presets import preset_names
from fabric.commands.option_tables import NAME, TABLES, read_table, table_keys
from fabric.studies.designs import described_keys
from fabric.studies.sweep.grid import Axis, grid_size
from fabric.studies.sweep.spread import METRICS
from traces.files import exists, read_text
from traces.toml_text import parse_toml

Values = dict[str, object]
CASE = "case"
MOST_POINTS = 1_000_000
"""Points of a study: assumed to be more than anybody reads, and few enough to be listed."""

_OF_STUDY = ("title", "metric", "sample", "seed", "split")
_OF_WHOLE_RANGE, _OF_RANGE = ("first", "count", "step"), ("from", "to", "steps", "scale")
_SCALES = ("linear", "log")


@dataclass(frozen=True)
class Study:
    """A checked study.

    Attributes
    ----------
    path : str
        The file.
    title : str
        Empty where nothing is said.
    metric : str
        One of `fabric.studies.sweep.spread.METRICS`; empty: what suits what is varied.
    sample : int or None
        So many points of the grid; None: all.
    seed : int
        Of the sample.
    split : bool
        Each point is routed in parts, by several workers.
    base : mapping of str to mapping
        Keys that all points share, by table; keys of the fabric's description by their path.
    axes : tuple of Axis
        What is varied, ``table.key``, or ``case``.
    cases : mapping of str to mapping
        Keys of each case, by table, by the case's name.
    """

    path: str
    title: str
    metric: str
    sample: int | None
    seed: int
    split: bool
    base: Mapping[str, Values]
    axes: tuple[Axis, ...]
    cases: Mapping[str, Mapping[str, Values]] = field(default_factory=dict)

    @property
    def n_combinations(self) -> int:
        """Of all values."""
        return grid_size(self.axes)


def read_study(path: str | Path) -> Study:
    """Read and check a study: every table, every key, and every value by itself.

    Raises
    ------
    InputError
        ``FILE: vary.routing.routing[1]: 'ecpm' is unknown; did you mean ecmp?``
    """
    tables = parse_toml(read_text(path), str(path))
    return _checked(tables, str(path))


def _checked(tables: dict[str, Any], path: str) -> Study:
    known = ("study", "report", *TABLES, "vary", CASE)
    for name, table in tables.items():
        if name == "workload":
            raise InputError(f"{path}: workload: expected [traffic] with workload = {shown('NAME')}")
        if name not in known:
            raise InputError(f"{path}: {shown(name)}: {hint(name, known)}")
        if name == CASE:
            if not isinstance(table, list) or not all(isinstance(one, dict) for one in table):
                raise InputError(f"{path}: {CASE}: expected tables [[{CASE}]]")
        elif not isinstance(table, dict):
            raise InputError(f"{path}: {name}: expected a table [{name}]")
    head = tables.get("study", {})
    for key in head:
        if key not in _OF_STUDY:
            raise InputError(f"{path}: study.{key}: {hint(key, _OF_STUDY)}")
    title, metric, split = _title(head, tables.get("report", {}), path), _metric(head, path), _split(head, path)
    sample = None if "sample" not in head else whole_value(head["sample"], f"{path}: study.sample:", 1, MOST_POINTS)
    seed = whole_value(head.get("seed", 0), f"{path}: study.seed:")
    base = {name: _flat(name, tables.get(name, {}), f"{path}: {name}") for name in TABLES}
    axes = list(_axes(tables.get("vary", {}), path))
    cases = _cases(tables.get(CASE, []), path)
    if cases:
        axes.insert(0, Axis(CASE, tuple(cases)))
    for name, own in base.items():
        for key, value in own.items():
            _check_value(name, key, value, f"{path}: {name}")
    _check_once(base, axes, cases, path)
    study = Study(path, title, metric, sample, seed, split, base, tuple(axes), cases)
    if study.sample is None and study.n_combinations > MOST_POINTS:
        raise InputError(
            f"{path}: {study.n_combinations:,} combinations; expected at most {MOST_POINTS:,}, or study.sample"
        )
    return study


def _title(head: Mapping[str, Any], report: Mapping[str, Any], path: str) -> str:
    title = head.get("title", report.get("title", ""))
    if not isinstance(title, str):
        raise InputError(f"{path}: study.title: expected a text, not {shown(title)}")
    return title


def _metric(head: Mapping[str, Any], path: str) -> str:
    metric = head.get("metric", "")
    if metric and metric not in METRICS:
        raise InputError(f"{path}: study.metric: {shown(metric)}: {hint(str(metric), METRICS)}")
    return str(metric)


def _split(head: Mapping[str, Any], path: str) -> bool:
    split = head.get("split", False)
    if not isinstance(split, bool):
        raise InputError(f"{path}: study.split: expected true or false, not {shown(split)}")
    return split


def _flat(table: str, values: Mapping[str, Any], where: str) -> Values:
    """Keys of a table, those of tables of a fabric's description by their path; unknown ones are refused."""
    described = described_keys() if table == "fabric" else {}
    groups = {path.partition(".")[0] for path in described.values()}
    flat: Values = {}
    for key, value in values.items():
        if table == "fabric" and key in groups and isinstance(value, dict):
            flat |= {f"{key}.{own}": one for own, one in value.items()}
        else:
            flat[key] = value
    known = (*table_keys(table), *described)
    for key in flat:
        if key not in known:
            raise InputError(f"{where}.{key}: {hint(key, known)}")
    return flat


def _axes(vary: Mapping[str, Any], path: str) -> Iterator[Axis]:
    for table, given in vary.items():
        where = f"{path}: vary.{table}"
        if table not in TABLES:
            raise InputError(f"{path}: vary.{shown(table)}: {hint(table, TABLES)}")
        if not isinstance(given, dict):
            raise InputError(f"{where}: expected a table [vary.{table}]")
        for key, values in _flat(table, given, where).items():
            many = _values(values, f"{where}.{key}")
            # Of a range the ends tell whether what lies between may be.
            places = range(len(many)) if isinstance(values, list) else (0, len(many) - 1)
            for place in places:
                _check_value(table, key, many[place], where, f"[{place}]")
            seen: set[str] = set()
            for place, value in enumerate(many):
                if repr(value) in seen:
                    raise InputError(f"{where}.{key}[{place}]: {shown(value)} is there twice")
                seen.add(repr(value))
            yield Axis(f"{table}.{key}", tuple(many))


def _values(given: object, where: str) -> list[object]:
    """What a key is varied over: a list, or a range."""
    if isinstance(given, list):
        if not given:
            raise InputError(f"{where}: is empty; expected values")
        return given
    if isinstance(given, dict):
        return _range(given, where)
    raise InputError(f"{where}: expected a list of values, or a range {{ first = 0, count = 10 }}, not {shown(given)}")


def _range(given: Mapping[str, object], where: str) -> list[object]:
    known = _OF_WHOLE_RANGE if "count" in given or "first" in given else _OF_RANGE
    for key in given:
        if key not in known:
            raise InputError(f"{where}.{key}: {hint(key, (*_OF_WHOLE_RANGE, *_OF_RANGE))}")
    if known is _OF_WHOLE_RANGE:
        first = whole_value(given.get("first", 0), f"{where}.first:")
        step = whole_value(given.get("step", 1), f"{where}.step:", 1)
        count = whole_value(given.get("count"), f"{where}.count:", 1, MOST_POINTS)
        return [first + step * number for number in range(count)]
    low, high = (real_value(given.get(key), f"{where}.{key}:", -1e15, 1e15) for key in ("from", "to"))
    steps = whole_value(given.get("steps"), f"{where}.steps:", 2, MOST_POINTS)
    scale = given.get("scale", "linear")
    if scale not in _SCALES:
        raise InputError(f"{where}.scale: {shown(scale)}: {hint(str(scale), _SCALES)}")
    if scale == "log" and not 0 < low < high:
        raise InputError(f"{where}: from {low:g} to {high:g}: a logarithmic scale rises from more than 0")
    if not low < high:
        raise InputError(f"{where}: from {low:g} to {high:g}: expected a range that rises")
    parts = [number / (steps - 1) for number in range(steps)]
    raw = [low + (high - low) * part if scale == "linear" else low * (high / low) ** part for part in parts]
    # Twelve digits: 0.1 + 0.2 is 0.3.
    values = [float(f"{value:.12g}") for value in raw]
    whole = isinstance(given["from"], int) and all(value.is_integer() for value in values)
    return [int(value) if whole else value for value in values]


def _cases(rows: list[dict[str, Any]], path: str) -> dict[str, dict[str, Values]]:
    cases: dict[str, dict[str, Values]] = {}
    for place, row in enumerate(rows):
        where = f"{path}: {CASE}[{place}]"
        name = row.get(NAME)
        if not isinstance(name, str) or not name:
            raise InputError(f"{where}.name: expected a text")
        if name in cases:
            raise InputError(f"{where}.name: {shown(name)} is there twice")
        own: dict[str, Values] = {}
        for table, values in row.items():
            if table == NAME:
                continue
            if table not in TABLES or not isinstance(values, dict):
                raise InputError(
                    f"{where}.{table}: " + ("expected a table" if table in TABLES else hint(table, TABLES))
                )
            own[table] = _flat(table, values, f"{where}.{table}")
            for key, value in own[table].items():
                _check_value(table, key, value, f"{where}.{table}")
        cases[name] = own
    return cases


def _check_once(
    base: Mapping[str, Values], axes: list[Axis], cases: Mapping[str, Mapping[str, Values]], path: str
) -> None:
    """Refuse a key that is said in two places, and a study without a fabric or traffic."""
    said = {f"{table}.{key}" for table, own in base.items() for key in own}
    for axis in axes:
        if axis.key in said:
            raise InputError(
                f"{path}: {axis.key}: stands in [{axis.key.partition('.')[0]}] and is varied; expected one"
            )
    varied = {axis.key for axis in axes}
    for name, tables in cases.items():
        for key in (f"{table}.{key}" for table, own in tables.items() for key in own):
            if key in varied:
                raise InputError(f"{path}: {CASE} {name}: {key} is varied too; expected one")
    everywhere = said | varied

    def missing(*keys: str) -> bool:
        return not everywhere & set(keys) and not (
            cases and all(any(f"{t}.{k}" in keys for t, own in one.items() for k in own) for one in cases.values())
        )

    if missing("fabric.name"):
        raise InputError(f"{path}: fabric.name: expected a preset or a file")
    if missing("traffic.collective", "traffic.trace", "traffic.demand", "traffic.workload"):
        raise InputError(f"{path}: traffic: expected one of collective, trace, demand and workload")


def _check_value(table: str, key: str, value: object, where: str, place: str = "") -> None:
    """Refuse a value that no point could have."""
    here = f"{where}.{key}{place}"
    if table == "fabric" and key not in table_keys(table):
        check_description_value(described_keys()[key], value, here)
        return
    try:
        # Alone, but for the name that no fabric is without.
        read_table(table, {**({NAME: "x"} if table == "fabric" else {}), key: value}, where)
    except InputError as error:
        raise InputError(str(error).replace(f"{where}.{key}", here, 1)) from None
    if table == "fabric" and key == NAME:
        names = preset_names()
        if value not in names and not exists(str(value)):
            raise InputError(f"{here}: {shown(value)}: neither a preset nor a file; {hint(str(value), names)}")
