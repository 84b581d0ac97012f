"""The ISLs of a layer with parallel cables put together: whatever splits by capacity loads them in proportion to it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from fabric._kernels.arrays import BundleArrays
from fabric.routing.layer import Layer, sums_of
from fabric.routing.member_classes import starts_of


@dataclass(frozen=True, eq=False)
class Bundles:
    """Bundles of a layer's parallel cables.

    Attributes
    ----------
    arrays : BundleArrays
        What the kernels read.
    of_isl : (T,) int32
        Bundle of each ISL.
    isl_part : (T,) float64
        Part of its bundle's bytes that an ISL carries.
    """

    arrays: BundleArrays
    of_isl: Int32Vector
    isl_part: FloatVector

    @property
    def n_bundles(self) -> int:
        """B."""
        return len(self.arrays.tail)

    def isl_bytes(self, bundle_bytes: FloatVector) -> FloatVector:
        """Bytes of bundles as those of ISLs, (T,) float64."""
        return bundle_bytes[self.of_isl] * self.isl_part


# Both layers of the few fabrics that one comparison looks at.
@lru_cache(maxsize=8)
def bundles_of(layer: Layer) -> Bundles:
    """Put the parallel cables of a layer together.  O(T)."""
    arrays = layer.arrays
    head = np.repeat(np.arange(layer.n_switches, dtype=np.int32), np.diff(arrays.in_start))
    first = np.ones(layer.n_isls, bool)
    first[1:] = (arrays.in_tail[1:] != arrays.in_tail[:-1]) | (head[1:] != head[:-1])
    of_entry = (np.cumsum(first) - 1).astype(np.int32)
    n_bundles = int(first.sum())
    gbps = sums_of(of_entry, arrays.in_gbps, n_bundles)
    before = np.concatenate([[0], np.cumsum(first)])
    of_isl, isl_part = np.empty(layer.n_isls, np.int32), np.empty(layer.n_isls)
    of_isl[arrays.in_link] = of_entry
    isl_part[arrays.in_link] = arrays.in_gbps / gbps[of_entry]
    tail = arrays.in_tail[first]
    out = np.argsort(tail, kind="stable")
    out_start, out_head, out_gbps = starts_of(tail[out], layer.n_switches), head[first][out], gbps[out]
    twin = _twins(out_start, out_head, out_gbps)
    own = BundleArrays(before[arrays.in_start], tail, gbps, out_start, out_head, out_gbps, twin)
    return Bundles(own, of_isl, isl_part)


def _twins(start: Int64Vector, head: Int32Vector, gbps: FloatVector) -> Int32Vector:
    """First switch with the same bundles out, of each switch."""
    twin = np.arange(start.size - 1, dtype=np.int32)
    first: dict[tuple[bytes, bytes], int] = {}
    for switch in np.flatnonzero(np.diff(start)).tolist():
        own = slice(start[switch], start[switch + 1])
        twin[switch] = first.setdefault((head[own].tobytes(), gbps[own].tobytes()), switch)
    return twin
