"""Bytes per link as routing leaves them: of one demand, and of a schedule phase by phase."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector, Int64Vector, frozen_array
from collectives.errors import InputError
from collectives.schedule import Overlap
from fabric.showing import Facts, Shown
from fabric.topology import DIRECTIONS, LINK_KINDS, UNKNOWN, Topology

if TYPE_CHECKING:
    import networkx
    import pandas


@dataclass(frozen=True)
class Unrouted:
    """Pairs with bytes to exchange and no way along the switches' tables.

    Attributes
    ----------
    pairs : int
        Pairs of endpoints without a way.
    bytes : float
        That they would exchange.
    """

    pairs: int = 0
    bytes: float = 0.0

    def __add__(self, other: "Unrouted") -> "Unrouted":
        return Unrouted(self.pairs + other.pairs, self.bytes + other.bytes)

    def scaled(self, factor: float) -> "Unrouted":
        """The same pairs, every number of bytes times `factor`."""
        return Unrouted(self.pairs, self.bytes * factor)


NOTHING = Unrouted()


@dataclass(frozen=True, eq=False)
class GroupLoads:
    """What the links of each kind, tier and direction carry; C groups, those of `Topology.link_groups`.

    Attributes
    ----------
    bytes : (C,) float64
    used : (C,) int64
        Links that carry anything.
    busy_s : (C,) float64
        Their load over capacity together, seconds.
    longest_s : (C,) float64
        The longest of them.
    longest : (C,) int64
        The first link that has it; -1 where none carries anything.
    """

    bytes: FloatVector
    used: Int64Vector
    busy_s: FloatVector
    longest_s: FloatVector
    longest: Int64Vector

    def scaled(self, factor: float) -> "GroupLoads":
        """The same with so many times the bytes."""
        return replace(self, bytes=self.bytes * factor, busy_s=self.busy_s * factor, longest_s=self.longest_s * factor)


@dataclass(frozen=True, eq=False, repr=False)
class LinkLoads(Shown):
    """Bytes that each link of a fabric carries.

    Attributes
    ----------
    topology : Topology
    bytes : (n_links,) float64
    unrouted : Unrouted
        Pairs that have no way along the switches' tables, and were left out.
    """

    topology: Topology
    bytes: FloatVector
    unrouted: Unrouted = NOTHING

    def __post_init__(self) -> None:
        loads = frozen_array(self.bytes, np.float64, "loads.bytes")
        if loads.shape[0] != self.topology.n_links:
            raise InputError(f"loads.bytes: expected {self.topology.n_links} values, got {loads.shape[0]}")
        object.__setattr__(self, "bytes", loads)

    @classmethod
    def none(cls, topology: Topology) -> "LinkLoads":
        """No bytes on any link."""
        return cls(topology, np.zeros(topology.n_links))

    def __add__(self, other: "LinkLoads") -> "LinkLoads":
        if other.topology is not self.topology:
            raise InputError("loads: expected loads of the same topology to add")
        return LinkLoads(self.topology, self.bytes + other.bytes, self.unrouted + other.unrouted)

    def _facts(self) -> Facts:
        facts = [
            ("fabric", repr(self.topology.name)),
            ("links", f"{self.topology.n_links:,}, {np.count_nonzero(self.bytes):,} with load"),
            ("bytes", f"{self.bytes.sum():.4g} B on all links"),
            ("bottleneck", f"{self.bottleneck_time_s:.4g} s"),
        ]
        if self.bottleneck_time_s > 0:
            facts.append(("hottest", self.topology.link_name(self.bottleneck_link)))
        if self.unrouted.pairs:
            facts.append(("unrouted", f"{self.unrouted.pairs:,} pairs, {self.unrouted.bytes:.4g} B"))
        return facts

    def scaled(self, factor: float) -> "LinkLoads":
        """Every load times `factor`."""
        return LinkLoads(self.topology, self.bytes * factor, self.unrouted.scaled(factor))

    def ratio_to(self, other: "LinkLoads") -> FloatVector:
        """Load of each link over that in `other`, (n_links,) float64; NaN where both are zero.

        Raises
        ------
        InputError
            If `other` is of another topology.
        """
        if other.topology is not self.topology:
            raise InputError("loads: expected loads of the same topology to compare")
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.bytes / other.bytes

    @cached_property
    def seconds(self) -> FloatVector:
        """Load over capacity, (n_links,) float64: how long the link is busy."""
        return frozen_array(self.bytes * 8.0 / (self.topology.link_capacity_gbps * 1e9), np.float64, "seconds")

    def seconds_of(self, link: int) -> float:
        """Load over capacity of one link."""
        return float(self.bytes[link] * 8.0 / (self.topology.link_capacity_gbps[link] * 1e9))

    @cached_property
    def groups(self) -> GroupLoads:
        """Sums by kind, tier and direction of links.  O(n_links), without as long an array."""
        from fabric._kernels.tier_sums import sum_by_tier

        topology, numbers = self.topology, self.topology.link_groups
        n = numbers.kind.size
        total, busy_s, longest_s, *scratch = (np.zeros(n) for _ in range(5))
        used, longest = np.zeros(n, np.int64), np.full(n, UNKNOWN, np.int64)
        sum_by_tier(
            topology.out_start, numbers.number, self.bytes, topology.link_capacity_gbps,
            total, used, busy_s, longest_s, longest, *scratch,
        )  # fmt: skip
        return GroupLoads(total, used, busy_s, longest_s, longest)

    @property
    def bottleneck_time_s(self) -> float:
        """Largest load over capacity, seconds: no schedule of these bytes can be faster."""
        return float(self.groups.longest_s.max(initial=0.0))

    @property
    def bottleneck_link(self) -> int:
        """The first link that sets `bottleneck_time_s`."""
        groups = self.groups
        first = groups.longest[(groups.longest_s == self.bottleneck_time_s) & (groups.longest != UNKNOWN)]
        return int(first.min(initial=self.topology.n_links)) if first.size else 0

    def to_networkx(self) -> "networkx.MultiDiGraph[Any]":
        """The fabric with `bytes` on every edge."""
        from fabric.formats.node_link import to_networkx

        return to_networkx(self.topology, self.bytes)

    def to_pandas(self) -> "pandas.DataFrame":
        """A row per directed link, with the columns of the per-link CSV; needs pandas.

        The columns are tail, tail_port, head, head_port, kind, tier, direction, rail, plane, capacity_gbps and bytes.
        Ports, rails and planes that are not known are ``<NA>`` (Int64); kind and direction are categories.

        Raises
        ------
        InputError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise InputError("to_pandas: expected pandas to be installed: pip install pandas") from None
        topology = self.topology
        nodes, tail, head = topology.nodes, topology.link_tail, topology.link_head
        names = np.array(nodes.name, dtype=object)

        def optional(values: Any) -> Any:
            return pd.arrays.IntegerArray(values.astype(np.int64), values == UNKNOWN)

        def of_either_end(values: Any) -> Any:
            return optional(np.where(values[tail] != UNKNOWN, values[tail], values[head]))

        return pd.DataFrame(
            {
                "tail": names[tail],
                "tail_port": optional(topology.link_tail_port),
                "head": names[head],
                "head_port": optional(topology.link_head_port),
                "kind": pd.Categorical.from_codes(topology.link_kind, categories=list(LINK_KINDS)),
                "tier": topology.link_tier,
                "direction": pd.Categorical.from_codes(topology.link_direction, categories=list(DIRECTIONS)),
                "rail": of_either_end(nodes.rail),
                "plane": of_either_end(nodes.plane),
                "capacity_gbps": topology.link_capacity_gbps,
                "bytes": self.bytes,
            }
        )


