"""What a schedule costs apart from its size, and the time of a size: alpha from its steps, beta from its loads.

    time = (base + members x m + steps in the domain x a + steps over the network x (b + s)
            + hops x h + messages x o + peers x p) x F
           + (size + fill) x bottleneck seconds per byte / (protocol efficiency x G)

`fabric.timing.protocols` has the parameters and their sources; F and G are 1 unless measurements say otherwise.  Beta
is there twice: for what well-tuned clusters reach of the links, and for what clusters are often found at
(`fabric.timing.networks`).
"""

from dataclasses import dataclass, replace
from math import log2

import numpy as np

from collectives.algorithm import Algorithm, Tuning
from collectives.bandwidth import bus_factor
from collectives.demand import AllToAll, BoolVector, Demand, FloatVector, Flows, Groups, Int32Vector
from collectives.domains import lone_apart
from collectives.schedule import Phase, Schedule
from fabric.bounds.cut_demand import joint
from fabric.jobs.placement import Placement
from fabric.jobs.span import NOBODY, Span, span_of
from fabric.routing.link_loads import ScheduleLoads
from fabric.timing.generations import HOST_GPUS, MOST_HEADS
from fabric.timing.networks import RACK_NICS, WHOLE, Reach, nics_used, reach_of
from fabric.timing.protocols import Protocol, TimeModel
from fabric.topology import NIC, NVLINK

# Times that a step of a tree over the network pays the message overhead beyond NCCL's tables: fitted to 8 to 1,024
# bytes on two DGX A100 (argonne-lcf/alcf-nccl-tests, Sophia), 35 us where the tables say 25.
_TREE_POSTS = 2
# NVLink in NVLS trees over that in one domain: two p5 487 and 471 GB/s busbw, one H100 host 480 (x 1.875 / 1.75 = 514).
_NVLS_TREE = 0.93
# Switches that reduce, over the bytes that they save: 4 hosts of B200 reach 546 to 554 GB/s busbw where 4 x 400 Gb/s x
# 1.94 would be 740 (Together); NCCL's own table takes the NICs' speed as busbw, 400.
_SHARP = 0.75
# Trees over several NICs and more than two domains, over what rings reach on the same cluster: GH200 on Alps, 64 to 128
# nodes and more, 256 MiB and 1 GiB, 0.6 to 0.7 (boeschf/nccl-benchmark-on-alps-2025); half on one of B200 (Together).
_TREES, _TREES_FOUND = 0.70, 0.55
# NVLink in trees over several domains: NCCL's factor of trees of pattern NCCL_TOPO_PATTERN_TREE (src/graph/tuning.cc).
_TREE_NVLINK = 0.85
# NVLink in dispatch and combine: GB200 NVL72, 4 to 64 GPUs, 4,096 tokens (ai-dynamo/aiconfigurator).
_GPU_EXCHANGE = 0.68
# Collectives whose rings send each chunk on in slices.
_SLICED = frozenset({"all-reduce", "all-gather", "reduce-scatter"})
# Channels of a tree for each NIC of a domain (NCCL logs of HGX H100 and A100: 16 over 8 NICs).
_CHANNELS_PER_NIC = 2


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
    tuning : str
        Which protocols the algorithm chooses from: `Algorithm.tuning`.
    span : Span
        Of its groups.
    found_seconds_per_byte : float
        As `seconds_per_byte`, at what clusters are often found to reach; 0: the same.
    fill_bytes : float
        Added to every size.
    collective : str
        Which one it is an algorithm of; empty where its busbw is its algbw.
    reach : Reach
        What part of the network's payload is reached, and who says so.
    """

    algorithm: str
    seconds_per_byte: float
    scale_up_steps: float
    network_steps: float
    hops: float = 0.0
    messages: float = 0.0
    peers: float = 0.0
    tuning: Tuning = "ring"
    span: Span = NOBODY
    found_seconds_per_byte: float = 0.0
    fill_bytes: float = 0.0
    collective: str = ""
    reach: Reach = WHOLE

    def latency_s(self, protocol: Protocol, model: TimeModel) -> float:
        """Time of no bytes."""
        # NCCL: a ring over several nodes posts every step to the network, also those that stay inside.
        posted = protocol.posts * model.message_s if self.network_steps > 0 else 0.0
        both_ends = _TREE_POSTS * model.message_s if self.tuning == "tree" else 0.0
        message_s = model.exchange_message_s if self.tuning == "exchange" else model.message_s
        peer_s = model.peer_s
        if self.tuning == "gpu-exchange":
            message_s = peer_s = 0.0
        return model.latency_factor * (
            protocol.base_s
            + self.span.n_ranks * protocol.member_s
            + self.scale_up_steps * max(protocol.scale_up_step_s, posted)
            + self.network_steps * (protocol.network_step_s + model.step_s + both_ends)
            + self.hops * model.hop_s
            + self.messages * message_s
            + self.peers * peer_s
        )

    def slowest(self, protocol: Protocol) -> float:
        """Seconds per byte that a protocol's own limits allow at best."""
        by_domains = min(self.span.n_domains, 3) - 1
        if by_domains < 0:
            return 0.0
        channels = _CHANNELS_PER_NIC * min(self.span.per_domain, MOST_HEADS)
        limit = min(protocol.limit_GBps[by_domains], channels * protocol.channel_GBps[by_domains])
        return self.bus_factor / (limit * 1e9)

    @property
    def bus_factor(self) -> float:
        """Busbw over algbw."""
        return bus_factor(self.collective, self.span.n_ranks) if self.collective and self.span.n_ranks else 1.0


