"""Parameters of time with latency: what each step, hop and message costs, and how much of a link is payload.

Every default has its source beside it; `model_for` says which of them a fabric got.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collectives.algorithm import Tuning
from collectives.errors import InputError
from collectives.suggestion import hint
from fabric.timing.generations import ByDomains, Generation, generation_of
from fabric.timing.networks import FOUND_LATENCY, NETWORKS, OLD_EFA_STEP_S

NO_LIMIT: ByDomains = (float("inf"), float("inf"), float("inf"))


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
    limit_GBps : tuple of float
        Busbw that it reaches at most over one domain, two, and more.
    channel_GBps : tuple of float
        The same for each channel of the algorithm.
    plateau : float
        Factor of the latency of an all-reduce that is in more than one piece for each member, over several domains.
    corrections : tuple of float
        Factors of the bandwidth, for sizes of 64 B times 1, 2, 4, ...; beyond them 1.
    slices : int
        Pieces of a chunk that go on by themselves, in rings over several domains.
    found_latency : float or None
        How many times its latency it is often found to take; None: as the network's are.

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
    limit_GBps: ByDomains = NO_LIMIT
    channel_GBps: ByDomains = NO_LIMIT
    plateau: float = 1.0
    corrections: tuple[float, ...] = ()
    slices: int = 1
    found_latency: float | None = None

    def __post_init__(self) -> None:
        for name in ("base_s", "scale_up_step_s", "network_step_s", "member_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"protocol {self.name}: {name} {getattr(self, name):g}; expected a finite number >= 0")
        if not 0 < self.efficiency <= 1:
            raise InputError(f"protocol {self.name}: efficiency {self.efficiency:g}; expected a number in (0, 1]")

    def correction(self, size: float) -> float:
        """Factor of the bandwidth at a size."""
        place = int(size).bit_length() - 7
        return self.corrections[place] if 0 <= place < len(self.corrections) else 1.0


# NVIDIA/nccl 5067397, src/graph/tuning.cc: tables baseLatencies and hwLatencies (NVLINK, NET), bandwidth factors of
# ncclTopoTuneModel.  LL sends a 4-byte flag with 4 bytes of data, LL128 8 bytes of flag in each 128 (taken as 0.92
# there).  Rings over several nodes post each step to the network: once, Simple three times; and Simple's latency is
# 1.4 times as long from 64 bytes for each channel and rank on ("plateau effect of ring").  Simple cuts a chunk of rings
# in two slices (src/include/collectives.h: CHUNKSTEPS is twice SLICESTEPS in all-reduce, all-gather, reduce-scatter).
RING = (
    Protocol("LL", 6.6e-6, 0.6e-6, 2.7e-6, 0.5, posts=1),
    Protocol("LL128", 14.0e-6, 1.9e-6, 4.0e-6, 0.92, posts=1),
    Protocol("Simple", 8.4e-6, 3.4e-6, 14.0e-6, 1.0, posts=3, plateau=1.4, slices=2),
)
# treeCorrectionFactor there: by powers of two from 64 B on.
_TREE_LL = (1, 1, 1, 1, 0.9, 0.8, 0.7, 0.7, 0.7, 0.7, 0.6, 0.5, 0.4, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_TREE_LL128 = (1, 1, 1, 1, 1, 0.9, 0.8, 0.8, 0.8, 0.7, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.8, 0.9, 0.9, 0.9, 0.9)
_TREE_SIMPLE = (0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.8, 0.7, 0.6, 0.6, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.7, 0.7, 0.8,
                0.9, 0.9)  # fmt: skip
TREE = (
    Protocol("LL", 6.8e-6, 0.6e-6, 5.0e-6, 0.92 / 3.8, corrections=_TREE_LL),
    Protocol("LL128", 14.0e-6, 1.25e-6, 8.5e-6, 0.92 * 120 / 128, corrections=_TREE_LL128),
    Protocol("Simple", 8.4e-6, 4.0e-6, 14.0e-6, 0.92, corrections=_TREE_SIMPLE),
)
# A step's network latency is divided by 3.5 there, and each member adds 2.8 us.
PAT = (Protocol("Simple", 8.0e-6, 4.0e-6, 14.0e-6 / 3.5, 0.75, member_s=2.8e-6),)
# Rings go across in railscope's version: their step over the network is the ring's.
NVLS = (Protocol("Simple", 0.0, 25.0e-6, 14.0e-6, 1.0),)
NVLS_TREE = (Protocol("Simple", 0.0, 25.0e-6, 20.9e-6, 1.0),)
# What NCCL calls NVLS over several nodes, and CollNetDirect where there is no NVLink to reduce over.
SHARP = (Protocol("Simple", 0.0, 25.0e-6, 31.0e-6, 1.0),)
# Sends and receives have the ring's protocols without LL128 (src/enqueue.cc).
EXCHANGE = (
    Protocol("LL", 6.6e-6, 0.6e-6, 2.7e-6, 0.5),
    Protocol("Simple", 8.4e-6, 3.4e-6, 14.0e-6, 1.0),
)
# Posted by GPUs (IBGDA), nothing for each message: fitted to DeepEP's low-latency rows, 118 to 194 us for 128 tokens on
# 16 to 256 GPUs, 173 us on 64 of which 135 us are bytes (deepseek-ai/DeepEP dd758ca, docs/legacy.md).  In a rack of
# GB200 a combine of 1 to 16 tokens takes 1.1 to 4.9 times as long (ai-dynamo/aiconfigurator, two-sided, bfloat16).
GPU_EXCHANGE = (Protocol("GPU", 12.0e-6, 0.0, 28.0e-6, 1.0, found_latency=2.5),)
# By `Algorithm.tuning`; that of rings, and of what has none of its own, is `TimeModel.protocols`.
FAMILIES: Mapping[Tuning, tuple[Protocol, ...]] = {
    "tree": TREE,
    "pat": PAT,
    "nvls": NVLS,
    "nvls-tree": NVLS_TREE,
    "sharp": SHARP,
    "exchange": EXCHANGE,
    "gpu-exchange": GPU_EXCHANGE,
}

# NCCL, getNetOverhead: 1 us to post a message (2 us on AMD processors: `Generation.post_s`).
MESSAGE_S = 1.0e-6
# What a further peer over the network costs an exchange, beyond the posting: fitted to all-to-alls of 64 KiB to 4 MiB
# on two DGX A100 (argonne-lcf/alcf-nccl-tests, Sophia).
EXCHANGE_MESSAGE_S = 6.0e-6

# NCCL, CollNetDirect in ncclTopoTuneModel: 0.4 us for each GPU of the node that one talks to.
PEER_S = 0.4e-6


def families_of(generation: Generation | None, in_order: bool) -> Mapping[Tuning, tuple[Protocol, ...]]:
    """NCCL's protocols with a generation's limits, rings among them; without LL128 where bytes arrive in any order."""
    families = {**FAMILIES, "ring": RING}
    if generation is not None:
        limited = {"LL": generation.ll_GBps}
        for tuning in ("ring", "tree", "exchange"):
            families[tuning] = tuple(
                replace(one, limit_GBps=limited.get(one.name, NO_LIMIT)) for one in families[tuning]
            )
        families["tree"] = tuple(replace(one, channel_GBps=generation.tree_GBps) for one in families["tree"])
    if in_order:
        return families
    return {tuning: tuple(one for one in own if one.name != "LL128") for tuning, own in families.items()}


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
    nvls_efficiency, rack_nvls_efficiency : float
        On top of it where NVLink switches add, in a host and in a rack; 0: they do not add.
    hop_s : float
        For each link beyond the two behind one switch: those are in a protocol's step.
    message_s : float
        For each message after the first that a rank has over the network in one step.
    peer_s : float
        For each GPU of its domain that a rank talks to, in a step with several of them.
    latency_factor, bandwidth_factor : float
        What measurements say of the whole latency, and of the bandwidth: see `fabric.timing.fitting`.
    step_s : float
        For each step over the network, beyond what protocols say.
    exchange_message_s : float
        Instead of `message_s` in exchanges.
    fill_bytes, level_bytes : float
        As in `Generation`.
    exchange_reach, found_latency : float
        As in `Network`.
    reached : bool
        Whether patterns reach the part of the network that `fabric.timing.networks` says, or all of it.

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
    rack_nvls_efficiency: float = 1.0
    step_s: float = 0.0
    exchange_message_s: float = 0.0
    fill_bytes: float = 0.0
    level_bytes: float = 0.0
    exchange_reach: float = 1.0
    found_latency: float = FOUND_LATENCY
    reached: bool = False

    def __post_init__(self) -> None:
        if not self.protocols:
            raise InputError("time model: expected at least one protocol")
        for name in ("wire_efficiency", "scale_up_efficiency"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"time model: {name} {getattr(self, name):g}; expected a number in (0, 1]")
        for name in ("nvls_efficiency", "rack_nvls_efficiency"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"time model: {name} {getattr(self, name):g}; expected a number in [0, 1]")
        for name in ("hop_s", "message_s", "peer_s", "latency_factor", "step_s", "exchange_message_s", "fill_bytes",
                     "level_bytes"):  # fmt: skip
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
    generation: str | None = None,
    mesh: bool = False,
) -> tuple[TimeModel, list[str]]:
    """The model of a fabric, and where each of its parameters comes from, in words.

    Parameters
    ----------
    technology : str
        One of `NETWORKS`; where it is empty the wire efficiency is taken as 1 and a hop as 0.
    nvlink_gbps : float, optional
        Each way per GPU, which tells the generation of NVLink; None where there is none.
    user, described : GivenTimes, optional
        What the user says, and the fabric's description: the first that says something counts.
    latency_factor, bandwidth_factor : float
        As in `TimeModel`.
    generation : str, optional
        Of the GPUs, where the fabric says it: see `generation_of`.
    mesh : bool
        Direct links join the domains, without switches that could add.

    Raises
    ------
    InputError
        As `TimeModel` and `generation_of`; an unknown technology.
    """
    if technology and technology not in NETWORKS:
        raise InputError(f"technology {technology!r}: unknown; {hint(technology, tuple(NETWORKS))}")
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
    network = NETWORKS.get(technology)
    wire_default, hop_default = (None, None) if network is None else (network.wire_efficiency, network.hop_s)
    wire, wire_source = chosen("wire_efficiency", wire_default, "packets of 4,096 bytes, MTU assumed", 1.0, unknown)
    hop_s, hop_source = chosen("hop_s", hop_default, network.source if network else "", 0.0, unknown)
    its, found_by = (None, "") if nvlink_gbps is None else generation_of(nvlink_gbps, generation)
    post_s = MESSAGE_S if its is None else its.post_s
    message_s, message_source = chosen("message_s", post_s, "NCCL's network post overhead", 0.0, unknown)
    step_s = 0.0 if network is None else network.step_s
    if technology == "efa" and its is not None and its.key in ("volta", "ampere"):
        step_s = OLD_EFA_STEP_S
    notes = [
        f"latency: {latency}",
        f"wire: {wire:.1%} of what the network carries is payload ({wire_source})",
        f"hop: {hop_s * 1e9:g} ns for each link beyond two, which a step includes ({hop_source})",
        f"message: {message_s * 1e9:g} ns for each further one that a rank has in a step ({message_source})",
    ]
    if step_s and own is None:
        notes.append(
            f"step: {step_s * 1e6:g} us more over {technology} than NCCL's tables say (fitted to measurements)"
        )
    scale_up = nvls = rack_nvls = 1.0
    peer_s = fill_bytes = level_bytes = 0.0
    if its is not None:
        scale_up, from_where = chosen("scale_up_efficiency", its.efficiency, found_by, 1.0, "")
        notes.append(f"NVLink: {scale_up:.1%} of its speed ({from_where})")
        nvls, from_where = chosen("nvls_efficiency", its.nvls_efficiency, found_by, 1.0, "")
        # Where a description gives a host's, a rack's is less by as much as in the table.
        rack_nvls = nvls * (its.rack_nvls_efficiency / its.nvls_efficiency if its.nvls_efficiency else 1.0)
        fill_bytes, level_bytes = its.fill_bytes, its.level_bytes
        if not mesh:
            added = f"{nvls:.0%} of that in a host, {rack_nvls:.0%} in a rack" if nvls else "none: they do not add"
            notes.append(f"NVLink switches that add: {added} ({from_where})")
        if own is None:
            peer_s = PEER_S
            notes.append(f"peers: {peer_s * 1e9:g} ns for each of several GPUs that one talks to over NVLink (NCCL)")
    if (latency_factor, bandwidth_factor) != (1.0, 1.0):
        notes.append(f"calibrated: latency x {latency_factor:g}, bandwidth x {bandwidth_factor:g}, as given")
    families = families_of(its, network is None or network.in_order)
    model = TimeModel(
        families["ring"] if own is None else (own,),
        families if own is None else {},
        wire,
        scale_up,
        nvls,
        hop_s,
        message_s,
        peer_s,
        latency_factor,
        bandwidth_factor,
        rack_nvls,
        step_s if own is None else 0.0,
        EXCHANGE_MESSAGE_S if own is None and said[0].message_s is None else message_s,
        fill_bytes if own is None else 0.0,
        level_bytes if own is None else 0.0,
        1.0 if network is None else network.exchange_reach,
        FOUND_LATENCY if network is None else network.found_latency,
        # What a user says of the wire or of the protocol is all of it.
        reached=own is None and said[0].wire_efficiency is None,
    )
    return model, notes
