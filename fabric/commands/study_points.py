"""Points of a study: combinations that differ in what has an effect, each with its id, and as a scenario."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import typer

from collectives.errors import InputError
from fabric.commands.option_tables import (
    NAME,
    TABLES,
    FaultsTable,
    RoutingTable,
    UsageError,
    option_words,
    read_table,
    table_keys,
    usage_text,
)
from fabric.commands.options import FabricOptions, PlacementOptions, TrafficOptions
from fabric.commands.point_files import digest_of, paths_of
from fabric.commands.resolve import check_traffic, draws, policy_name, rule_of
from fabric.commands.study_file import CASE, Study, Values
from fabric.commands.terminal import shell_line
from fabric.jobs.rule import SEGMENTED
from fabric.studies.designs import described_keys
from fabric.studies.sweep.grid import combination, drawn
from fabric.studies.sweep.point import Setting, StudyPoint, Tables, own_version, point_id

if TYPE_CHECKING:
    from fabric.formats.opening import OpenedFabric


@dataclass(frozen=True)
class PointOptions:
    """A point's tables as options.

    Attributes
    ----------
    fabric : FabricOptions
    description : mapping of str to value
        Keys of the fabric's description by their path.
    traffic : TrafficOptions
    routing : RoutingTable
    job : PlacementOptions
    faults : FaultsTable
    """

    fabric: FabricOptions
    description: Mapping[str, object]
    traffic: TrafficOptions
    routing: RoutingTable
    job: PlacementOptions
    faults: FaultsTable

    @property
    def drawn_faults(self) -> bool:
        """Whether failures are drawn."""
        return self.faults.count > 0

    @property
    def policy(self) -> str:
        """The routing policy; options that it would not look at are refused."""
        seed_used = draws(self.job) or (self.drawn_faults and self.faults.seed is None)
        return policy_name(self.routing.routed, self.routing.hashing, seed_used)

    def check(self) -> None:
        """Refuse options that do not go together; typer's errors name them as they are typed."""
        check_traffic(self.traffic)
        _ = self.policy
        rule_of(self.job, self.routing.hashing.seed, demand=self.traffic.demand is not None)
        if self.routing.skip_unrouted and self.routing.routed.lfts is None:
            raise typer.BadParameter("--skip-unrouted goes with --lfts")


def options_of_tables(tables: Tables, where: str) -> PointOptions:
    """A point's tables as options; errors as for `read_table`."""
    described = _described_keys()
    own = tables.get("fabric", {})
    known = _fabric_keys()
    return PointOptions(
        _read("fabric", {key: value for key, value in own.items() if key in known}, f"{where}fabric"),
        {described[key]: value for key, value in own.items() if key not in known},
        _read("traffic", tables.get("traffic", {}), f"{where}traffic"),
        _read("routing", tables.get("routing", {}), f"{where}routing"),
        _read("placement", tables.get("placement", {}), f"{where}placement"),
        _read("faults", tables.get("faults", {}), f"{where}faults"),
    )


def _read(table: str, values: Mapping[str, object], where: str) -> Any:
    """As `read_table`; points have most of their tables in common."""
    try:
        text = json.dumps(values)
    except TypeError:
        # A date, which TOML has and no option.
        return read_table(table, values, where)
    return _read_once(table, text, where)


@lru_cache(maxsize=4096)
def _read_once(table: str, values: str, where: str) -> Any:
    return read_table(table, json.loads(values), where)


_described_keys = lru_cache(maxsize=1)(described_keys)


@lru_cache(maxsize=1)
def _fabric_keys() -> frozenset[str]:
    return frozenset(table_keys("fabric"))


def points_of(study: Study) -> tuple[StudyPoint, ...]:
    """The points of a study, in the order of its combinations.

    A combination that differs from an earlier one only in keys without effect (a seed where nothing is drawn, queue
    pairs where nothing hashes) is the same point.

    Raises
    ------
    InputError
        A key that has no effect in any point; a file that cannot be read; options that no point can have together.
    """
    found: dict[str, tuple[int, StudyPoint]] = {}
    numbers = range(study.n_combinations) if study.sample is None else drawn(study.n_combinations, study.seed)
    for number in numbers:
        point = _point(study, combination(study.axes, number))
        found.setdefault(point.id, (number, point))
        if study.sample is not None and len(found) == study.sample:
            break
    points = tuple(point for _, point in sorted(found.values(), key=lambda one: one[0]))
    _check_effects(study, points)
    if all(point.problem for point in points):
        raise InputError(f"{study.path}: {points[0].problem}")
    return points


def _check_effects(study: Study, points: Sequence[StudyPoint]) -> None:
    used = {key for point in points for key, value in point.settings.items() if value is not None}
    for point in points:
        for key, value in point.settings.items():
            if value is None and key not in used:
                raise InputError(
                    f"{study.path}: {key}: has no effect in any point: {_NEEDS.get(key, 'nothing looks at it')}"
                )