def predicted_s(alpha_beta: AlphaBeta, size: float, model: TimeModel) -> tuple[float, Protocol]:
    """Time of a size by the protocol that the library takes, and that protocol."""
    protocol = _by_tables(alpha_beta, size, model)[1]
    return _time_s(alpha_beta, protocol, size, model), protocol


def tabled_s(alpha_beta: AlphaBeta, size: float, model: TimeModel) -> float:
    """What the library's tables say of a size, by which it chooses: no step is hidden behind bytes."""
    return _by_tables(alpha_beta, size, model)[0]


def found_s(alpha_beta: AlphaBeta, protocol: Protocol, size: float, model: TimeModel) -> float:
    """Time that a size is often found to take by a protocol: longer latency, and less of the links."""
    if not model.reached:
        return _time_s(alpha_beta, protocol, size, model)
    slower = replace(alpha_beta, seconds_per_byte=alpha_beta.found_seconds_per_byte)
    times = model.found_latency if protocol.found_latency is None else protocol.found_latency
    return _time_s(slower, protocol, size, replace(model, latency_factor=model.latency_factor * times))


def _by_tables(alpha_beta: AlphaBeta, size: float, model: TimeModel) -> tuple[float, Protocol]:
    """The protocol that takes least by the tables, the first of equals, and that time before it."""
    protocols = model.protocols_of(alpha_beta.tuning)
    tabled_s, number = min((_tabled_s(alpha_beta, one, size, model), number) for number, one in enumerate(protocols))
    return tabled_s, protocols[number]


def _time_s(alpha_beta: AlphaBeta, protocol: Protocol, size: float, model: TimeModel) -> float:
    # On two hosts no step is seen hidden: DGX A100 take 0.13 ms beyond the bytes of an all-gather at 64 and at 256 MiB.
    if protocol.slices < 2 or alpha_beta.collective not in _SLICED or alpha_beta.span.n_domains < 3:
        return _tabled_s(alpha_beta, protocol, size, model)
    # A chunk goes on while its other slices arrive: its last slice, and a step's latency, pass behind what follows.
    bytes_s = _bytes_s(alpha_beta, protocol, size, model)
    base_s = model.latency_factor * protocol.base_s
    steps_s = alpha_beta.latency_s(protocol, model) - base_s
    return base_s + max(bytes_s, bytes_s / protocol.slices + steps_s)


def _tabled_s(alpha_beta: AlphaBeta, protocol: Protocol, size: float, model: TimeModel) -> float:
    latency_s = alpha_beta.latency_s(protocol, model)
    span = alpha_beta.span
    if (
        alpha_beta.collective == "all-reduce"
        and span.n_domains > 1
        and size >= 64 * span.n_ranks * _CHANNELS_PER_NIC * span.per_domain
    ):
        latency_s *= protocol.plateau
    return latency_s + _bytes_s(alpha_beta, protocol, size, model)


def _bytes_s(alpha_beta: AlphaBeta, protocol: Protocol, size: float, model: TimeModel) -> float:
    per_byte = max(alpha_beta.seconds_per_byte / protocol.efficiency, alpha_beta.slowest(protocol))
    moved = size + (alpha_beta.fill_bytes if size > 0 else 0.0)
    return moved * per_byte / (protocol.correction(size) * model.bandwidth_factor)


@dataclass(frozen=True)
class Counts:
    """What happens one after the other in a schedule: steps inside domains and over the network, hops, messages, peers.

    As `AlphaBeta` has them, before what an algorithm changes.
    """

    inside: float
    outside: float
    hops: float
    messages: float
    peers: float


