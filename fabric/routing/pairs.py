"""The pairs of an all-to-all, written out a block at a time."""

from collections.abc import Iterator

import numpy as np

from collectives.demand import AllToAll, Flows

# Pairs written out together: some ten MB of arrays, assumed to suit any machine.
BLOCK_PAIRS = 2**18


def pairs_in_blocks(demand: AllToAll, block_pairs: int = BLOCK_PAIRS) -> Iterator[Flows]:
    """The pairs that exchange bytes, as flows between ranks.  O(pairs) in all; O(block_pairs + n) memory.

    Parameters
    ----------
    demand : AllToAll
    block_pairs : int
        About how many flows are given at a time.
    """
    waiting: list[Flows] = []
    n_waiting = 0
    for piece in _pieces(demand, block_pairs):
        waiting.append(piece)
        n_waiting += len(piece.src)
        if n_waiting >= block_pairs:
            yield _joined(waiting)
            waiting, n_waiting = [], 0
    if n_waiting:
        yield _joined(waiting)


def _pieces(demand: AllToAll, block_pairs: int) -> Iterator[Flows]:
    """Some senders of a group with all their receivers at a time."""
    ranks = demand.groups.rank
    for first, stop in zip(demand.groups.start[:-1].tolist(), demand.groups.start[1:].tolist(), strict=True):
        senders = first + np.flatnonzero(demand.send[first:stop] > 0)
        receivers = first + np.flatnonzero(demand.receive[first:stop] > 0)
        n_rows = max(1, block_pairs // max(receivers.size, 1))
        block = np.arange(stop) if demand.block is None else demand.block
        for row in range(0, senders.size, n_rows):
            some = senders[row : row + n_rows]
            i, j = np.nonzero((block[some, None] != block[receivers]) & (some[:, None] != receivers))
            if i.size:
                i, j = some[i], receivers[j]
                yield Flows(ranks[i], ranks[j], demand.send[i] * demand.receive[j])


def _joined(pieces: list[Flows]) -> Flows:
    if len(pieces) == 1:
        return pieces[0]
    return Flows(
        np.concatenate([piece.src for piece in pieces]),
        np.concatenate([piece.dst for piece in pieces]),
        np.concatenate([piece.bytes for piece in pieces]),
    )
