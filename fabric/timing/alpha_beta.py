"""What a schedule costs apart from its size, and the time of a size: alpha from its steps, beta from its loads.

    time = (base + members x m + steps in the domain x a + steps over the network x b
            + hops x h + messages x o + peers x p) x F
           + size x bottleneck seconds per byte / (protocol efficiency x G)

`fabric.timing.protocols` has the parameters and their sources; F and G are 1 unless measurements say otherwise.

SHARP halves the bytes of a ring, not the time: NCCL (src/graph/tuning.cc) gives what switches reduce over several nodes
the NICs' bandwidth as busbw, ``n / (2 (n - 1))`` of it as algbw, and that is what is measured (64 H100: 387 GB/s of
400, coreweave/nccl-tests).
"""

from dataclasses import dataclass

import numpy as np

from collectives.algorithm import Algorithm, Tuning
from collectives.bandwidth import bus_factor
from collectives.demand import AllToAll, BoolVector, Demand, FloatVector, Flows, Int32Vector
from collectives.schedule import Phase, Schedule
from fabric.bounds.cut_demand import joint, lone_apart
from fabric.jobs.placement import Placement
from fabric.routing.link_loads import ScheduleLoads
from fabric.timing.protocols import Protocol, TimeModel
from fabric.topology import NIC, NVLINK


@dataclass(frozen=True)
class AlphaBeta:
    """Everything that a prediction for any size needs.

    Attributes
    ----------
    algorithm : str
    seconds_per_byte : float
        Bottleneck time over the size that nccl-tests prints, efficiencies of the links counted.
    scale_up_steps, network_steps : float
        Steps that follow one another: rings count a step in part where only some of its sends go across domains.
    hops : float
        Links beyond two that a byte crosses over the network, summed over the steps.
    messages : float
        Messages after the first that the busiest rank has over the network in a step, summed over the steps.
    peers : float
        Members of its domain that the busiest rank talks to in a step with several of them, summed over the steps.
    members : int
        Of the largest group.
    tuning : str
        Which protocols the algorithm chooses from: `Algorithm.tuning`.
    """

    algorithm: str
    seconds_per_byte: float
    scale_up_steps: float
    network_steps: float
    hops: float = 0.0
    messages: float = 0.0
    peers: float = 0.0
    members: int = 0
    tuning: Tuning = "ring"

    def latency_s(self, protocol: Protocol, model: TimeModel) -> float:
        """Time of no bytes."""
        # NCCL: a ring over several nodes posts every step to the network, also those that stay inside.
        posted = protocol.posts * model.message_s if self.network_steps > 0 else 0.0
        return model.latency_factor * (
            protocol.base_s
            + self.members * protocol.member_s
            + self.scale_up_steps * max(protocol.scale_up_step_s, posted)
            + self.network_steps * protocol.network_step_s
            + self.hops * model.hop_s
            + self.messages * model.message_s
            + self.peers * model.peer_s
        )


def predicted_s(alpha_beta: AlphaBeta, size: float, model: TimeModel) -> tuple[float, Protocol]:
    """Time of a size by the fastest protocol that the algorithm has, and that protocol; the first of equals."""
    times = [
        (
            alpha_beta.latency_s(one, model)
            + alpha_beta.seconds_per_byte * size / (one.efficiency * model.bandwidth_factor),
            number,
        )
        for number, one in enumerate(model.protocols_of(alpha_beta.tuning))
    ]
    time_s, number = min(times)
    return time_s, model.protocols_of(alpha_beta.tuning)[number]


