"""Every cable between switches gone by itself, under adaptive routing, without routing all bytes anew each time.

sweep = CableSweep.of(topology, schedule, placement)
lost = sweep.without(links)      # seconds, busiest link, and for each link the cable that loads it most
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from collectives.demand import AllToAll, BoolVector, FloatVector, Flows, Int32Vector, Int64Vector, Reduction
from collectives.schedule import Schedule
from fabric import memory
from fabric._kernels.arrays import OutHops, TowardsAll
from fabric.jobs.placement import Placement
from fabric.routing.bundles import bundles_of
from fabric.routing.chunks import for_each_chunk
from fabric.routing.in_network import reduction_bytes
from fabric.routing.layer import Layer, layer_of
from fabric.routing.link_loads import LinkLoads, ScheduleLoads, schedule_loads
from fabric.routing.policies import Adaptive
from fabric.topology import NVLINK, SWITCH, UNKNOWN, Topology

if TYPE_CHECKING:
    from fabric._kernels.one_cable_less import JobSlots, PhaseLoads, Scratch, Without

MOST_NUMBERS = 3e7
# Of a switch and a leaf, but for the bytes of the phases: distance, two capacities, two places.
_WAY_BYTES = 28.0
"""Of ways and bytes by phase, destination and switch, that are kept: some hundred MB.  Assumed to fit any machine."""


@dataclass(frozen=True, eq=False)
class LostCables:
    """What single cables cost.

    Attributes
    ----------
    time_s : (n,) float64
        Of the schedule; NaN where the cable must be computed in full: a pair of endpoints might be cut off, or a NIC
        might share its ports out anew.
    worst_link : (n,) int32
        The busiest link then; undefined where `time_s` is NaN.
    highest_s : (n_links,) float64
        Load over capacity of each link, all phases together, under the cable that loads it most; without those of NaN.
    by : (n_links,) int32
        That cable, by its place among those asked for; `UNKNOWN` where none loads the link more.
    """

    time_s: FloatVector
    worst_link: Int32Vector
    highest_s: FloatVector
    by: Int32Vector


@dataclass(frozen=True, eq=False)
class CableSweep:
    """A schedule's bytes on their ways to every destination, from which those without a cable follow.

    Attributes
    ----------
    topology : Topology
    loads : ScheduleLoads
        With all cables.
    """

    topology: Topology
    loads: ScheduleLoads
    _layer: Layer
    _out: OutHops
    _towards: TowardsAll
    _used: BoolVector

    @classmethod
    def of(
        cls, topology: Topology, schedule: Schedule, placement: Placement, n_threads: int | None = None
    ) -> "CableSweep | None":
        """Route a schedule; None where single cables would have to be computed in full each.

        That is where switches of the network reduce, where what arrives at an endpoint by which of its ports depends on
        the way, and where the ways to all destinations are too many to keep.

        Parameters
        ----------
        topology : Topology
        schedule : Schedule
        placement : Placement
        n_threads : int, optional

        Raises
        ------
        Unroutable
            As `schedule_loads`.
        """
        layer = layer_of(topology, SWITCH)
        together = schedule.overlap == "pipelined"
        n_phases = 1 if together else max(1, len(schedule.phases))
        size = n_phases * layer.n_classes * max(layer.n_switches, layer.n_classes)
        if size > MOST_NUMBERS or layer.n_isls == 0:
            return None
        what = f"single cables to lose: the ways to {layer.n_classes:,} leaves from {layer.n_switches:,} switches"
        memory.require(what, _WAY_BYTES * layer.n_classes * layer.n_switches + 16.0 * size)
        pair_bytes = np.zeros((n_phases, layer.n_classes, layer.n_classes))
        for number, phase in enumerate(schedule.phases):
            for demand in phase.demands:
                if isinstance(demand, Reduction):
                    if _leaves_domains(topology, demand, placement):
                        return None
                    continue
                own = class_bytes(topology, layer, demand, placement)
                pair_bytes[0 if together else number] += phase.repeat * own if together else own
        loads = schedule_loads(topology, schedule, placement, Adaptive(), n_threads)
        out = _out_hops(layer)
        towards, mixed = _gone_towards(layer, out, pair_bytes, n_threads)
        used = np.bincount(layer.endpoint_class[placement.endpoint], minlength=layer.n_classes) > 0
        if (mixed & used).any():
            return None
        return cls(topology, loads, layer, out, towards, used)

    def without(self, links: Int64Vector, n_threads: int | None = None) -> LostCables:
        """Each of some cables gone by itself.

        O(what changes): towards most destinations the switch at one end of the cable splits anew, towards those beyond
        it all that send through it.  The result does not depend on the number of threads.

        Parameters
        ----------
        links : (n,) int64
            A link between switches of each cable.
        n_threads : int, optional
        """
        from fabric._kernels.one_cable_less import Without

        topology, layer, n = self.topology, self._layer, len(links)
        found = Without(np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.bool_))
        total = self.loads.total.seconds[layer.isl_link]
        bests: dict[int, tuple[FloatVector, Int32Vector]] = {}

        def chunk(number: int, n_chunks: int) -> None:
            bests[number] = total.copy(), np.full(layer.n_isls, UNKNOWN, np.int32)
            self._lose(links, number, n_chunks, found, *bests[number])

        for_each_chunk(chunk, n, n_threads)
        highest, by = total.copy(), np.full(layer.n_isls, UNKNOWN, np.int32)
        for number in sorted(bests):
            more, cable = bests[number]
            better = (more > highest) | ((more == highest) & (cable != UNKNOWN) & ((by == UNKNOWN) | (cable < by)))
            better &= cable != UNKNOWN
            highest[better], by[better] = more[better], cable[better]
        everywhere, which = self.loads.total.seconds.copy(), np.full(topology.n_links, UNKNOWN, np.int32)
        everywhere[layer.isl_link], which[layer.isl_link] = highest, by
        return LostCables(np.where(found.in_full, np.nan, found.time_s), found.link, everywhere, which)

    def seconds_without(self, link: int) -> FloatVector | None:
        """Load over capacity of each link, all phases together, without one cable, (n_links,); None as `time_s` NaN."""
        from fabric._kernels.one_cable_less import Without

        layer, seconds = self._layer, self.loads.total.seconds.copy()
        found = Without(np.zeros(1), np.zeros(1, np.int32), np.zeros(1, np.bool_))
        unused = np.zeros(layer.n_isls), np.full(layer.n_isls, UNKNOWN, np.int32)
        scratch = self._lose(np.array([link]), 0, 1, found, *unused)
        touched = np.flatnonzero(scratch.stamp)
        repeat, per_byte = self._phases.repeat, self._phases.seconds
        seconds[layer.isl_link[touched]] += (repeat @ scratch.delta[:, touched]) * per_byte[touched]
        return None if found.in_full[0] else seconds

    def _lose(
        self,
        links: Int64Vector,
        number: int,
        n_chunks: int,
        found: "Without",
        highest: FloatVector,
        by: Int32Vector,
    ) -> "Scratch":
        from fabric._kernels.one_cable_less import empty_scratch, lose_cables

        layer = self._layer
        scratch = empty_scratch(len(self._phases.repeat), layer.n_switches, layer.n_isls)
        cables = np.column_stack([self._isl[links], self._isl[self.topology.link_reverse[links]]])
        lose_cables(
            layer.arrays, self._out, self._towards, self._job, self._phases, self._ends, cables, number, n_chunks,
            scratch, found, highest, by,
        )  # fmt: skip
        return scratch

    @cached_property
    def _phases(self) -> "PhaseLoads":
        return _phase_loads(self.loads, self._layer)

    @cached_property
    def _job(self) -> "JobSlots":
        return _job_slots(self._layer, self._used)

    @cached_property
    def _isl(self) -> Int32Vector:
        """ISL of each link, (n_links,)."""
        place = np.full(self.topology.n_links, UNKNOWN, np.int32)
        place[self._layer.isl_link] = np.arange(self._layer.n_isls, dtype=np.int32)
        return place

    @cached_property
    def _ends(self) -> npt.NDArray[np.int32]:
        """Switch that each ISL leaves, and reaches, (T, 2)."""
        topology, layer = self.topology, self._layer
        switch = np.full(topology.n_nodes, UNKNOWN, np.int32)
        switch[layer.switch_node] = np.arange(layer.n_switches, dtype=np.int32)
        return np.column_stack([switch[end[layer.isl_link]] for end in (topology.link_tail, topology.link_head)])


def _phase_loads(loads: ScheduleLoads, layer: Layer) -> "PhaseLoads":
    """Loads with all cables, as the kernel reads them."""
    from fabric._kernels.one_cable_less import PhaseLoads

    topology, isl = loads.topology, layer.isl_link
    together = loads.overlap == "pipelined"
    phases = (loads.total,) if together else loads.phases or (LinkLoads.none(topology),)
    repeats = (1,) if together else loads.repeats or (1,)
    others = np.ones(topology.n_links, bool)
    others[isl] = False
    others = np.flatnonzero(others)
    total = loads.total.seconds
    busiest = int(others[total[others].argmax()]) if others.size else topology.n_links
    return PhaseLoads(
        bytes=np.stack([one.bytes[isl] for one in phases]),
        repeat=np.array(repeats, np.float64),
        seconds=8.0 / (topology.link_capacity_gbps[isl] * 1e9),
        order=np.stack([np.argsort(-one.seconds[isl], kind="stable") for one in phases]).astype(np.int32),
        other_s=np.array([one.seconds[others].max(initial=0.0) for one in phases]),
        total=total[isl],
        total_order=np.argsort(-total[isl], kind="stable").astype(np.int32),
        link=isl,
        other_total_s=float(total[others].max(initial=0.0)),
        other_link=busiest,
    )


def _job_slots(layer: Layer, used: BoolVector) -> "JobSlots":
    from fabric._kernels.one_cable_less import JobSlots

    arrays = layer.arrays
    n_slots = np.diff(arrays.slot_start)[: layer.n_classes]
    of_class = np.repeat(np.arange(layer.n_classes), n_slots)
    slots = np.flatnonzero(used[of_class])
    order = slots[np.argsort(arrays.slot_switch[slots], kind="stable")].astype(np.int32)
    start = np.searchsorted(arrays.slot_switch[order], np.arange(layer.n_switches + 1)).astype(np.int64)
    return JobSlots(used, start, order, n_slots[of_class] > 1)


def _leaves_domains(topology: Topology, demand: Reduction, placement: Placement) -> bool:
    """Whether a reduction loads links outside the scale-up domains."""
    loaded = reduction_bytes(topology, demand, placement) > 0
    return bool((loaded & (topology.link_kind != NVLINK)).any())


def class_bytes(
    topology: Topology, layer: Layer, demand: Flows | AllToAll, placement: Placement
) -> npt.NDArray[np.float64]:
    """Bytes that endpoints exchange through the network, (K, K) float64 by destination class, then source class.

    An all-to-all's bytes of members to themselves stay on their own switches and are counted.  O(K^2 + members).
    """
    n = layer.n_classes
    if isinstance(demand, Flows):
        src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
        domain = topology.endpoint_domain
        across = (domain[src] != domain[dst]) | (domain[src] == UNKNOWN)
        across &= src != dst
        pairs = layer.endpoint_class[dst[across]].astype(np.int64) * n + layer.endpoint_class[src[across]]
        flat: npt.NDArray[np.float64] = np.bincount(pairs, demand.bytes[across], n * n).astype(np.float64)
        return flat.reshape(n, n)
    endpoint = placement.endpoint[demand.groups.rank]
    attached = layer.endpoint_class[endpoint].astype(np.int64)
    group = demand.groups.member_group()
    own_domain: Int64Vector = topology.endpoint_domain[endpoint].astype(np.int64)
    everything = _of_label(group, attached, demand, n)
    inside = _of_label(_label(group, own_domain), attached, demand, n)
    if demand.block is None:
        return _rest(everything, inside)
    block = demand.block.astype(np.int64) - int(demand.block.min(initial=0))
    blocks = _of_label(_label(group, block), attached, demand, n)
    both = _of_label(_label(_label(group, own_domain), block), attached, demand, n)
    return _rest(everything, inside + blocks - both)


def _label(group: Int64Vector, value: Int64Vector) -> Int64Vector:
    """A number for each pair; -1 where either is unknown."""
    known = (group >= 0) & (value >= 0)
    made: Int64Vector = np.where(known, group * (int(value.max(initial=0)) + 1) + value, -1)
    return made


def _of_label(label: Int64Vector, attached: Int64Vector, demand: AllToAll, n: int) -> npt.NDArray[np.float64]:
    """Bytes of the pairs of members that have a label in common, (n, n) by destination class, then source class."""
    from scipy.sparse import coo_array

    known = np.flatnonzero(label >= 0)
    _, row = np.unique(label[known], return_inverse=True)
    shape = (int(row.max(initial=-1)) + 1, n)
    send, receive = (
        coo_array((weight[known], (row.ravel(), attached[known])), shape).tocsr()
        for weight in (demand.send, demand.receive)
    )
    made: npt.NDArray[np.float64] = (receive.T @ send).toarray()
    return made


def _rest(whole: npt.NDArray[np.float64], part: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A difference in which what is only rounding is nothing; the limit is assumed, as a sweep's is."""
    rest = whole - part
    return np.where(rest > 1e-12 * whole, rest, 0.0)


