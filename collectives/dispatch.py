"""Tokens to experts: an exchange in which receivers differ, or in which a token crosses the network once a node."""

from collections.abc import Callable

import numpy as np

from collectives.demand import AllToAll, FloatVector, Groups, Int32Vector, Int64Vector
from collectives.domains import lone_apart
from collectives.errors import InputError
from collectives.schedule import Phase, Schedule


def skewed_all_to_all(groups: Groups, bytes: float, shares: FloatVector, back: bool = False) -> Schedule:
    """Every member sends `bytes`, of which the receivers get unequal shares.

    Parameters
    ----------
    groups : Groups
        All of one size.
    bytes : float
        Of one member, its own part among them.
    shares : (size,) float64
        What each member of a group receives over the mean.
    back : bool
        Whether the same bytes go back instead.

    Raises
    ------
    InputError
        If a group has another number of members than there are shares.
    """
    size = _size(groups, len(shares))
    even, uneven = np.full(groups.n_members, bytes / size), np.tile(shares, groups.n_groups)
    ends = (uneven, even) if back else (even, uneven)
    return Schedule((Phase(AllToAll(groups, *ends), 1, "combine" if back else "dispatch"),))


def node_all_to_all(
    groups: Groups,
    token_bytes: float,
    copies: float,
    nodes: Callable[[int], float],
    shares: FloatVector,
    domain: Int32Vector,
    rail: Int32Vector,
    back: bool = False,
) -> Schedule:
    """A token goes once to each node that it visits, to the rank on the sender's rail, and is copied there over NVLink.

    As DeepSeek-V3 sends them (arXiv 2412.19437, section 3.2.2; DeepEP's normal kernels).  Where a node has no member on
    the sender's rail the bytes go to the members there in equal parts.  A node is visited by as many tokens as draws
    with its share of the copies make likely, as many draws as give `nodes` where all shares are equal.

    Parameters
    ----------
    groups : Groups
        All of one size.
    token_bytes : float
        All tokens of a member, one copy of each.
    copies : float
        Copies of a token that reach ranks, its own among them.
    nodes : callable
        Of a number of nodes, how many of them a token visits where all members receive the same.
    shares : (size,) float64
        What each member receives over the mean.
    domain, rail : (n_ranks,) int32
    back : bool
        Whether the same bytes go back instead.

    Raises
    ------
    InputError
        As `skewed_all_to_all`.
    """
    size = _size(groups, len(shares))
    own = lone_apart(domain[groups.rank]).reshape(groups.n_groups, size)
    n_nodes = int(max(len(np.unique(row)) for row in own))
    if n_nodes == 1:
        return skewed_all_to_all(groups, token_bytes * copies, shares, back)
    index = groups.member_group()
    # Network: members of one group and rail, each pair of nodes a part of the tokens that visit it.
    key = index * (int(rail.max(initial=0)) + 2) + rail[groups.rank] + 1
    order = np.argsort(key, kind="stable")
    start = np.concatenate([[0], np.flatnonzero(np.diff(key[order])) + 1, [groups.n_members]]).astype(np.int64)
    alike = Groups(start, groups.rank[order])
    # Where several members of a node share a rail, the tokens for it are cut among them.
    block = own.reshape(-1)[order].astype(np.int32)
    pairs = alike.member_group() * (int(block.max()) + 1) + block
    _, place, members = np.unique(pairs, return_inverse=True, return_counts=True)
    visited = _visited(own, shares, nodes(n_nodes) / n_nodes).reshape(-1)[order] / members[place]
    tokens = np.full(groups.n_members, token_bytes)
    sends, receives = (visited, tokens) if back else (tokens, visited)
    across = AllToAll(alike, sends, receives, block)
    # NVLink: what came for the node and what was its own, to the members that it is for.
    keys = index * (int(own.max()) + 1) + own.reshape(-1)
    order = np.argsort(keys, kind="stable")
    start = np.concatenate([[0], np.flatnonzero(np.diff(keys[order])) + 1, [groups.n_members]]).astype(np.int64)
    near = Groups(start, groups.rank[order])
    per_node = near.sizes[near.member_group()]
    sent = token_bytes * copies * (size / per_node) / size
    shared = np.tile(shares, groups.n_groups)[order]
    ends = (shared, sent) if back else (sent, shared)
    inside = AllToAll(near, *ends)
    return Schedule((Phase((across, inside), 1, "combine by node" if back else "dispatch by node"),))


def _visited(own: Int64Vector, shares: FloatVector, usual: float) -> FloatVector:
    """Part of the tokens that visits each member's node, (n_groups, size); `usual` where shares are equal."""
    n_groups, size = own.shape
    key = np.arange(n_groups)[:, None] * (int(own.max()) + 1) + own
    node = np.unique(key, return_inverse=True)[1].ravel()
    share = np.bincount(node, np.tile(shares / size, n_groups))[node].reshape(n_groups, size)
    if usual >= 1 or float(shares.max()) <= 1 + 1e-12:
        return np.full((n_groups, size), min(usual, 1.0))
    n_nodes = np.array([np.unique(row).size for row in own])[:, None]
    draws = np.log1p(-usual) / np.log1p(-1.0 / n_nodes)
    part: FloatVector = -np.expm1(draws * np.log1p(-np.minimum(share, 1.0 - 1e-12)))
    return part


def _size(groups: Groups, expected: int) -> int:
    sizes = np.unique(groups.sizes)
    if sizes.size != 1 or int(sizes[0]) != expected:
        raise InputError(f"dispatch: groups of {', '.join(map(str, sizes.tolist()))} ranks; expected {expected}")
    return expected