def _point(study: Study, chosen: Mapping[str, object]) -> StudyPoint:
    tables: dict[str, Values] = {table: dict(study.base.get(table, {})) for table in TABLES}
    settings: dict[str, Setting] = {}
    if CASE in chosen:
        settings[CASE] = str(chosen[CASE])
        for table, own in study.cases[str(chosen[CASE])].items():
            tables[table] |= own
    for key, value in chosen.items():
        if key != CASE:
            table, _, own_key = key.partition(".")
            tables[table][own_key] = value
    order = [f"{table}.{key}" for table in TABLES for key in tables[table]]
    ineffective = set(_without_effect(tables))
    for key in [*(key for key in chosen if key != CASE), *order]:
        table, _, own_key = key.partition(".")
        settings[key] = None if key in ineffective else _setting(tables[table][own_key])
    for key in ineffective:
        table, _, own_key = key.partition(".")
        del tables[table][own_key]
    if CASE in settings:
        # Two names of one and the same are two points of a study.
        tables[CASE] = {NAME: settings[CASE]}
    problem = ""
    try:
        options_of_tables(tables, "").check()
    except InputError as error:
        problem = str(error)
    except UsageError as error:
        problem = usage_text(error)
    files = {path: digest for path in paths_of(tables) for digest in [digest_of(path)] if digest}
    return StudyPoint(point_id(tables, files, own_version()), settings, tables, files, problem)


def _setting(value: object) -> Setting:
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return value if isinstance(value, (bool, int, float, str)) else str(value)


# Keys that have no effect in some points, and why.
_NEEDS = {
    "routing.queue-pairs": "only ecmp hashes",
    "routing.hash-seeds": "only ecmp hashes",
    "routing.nccl-version": "only ecmp hashes",
    "routing.seed": "nothing is hashed by ecmp or drawn",
    "routing.lfts": "only the routing lft looks at tables",
    "routing.skip-unrouted": "only the routing lft looks at tables",
    "placement.segment": "only the placement segmented has segments",
    "placement.exclusive": "only the placement segmented has segments",
    "faults.kind": "no failure is drawn",
    "faults.seed": "no failure is drawn",
}


def _without_effect(tables: dict[str, Values]) -> Iterator[str]:
    """Keys of a point that nothing looks at, though another point of the study may need them."""
    routing, placement, faults = tables["routing"], tables["placement"], tables["faults"]
    policy = _word(routing.get("routing")) or ("lft" if "lfts" in routing else "adaptive")
    drawn_faults = faults.get("count", 0) not in (0, 0.0)
    kind, taken = _word(placement.get("placement")), placement.get("taken")
    job = PlacementOptions(placement=kind or None, taken=None if taken is None else str(taken))
    gone = {
        "queue-pairs": policy != "ecmp",
        "hash-seeds": policy != "ecmp",
        "nccl-version": policy != "ecmp",
        "seed": not (policy == "ecmp" or _drawn(job) or (drawn_faults and "seed" not in faults)),
        "lfts": policy != "lft",
        "skip-unrouted": policy != "lft",
    }
    yield from (f"routing.{key}" for key in routing if gone.get(key))
    yield from (f"placement.{key}" for key in placement if key in ("segment", "exclusive") and kind != SEGMENTED)
    yield from (f"faults.{key}" for key in faults if key in ("kind", "seed") and not drawn_faults)


def _drawn(job: PlacementOptions) -> bool:
    try:
        return draws(job)
    except UsageError:
        return False


def _word(value: object) -> str:
    return value.strip().lower() if isinstance(value, str) else ""


def run_alone(point: StudyPoint) -> str:
    """The command that runs a point by itself; empty where no options say what is set in it."""
    tables = point.tables
    fabric = tables.get("fabric", {})
    if any(key not in _fabric_keys() for key in fabric) or "count" in tables.get("faults", {}):
        return ""
    words = ["loads", str(fabric[NAME])]
    for table in ("fabric", "traffic", "routing", "placement"):
        for key, value in tables.get(table, {}).items():
            if (table, key) != ("fabric", NAME):
                words += option_words(key, value, key)
    return shell_line(words)


def with_description(fabric: "OpenedFabric", keys: Mapping[str, object]) -> "OpenedFabric":
    """The fabric with keys of its description changed.

    Raises
    ------
    InputError
        If it has no description, or cannot be built so.
    """
    from fabric.builders.changes import changed_description
    from fabric.formats.opening import described

    if not keys:
        return fabric
    if fabric.description is None:
        raise InputError(
            f"{next(iter(keys))}: {fabric.name} has no description; expected a preset or a TOML description"
        )
    return described(fabric.source, changed_description(fabric.description, keys))
