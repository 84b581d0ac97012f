"""What each kind of network carries and adds, and what part of it traffic is found to reach."""

from collections.abc import Mapping
from dataclasses import dataclass

from collectives.algorithm import Tuning
from fabric.jobs.span import Span
from fabric.timing.generations import HOST_GPUS


@dataclass(frozen=True)
class Network:
    """A kind of network.

    Attributes
    ----------
    wire_efficiency : float
        Payload over bytes on the wire.
    hop_s : float
        For each link beyond the two behind one switch.
    step_s : float
        What a library's step takes more than NCCL's tables say.
    in_order : bool
        Whether bytes arrive in order, which protocol LL128 relies on.
    exchange_reach : float
        What exchanges reach of it, over what they reach of other networks.
    source : str
        Of the hop, in words.
    found_latency : float
        How many times the latency small messages are often found to take.
    """

    wire_efficiency: float
    hop_s: float
    step_s: float
    in_order: bool
    exchange_reach: float
    source: str
    found_latency: float


# Assumed: the rows of two p5 and two DGX A100 below 1 MiB take 1.0 to 2.0 times NCCL's tables, half of them below this.
FOUND_LATENCY = 1.5
# All-gathers of 16 MiB on 512 and 1,024 A100 of Polaris take up to 5.0 times what the tables and `step_s` say (ALCF).
_FOUND_LATENCY_SLINGSHOT = 5.0

# Payload over bytes on the wire for messages of 4,096-byte packets (the MTU is assumed): InfiniBand LRH 8, BTH 12,
# ICRC 4, VCRC 2; RoCEv2 Ethernet 14 + 4, IPv4 20, UDP 8, BTH 12, ICRC 4, and preamble with gap 20 on the line.
_INFINIBAND, _ETHERNET = 4096 / (4096 + 26), 4096 / (4096 + 82)
# DeepSeek-AI: Insights into DeepSeek-V3, ISCA 2025 (arXiv 2505.09343), table 5: 64 bytes take 2.8 us behind one leaf
# and 3.7 us across leaves on InfiniBand, 3.6 and 5.6 us on RoCE.  Across leaves there are two links more.
_DEEPSEEK = "arXiv 2505.09343, table 5"
# EFA, Slingshot: their frames are taken as Ethernet's (assumed), and the steps are fitted: 62 us for 8 bytes on two p5
# (KeitaW/p5-nccl-test-2024-07-19) where NCCL's tables say 25; Slingshot to 16 MiB on 2 to 8 nodes of Polaris (ALCF),
# where exchanges of 2 to 256 nodes reach 0.61 to 0.35 of the NICs at best.
# NCCL's plugin for both, aws-ofi-nccl, does not promise LL128's order.
NETWORKS: Mapping[str, Network] = {
    "infiniband": Network(_INFINIBAND, 0.45e-6, 0.0, True, 1.0, _DEEPSEEK, FOUND_LATENCY),
    "spectrum-x": Network(_ETHERNET, 1.0e-6, 0.0, True, 1.0, _DEEPSEEK, FOUND_LATENCY),
    "roce": Network(_ETHERNET, 1.0e-6, 0.0, True, 1.0, _DEEPSEEK, FOUND_LATENCY),
    "efa": Network(_ETHERNET, 1.0e-6, 16e-6, False, 1.0, "as RoCE, assumed", FOUND_LATENCY),
    "slingshot": Network(_ETHERNET, 1.0e-6, 10e-6, False, 0.6, "as RoCE, assumed", _FOUND_LATENCY_SLINGSHOT),
}
# Hosts of A100 have an earlier EFA: 161 us for 8 bytes on two p4de (aws-samples/awsome-distributed-training).
OLD_EFA_STEP_S = 68e-6


@dataclass(frozen=True)
class Reach:
    """What part of the links' payload a pattern reaches.

    Attributes
    ----------
    tuned : float
        On well-tuned clusters.
    found : float
        What clusters are often found at.
    source : str
    nvlink_found : float
        The same of the domains' links: 8 H100 are at 12 % below the library's own efficiencies for middle sizes.
    upper_bound : bool
        Whether measurements say no more than that it is not faster.
    """

    tuned: float
    found: float
    source: str
    nvlink_found: float = 0.88
    upper_bound: bool = False


