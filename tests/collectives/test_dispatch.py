"""Tokens to experts against sums over every pair."""

import numpy as np
import pytest

from collectives.demand import Groups
from collectives.dispatch import node_all_to_all, skewed_all_to_all
from collectives.errors import InputError


def pairs(demand):
    """Bytes of every pair of ranks, by the definition of an all-to-all."""
    n = int(demand.groups.rank.max()) + 1
    matrix = np.zeros((n, n))
    block = demand.block if demand.block is not None else np.arange(demand.groups.n_members)
    for first, stop in zip(demand.groups.start, demand.groups.start[1:], strict=False):
        for i in range(first, stop):
            for j in range(first, stop):
                if i != j and block[i] != block[j]:
                    matrix[demand.groups.rank[i], demand.groups.rank[j]] += demand.send[i] * demand.receive[j]
    return matrix


def test_skew_keeps_what_is_sent():
    shares = np.array([2.0, 1.0, 0.5, 0.5])
    (phase,) = skewed_all_to_all(Groups.consecutive(8, 4), 100.0, shares).phases
    matrix = pairs(phase.demands[0])
    assert matrix[:4, 0].tolist() == [0, 50, 50, 50]
    assert np.allclose(matrix[4:, 4:], matrix[:4, :4])
    (back,) = skewed_all_to_all(Groups.consecutive(8, 4), 100.0, shares, back=True).phases
    assert np.allclose(pairs(back.demands[0]), matrix.T)


@pytest.mark.parametrize("back", [False, True])
def test_a_token_crosses_once_to_each_node(back):
    """16 ranks: 4 nodes of 4 rails; a token visits 2.5 of 4 nodes and 6 ranks."""
    domain, rail = np.repeat(np.arange(4, dtype=np.int32), 4), np.tile(np.arange(4, dtype=np.int32), 4)
    groups = Groups.consecutive(16, 16)
    (phase,) = node_all_to_all(groups, 8.0, 6.0, lambda n: 2.5 * n / 4, np.ones(16), domain, rail, back).phases
    across, inside = map(pairs, phase.demands)
    for i, j in np.ndindex(16, 16):
        far = domain[i] != domain[j]
        # The network: to the rank on one's own rail, the tokens that visit its node.
        assert across[i, j] == pytest.approx(8.0 * 2.5 / 4 if far and rail[i] == rail[j] else 0)
        # NVLink: what all four nodes send to a rank comes through the ranks of its node, in equal parts.
        assert inside[i, j] == pytest.approx(4 * 8.0 * 6.0 / 16 if not far and i != j else 0)


def test_one_node_is_a_plain_exchange():
    domain = rail = np.zeros(8, np.int32)
    (phase,) = node_all_to_all(Groups.consecutive(8, 8), 8.0, 4.0, lambda n: n, np.ones(8), domain, rail).phases
    (demand,) = phase.demands
    assert demand.total_bytes() == pytest.approx(8 * 8.0 * 4.0 * 7 / 8)


def test_groups_of_another_size_are_refused():
    with pytest.raises(InputError, match="dispatch: groups of 4 ranks; expected 8"):
        skewed_all_to_all(Groups.consecutive(8, 4), 1.0, np.ones(8))


@pytest.mark.parametrize("back", [False, True])
def test_a_popular_node_is_visited_by_more_tokens(back):
    """Tokens of 4 copies each, drawn by the nodes' shares: counted one by one, for dispatch and for combine."""
    domain, rail = np.repeat(np.arange(4, dtype=np.int32), 2), np.tile(np.arange(2, dtype=np.int32), 4)
    shares = np.array([2.4, 1.6, 1.2, 0.8, 0.6, 0.6, 0.4, 0.4])
    groups, tokens, draws = Groups.consecutive(8, 8), 200_000, 4
    visits = 4 * (1 - (1 - 1 / 4) ** draws)
    (phase,) = node_all_to_all(groups, float(tokens), 4.0, lambda n: visits, shares, domain, rail, back).phases
    across = pairs(phase.demands[0])
    across = across.T if back else across
    rng = np.random.default_rng(1)
    drawn = rng.choice(4, (tokens, draws), p=shares.reshape(4, 2).sum(axis=1) / 8)
    for node in range(4):
        counted = (drawn == node).any(axis=1).sum()
        far = [(i, j) for i, j in np.ndindex(8, 8) if domain[i] != domain[j] == node and rail[i] == rail[j]]
        assert [across[pair] for pair in far] == pytest.approx([counted] * len(far), rel=0.02)
