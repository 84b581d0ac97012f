"""Routing policies as data: what a switch with several ways to a destination does.

How each of them is carried out is registered in `fabric.routing.registry`.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from typing import ClassVar

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector, frozen_array
from collectives.errors import InputError
from fabric._kernels.arrays import Int32Matrix, UInt64Matrix, UInt64Vector
from fabric.formats.infiniband.lfts import LftDump
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.layer import Layer


class Routing:
    """A routing policy: what all of them derive from.

    A policy of one's own is a subclass with a `name`, best a frozen dataclass whose fields are its parameters;
    `register_policy` says how it is carried out.

    Attributes
    ----------
    name : str
        What reports and options call it; of the class.
    routes_domains : bool
        Of the class: the policy routes pairs inside a scale-up domain itself.  By default it does not, and their
        NVLink switches split them evenly.
    """

    name: ClassVar[str]
    routes_domains: ClassVar[bool] = False

    @property
    def parameters(self) -> dict[str, object]:
        """What a report says of the policy beside its name: by default the fields of the dataclass."""
        return {field.name: getattr(self, field.name) for field in fields(self)} if is_dataclass(self) else {}


@dataclass(frozen=True)
class Adaptive(Routing):
    """Split in proportion to the capacity that leads on to the destination.

    Models Spectrum-X RoCE adaptive routing, InfiniBand adaptive routing and packet spraying.
    """

    name: ClassVar[str] = "adaptive"


@dataclass(frozen=True)
class Ecmp(Routing):
    """A hash of the flow picks one next hop: static equal-cost multipath, with its collisions.

    Hashed are the source endpoint, the destination endpoint, the queue pair and the source's port (what a switch sees
    as addresses and UDP source port), together with the switch's seed.

    Attributes
    ----------
    queue_pairs : int or None
        Flows over which a pair of endpoints spreads its bytes evenly (channels times queue pairs); each has a path of
        its own.  None: as many as the job's library opens (`Scenario` asks `opened_flows`); 1 where no job is known.
    seed : int
        Chooses the seeds of the switches.
    shared_seed : bool
        All switches hash alike, so that a switch repeats the choice of the one before it (polarization).
    """

    queue_pairs: int | None = None
    seed: int = 0
    shared_seed: bool = False
    name: ClassVar[str] = "ecmp"

    def __post_init__(self) -> None:
        if self.queue_pairs is not None and self.queue_pairs < 1:
            raise InputError(f"queue_pairs: expected an integer >= 1, got {self.queue_pairs}")
        if self.seed < 0:
            raise InputError(f"seed: expected an integer >= 0, got {self.seed}")

    @property
    def flows_a_pair(self) -> int:
        """Flows of a pair of endpoints."""
        return self.queue_pairs or 1

    @property
    def parameters(self) -> dict[str, object]:
        """What it hashes."""
        return {**super().parameters, "queue_pairs": self.flows_a_pair}

    def switch_seeds(self, layer: Layer) -> UInt64Vector:
        """Hash seed of each switch, (S,) uint64: depends on `seed` and the switch's node only."""
        generator = np.random.Generator(np.random.PCG64([self.seed, 1]))
        n_nodes = int(layer.switch_node.max(initial=-1)) + 1
        seeds = generator.integers(0, 2**64, size=max(n_nodes, 1), dtype=np.uint64)
        return np.full(layer.n_switches, seeds[0]) if self.shared_seed else seeds[layer.switch_node]

    def port_keys(self, layer: Layer) -> UInt64Matrix:
        """What queue pair and port add to the hash, (queue_pairs, W) uint64."""
        generator = np.random.Generator(np.random.PCG64(2))
        return generator.integers(0, 2**64, size=(self.flows_a_pair, layer.width), dtype=np.uint64)


@dataclass(frozen=True)
class DModK(Routing):
    """The index of the destination picks one: InfiniBand's ftree-style static routing.

    Destinations are numbered leaf by leaf; a switch takes next hop ``floor(d / D) mod c`` of c, with D the product of
    the numbers of parents in the tiers below it, and next hops ordered by cable, then switch.
    """

    name: ClassVar[str] = "dmodk"


