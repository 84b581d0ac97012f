"""The algorithms that railscope brings along; the first one of a collective is its default.

What NCCL times by its ring is timed so, and what NCCL does not have as well (an assumption).  Which algorithms a
library has, and when it takes them, is said beside each: NVIDIA/nccl 5067397, ``src/graph/tuning.cc``, and ROCm/rccl's
file of that name; what neither has is considered only where a choice among all is asked for.
"""

from functools import partial

from collectives import domain_programs, programs
from collectives.algorithm import ANY, NCCL, RCCL, Algorithm, JobFacts, Library, MakeProgram
from collectives.alltoall import all_to_all, rail_aligned_all_to_all
from collectives.hierarchical import (
    hierarchical_all_reduce,
    nvls_all_reduce,
    nvls_tree_all_reduce,
    sharp_all_reduce,
    two_phase_all_to_all,
)
from collectives.nccl_channels import chains, channel_rings, channel_trees, channels
from collectives.ring import (
    bidirectional_ring_all_reduce,
    ring_all_gather,
    ring_all_reduce,
    ring_broadcast,
    ring_reduce,
    ring_reduce_scatter,
)

# Assumed: n - 1 steps of n different flows each are too many above it, and the direct exchange says the same there.
_MOST_PAIRWISE = 256


# Rings, trees, sends and receives.
_BOTH: tuple[Library, ...] = (NCCL, RCCL, ANY)
# What needs NVLink switches, switches that reduce, or was written for NCCL alone.
_NCCL: tuple[Library, ...] = (NCCL, ANY)
_NONE: tuple[Library, ...] = (ANY,)


def _small(facts: JobFacts) -> bool:
    return facts.n_ranks <= _MOST_PAIRWISE


def _network_reduces(facts: JobFacts) -> bool:
    return facts.switches_reduce


def _nvls(facts: JobFacts) -> bool:
    """Over several nodes NCCL takes NVLS only with CollNet, which is `sharp` here; over one no tree is left."""
    return facts.nvlink_switches_reduce and facts.n_domains == 1


def _nvls_tree(facts: JobFacts) -> bool:
    return facts.nvlink_switches_reduce and facts.n_domains > 1


def _one_gpu_a_domain(facts: JobFacts) -> bool:
    """NCCL enables PAT (``ncclPatEnable``) only where every rank is a node of its own."""
    return facts.n_domains == facts.n_ranks


def _rings(collective: str) -> Algorithm:
    return Algorithm(
        collective,
        "rings",
        partial(domain_programs.channel_rings, collective),
        partial(channel_rings, collective),
        domains="required",
        options=("n_channels", "cross_nic"),
        channels=channels,
        libraries=_BOTH,
        moves="rings, once round" if collective in ("all-gather", "reduce-scatter") else "",
    )


def _pat(collective: str, program: MakeProgram) -> Algorithm:
    return Algorithm(
        collective, "pat", program, label="PAT", automatic=_one_gpu_a_domain, tuning="pat", libraries=_NCCL
    )


def _exchange(collective: str, program: MakeProgram, label: str) -> Algorithm:
    return Algorithm(collective, "direct", program, label=label, tuning="exchange", libraries=_BOTH)