def _gone_towards(
    layer: Layer, out: OutHops, pair_bytes: npt.NDArray[np.float64], n_threads: int | None
) -> tuple[TowardsAll, BoolVector]:
    from fabric._kernels.one_cable_less import go_towards

    n_phases, n, _ = pair_bytes.shape
    shape = (n, layer.n_switches)
    towards = TowardsAll(np.full(shape, -1, np.int32), np.zeros(shape), np.zeros(shape), np.zeros((n_phases, *shape)),
        np.zeros(shape, np.int32), np.zeros(shape, np.int32),
    )  # fmt: skip
    mixed = np.zeros(n, np.bool_)
    bundles = bundles_of(layer).arrays

    def chunk(number: int, n_chunks: int) -> None:
        go_towards(layer.arrays, bundles, out, pair_bytes, number, n_chunks, towards, mixed)

    for_each_chunk(chunk, n, n_threads)
    return towards, mixed


def _out_hops(layer: Layer) -> OutHops:
    """ISLs out of each switch, those to one switch together."""
    arrays = layer.arrays
    tail = np.empty(layer.n_isls, np.int32)
    tail[arrays.out_link] = np.repeat(np.arange(layer.n_switches, dtype=np.int32), np.diff(arrays.out_start))
    head, gbps = np.empty(layer.n_isls, np.int32), np.empty(layer.n_isls)
    head[arrays.out_link] = arrays.out_head
    gbps[arrays.in_link] = arrays.in_gbps
    order = np.lexsort((head, tail)).astype(np.int32)
    return OutHops(arrays.out_start, head[order], order, gbps[order])
