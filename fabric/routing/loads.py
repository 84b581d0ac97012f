"""Bytes per link as routing leaves them: of one demand, and of a schedule phase by phase."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from collectives.demand import FloatVector, frozen_array
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

    @property
    def bottleneck_time_s(self) -> float:
        """Largest load over capacity, seconds: no schedule of these bytes can be faster."""
        return float(self.seconds.max(initial=0.0))

    @property
    def bottleneck_link(self) -> int:
        """The first link that sets `bottleneck_time_s`."""
        return int(self.seconds.argmax())

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
    def bottleneck_time_s(self) -> float:
        """Sequential: the phases' bottleneck times added up.  Pipelined: the bottleneck of all their loads."""
        if self.overlap == "pipelined":
            return self.total.bottleneck_time_s
        return sum(repeat * loads.bottleneck_time_s for loads, repeat in zip(self.phases, self.repeats, strict=True))
