"""The collectives and their algorithms by the names that users type."""

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial

from collectives import algorithms
from collectives.alltoall import all_to_all, rail_aligned_all_to_all
from collectives.channels import channel_rings, channel_trees
from collectives.demand import Groups, Int32Vector
from collectives.errors import InputError
from collectives.hierarchical import (
    hierarchical_all_reduce,
    nvls_all_reduce,
    nvls_tree_all_reduce,
    sharp_all_reduce,
    two_phase_all_to_all,
)
from collectives.ring import (
    bidirectional_ring_all_reduce,
    group_bytes,
    ring_all_gather,
    ring_all_reduce,
    ring_broadcast,
    ring_reduce,
    ring_reduce_scatter,
)
from collectives.schedule import Schedule
from collectives.steps import Program, schedule_of

_Simple = Callable[[Groups, float], Schedule]
_Placed = Callable[..., Schedule]


def _stepped(make: Callable[[int], Program], label: str) -> _Simple:
    return lambda groups, bytes: schedule_of(make, groups, group_bytes(groups, bytes), label)


# The first of a collective is the default.  Those of `_PLACED` need to know the ranks' domains and rails.
_SIMPLE: dict[str, dict[str, _Simple]] = {
    "all-reduce": {
        "ring": ring_all_reduce,
        "bidirectional-ring": bidirectional_ring_all_reduce,
        "double-tree": _stepped(algorithms.double_tree_all_reduce, "double binary tree"),
        "halving-doubling": _stepped(algorithms.halving_doubling_all_reduce, "halving and doubling"),
    },
    "all-gather": {
        "ring": ring_all_gather,
        "recursive-doubling": _stepped(algorithms.doubling_all_gather, "recursive doubling"),
        "pat": _stepped(algorithms.pat_all_gather, "PAT"),
    },
    "reduce-scatter": {
        "ring": ring_reduce_scatter,
        "recursive-halving": _stepped(algorithms.halving_reduce_scatter, "recursive halving"),
        "pat": _stepped(algorithms.pat_reduce_scatter, "PAT"),
    },
    "all-to-all": {
        "direct": all_to_all,
        "pairwise": _stepped(algorithms.pairwise_all_to_all, "pairwise"),
        "bruck": _stepped(algorithms.bruck_all_to_all, "Bruck"),
    },
    "broadcast": {"ring": ring_broadcast, "tree": _stepped(algorithms.tree_broadcast, "binomial tree")},
    "reduce": {"ring": ring_reduce, "tree": _stepped(algorithms.tree_reduce, "binomial tree")},
    "gather": {
        "direct": _stepped(algorithms.direct_gather, "direct gather"),
        "tree": _stepped(algorithms.tree_gather, "binomial tree"),
    },
    "scatter": {
        "direct": _stepped(algorithms.direct_scatter, "direct scatter"),
        "tree": _stepped(algorithms.tree_scatter, "binomial tree"),
    },
    "send-recv": {"direct": _stepped(algorithms.direct_send, "send and receive")},
}
_PLACED: dict[str, dict[str, _Placed]] = {
    "all-reduce": {
        "rings": partial(channel_rings, "all-reduce"),
        "hierarchical": hierarchical_all_reduce,
        "trees": channel_trees,
        "nvls": nvls_all_reduce,
        "nvls-tree": nvls_tree_all_reduce,
        "sharp": sharp_all_reduce,
    },
    **{
        name: {"rings": partial(channel_rings, name)}
        for name in ("all-gather", "reduce-scatter", "broadcast", "reduce")
    },
    "all-to-all": {"pxn": rail_aligned_all_to_all, "two-phase": two_phase_all_to_all},
}
ALGORITHMS: dict[str, tuple[str, ...]] = {name: (*_SIMPLE[name], *_PLACED.get(name, ())) for name in _SIMPLE}
COLLECTIVES = tuple(ALGORITHMS)
# Instead of an algorithm: the fastest.
AUTO = "auto"
# Algorithms in which switches add up and multicast.
IN_NETWORK = frozenset({"sharp", "nvls", "nvls-tree"})
# Algorithms that take more than their size.
TAKES: dict[str, tuple[str, ...]] = {
    "n_channels": ("rings", "trees", "hierarchical", "nvls", "nvls-tree", "sharp"),
    "cross_nic": ("rings",),
}


def known_collective(name: str) -> str:
    """`name`, if there is such a collective.

    Raises
    ------
    InputError
        Names the nearest one.
    """
    if name not in ALGORITHMS:
        near = get_close_matches(name, COLLECTIVES, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(COLLECTIVES)}"
        raise InputError(f"collective {name!r}: unknown; {hint}")
    return name


def known_algorithm(name: str, algorithm: str | None) -> str:
    """`algorithm`, if the collective `name` has it; its first one for None.

    Raises
    ------
    InputError
        Lists those that there are.
    """
    chosen = algorithm or ALGORITHMS[known_collective(name)][0]
    if chosen not in ALGORITHMS[known_collective(name)]:
        raise InputError(f"algorithm {chosen!r}: {name} has {', '.join(ALGORITHMS[name])}")
    return chosen


def collective_schedule(
    name: str,
    groups: Groups,
    bytes: float,
    algorithm: str | None = None,
    domain: Int32Vector | None = None,
    rail: Int32Vector | None = None,
    n_channels: int | None = None,
    cross_nic: int | None = None,
) -> Schedule:
    """A collective of every group at once.

    Parameters
    ----------
    name : str
        One of `COLLECTIVES`.
    groups : Groups
    bytes : float
        The size that nccl-tests prints: all-reduce, broadcast, reduce, send-recv: buffer; all-gather, gather: gathered
        output; reduce-scatter, scatter: whole input; all-to-all: whole send buffer.
    algorithm : str, optional
        One of ``ALGORITHMS[name]``; default its first.
    domain, rail : (n_ranks,) int32, optional
        What algorithms that tell scale-up from scale-out need to know of the ranks.
    n_channels : int, optional
        Of ``rings`` and ``trees``: see `collectives.channels`.  Of ``hierarchical``, ``nvls``, ``nvls-tree`` and
        ``sharp``: members of a domain that talk across, at most.
    cross_nic : {0, 1, 2}, optional
        Of ``rings``: see `collectives.channels`.

    Raises
    ------
    InputError
        If the name or the algorithm is unknown, or the algorithm does not take what is given.
    """
    chosen = known_algorithm(name, algorithm)
    given = {key: value for key, value in (("n_channels", n_channels), ("cross_nic", cross_nic)) if value is not None}
    for key in given:
        if chosen not in TAKES[key]:
            raise InputError(f"{key} {given[key]}: expected the algorithm {' or '.join(TAKES[key])}, not {chosen}")
    if chosen in _SIMPLE[name]:
        return _SIMPLE[name][chosen](groups, bytes)
    if chosen == "sharp":
        return sharp_all_reduce(groups, bytes, domain, rail, n_channels)
    if domain is None or rail is None:
        raise InputError(f"{chosen} {name}: expected the domain and rail of every rank")
    return _PLACED[name][chosen](groups, bytes, domain, rail, **given)