SHIPPED: tuple[Algorithm, ...] = (
    Algorithm("all-reduce", "ring", programs.ring_all_reduce, ring_all_reduce, libraries=_NONE),
    Algorithm(
        "all-reduce",
        "bidirectional-ring",
        programs.bidirectional_ring_all_reduce,
        bidirectional_ring_all_reduce,
        libraries=_NONE,
    ),
    Algorithm(
        "all-reduce",
        "double-tree",
        programs.double_tree_all_reduce,
        label="double binary tree",
        tuning="tree",
        libraries=_NONE,
    ),
    Algorithm(
        "all-reduce",
        "halving-doubling",
        programs.halving_doubling_all_reduce,
        label="halving and doubling",
        libraries=_NONE,
    ),
    _rings("all-reduce"),
    Algorithm(
        "all-reduce",
        "hierarchical",
        domain_programs.hierarchical_all_reduce,
        hierarchical_all_reduce,
        domains="required",
        options=("n_channels",),
        libraries=_NONE,
    ),
    Algorithm(
        "all-reduce",
        "trees",
        domain_programs.channel_trees,
        channel_trees,
        domains="required",
        options=("n_channels",),
        channels=chains,
        tuning="tree",
        libraries=_BOTH,
    ),
    Algorithm(
        "all-reduce",
        "nvls",
        domain_programs.nvls_all_reduce,
        nvls_all_reduce,
        domains="required",
        options=("n_channels",),
        switches_reduce=True,
        automatic=_nvls,
        tuning="nvls",
        libraries=_NCCL,
    ),
    Algorithm(
        "all-reduce",
        "nvls-tree",
        domain_programs.nvls_tree_all_reduce,
        nvls_tree_all_reduce,
        domains="required",
        options=("n_channels",),
        switches_reduce=True,
        automatic=_nvls_tree,
        tuning="nvls-tree",
        libraries=_NCCL,
    ),
    Algorithm(
        "all-reduce",
        "sharp",
        domain_programs.sharp_all_reduce,
        sharp_all_reduce,
        domains="optional",
        options=("n_channels",),
        switches_reduce=True,
        automatic=_network_reduces,
        tuning="sharp",
        libraries=_NCCL,
    ),
    Algorithm(
        "all-gather", "ring", programs.ring_all_gather, ring_all_gather, libraries=_NONE, moves="ring, once round"
    ),
    Algorithm(
        "all-gather", "recursive-doubling", programs.doubling_all_gather, label="recursive doubling", libraries=_NONE
    ),
    _pat("all-gather", programs.pat_all_gather),
    _rings("all-gather"),
    Algorithm(
        "reduce-scatter",
        "ring",
        programs.ring_reduce_scatter,
        ring_reduce_scatter,
        libraries=_NONE,
        moves="ring, once round",
    ),
    Algorithm(
        "reduce-scatter",
        "recursive-halving",
        programs.halving_reduce_scatter,
        label="recursive halving",
        libraries=_NONE,
    ),
    _pat("reduce-scatter", programs.pat_reduce_scatter),
    _rings("reduce-scatter"),
    Algorithm("all-to-all", "direct", programs.direct_all_to_all, all_to_all, tuning="exchange", libraries=_BOTH),
    Algorithm("all-to-all", "pairwise", programs.pairwise_all_to_all, automatic=_small, libraries=_NONE),
    Algorithm("all-to-all", "bruck", programs.bruck_all_to_all, label="Bruck", libraries=_NONE),
    Algorithm(
        "all-to-all",
        "pxn",
        domain_programs.pxn_all_to_all,
        rail_aligned_all_to_all,
        domains="required",
        tuning="exchange",
        libraries=_NCCL,
    ),
    Algorithm(
        "all-to-all",
        "two-phase",
        domain_programs.two_phase_all_to_all,
        two_phase_all_to_all,
        domains="required",
        tuning="exchange",
        libraries=_NONE,
    ),
    # DeepEP's kernels: bytes go to the GPU of one's own rail and are forwarded there, or directly.
    Algorithm(
        "all-to-all",
        "deepep",
        domain_programs.pxn_all_to_all,
        rail_aligned_all_to_all,
        domains="required",
        tuning="gpu-exchange",
        libraries=_NONE,
    ),
    Algorithm(
        "all-to-all",
        "deepep-low-latency",
        programs.direct_all_to_all,
        all_to_all,
        tuning="gpu-exchange",
        libraries=_NONE,
    ),
    Algorithm("broadcast", "ring", programs.ring_broadcast, ring_broadcast, libraries=_NONE),
    Algorithm("broadcast", "tree", programs.tree_broadcast, label="binomial tree", libraries=_NONE),
    _rings("broadcast"),
    Algorithm("reduce", "ring", programs.ring_reduce, ring_reduce, libraries=_NONE),
    Algorithm("reduce", "tree", programs.tree_reduce, label="binomial tree", libraries=_NONE),
    _rings("reduce"),
    _exchange("gather", programs.direct_gather, "direct gather"),
    Algorithm("gather", "tree", programs.tree_gather, label="binomial tree", libraries=_NONE),
    _exchange("scatter", programs.direct_scatter, "direct scatter"),
    Algorithm("scatter", "tree", programs.tree_scatter, label="binomial tree", libraries=_NONE),
    _exchange("send-recv", programs.direct_send, "send and receive"),
)
