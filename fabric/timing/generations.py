"""What a library gets out of each generation of GPUs and the links inside their domains."""

import math
from dataclasses import dataclass, replace

from collectives.errors import InputError
from collectives.suggestion import hint

# GPUs of the largest host that NCCL's tables were made on: a domain with more is a rack.
HOST_GPUS = 8
# NCCL, src/transport/nvls.cc: at most 32 GPUs are heads of an NVLS tree (NCCL_MAX_NVLS_ARITY).
MOST_HEADS = 32
# Of one domain, of two, and of more: NCCL's index2 in ncclTopoTuneModel.
ByDomains = tuple[float, float, float]


@dataclass(frozen=True)
class Generation:
    """A generation of GPUs.

    Attributes
    ----------
    key : str
        What ``[scale_up] generation`` is given as.
    name : str
    gpu_gbps : tuple of float
        Nominal speeds inside the domain, each way, by which it is recognised.
    efficiency : float
        Payload over nominal speed of sends between GPUs.
    nvls_efficiency, rack_nvls_efficiency : float
        On top of it where the domain's switches add, in a host and in a rack; 0: they do not.
    fill_bytes : float
        What each GPU of a domain has in flight before switches that add run at full speed; paid as if it were sent.
    level_bytes : float
        The same for each NIC of a domain and each level of a tree of domains.
    ll_GBps : tuple of float
        Busbw that protocol LL reaches at most, by domains.
    tree_GBps, nvls_tree_GBps : tuple of float
        Busbw of one channel of a tree at most, by domains.
    post_s : float
        Of the host's processor for a message.
    source : str
        Of all this, in words.
    """

    key: str
    name: str
    gpu_gbps: tuple[float, ...]
    efficiency: float
    nvls_efficiency: float
    rack_nvls_efficiency: float
    fill_bytes: float
    level_bytes: float
    ll_GBps: ByDomains
    tree_GBps: ByDomains
    post_s: float
    source: str = "NCCL"


# ROCm/rocm-systems 03a89144, projects/rccl.  efficiency: src/graph/topo.h, GFX94X_XGMI_WIDTH, 48 of a link's 64 GB/s,
# which AMD says too (Understanding RCCL Bandwidth and xGMI Performance on AMD Instinct MI300X, 2025); MI355X is assumed
# to reach as much of its 76.8.  ll_GBps, post_s: src/graph/tuning.cc.  No limit of a tree's channel is known (assumed).
_CDNA3 = Generation(
    "cdna3",
    "xGMI of MI300X (CDNA 3)",
    (3584.0,),
    48 / 64,
    0.0,
    0.0,
    0.0,
    0.0,
    (27.0, 31.0, 31.0),
    (math.inf, math.inf, math.inf),
    2e-6,
    "RCCL",
)

# NVIDIA/nccl 5067397.  efficiency: src/graph/topo.h, SM70, SM80, SM90 and SM100_NVLINK_BW times a GPU's links over
# their nominal speed; nvls_efficiency: src/graph/tuning.cc, nvlsEfficiency; ll_GBps: llMaxBws, of Intel hosts but for
# Ampere (DGX A100 has AMD processors); tree_GBps: perChMaxTreeBws; post_s: getNetOverhead.
# H800 and A800 have 8 of 18 and of 12 links (400 GB/s both ways); by speed alone the former is taken.
#
# Fitted, to rows of published measurements: fill_bytes to 8 H100 (NVIDIA/dgxc-benchmarking, 1 MiB to 16 GiB: 325 us at
# 64 MiB where 270 us are latency and full speed) and to one rack of GB200 (coreweave/nccl-tests, 512 MiB to 8 GiB);
# level_bytes to two p5 (KeitaW/p5-nccl-test-2024-07-19, 64 MiB to 1 GiB) and to 2 and 20 racks of GB200;
# rack_nvls_efficiency to the largest sizes of a rack, 835 to 850 GB/s (GB200) and 937 GB/s (GB300).
GENERATIONS = (
    Generation(
        "volta",
        "NVLink 2 (Volta)",
        (1200.0,),
        6 * 20.0 / 150,
        0.0,
        0.0,
        0.0,
        0.0,
        (39.0, 39.0, 20.4),
        (26.5, 18.5, 10.0),
        1e-6,
    ),
    Generation(
        "ampere",
        "NVLink 3 (Ampere)",
        (2400.0,),
        12 * 20.0 / 300,
        0.0,
        0.0,
        0.0,
        0.0,
        (87.7, 22.5, 19.0),
        (24.0, 23.6, 17.8),
        2e-6,
    ),
    Generation(
        "hopper",
        "NVLink 4 (Hopper)",
        (3600.0, 1600.0),
        18 * 20.6 / 450,
        0.85,
        0.85,
        2.0 * 2**20,
        8.0 * 2**20,
        (141.0, 39.0, 20.4),
        (38.7, 41.4, 36.0),
        1e-6,
    ),
    Generation(
        "blackwell",
        "NVLink 5 (Blackwell)",
        (7200.0,),
        18 * 40.1 / 900,
        0.74,
        0.65,
        8.0 * 2**20,
        16.0 * 2**20,
        (282.0, 39.0, 20.4),
        (70.0, 42.8, 24.0),
        1e-6,
    ),
    _CDNA3,
    replace(
        _CDNA3,
        key="cdna4",
        name="xGMI of MI355X (CDNA 4)",
        gpu_gbps=(4300.8,),
        source="RCCL, assumed as CDNA 3",
    ),
)
KEYS = tuple(one.key for one in GENERATIONS)
# Whose figures a speed that is none of theirs takes.
_NVLINK = tuple(one for one in GENERATIONS if one.source == "NCCL")


def generation_of(gpu_gbps: float, key: str | None = None) -> tuple[Generation, str]:
    """The generation of a domain, and how it was found, in words.

    Parameters
    ----------
    gpu_gbps : float
        Nominal speed of a GPU inside its domain, each way.
    key : str, optional
        Its generation, where it is said; default the one of that speed, or else of the nearest.

    Raises
    ------
    InputError
        If there is no generation of that key.
    """
    if key:
        for one in GENERATIONS:
            if one.key == key:
                return one, f"{one.source}, {one.name}"
        raise InputError(f"generation {key!r}: unknown; {hint(key, KEYS)}")
    for one in GENERATIONS:
        if _away(one, gpu_gbps) < 1.001:
            return one, f"{one.source}, {one.name}"
    nearest = min(_NVLINK, key=lambda one: _away(one, gpu_gbps))
    return nearest, f"assumed: as {nearest.name}, the nearest generation to {gpu_gbps / 8:g} GB/s"


def _away(generation: Generation, gpu_gbps: float) -> float:
    return min(max(one / gpu_gbps, gpu_gbps / one) for one in generation.gpu_gbps)
