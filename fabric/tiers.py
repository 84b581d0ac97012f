"""Which tier a switch is in, where nobody says: by the majority of the switches that are cabled as it is.

The distance from the nearest endpoint is the tier of a clean fabric.  A host on a spine, or a leaf without hosts, would
shift it: so a switch counts as a leaf if its *siblings* have endpoints.  Siblings are the switches that share most of
its neighbours (more than half of those of both, its own among them): the leaves of a pod, the spines of a plane, the
line cards of a director.  They are leaves if they have some endpoints each, and not far fewer than the switches
around them.  All else is at its distance from the leaves.  Where leaves are cabled to all line cards of a
director, its fabric cards look like leaves without hosts: only their names tell them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

# Siblings share more than this part of the neighbours that either has.
_SHARED = 0.5
# Switches whose siblings have less than this part of the endpoints that their neighbours have are above them.  Assumed:
# spines have a few service hosts; in meshes of switches all have about as many.
_FEW = 0.25
# Pairs of switches that are compared at most; beyond, the nearest endpoint decides.
_MOST_PAIRS = 30_000_000

Int64Vector = npt.NDArray[np.int64]
FloatVector = npt.NDArray[np.float64]


def tiers_of(
    n: int,
    tail: Int64Vector,
    head: Int64Vector,
    endpoints: Int64Vector,
    above: npt.NDArray[np.bool_] | None = None,
) -> Int64Vector:
    """Tier of each switch.

    Parameters
    ----------
    n : int
        Switches.
    tail, head : (n_links,) int64
        Links between switches, both ways.
    endpoints : (n,) int64
        Endpoints on each switch.
    above : (n,) bool, optional
        Switches that are known to be no leaves, such as a director's fabric cards.

    Returns
    -------
    (n,) int64
        1 for leaves; 1 too for what no cables join with a leaf.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    joined = coo_array((np.ones(tail.size), (tail, head)), (n, n)).tocsr()
    joined.data[:] = 1.0
    leaves = _leaves(joined, endpoints.astype(np.float64), np.zeros(n, bool) if above is None else above)
    if not leaves.any():
        return np.ones(n, np.int64)
    hops = dijkstra(joined, indices=np.flatnonzero(leaves), unweighted=True, min_only=True)
    return np.where(np.isfinite(hops), hops + 1.0, 1.0).astype(np.int64)


def _leaves(joined: Any, endpoints: FloatVector, above: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    own = (endpoints > 0) & ~above
    degree = np.diff(joined.indptr).astype(np.float64)
    if not own.any() or float((degree**2).sum()) > _MOST_PAIRS:
        return own
    shared = (joined @ joined.T).tocoo()
    either = degree[shared.row] + degree[shared.col] - shared.data
    kept = (shared.data > _SHARED * either) & (above[shared.row] == above[shared.col])
    row, column = shared.row[kept], shared.col[kept]
    siblings = np.bincount(row, minlength=degree.size)
    # A switch without neighbours has itself.
    per_sibling = np.where(
        siblings > 0, np.bincount(row, endpoints[column], degree.size) / np.maximum(siblings, 1), endpoints
    )
    # The mean of those that have some, one cable away, and two.
    some = (per_sibling > 0).astype(np.float64)
    near = (joined @ per_sibling) / np.maximum(joined @ some, 1.0)
    next_near = np.bincount(shared.row, per_sibling[shared.col], degree.size) / np.maximum(
        np.bincount(shared.row, some[shared.col], degree.size), 1.0
    )
    leaves = (per_sibling > 0) & (per_sibling >= _FEW * np.maximum(near, next_near)) & ~above
    return np.asarray(leaves if leaves.any() else own)