@dataclass(frozen=True, eq=False, repr=False)
class ScheduleLoads(Shown):
    """Loads of every phase of a schedule (one of its repeats), and how the phases overlap.

    Attributes
    ----------
    topology : Topology
    phases : tuple of LinkLoads
    repeats : tuple of int
    labels : tuple of str
    overlap : {"sequential", "pipelined"}
    """

    topology: Topology
    phases: tuple[LinkLoads, ...]
    repeats: tuple[int, ...]
    labels: tuple[str, ...]
    overlap: Overlap

    def _facts(self) -> Facts:
        n = len(self.phases)
        return [
            ("fabric", repr(self.topology.name)),
            ("phases", f"{n} {self.overlap}: {', '.join(self.labels[:3])}{', ...' if n > 3 else ''}"),
            ("bytes", f"{self.total.bytes.sum():.4g} B on all links"),
            ("bottleneck", f"{self.bottleneck_time_s:.4g} s"),
        ]

    @cached_property
    def total(self) -> LinkLoads:
        """Bytes per link, all phases and repeats together."""
        total = np.zeros(self.topology.n_links)
        unrouted = NOTHING
        for loads, repeat in zip(self.phases, self.repeats, strict=True):
            total += repeat * loads.bytes
            unrouted += loads.unrouted.scaled(repeat)
        return LinkLoads(self.topology, total, unrouted)

    @cached_property
    def total_groups(self) -> GroupLoads:
        """Sums of `total` by kind, tier and direction of links; of one phase without writing it out again."""
        if len(self.phases) == 1:
            return self.phases[0].groups.scaled(self.repeats[0])
        return self.total.groups

    @cached_property
    def bottleneck_time_s(self) -> float:
        """Sequential: the phases' bottleneck times added up.  Pipelined: the bottleneck of all their loads."""
        if self.overlap == "pipelined":
            return float(self.total_groups.longest_s.max(initial=0.0))
        return sum(repeat * loads.bottleneck_time_s for loads, repeat in zip(self.phases, self.repeats, strict=True))
