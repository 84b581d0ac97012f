"""Routing policies: what a switch with several equal-cost next hops does."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from collectives.demand import Int32Vector, Int64Vector
from collectives.errors import InputError
from fabric._kernels.arrays import Int32Matrix, UInt64Matrix, UInt64Vector
from fabric.routing.layer import Layer


@dataclass(frozen=True)
class Adaptive:
    """Split in proportion to the capacity that leads on to the destination.

    Models Spectrum-X RoCE adaptive routing, InfiniBand adaptive routing and packet spraying.
    """

    name: ClassVar[str] = "adaptive"

    @property
    def parameters(self) -> dict[str, object]:
        return {}


@dataclass(frozen=True)
class Ecmp:
    """A hash of the flow picks one next hop: static equal-cost multipath, with its collisions.

    Hashed are the source endpoint, the destination endpoint, the queue pair and the source's port (what a switch sees
    as addresses and UDP source port), together with the switch's seed.

    Attributes
    ----------
    queue_pairs : int
        Queue pairs over which a pair of endpoints spreads its bytes evenly; each has a path of its own.  NCCL's
        default (NCCL_IB_QPS_PER_CONNECTION) is 1.
    seed : int
        Chooses the seeds of the switches.
    shared_seed : bool
        All switches hash alike, so that a switch repeats the choice of the one before it (polarization).
    """

    queue_pairs: int = 1
    seed: int = 0
    shared_seed: bool = False
    name: ClassVar[str] = "ecmp"

    def __post_init__(self) -> None:
        if self.queue_pairs < 1:
            raise InputError(f"queue pairs: expected an integer >= 1, got {self.queue_pairs}")
        if self.seed < 0:
            raise InputError(f"seed: expected an integer >= 0, got {self.seed}")

    @property
    def parameters(self) -> dict[str, object]:
        return {"queue_pairs": self.queue_pairs, "seed": self.seed, "shared_seed": self.shared_seed}

    def switch_seeds(self, layer: Layer) -> UInt64Vector:
        """Hash seed of each switch, (S,) uint64: depends on `seed` and the switch's node only."""
        generator = np.random.Generator(np.random.PCG64([self.seed, 1]))
        n_nodes = int(layer.switch_node.max(initial=-1)) + 1
        seeds = generator.integers(0, 2**64, size=max(n_nodes, 1), dtype=np.uint64)
        return np.full(layer.n_switches, seeds[0]) if self.shared_seed else seeds[layer.switch_node]

    def port_keys(self, layer: Layer) -> UInt64Matrix:
        """What queue pair and port add to the hash, (queue_pairs, W) uint64."""
        generator = np.random.Generator(np.random.PCG64(2))
        return generator.integers(0, 2**64, size=(self.queue_pairs, layer.width), dtype=np.uint64)


@dataclass(frozen=True)
class DModK:
    """The index of the destination picks one: InfiniBand's ftree-style static routing.

    Destinations are numbered leaf by leaf; a switch takes next hop ``floor(d / D) mod c`` of c, with D the product of
    the numbers of parents in the tiers below it, and next hops ordered by cable, then switch.
    """

    name: ClassVar[str] = "dmodk"

    @property
    def parameters(self) -> dict[str, object]:
        return {}


@dataclass(frozen=True, eq=False)
class Lft:
    """The switches' own forwarding tables, as a subnet manager filled them.

    An endpoint has one or more LIDs (several ports, or LMC > 0).  Each port of a source spreads its bytes evenly over
    the LIDs of the destination that the tables reach from there.

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
        Leave pairs without a way out and count them, instead of refusing.
    """

    source: str
    row_start: Int64Vector
    lid: Int32Vector
    next_link: Int32Matrix
    skip_unrouted: bool = False
    name: ClassVar[str] = "lft"

    @property
    def parameters(self) -> dict[str, object]:
        return {"tables": self.source, "skip_unrouted": self.skip_unrouted}


Routing = Adaptive | Ecmp | DModK | Lft
COMPUTED: dict[str, type[Adaptive | Ecmp | DModK]] = {policy.name: policy for policy in (Adaptive, Ecmp, DModK)}
