"""Orders in which rings and chains pass through members of whom every two are joined, so that all links are used alike.

W. Walecki's construction (E. Lucas: Récréations mathématiques II, 1892; B. Alspach: The wonderful Walecki construction,
Bull. ICA 52, 2008): the zigzag 0, 1, -1, 2, -2, ... modulo n, turned n times, is n paths through all members, which use
every pair of them equally often.  Walked both ways, paths and rings use every direction of a pair equally often: once
where the number of members is even (paths) or odd (rings), else twice.  Rings that use every direction once would exist
for even numbers from 8 on (T. W. Tillson, J. Combin. Theory B 29, 1980), not for 4 and 6; RCCL too takes 7 rings both
ways through 8 GPUs (ROCm/rccl, src/graph/rome_models.cc, the models of gfx942).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from collectives.demand import Int64Vector

Int64Matrix = npt.NDArray[np.int64]


@lru_cache(maxsize=64)
def even_paths(n: int) -> Int64Matrix:
    """Paths through n places that together join every two places once (even n) or twice (odd n).

    Returns
    -------
    (n / 2, n) or (n, n) int64
        A path a row.  Row j leads from place 2 j to 2 j + 1 where n is even, else from j to j + 1 (modulo n).
    """
    step = np.arange(1, n)
    zigzag = np.concatenate([[0], np.where(step % 2, (step + 1) // 2, -(step // 2))])
    turned = (zigzag + np.arange(n if n % 2 else n // 2)[:, None]) % n
    # Both ends of a turn get neighbouring numbers.
    renamed = np.arange(n) * 2 % n + (np.arange(n) * 2 >= n if n % 2 == 0 else 0)
    paths = renamed[turned]
    return _kept(paths[np.argsort(paths[:, 0])])


@lru_cache(maxsize=64)
def path_all_round(n: int) -> Int64Vector:
    """A path through n places from 0 to n - 1, to be turned: no pair is used more than twice, but where n is 4.

    Returns
    -------
    (n,) int64
        For odd n a path of `even_paths`; for even n the zigzag 0, 1, -2, 2, -3, 3, ..., -1 modulo n.
    """
    if n % 2:
        path: Int64Vector = even_paths(n)[-1][::-1]
        return path
    step = np.arange(1, n - 1)
    zigzag = np.where(step % 2, (step + 1) // 2, -(step // 2) - 1)
    return _kept(np.concatenate([[0], zigzag, [n - 1]]) % n)


@lru_cache(maxsize=64)
def even_rings(n: int) -> Int64Matrix:
    """Rings through n >= 2 places that together join every two both ways once (odd n) or twice (even n).

    Returns
    -------
    (n - 1, n) or (2 (n - 1), n) int64
        A ring a row; each is followed by the same the other way round.
    """
    paths = even_paths(n - 1)
    rings = np.column_stack([paths, np.full(len(paths), n - 1)])
    return _kept(np.stack([rings, rings[:, ::-1]], axis=1).reshape(-1, n))


def _kept(orders: Int64Matrix) -> Int64Matrix:
    # One array for all that ask.
    orders.flags.writeable = False
    return orders
