"""Time with latency: alpha for every step, beta from the loads, as explicit parameters with their sources.

``time = base + steps x step latency + bottleneck time / efficiency``.  A step that stays inside the scale-up domain
costs less than one over the network.
"""

from dataclasses import dataclass

import numpy as np

from collectives.demand import AllToAll, Demand, FloatVector, Flows
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule
from fabric.load import ScheduleLoads
from fabric.placement import Placement
from fabric.topology import NIC, NVLINK


@dataclass(frozen=True)
class Protocol:
    """How a library moves bytes.

    Attributes
    ----------
    name : str
    base_s : float
        Once for a collective.
    scale_up_step_s, network_step_s : float
        For a step over NVLink, and over the network.
    efficiency : float
        Payload over bytes moved.
    """

    name: str
    base_s: float
    scale_up_step_s: float
    network_step_s: float
    efficiency: float


# NVIDIA NCCL, src/graph/tuning.cc, tables baseLat and hwLat, algorithm ring: LL, LL128, Simple; NVLINK and NET.  LL
# sends a 4-byte flag with 4 bytes of data, LL128 8 bytes of flag in each 128.
PROTOCOLS = (
    Protocol("LL", 6.6e-6, 0.6e-6, 2.7e-6, 0.5),
    Protocol("LL128", 14.0e-6, 1.9e-6, 4.0e-6, 120 / 128),
    Protocol("Simple", 8.4e-6, 3.4e-6, 14.0e-6, 1.0),
)

# The same tables for what switches reduce (Simple only): NVLS, and CollNetDirect for the network.
IN_NETWORK = {
    "nvls": (Protocol("Simple", 0.0, 25.0e-6, 18.0e-6, 1.0),),
    "sharp": (Protocol("Simple", 0.0, 25.0e-6, 31.0e-6, 1.0),),
}

# Payload over bytes on the wire for messages of 4,096-byte packets (the MTU is assumed): InfiniBand LRH 8, BTH 12,
# ICRC 4, VCRC 2; RoCEv2 Ethernet 14 + 4, IPv4 20, UDP 8, BTH 12, ICRC 4, and preamble with gap 20 on the line.
WIRE_EFFICIENCY = {"infiniband": 4096 / (4096 + 26), "spectrum-x": 4096 / (4096 + 82)}


@dataclass(frozen=True)
class TimeModel:
    """Parameters of a prediction.

    Attributes
    ----------
    protocols : tuple of Protocol
        The fastest one for a size is taken, as libraries do.
    wire_efficiency : float
        Of the network's links.
    hop_s : float
        For each link of the network that a byte crosses on its way, on top of the protocol's step latency.
    message_s : float
        For each message that a rank sends one after the other: n - 1 of them in a direct all-to-all of n ranks.
    """

    protocols: tuple[Protocol, ...] = PROTOCOLS
    wire_efficiency: float = 1.0
    hop_s: float = 0.0
    message_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.protocols or not 0 < self.wire_efficiency <= 1 or min(self.hop_s, self.message_s) < 0:
            raise InputError("time model: expected protocols, an efficiency in (0, 1] and a latency >= 0")


@dataclass(frozen=True)
class Cost:
    """What a schedule costs apart from its size: everything that a prediction for another size needs.

    Attributes
    ----------
    seconds_per_byte : float
        Bottleneck time over the size that nccl-tests prints, wire efficiency counted.
    scale_up_steps, network_steps : float
        Steps that follow one another: rings count a step in part where only some of its sends cross domains.
    hops : float
        Network links that a byte crosses, summed over the steps.
    messages : float
        Messages of the rank that sends most, summed over the steps.
    """

    seconds_per_byte: float
    scale_up_steps: float
    network_steps: float
    hops: float
    messages: float = 0.0


def cost_of(schedule: Schedule, loads: ScheduleLoads, placement: Placement, size: float, model: TimeModel) -> Cost:
    """Take a schedule's loads apart.

    Parameters
    ----------
    size : float
        The size for which the schedule was made.
    """
    topology = loads.topology
    domain = topology.endpoint_domain[placement.endpoint]
    network = topology.link_kind != NVLINK
    efficiency = np.where(network, model.wire_efficiency, 1.0)
    inside = outside = hops = messages = 0.0
    for phase, carried in zip(schedule.phases, loads.phases, strict=True):
        share = _network_share(phase, domain)
        steps = phase.repeat * phase.depth
        out = steps * share
        outside += out
        inside += steps - out
        messages += phase.repeat * max((_most_messages(demand) for demand in phase.demands), default=0)
        injected = float(carried.bytes[(topology.link_kind == NIC)].sum()) / 2
        if injected > 0:
            hops += steps * share * float(carried.bytes[network].sum()) / injected
    if loads.overlap == "pipelined":
        busy = float((loads.total.seconds / efficiency).max(initial=0.0))
    else:
        busy = sum(
            repeat * float((part.seconds / efficiency).max(initial=0.0))
            for part, repeat in zip(loads.phases, loads.repeats, strict=True)
        )
    return Cost(busy / size, inside, outside, hops, messages)


