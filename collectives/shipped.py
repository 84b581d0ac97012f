"""The algorithms that railscope brings along; the first one of a collective is its default.

What NCCL times by its ring is timed so, and what NCCL does not have as well (an assumption).
"""

from functools import partial

from collectives import domain_programs, programs
from collectives.algorithm import Algorithm, JobFacts
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


def _small(facts: JobFacts) -> bool:
    return facts.n_ranks <= _MOST_PAIRWISE


def _network_reduces(facts: JobFacts) -> bool:
    return facts.switches_reduce


def _rings(collective: str) -> Algorithm:
    return Algorithm(
        collective,
        "rings",
        partial(domain_programs.channel_rings, collective),
        partial(channel_rings, collective),
        domains="required",
        options=("n_channels", "cross_nic"),
        channels=channels,
    )


SHIPPED: tuple[Algorithm, ...] = (
    Algorithm("all-reduce", "ring", programs.ring_all_reduce, ring_all_reduce),
    Algorithm(
        "all-reduce", "bidirectional-ring", programs.bidirectional_ring_all_reduce, bidirectional_ring_all_reduce
    ),
    Algorithm("all-reduce", "double-tree", programs.double_tree_all_reduce, label="double binary tree", tuning="tree"),
    Algorithm("all-reduce", "halving-doubling", programs.halving_doubling_all_reduce, label="halving and doubling"),
    _rings("all-reduce"),
    Algorithm(
        "all-reduce",
        "hierarchical",
        domain_programs.hierarchical_all_reduce,
        hierarchical_all_reduce,
        domains="required",
        options=("n_channels",),
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
    ),
    Algorithm(
        "all-reduce",
        "nvls",
        domain_programs.nvls_all_reduce,
        nvls_all_reduce,
        domains="required",
        options=("n_channels",),
        switches_reduce=True,
        tuning="nvls",
    ),
    Algorithm(
        "all-reduce",
        "nvls-tree",
        domain_programs.nvls_tree_all_reduce,
        nvls_tree_all_reduce,
        domains="required",
        options=("n_channels",),
        switches_reduce=True,
        tuning="nvls-tree",
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
    ),
    Algorithm("all-gather", "ring", programs.ring_all_gather, ring_all_gather),
    Algorithm("all-gather", "recursive-doubling", programs.doubling_all_gather, label="recursive doubling"),
    Algorithm("all-gather", "pat", programs.pat_all_gather, label="PAT", tuning="pat"),
    _rings("all-gather"),
    Algorithm("reduce-scatter", "ring", programs.ring_reduce_scatter, ring_reduce_scatter),
    Algorithm("reduce-scatter", "recursive-halving", programs.halving_reduce_scatter, label="recursive halving"),
    Algorithm("reduce-scatter", "pat", programs.pat_reduce_scatter, label="PAT", tuning="pat"),
    _rings("reduce-scatter"),
    Algorithm("all-to-all", "direct", programs.direct_all_to_all, all_to_all),
    Algorithm("all-to-all", "pairwise", programs.pairwise_all_to_all, automatic=_small),
    Algorithm("all-to-all", "bruck", programs.bruck_all_to_all, label="Bruck"),
    Algorithm("all-to-all", "pxn", domain_programs.pxn_all_to_all, rail_aligned_all_to_all, domains="required"),
    Algorithm(
        "all-to-all", "two-phase", domain_programs.two_phase_all_to_all, two_phase_all_to_all, domains="required"
    ),
    Algorithm("broadcast", "ring", programs.ring_broadcast, ring_broadcast),
    Algorithm("broadcast", "tree", programs.tree_broadcast, label="binomial tree"),
    _rings("broadcast"),
    Algorithm("reduce", "ring", programs.ring_reduce, ring_reduce),
    Algorithm("reduce", "tree", programs.tree_reduce, label="binomial tree"),
    _rings("reduce"),
    Algorithm("gather", "direct", programs.direct_gather, label="direct gather"),
    Algorithm("gather", "tree", programs.tree_gather, label="binomial tree"),
    Algorithm("scatter", "direct", programs.direct_scatter, label="direct scatter"),
    Algorithm("scatter", "tree", programs.tree_scatter, label="binomial tree"),
    Algorithm("send-recv", "direct", programs.direct_send, label="send and receive"),
)
