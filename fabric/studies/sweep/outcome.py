"""What a point gives: its times, how evenly each tier is loaded, its worst link, or why it failed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

from fabric.bounds.cuts import Bound
from fabric.routing.loads import ScheduleLoads
from fabric.scenario import Scenario
from fabric.studies.analysis import Analysis, scenario_bound
from fabric.studies.hotspots import DEFAULT_THRESHOLD, schedule_bottleneck
from fabric.topology import NVLINK, SWITCH, Topology


@dataclass(frozen=True)
class TierUse:
    """How the links of a tier and direction are used.

    Attributes
    ----------
    tier, direction : str
        As in the tables of `loads`.
    max_utilization : float
        Part of the job's time in which the busiest of them carries bytes.
    imbalance : float or None
        Max over mean of those that carry anything; None where none does.
    """

    tier: str
    direction: str
    max_utilization: float
    imbalance: float | None


@dataclass(frozen=True)
class PointOutcome:
    """What a point gives; None for what it has not.

    Attributes
    ----------
    time_s : float or None
        Bottleneck time, seconds.
    bound_s, over_bound : float or None
        What cannot be beaten, seconds, and the time over it.
    busbw_GBps : float or None
        As nccl-tests defines it.
    imbalance : float or None
        Largest max over mean of the tiers between switches.
    worst_link, worst_tier, worst_direction : str
        The link that sets the time.
    disconnected_pairs : int
        Ordered pairs of the job's ranks without a way, or that the tables do not route.
    algorithm : str
        Of a collective.
    ranks, endpoints, switches, cables : int
        Of the job and its fabric; cables of the network, NVLink not counted.
    tiers : tuple of TierUse
    error : str
        Why there is no result, in one line.
    """

    time_s: float | None = None
    bound_s: float | None = None
    over_bound: float | None = None
    busbw_GBps: float | None = None
    imbalance: float | None = None
    worst_link: str = ""
    worst_tier: str = ""
    worst_direction: str = ""
    disconnected_pairs: int = 0
    algorithm: str = ""
    ranks: int | None = None
    endpoints: int | None = None
    switches: int | None = None
    cables: int | None = None
    tiers: tuple[TierUse, ...] = ()
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether there is no result."""
        return bool(self.error)

    def to_json(self) -> dict[str, Any]:
        """Everything, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "PointOutcome":
        """What `to_json` gave; TypeError or KeyError if it did not."""
        tiers = tuple(TierUse(**one) for one in document["tiers"])
        return cls(**{**document, "tiers": tiers})


class Bounds:
    """Bounds of scenarios, each found once: a collective's depends on fabric and placement, not on routing."""

    def __init__(self) -> None:
        # As long as the fabric is there, and no longer.
        self._known: WeakKeyDictionary[Topology, dict[tuple[object, ...], Bound | None]] = WeakKeyDictionary()

    def of(self, scenario: Scenario) -> Bound | None:
        """As `scenario_bound`."""
        job = scenario.traffic
        if job.collective is None or job.groups is None:
            return scenario_bound(scenario)
        groups = (job.groups.rank.tobytes(), job.groups.start.tobytes())
        key = (scenario.placement.endpoint.tobytes(), job.collective, *groups, job.bytes, job.switches_reduce)
        known = self._known.setdefault(scenario.topology, {})
        if key not in known:
            known[key] = scenario_bound(scenario)
        return known[key]


def outcome_of(scenario: Scenario, loads: ScheduleLoads, bounds: Bounds) -> PointOutcome:
    """What a routed scenario gives.

    Parameters
    ----------
    scenario : Scenario
    loads : ScheduleLoads
        As `schedule_loads` gives them.
    bounds : Bounds
        Those that are known, and that this one joins.
    """
    analysis = Analysis(scenario, loads, DEFAULT_THRESHOLD)
    time_s = analysis.time_s
    unrouted = loads.total.unrouted.pairs
    bound = None if unrouted else bounds.of(scenario)
    spot = schedule_bottleneck(loads)
    found = PointOutcome(
        time_s=time_s,
        bound_s=None if bound is None else bound.time_s,
        over_bound=None if bound is None or bound.time_s <= 0 else time_s / bound.time_s,
        busbw_GBps=analysis.busbw_GBps,
        imbalance=analysis.imbalance,
        worst_link="" if spot is None else spot.name,
        worst_tier="" if spot is None else spot.tier,
        worst_direction="" if spot is None else spot.direction,
        disconnected_pairs=unrouted,
        tiers=tuple(
            TierUse(one.name, one.direction, one.max_s / time_s if time_s > 0 else 0.0, one.imbalance)
            for one in analysis.tiers
        ),
    )
    return sized(found, scenario)


def sized(outcome: PointOutcome, scenario: Scenario) -> PointOutcome:
    """The outcome with what is known of its job and fabric."""
    topology = scenario.topology
    return replace(
        outcome,
        algorithm=scenario.traffic.algorithm or "",
        ranks=scenario.placement.n_ranks,
        endpoints=topology.n_endpoints,
        switches=int((topology.nodes.kind == SWITCH).sum()),
        cables=int((topology.link_kind != NVLINK).sum()) // 2,
    )
