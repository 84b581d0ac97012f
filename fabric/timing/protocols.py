"""Parameters of time with latency: what each step, hop and message costs, and how much of a link is payload.

Every default has its source beside it; `model_for` says which of them a fabric got.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from collectives.algorithm import Tuning
from collectives.errors import InputError


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
    posts : int
        Times that a step of a ring over several domains pays the message overhead at least.
    member_s : float
        For each member of the group.

    Raises
    ------
    InputError
        If a latency is not finite and >= 0, or the efficiency not in (0, 1].
    """

    name: str
    base_s: float
    scale_up_step_s: float
    network_step_s: float
    efficiency: float
    posts: int = 0
    member_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("base_s", "scale_up_step_s", "network_step_s", "member_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"protocol {self.name}: {name} {getattr(self, name):g}; expected a finite number >= 0")
        if not 0 < self.efficiency <= 1:
            raise InputError(f"protocol {self.name}: efficiency {self.efficiency:g}; expected a number in (0, 1]")


# NVIDIA/nccl 5067397, src/graph/tuning.cc: tables baseLatencies and hwLatencies (NVLINK, NET), bandwidth factors of
# ncclTopoTuneModel.  LL sends a 4-byte flag with 4 bytes of data, LL128 8 bytes of flag in each 128 (taken as 0.92
# there).  Rings over several nodes post each step to the network: once, Simple three times.
RING = (
    Protocol("LL", 6.6e-6, 0.6e-6, 2.7e-6, 0.5, posts=1),
    Protocol("LL128", 14.0e-6, 1.9e-6, 4.0e-6, 0.92, posts=1),
    Protocol("Simple", 8.4e-6, 3.4e-6, 14.0e-6, 1.0, posts=3),
)
TREE = (
    Protocol("LL", 6.8e-6, 0.6e-6, 5.0e-6, 0.92 / 3.8),
    Protocol("LL128", 14.0e-6, 1.25e-6, 8.5e-6, 0.92 * 120 / 128),
    Protocol("Simple", 8.4e-6, 4.0e-6, 14.0e-6, 0.92),
)
# A step's network latency is divided by 3.5 there, and each member adds 2.8 us.
PAT = (Protocol("Simple", 8.0e-6, 4.0e-6, 14.0e-6 / 3.5, 0.75, member_s=2.8e-6),)
# Rings go across in railscope's version: their step over the network is the ring's.
NVLS = (Protocol("Simple", 0.0, 25.0e-6, 14.0e-6, 1.0),)
NVLS_TREE = (Protocol("Simple", 0.0, 25.0e-6, 20.9e-6, 1.0),)
# What NCCL calls NVLS over several nodes, and CollNetDirect where there is no NVLink to reduce over.
SHARP = (Protocol("Simple", 0.0, 25.0e-6, 31.0e-6, 1.0),)
# By `Algorithm.tuning`; that of rings, and of what has none of its own, is `TimeModel.protocols`.
FAMILIES: Mapping[Tuning, tuple[Protocol, ...]] = {
    "tree": TREE,
    "pat": PAT,
    "nvls": NVLS,
    "nvls-tree": NVLS_TREE,
    "sharp": SHARP,
}

# Payload over bytes on the wire for messages of 4,096-byte packets (the MTU is assumed): InfiniBand LRH 8, BTH 12,
# ICRC 4, VCRC 2; RoCEv2 Ethernet 14 + 4, IPv4 20, UDP 8, BTH 12, ICRC 4, and preamble with gap 20 on the line.
WIRE_EFFICIENCY = {"infiniband": 4096 / (4096 + 26), "spectrum-x": 4096 / (4096 + 82)}

# DeepSeek-AI: Insights into DeepSeek-V3, ISCA 2025 (arXiv 2505.09343), table 5: 64 bytes take 2.8 us behind one leaf
# and 3.7 us across leaves on InfiniBand, 3.6 and 5.6 us on RoCE.  Across leaves there are two links more.
HOP_S = {"infiniband": 0.45e-6, "spectrum-x": 1.0e-6}

# NCCL, getNetOverhead: 1 us to post a message (2 us on AMD processors).
MESSAGE_S = 1.0e-6

# NCCL, CollNetDirect in ncclTopoTuneModel: 0.4 us for each GPU of the node that one talks to.
PEER_S = 0.4e-6


@dataclass(frozen=True)
class NvlinkGeneration:
    """What NCCL gets out of NVLink.

    Attributes
    ----------
    name : str
    gpu_gbps : float
        Nominal, each way.
    efficiency : float
        src/graph/topo.h: SM80, SM90 and SM100_NVLINK_BW times the GPU's links, over the nominal speed.
    nvls_efficiency : float
        src/graph/tuning.cc, nvlsEfficiency, on top of it.
    """

    name: str
    gpu_gbps: float
    efficiency: float
    nvls_efficiency: float


GENERATIONS = (
    NvlinkGeneration("NVLink 3 (Ampere)", 2400.0, 12 * 20.0 / 300, 1.0),
    NvlinkGeneration("NVLink 4 (Hopper)", 3600.0, 18 * 20.6 / 450, 0.85),
    NvlinkGeneration("NVLink 5 (Blackwell)", 7200.0, 18 * 40.1 / 900, 0.74),
)


@dataclass(frozen=True)
class TimeModel:
    """Parameters of a prediction; the defaults cost nothing but NCCL's steps.

    Attributes
    ----------
    protocols : tuple of Protocol
        The fastest one for a size is taken, as libraries do.
    families : mapping of str to tuple of Protocol
        Instead of them, by `Algorithm.tuning`.
    wire_efficiency, scale_up_efficiency : float
        Payload over capacity on the network's links, and on NVLink.
    nvls_efficiency : float
        On top of it where NVLink switches add.
    hop_s : float
        For each link beyond the two behind one switch: those are in a protocol's step.
    message_s : float
        For each message after the first that a rank has over the network in one step.
    peer_s : float
        For each GPU of its domain that a rank talks to, in a step with several of them.
    latency_factor, bandwidth_factor : float
        What measurements say of the whole latency, and of the bandwidth: see `fabric.timing.fitting`.

    Raises
    ------
    InputError
        If there is no protocol, a latency is negative or an efficiency not in (0, 1].
    """

    protocols: tuple[Protocol, ...] = RING
    families: Mapping[Tuning, tuple[Protocol, ...]] = field(default_factory=lambda: FAMILIES)
    wire_efficiency: float = 1.0
    scale_up_efficiency: float = 1.0
    nvls_efficiency: float = 1.0
    hop_s: float = 0.0
    message_s: float = 0.0
    peer_s: float = 0.0
    latency_factor: float = 1.0
    bandwidth_factor: float = 1.0

    def __post_init__(self) -> None:
        if not self.protocols:
            raise InputError("time model: expected at least one protocol")
        for name in ("wire_efficiency", "scale_up_efficiency", "nvls_efficiency"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"time model: {name} {getattr(self, name):g}; expected a number in (0, 1]")
        for name in ("hop_s", "message_s", "peer_s", "latency_factor"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"time model: {name} {getattr(self, name):g}; expected a finite number >= 0")
        if not 0 < self.bandwidth_factor < float("inf"):
            raise InputError(f"time model: bandwidth_factor {self.bandwidth_factor:g}; expected a number > 0")

    def protocols_of(self, tuning: Tuning) -> tuple[Protocol, ...]:
        """Those that algorithms of a tuning row choose from."""
        return self.families.get(tuning, self.protocols)


@dataclass(frozen=True)
class GivenTimes:
    """What a fabric's description or the user says instead of the defaults; None where they say nothing.

    Attributes
    ----------
    hop_s, message_s, wire_efficiency, scale_up_efficiency, nvls_efficiency : float or None
        As in `TimeModel`.
    protocol : Protocol or None
        Instead of NCCL's, for every algorithm.
    """

    hop_s: float | None = None
    message_s: float | None = None
    wire_efficiency: float | None = None
    scale_up_efficiency: float | None = None
    nvls_efficiency: float | None = None
    protocol: Protocol | None = None

    @classmethod
    def in_ns(
        cls,
        hop_ns: float | None,
        message_ns: float | None,
        wire_efficiency: float | None,
        scale_up_efficiency: float | None,
        nvls_efficiency: float | None = None,
        protocol: Protocol | None = None,
    ) -> "GivenTimes":
        """With hops and messages in nanoseconds, as descriptions and options have them."""
        hop_s, message_s = (None if ns is None else ns * 1e-9 for ns in (hop_ns, message_ns))
        return cls(hop_s, message_s, wire_efficiency, scale_up_efficiency, nvls_efficiency, protocol)


def model_for(
    technology: str,
    nvlink_gbps: float | None = None,
    user: GivenTimes | None = None,
    described: GivenTimes | None = None,
    latency_factor: float = 1.0,
    bandwidth_factor: float = 1.0,
) -> tuple[TimeModel, list[str]]:
    """The model of a fabric, and where each of its parameters comes from, in words.

    Parameters
    ----------
    technology : str
        ``infiniband`` or ``spectrum-x``; of others the wire efficiency is taken as 1 and a hop as 0.
    nvlink_gbps : float, optional
        Each way per GPU, which tells the generation of NVLink; None where there is none.
    user, described : GivenTimes, optional
        What the user says, and the fabric's description: the first that says something counts.
    latency_factor, bandwidth_factor : float
        As in `TimeModel`.

    Raises
    ------
    InputError
        As `TimeModel`.
    """
    said = (user or GivenTimes(), described or GivenTimes())

    def chosen(name: str, default: float | None, source: str, otherwise: float, unknown: str) -> tuple[float, str]:
        for one, where in zip(said, ("as given", "the fabric's description"), strict=True):
            value = getattr(one, name)
            if value is not None:
                return float(value), where
        return (default, source) if default is not None else (otherwise, unknown)

    own = said[0].protocol
    latency = (
        "base and per step as in NCCL's tuning tables (LL, LL128, Simple; ring, tree, PAT, NVLS), the fastest taken"
        if own is None
        else f"base {own.base_s * 1e6:g} us, step {own.scale_up_step_s * 1e6:g} us inside the domain and "
        f"{own.network_step_s * 1e6:g} us over the network, efficiency {own.efficiency:g}, as given"
    )
    unknown = "technology unknown"
    wire, wire_source = chosen(
        "wire_efficiency", WIRE_EFFICIENCY.get(technology), "packets of 4,096 bytes, MTU assumed", 1.0, unknown
    )
    hop_s, hop_source = chosen("hop_s", HOP_S.get(technology), "arXiv 2505.09343, table 5", 0.0, unknown)
    message_s, message_source = chosen("message_s", MESSAGE_S, "NCCL's network post overhead", 0.0, unknown)
    notes = [
        f"latency: {latency}",
        f"wire: {wire:.1%} of what the network carries is payload ({wire_source})",
        f"hop: {hop_s * 1e9:g} ns for each link beyond two, which a step includes ({hop_source})",
        f"message: {message_s * 1e9:g} ns for each further one that a rank has in a step ({message_source})",
    ]
    scale_up, nvls, peer_s = 1.0, 1.0, 0.0
    if nvlink_gbps is not None:
        known = next((one for one in GENERATIONS if abs(one.gpu_gbps - nvlink_gbps) < 1.0), None)
        source, other = f"NCCL, {known.name if known else ''}", "a speed that NCCL does not know"
        scale_up, from_where = chosen("scale_up_efficiency", known.efficiency if known else None, source, 1.0, other)
        notes.append(f"NVLink: {scale_up:.1%} of its speed ({from_where})")
        nvls, from_where = chosen("nvls_efficiency", known.nvls_efficiency if known else None, source, 1.0, other)
        notes.append(f"NVLink switches that add: {nvls:.0%} of that ({from_where})")
        if own is None:
            peer_s = PEER_S
            notes.append(f"peers: {peer_s * 1e9:g} ns for each of several GPUs that one talks to over NVLink (NCCL)")
    if (latency_factor, bandwidth_factor) != (1.0, 1.0):
        notes.append(f"calibrated: latency x {latency_factor:g}, bandwidth x {bandwidth_factor:g}, as given")
    model = TimeModel(
        RING if own is None else (own,),
        FAMILIES if own is None else {},
        wire,
        scale_up,
        nvls,
        hop_s,
        message_s,
        peer_s,
        latency_factor,
        bandwidth_factor,
    )
    return model, notes