# All fitted to published measurements of large sizes; the sources say which.
WHOLE = Reach(1.0, 1.0, "nothing lost", 1.0)
INSIDE = Reach(1.0, 1.0, "inside a domain: the library's own efficiencies, and 12 % below them as found")
COLLECTIVE = Reach(
    0.96,
    0.74,
    "collectives over NICs reach 0.96 of the payload when tuned and 0.74 as found: 4 hosts of B200 with and without "
    "more queue pairs and relaxed ordering, 384 and 307 of 400 GB/s; p6-b200 382, H100 on RoCE 358 to 456 of 525",
)
# Networks that large jobs share with others: Alps at 512 to 2,048 GPUs is at 0.4 to 0.9 of what 64 reach
# (boeschf/nccl-benchmark-on-alps-2025), Leonardo loses up to half at 1,024 (De Sensi et al., SC24, arXiv 2408.14090).
LARGE_DOMAINS = 64
LARGE_COLLECTIVE = Reach(
    0.96, 0.46, "collectives of more than 64 domains: 0.96 of the payload when alone, half of that on shared networks"
)
PAIR = Reach(
    0.92,
    0.45,
    "exchanges of two hosts reach 0.91 to 0.97 of the NICs when tuned (H100, B200, MI355X, p5en), 0.2 to 0.6 as found "
    "(one channel a peer, RoCE with IOMMU)",
)
EXCHANGE = Reach(
    0.85,
    0.50,
    "exchanges of more hosts reach 0.78 to 0.93 of the NICs when tuned (4 hosts of MI355X, DeepEP), 0.35 to 0.5 as "
    "found (Polaris, H20 on RoCE)",
)
# In each, one host sends to one: sendrecv_perf is quantized by the channels that a library opens to a peer.
SEND = Reach(
    0.97,
    0.28,
    "one peer: 48.8 of 50 GB/s with all channels to a peer (B200), one channel of 14 GB/s on 10 hosts and more",
)
GPU_POSTED = Reach(
    0.93,
    0.42,
    "dispatch and combine posted by GPUs reach 0.85 to 0.95 of the NICs (DeepEP, 16 to 256 GPUs), 0.2 to 0.6 over EFA "
    "and hashed RoCE (UCCL-EP, DeepEP issue 82)",
    nvlink_found=0.70,
)
RACKS = Reach(
    0.85,
    0.24,
    "exchanges across racks: an upper bound; the one published measurement, two racks of GB300, is 0.24 of the NICs",
    upper_bound=True,
)
# GPUs of a rack whose NICs a collective across racks drives: fitted to 2 and 20 racks of GB200 (coreweave/nccl-tests:
# 406 to 413 GB/s a rack, 8 NICs of 400 Gb/s), and no rule of NCCL's that we know.
RACK_NICS = 8
RACK_COLLECTIVE = Reach(
    1.0, 0.74, "collectives across racks use 8 NICs of a rack: 406 to 413 GB/s a rack at 2 and 20 racks of GB200"
)


def reach_of(collective: str, tuning: Tuning, span: Span) -> Reach:
    """What part of the network's payload a group's algorithm reaches."""
    if span.n_domains < 2:
        return GPU_POSTED if tuning == "gpu-exchange" else INSIDE
    rack = span.n_domains > 1 and span.per_domain > HOST_GPUS
    if tuning in ("exchange", "gpu-exchange"):
        if rack:
            return RACKS
        if tuning == "gpu-exchange":
            return GPU_POSTED
        if collective == "send-recv":
            return SEND
        return PAIR if span.n_domains == 2 else EXCHANGE
    if rack:
        return RACK_COLLECTIVE
    return LARGE_COLLECTIVE if span.n_domains > LARGE_DOMAINS else COLLECTIVE


def nics_used(tuning: Tuning, span: Span) -> float:
    """The part of a domain's NICs that a group's algorithm drives."""
    if tuning in ("exchange", "gpu-exchange") or span.n_domains < 2 or span.per_domain <= HOST_GPUS:
        return 1.0
    return RACK_NICS / span.per_domain