def counts_of(schedule: Schedule, loads: ScheduleLoads, placement: Placement) -> Counts:
    """Count a schedule's steps.  O(flows + members log members)."""
    topology = loads.topology
    domain = topology.endpoint_domain[placement.endpoint]
    groups_of_links = topology.link_groups
    network, nic = groups_of_links.kind != NVLINK, groups_of_links.kind == NIC
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
        injected = float(carried.groups.bytes[nic].sum()) / 2
        if injected > 0 and across > 0:
            hops += across * max(0.0, float(carried.groups.bytes[network].sum()) / injected - 2.0)
    return Counts(inside, outside, hops, messages, peers)


def alpha_beta_of(
    algorithm: Algorithm,
    schedule: Schedule,
    loads: ScheduleLoads,
    placement: Placement,
    size: float,
    model: TimeModel,
    groups: Groups | None = None,
    counts: Counts | None = None,
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
    groups : Groups, optional
        Default the whole job as one.
    counts : Counts, optional
        `counts_of` these, where they are known.
    """
    topology = loads.topology
    domain = topology.endpoint_domain[placement.endpoint]
    network = topology.link_groups.kind != NVLINK
    counted = counts or counts_of(schedule, loads, placement)
    messages = counted.messages
    n = placement.n_ranks
    span = span_of(groups or Groups.consecutive(n, n), domain)
    if algorithm.collective == "all-to-all" and algorithm.tuning == "exchange":
        # Hops to the rail (PXN) put messages together on the way, and save a rank none of its sends and receives.
        messages = max(messages, span.n_ranks - span.per_domain - 1)
    reach = reach_of(algorithm.collective, algorithm.tuning, span) if model.reached else WHOLE
    nvlink, wire = _efficiencies(algorithm.tuning, span, model)
    trees = _trees_found(algorithm.tuning, span) if model.reached else 1.0
    beta, found = (
        _busy_s(loads, np.where(network, wire * part, nvlink * of_nvlink)) / size
        for part, of_nvlink in (
            (reach.tuned, 1.0),
            (reach.found * trees, reach.nvlink_found),
        )
    )
    heads = min(span.per_domain, MOST_HEADS)
    levels = log2(max(span.n_domains, 1))
    fill = 0.0
    if algorithm.tuning in ("nvls", "nvls-tree"):
        fill = model.fill_bytes * heads + model.level_bytes * min(span.per_domain, RACK_NICS) * levels
    return AlphaBeta(
        algorithm.name,
        beta,
        counted.inside,
        counted.outside,
        counted.hops,
        messages,
        counted.peers,
        algorithm.tuning,
        span,
        found,
        fill,
        algorithm.collective,
        reach,
    )


def _efficiencies(tuning: Tuning, span: Span, model: TimeModel) -> tuple[float, float]:
    """Payload over capacity of NVLink and of the network, but for what patterns reach of it."""
    nvlink, wire = model.scale_up_efficiency, model.wire_efficiency
    if tuning in ("nvls", "nvls-tree", "sharp"):
        rack = span.per_domain > HOST_GPUS
        # What cannot add at all is refused by the automatic choice; who asks for it by name gets it at full speed.
        nvlink *= (model.rack_nvls_efficiency if rack else model.nvls_efficiency) or 1.0
    if not model.reached:
        return nvlink, wire
    if tuning in ("nvls-tree", "sharp") and span.n_domains > 1:
        nvlink *= _NVLS_TREE
    if tuning == "sharp":
        wire *= _SHARP
    if tuning == "tree" and span.n_domains > 1:
        nvlink *= _TREE_NVLINK
        wire *= _TREES if _several_nics(span) else 1.0
    if tuning == "gpu-exchange":
        nvlink *= _GPU_EXCHANGE
    if tuning in ("exchange", "gpu-exchange"):
        wire *= model.exchange_reach
    return nvlink, wire * nics_used(tuning, span)


def _several_nics(span: Span) -> bool:
    return span.n_domains > 2 and span.per_domain > 1


def _trees_found(tuning: Tuning, span: Span) -> float:
    return _TREES_FOUND / _TREES if tuning == "tree" and _several_nics(span) else 1.0


def _busy_s(loads: ScheduleLoads, efficiency: FloatVector) -> float:
    """Bottleneck time with so much of each link used, by groups of links."""
    if loads.overlap == "pipelined":
        return float((loads.total_groups.longest_s / efficiency).max(initial=0.0))
    return sum(
        repeat * float((part.groups.longest_s / efficiency).max(initial=0.0))
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
    place = joint(group, lone_apart(domain[demand.groups.rank]))
    far = near = 0
    sends, receives = demand.send > 0, demand.receive > 0
    for own, others in ((sends, receives), (receives, sends)):
        here = np.bincount(place, others)[place].astype(np.int64)
        everywhere = np.bincount(group, others)[group].astype(np.int64)
        far = max(far, int((everywhere - here)[own].max(initial=0)))
        near = max(near, int((here - others)[own].max(initial=0)))
    return far, near if demand.block is None else 0
