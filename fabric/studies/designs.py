"""Designs side by side: one job on several fabrics, each in several variants, with what each is made of.

variants = vary(Scenario.of("hgx-b200-64", Collective("all-to-all")), {"wiring": ["rail", "host"]})
outcomes = compare_designs(variants)
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.bounds.cuts import Bound
from fabric.builders.changes import changed_description, description_keys
from fabric.formats.opening import OpenedFabric
from fabric.jobs.rule import PLACEMENTS, PlacementRule
from fabric.routing.policies import Ecmp, Routing
from fabric.routing.registry import make_policy, ready_policy_names
from fabric.scenario import NICS, TRANSPORTS, Scenario, check_transport
from fabric.studies.analysis import Analysis, Bounded, analyse_each, scenario_bound
from fabric.studies.parts import Parts, parts_of
from fabric.studies.prices import PartsCost, Prices, price_parts
from fabric.studies.verdicts.thresholds import SAME

# More rows than this are no table to read, and each is a fabric in memory (assumed).
MOST_DESIGNS = 64

FABRIC = "fabric"
# Short names of keys of the description.
_SHORT = {
    "wiring": "fabric.wiring",
    "spines": "fabric.spines",
    "planes": "fabric.planes",
    "oversubscription": "leaf.oversubscription",
    "pods": "spine.pods",
}
_NO_EFFECT = {
    "fabric.name": "is a name",
    "fabric.description": "is a text",
    "fabric.technology": "is a name; the time model that it chooses is not used here",
    "fabric.assumptions": "is a text",
    "job.gpus": "the job is the same in every design",
}
_TIME_TABLE = "time."


@dataclass(frozen=True, eq=False)
class Variant:
    """One design to be compared.

    Attributes
    ----------
    name : str
        What tells it from the others: ``wiring=rail routing=ecmp``.
    settings : tuple of (str, value)
        Key and value of everything that was set, in the order given, ``fabric`` first where there are several; None
        for a key that has no effect in this design, such as queue pairs where nothing hashes.
    scenario : Scenario
    """

    name: str
    settings: tuple[tuple[str, object], ...]
    scenario: Scenario


@dataclass(frozen=True, eq=False)
class DesignOutcome(Bounded):
    """What one design gives, and what it is made of.

    Attributes
    ----------
    variant : Variant
    analysis : Analysis
    bound : Bound or None
        What cannot be beaten with this wiring and placement.
    parts : Parts
    cost : PartsCost or None
        None without prices.
    """

    variant: Variant
    analysis: Analysis
    bound: Bound | None
    parts: Parts
    cost: PartsCost | None

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return self.variant.name


def vary_keys() -> tuple[str, ...]:
    """Every key that `vary` knows: of job and routing, short names, then all of the description by path."""
    paths = (path for path in description_keys() if path not in _NO_EFFECT and not path.startswith(_TIME_TABLE))
    return (*_OF_JOB, *_SHORT, *paths)


def described_keys() -> dict[str, str]:
    """Path in the description of every key that `vary` changes there, by short name and by path."""
    return {key: _SHORT.get(key, key) for key in vary_keys() if key not in _OF_JOB}


def vary(
    scenarios: Scenario | Sequence[Scenario],
    axes: Mapping[str, Sequence[object]] | None = None,
    hashing: Ecmp | None = None,
) -> tuple[Variant, ...]:
    """Every scenario with every combination of values: the product in the order given, the last key fastest.

    The traffic of a scenario stays: number of ranks, groups, sizes, algorithm.  A combination in which a key has no
    effect (`queue_pairs` and `seed` where nothing hashes or is drawn) is taken once.

    Parameters
    ----------
    scenarios : Scenario or sequence of Scenario
    axes : mapping of str to sequence, optional
        Values by key: ``routing`` (a policy's name or a policy), ``placement`` (`PLACEMENTS`), ``transport``
        (direct, pxn), ``nics`` (own, pooled), ``queue_pairs``, ``seed`` (of hashing and of scattered placement); of
        described fabrics also
        ``wiring``, ``spines``, ``planes``, ``oversubscription`` (of the leaves), ``pods``, and any key of the
        description by its path, such as ``spine.count``.
    hashing : Ecmp, optional
        What ``ecmp`` means; default the scenario's own routing if it hashes, else `Ecmp()`.

    Raises
    ------
    InputError
        If a key is unknown, has no effect, or its value is refused; if a fabric has no description to vary, cannot be
        built so, or two fabrics look alike; if there are more than `MOST_DESIGNS`.
    """
    given = [scenarios] if isinstance(scenarios, Scenario) else list(scenarios)
    if not given:
        raise InputError("designs: none; expected a scenario")
    values = {key: tuple(each) for key, each in (axes or {}).items()}
    paths = _checked(values)
    combinations = len(given) * math.prod(map(len, values.values()))
    if combinations > MOST_DESIGNS:
        raise InputError(f"designs: {combinations} combinations; expected at most {MOST_DESIGNS}")
    if paths or len(given) > 1:
        _check_portable([*values.get("routing", ()), *(() if "routing" in values else (one.routing for one in given))])
    labels = _labels(given)
    variants: list[Variant] = []
    for scenario, label in zip(given, labels, strict=True):
        fabric: tuple[tuple[str, object], ...] = ((FABRIC, label),) if len(given) > 1 else ()
        variants += _variants(scenario, fabric, values, paths, hashing)
    for key in values:
        if all(dict(one.settings)[key] is None for one in variants):
            raise InputError(f"{key}: has no effect in any design: {_NEEDS[key]}")
    return _named(variants)


def compare_designs(variants: Sequence[Variant], prices: Prices | None = None) -> tuple[DesignOutcome, ...]:
    """Run the job on every design, in their order.

    Parameters
    ----------
    variants : sequence of Variant
        As `vary` makes them.
    prices : Prices, optional
        Of the user: for the cost of each.

    Raises
    ------
    InputError
        If a part has no price; as for `fabric.routing.link_loads.link_loads`.
    """
    parts = [parts_of(one.scenario.fabric) for one in variants]
    costs = [
        None if prices is None else price_parts(own, prices, one.name) for one, own in zip(variants, parts, strict=True)
    ]
    # A collective's bound depends on cables and placement alone.
    bounds: dict[tuple[int, bytes], Bound | None] = {}
    outcomes = []
    analyses = analyse_each([one.scenario for one in variants])
    for variant, own, cost, analysis in zip(variants, parts, costs, analyses, strict=True):
        scenario = variant.scenario
        same = (id(scenario.topology), scenario.placement.endpoint.tobytes())
        bound = bounds[same] if same in bounds else scenario_bound(scenario)
        if scenario.traffic.collective is not None:
            bounds[same] = bound
        whole = analysis.loads.total.unrouted.pairs == 0
        outcomes.append(DesignOutcome(variant, analysis, bound if whole else None, own, cost))
    return tuple(outcomes)


def ranked(outcomes: Sequence[DesignOutcome]) -> tuple[DesignOutcome, ...]:
    """The fastest first; of those as fast (`SAME`) the cheapest, without prices the one of fewest parts."""
    left = sorted(outcomes, key=lambda one: one.time_s)
    order: list[DesignOutcome] = []
    while left:
        limit = left[0].time_s * SAME
        as_fast = [one for one in left if one.time_s <= limit]
        order += sorted(as_fast, key=_size)
        left = left[len(as_fast) :]
    return tuple(order)


def _size(outcome: DesignOutcome) -> float:
    if outcome.cost is not None:
        return outcome.cost.total
    return outcome.parts.n_switches + outcome.parts.n_cables


def text_of(value: object) -> str:
    """A value of a setting in words; ``-`` for one without effect."""
    if value is None:
        return "-"
    if isinstance(value, Routing):
        said = " ".join(f"{key} {given}" for key, given in value.parameters.items())
        return f"{value.name} {said}".rstrip()
    return f"{value:g}" if isinstance(value, float) else str(value)


def varied_keys(variants: Sequence[Variant]) -> tuple[str, ...]:
    """Keys that differ between designs, in their order."""
    texts: dict[str, set[str]] = {}
    for variant in variants:
        for key, value in variant.settings:
            texts.setdefault(key, set()).add(text_of(value))
    return tuple(key for key, found in texts.items() if len(found) > 1)


def _named(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    keys = varied_keys(variants)

    def name(variant: Variant) -> str:
        told = [(key, text_of(value)) for key, value in variant.settings if key in keys]
        words = [text if key == FABRIC else f"{key}={text}" for key, text in told if text != "-"]
        return " ".join(words) or variant.scenario.fabric.name

    return tuple(replace(variant, name=name(variant)) for variant in variants)


def _labels(scenarios: Sequence[Scenario]) -> tuple[str, ...]:
    """Names of the fabrics, or where they come from if two are called the same."""
    for labels in ([one.fabric.name for one in scenarios], [one.fabric.source for one in scenarios]):
        if len(set(labels)) == len(labels):
            return tuple(labels)
    repeated = next(label for label in labels if labels.count(label) > 1)
    raise InputError(f"designs: {repeated} is given twice; expected different fabrics")


Check = Callable[[object], str | None]


def _one_of(known: Sequence[str]) -> Check:
    def check(value: object) -> str | None:
        return None if value in known else hint(str(value), known)

    return check


def _whole(least: int) -> Check:
    def check(value: object) -> str | None:
        fine = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return None if fine else f"expected an integer >= {least}"

    return check


def _policy_known(value: object) -> str | None:
    return None if isinstance(value, Routing) else _one_of(ready_policy_names())(value)


# Keys of job and routing, with what is wrong with a value.
_OF_JOB: dict[str, Check] = {
    "routing": _policy_known,
    "placement": _one_of(PLACEMENTS),
    "transport": _one_of(TRANSPORTS),
    "nics": _one_of(NICS),
    "queue_pairs": _whole(1),
    "seed": _whole(0),
}
_NEEDS = {
    "queue_pairs": "only ecmp hashes",
    "seed": "nothing is hashed by ecmp or drawn",
}


def _checked(axes: Mapping[str, Sequence[object]]) -> dict[str, str]:
    """Path in the description of each key that has one."""
    paths: dict[str, str] = {}
    for key, values in axes.items():
        path = _SHORT.get(key, key)
        reason = "the time here has no latency" if path.startswith(_TIME_TABLE) else _NO_EFFECT.get(path)
        if reason is not None:
            raise InputError(f"{key}: has no effect here: {reason}")
        if key not in vary_keys():
            raise InputError(f"{key}: nothing of that name can be varied; {hint(key, vary_keys())}")
        if path in paths.values():
            raise InputError(f"{key}: {path} is varied twice")
        _check_values(key, values)
        if key not in _OF_JOB:
            paths[key] = path
    return paths


def _check_values(key: str, values: Sequence[object]) -> None:
    texts = [text_of(value) for value in values]
    if not texts:
        raise InputError(f"{key}: no value; expected some")
    repeated = next((text for text in texts if texts.count(text) > 1), None)
    if repeated is not None:
        raise InputError(f"{key}={repeated}: given twice; expected different values")
    if key in _OF_JOB:
        for value, text in zip(values, texts, strict=True):
            reason = _OF_JOB[key](value)
            if reason is not None:
                raise InputError(f"{key}={text}: {reason}")


def _variants(
    base: Scenario,
    fabric: tuple[tuple[str, object], ...],
    axes: Mapping[str, Sequence[object]],
    paths: Mapping[str, str],
    hashing: Ecmp | None,
) -> list[Variant]:
    _check_base(base, axes, paths)
    usual = hashing or (base.routing if isinstance(base.routing, Ecmp) else Ecmp())
    built: dict[tuple[tuple[str, object], ...], OpenedFabric] = {}
    found: dict[tuple[tuple[str, str], ...], Variant] = {}
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        rule, transport, routing = _job(base, settings, usual)
        nics = str(settings.get("nics", base.job.nics))
        effective = {key: value if _matters(key, rule, routing) else None for key, value in settings.items()}
        told = tuple((key, text_of(value)) for key, value in effective.items())
        if told in found:
            continue
        changes = tuple((paths[key], value) for key, value in settings.items() if key in paths)
        if changes not in built:
            built[changes] = _changed_fabric(base.fabric, changes)
        check_transport(built[changes], transport, nics)
        scenario = base if not settings else base.variant(built[changes], rule, transport, routing, nics)
        found[told] = Variant("", (*fabric, *effective.items()), scenario)
    return list(found.values())


def _check_portable(routings: Sequence[object]) -> None:
    """Refuse policies that are made for the links of one fabric: tables, weights, paths."""
    for routing in routings:
        if isinstance(routing, Routing) and routing.name not in ready_policy_names():
            raise InputError(f"routing: {routing.name} is made for the links of one fabric; these designs have several")


def _check_base(base: Scenario, axes: Mapping[str, Sequence[object]], paths: Mapping[str, str]) -> None:
    """Refuse what would silently lose something that the scenario was given."""
    name, traffic = base.fabric.name, base.traffic
    if paths and base.fabric.description is None:
        raise InputError(f"{next(iter(paths))}: {name} has no description; expected a preset or a TOML description")
    if traffic.placement is not None and "placement" in axes:
        raise InputError("placement: the traffic names its endpoints itself")
    if axes and traffic.placement is None:
        by_rule = base.job.rule.place(base.fabric, traffic.n_ranks)
        if not np.array_equal(by_rule.endpoint, base.placement.endpoint):
            raise InputError(
                "designs: the placement was given by endpoints; expected a rule that any fabric can follow"
            )


def _job(base: Scenario, settings: Mapping[str, Any], hashing: Ecmp) -> tuple[PlacementRule, str, Routing]:
    """How the job is placed, sent and routed under these settings."""
    rule, drawn = base.job.rule, {key: settings[key] for key in ("queue_pairs", "seed") if key in settings}
    kind, seed = settings.get("placement", rule.kind), settings.get("seed", rule.seed)
    chosen = settings.get("routing", base.routing)
    if chosen == Ecmp.name:
        chosen = hashing
    elif isinstance(chosen, str):
        chosen = make_policy(chosen)
    if isinstance(chosen, Ecmp):
        chosen = replace(chosen, **drawn)
    return replace(rule.as_kind(kind), seed=seed), settings.get("transport", base.job.transport), chosen


def _matters(key: str, rule: PlacementRule, routing: Routing) -> bool:
    """Whether a key has an effect in a design."""
    hashes = isinstance(routing, Ecmp)
    return {"queue_pairs": hashes, "seed": hashes or rule.drawn}.get(key, True)


def _changed_fabric(fabric: OpenedFabric, changes: tuple[tuple[str, object], ...]) -> OpenedFabric:
    if not changes:
        return fabric
    assert fabric.description is not None
    try:
        return fabric.rebuilt(changed_description(fabric.description, dict(changes)))
    except InputError as error:
        said = ", ".join(f"{path}={text_of(value)}" for path, value in changes)
        raise InputError(f"{error} (with {said})") from None