def _most_messages(demand: Demand) -> int:
    """Messages of the rank that sends most; one for a buffer that the network reduces."""
    if isinstance(demand, Flows):
        return int(np.bincount(demand.src).max(initial=0))
    if isinstance(demand, AllToAll):
        return int(demand.groups.sizes.max(initial=1)) - 1
    return 1


def _network_share(phase: Phase, domain: "np.ndarray[tuple[int], np.dtype[np.int32]]") -> float:
    """Which part of a step's latency is the network's.

    A chunk goes round a ring in as many steps as there are members, and crosses domains in the steps whose sends do;
    a step of its own waits for its slowest send.
    """
    crossing: FloatVector | None = None
    for demand in phase.demands:
        if isinstance(demand, Flows):
            crossing = (domain[demand.src] != domain[demand.dst]) | (domain[demand.src] < 0)
            if phase.repeat * phase.depth > 1:
                return float(crossing.mean()) if crossing.size else 0.0
            if crossing.any():
                return 1.0
        else:
            groups = demand.groups
            ranks = domain[groups.rank]
            first = np.repeat(ranks[groups.start[:-1][groups.sizes > 0]], groups.sizes[groups.sizes > 0])
            if ((ranks != first) | (ranks < 0)).any():
                return 1.0
    return 0.0


def predicted_s(cost: Cost, size: float, model: TimeModel, algorithm: str = "") -> tuple[float, Protocol]:
    """Time of a size by the fastest protocol that the algorithm has, and that protocol."""
    protocols = IN_NETWORK.get(algorithm, PROTOCOLS) if model.protocols is PROTOCOLS else model.protocols
    times = [
        (
            one.base_s
            + cost.scale_up_steps * one.scale_up_step_s
            + cost.network_steps * one.network_step_s
            + cost.hops * model.hop_s
            + cost.messages * model.message_s
            + cost.seconds_per_byte * size / one.efficiency,
            number,
        )
        for number, one in enumerate(protocols)
    ]
    time_s, number = min(times)
    return time_s, protocols[number]


def fit(sizes: FloatVector, times_s: FloatVector, cost: Cost) -> tuple[float, float]:
    """Base latency and efficiency that explain measured times: ``time = base + seconds_per_byte size / efficiency``.

    The relative error is what is made small, in least squares, so that small sizes count.

    Raises
    ------
    InputError
        If there are fewer than two sizes, or the times do not grow with them.
    """
    if np.unique(sizes).size < 2:
        raise InputError("fit: expected measurements of at least two sizes")
    weights = 1.0 / times_s
    design = np.stack([np.ones_like(sizes), cost.seconds_per_byte * sizes], axis=1) * weights[:, None]
    (base, slope), *_ = np.linalg.lstsq(design, np.ones_like(sizes), rcond=None)
    if slope <= 0:
        raise InputError("fit: the measured times do not grow with the size")
    return max(0.0, float(base)), float(1.0 / slope)


def model_for(
    technology: str, hop_s: float = 0.0, message_s: float = 0.0, own: Protocol | None = None
) -> tuple[TimeModel, list[str]]:
    """The default model of a fabric, and its sources in words.

    Parameters
    ----------
    technology : str
        ``infiniband`` or ``spectrum-x``; of others the wire efficiency is taken as 1.
    hop_s, message_s : float
        As for `TimeModel`.
    own : Protocol, optional
        The user's figures instead of NCCL's.
    """
    wire = WIRE_EFFICIENCY.get(technology, 1.0)
    notes = [
        "latency: base and per step as in NCCL's tuning tables (ring; LL, LL128, Simple), the fastest protocol taken"
    ]
    if own is not None:
        notes = [
            f"latency: base {own.base_s * 1e6:g} us, step {own.scale_up_step_s * 1e6:g} us inside the domain and "
            f"{own.network_step_s * 1e6:g} us over the network, efficiency {own.efficiency:g}, as given"
        ]
    if technology in WIRE_EFFICIENCY:
        notes.append(f"wire: {wire:.1%} of a packet of 4,096 bytes is payload (MTU assumed)")
    notes.append(
        f"latency of a hop {hop_s * 1e9:g} ns, of a message {message_s * 1e9:g} ns (0 unless given: no source)"
    )
    protocols = PROTOCOLS if own is None else (own,)
    return TimeModel(protocols, wire, hop_s, message_s), notes