def alpha_beta_of(
    algorithm: Algorithm,
    schedule: Schedule,
    loads: ScheduleLoads,
    placement: Placement,
    size: float,
    model: TimeModel,
    members: int = 0,
) -> AlphaBeta:
    """Take a schedule's loads apart.

    Parameters
    ----------
    algorithm : Algorithm
    schedule : Schedule
    loads : ScheduleLoads
        Of this schedule.
    placement : Placement
    size : float
        The size for which the schedule was made.
    model : TimeModel
    members : int
        Of the largest group.
    """
    topology = loads.topology
    domain = topology.endpoint_domain[placement.endpoint]
    network = topology.link_kind != NVLINK
    nic = topology.link_kind == NIC
    inside = outside = hops = messages = peers = 0.0
    for phase, carried in zip(schedule.phases, loads.phases, strict=True):
        if phase.total_bytes() == 0:
            continue
        within, across = _steps(phase, domain)
        inside += within
        outside += across
        if phase.repeat * phase.depth == 1:
            # Where steps follow one another each rank sends once in a step, on channels side by side.
            far, near = np.max([_messages(demand, domain) for demand in phase.demands], axis=0).tolist()
            messages += max(0, far - 1)
            peers += near if near > 1 else 0
        injected = float(carried.bytes[nic].sum()) / 2
        if injected > 0 and across > 0:
            hops += across * max(0.0, float(carried.bytes[network].sum()) / injected - 2.0)
    nvlink = model.scale_up_efficiency * (model.nvls_efficiency if algorithm.switches_reduce else 1.0)
    at_nic_speed = algorithm.tuning == "sharp" and members > 1
    wire = model.wire_efficiency / (bus_factor("all-reduce", members) if at_nic_speed else 1.0)
    efficiency = np.where(network, wire, nvlink)
    beta = _busy_s(loads, efficiency) / size
    return AlphaBeta(algorithm.name, beta, inside, outside, hops, messages, peers, members, algorithm.tuning)


def _busy_s(loads: ScheduleLoads, efficiency: FloatVector) -> float:
    """Bottleneck time with so much of each link used."""
    if loads.overlap == "pipelined":
        return float((loads.total.seconds / efficiency).max(initial=0.0))
    return sum(
        repeat * float((part.seconds / efficiency).max(initial=0.0))
        for part, repeat in zip(loads.phases, loads.repeats, strict=True)
    )


def _across(flows: Flows, domain: Int32Vector) -> BoolVector:
    return np.asarray((domain[flows.src] != domain[flows.dst]) | (domain[flows.src] < 0))


def _steps(phase: Phase, domain: Int32Vector) -> tuple[float, float]:
    """Steps of a phase inside domains and over the network.

    A chunk goes round a ring in as many steps as there are members, and leaves its domain in the steps whose sends do;
    where it hops over NVLink first (PXN), that is a step more.  A step of its own waits for its slowest send.
    """
    steps = float(phase.repeat * phase.depth)
    flows = [demand for demand in phase.demands if isinstance(demand, Flows)]
    if steps > 1 and flows and len(flows[0].src):
        fraction = float(_across(flows[0], domain).mean())
        before = sum(len(hops.src) for hops in flows[1:]) / len(flows[0].src)
        return steps * (1.0 - fraction + before), steps * fraction
    across = any(_leaves_domain(demand, domain) for demand in phase.demands)
    proxied = across and len(phase.demands) > 1
    return (steps if proxied or not across else 0.0), (steps if across else 0.0)


def _leaves_domain(demand: Demand, domain: Int32Vector) -> bool:
    if isinstance(demand, Flows):
        return bool(_across(demand, domain).any())
    groups = demand.groups
    own = domain[groups.rank]
    filled = groups.sizes > 0
    first = np.repeat(own[groups.start[:-1][filled]], groups.sizes[filled])
    several = np.repeat(groups.sizes > 1, groups.sizes)
    return bool((((own != first) | (own < 0)) & several).any())


def _messages(demand: Demand, domain: Int32Vector) -> tuple[int, int]:
    """Messages that the busiest rank sends or receives over the network, and in its domain; one where switches add."""
    if isinstance(demand, Flows):
        across, moving = _across(demand, domain), demand.src != demand.dst
        far, near = (
            max(int(np.bincount(ends[chosen]).max(initial=0)) for ends in (demand.src, demand.dst))
            for chosen in (across & moving, ~across & moving)
        )
        return far, near
    if not isinstance(demand, AllToAll):
        return 1, 1
    group = demand.groups.member_group()
    place = joint(group, lone_apart(domain)[demand.groups.rank])
    far = near = 0
    sends, receives = demand.send > 0, demand.receive > 0
    for own, others in ((sends, receives), (receives, sends)):
        here = np.bincount(place, others)[place].astype(np.int64)
        everywhere = np.bincount(group, others)[group].astype(np.int64)
        far = max(far, int((everywhere - here)[own].max(initial=0)))
        near = max(near, int((here - others)[own].max(initial=0)))
    return far, near if demand.block is None else 0