@dataclass(frozen=True, eq=False)
class Lft(Routing):
    """The switches' own forwarding tables, as a subnet manager filled them.

    `read_lfts` reads tables from a dump and `match_lfts` finds what they mean in a fabric: its ``routing`` is one of
    these.  An endpoint has one or more LIDs (several ports, or LMC > 0).  Each port of a source spreads its bytes
    evenly over the LIDs of the destination that the tables reach from there.

    Attributes
    ----------
    source : str
        Where the tables come from.
    row_start : (n_endpoints + 1,) int64
        Where the rows of each endpoint begin.
    lid : (n_rows,) int32
        LID of each row.
    next_link : (n_rows, n_switches) int32
        Link by which a switch (in the order of the topology's nodes) sends to the row's LID; negative where it sends
        nowhere: `NO_ENTRY`, `DEAD_PORT` or `WRONG_END` (to itself) of `fabric._kernels.arrays.WayEnd`.
    skip_unrouted : bool
        Leave pairs without a way out and count them (`LinkLoads.unrouted`), instead of refusing.
    dump : LftDump or None
        What they were read from, to be matched to other cables; None where it is not at hand.
    """

    source: str
    row_start: Int64Vector
    lid: Int32Vector
    next_link: Int32Matrix
    skip_unrouted: bool = False
    dump: LftDump | None = field(default=None, repr=False)
    name: ClassVar[str] = "lft"

    @property
    def parameters(self) -> dict[str, object]:
        """The tables' source, not the tables."""
        return {"tables": self.source, "skip_unrouted": self.skip_unrouted}


@dataclass(frozen=True, eq=False)
class LinkWeights(Routing):
    """Paths of least total weight, as OSPF or IS-IS find them from the metrics of the links.

    The weight of a path is the sum over its links, those of the endpoints included.  Where several next hops lie on
    paths of least weight, a switch splits in proportion to the capacity that leads on, as `Adaptive` does.  Only the
    lightest of an endpoint's parallel cables to one switch are used.  Sums that differ by less than 1e-9 of themselves
    count as equal: 0.1 + 0.2 and 0.3 do.

    Attributes
    ----------
    weight : (n_links,) float64
        Of each link of the topology, finite and > 0; the two directions of a cable may differ.  Those of NVLinks are
        not read.
    """

    weight: FloatVector
    name: ClassVar[str] = "link-weights"

    def __post_init__(self) -> None:
        weight = frozen_array(self.weight, np.float64, "weight")
        bad = np.flatnonzero(~(np.isfinite(weight) & (weight > 0)))
        if bad.size:
            raise InputError(f"weight[{bad[0]}]: expected a finite number > 0, got {weight[bad[0]]}")
        object.__setattr__(self, "weight", weight)

    @property
    def parameters(self) -> dict[str, object]:
        """The range of the weights, not each of them."""
        known = self.weight if self.weight.size else np.zeros(1)
        return {"least_weight": float(known.min()), "most_weight": float(known.max())}


@dataclass(frozen=True, eq=False)
class GivenPaths(Routing):
    """The flows take the links that are given: flow i of a `Flows` demand path i.

    A path may split (`FlowPaths.fraction`).  A flow without links must stay where it is, have no bytes, or have both
    ends in one scale-up domain: its NVLink switches carry it then.

    Attributes
    ----------
    paths : FlowPaths
        From the source's cable to the destination's, in any order; switches alone stand in between.
    source : str
        Where the paths come from, for reports.
    """

    paths: FlowPaths
    source: str = "given"
    name: ClassVar[str] = "given-paths"
    routes_domains: ClassVar[bool] = True

    @property
    def parameters(self) -> dict[str, object]:
        """Where the paths come from, and how many there are."""
        return {"paths": self.source, "flows": self.paths.n_flows}
