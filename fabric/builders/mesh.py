"""Scale-up domains without a switch: a direct link between every two GPUs."""

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector
from fabric.topology import UNKNOWN

CableColumns = tuple[Int64Vector, Int64Vector, Int64Vector, Int64Vector, FloatVector]


def mesh_cables(n_endpoints: int, per_domain: int, gpu_gbps: float, first_port: int) -> CableColumns:
    """Cables of domains of so many endpoints in order; the last one may have fewer, with links as fast.

    Parameters
    ----------
    n_endpoints, per_domain : int
        `per_domain` >= 2.
    gpu_gbps : float
        Of an endpoint's ``per_domain - 1`` links together, each way.
    first_port : int
        Port of an endpoint to the first of the others; those to the following ones follow.

    Returns
    -------
    a, b, a_port, b_port : (n_cables,) int64
    gbps : (n_cables,) float64
        Each way.
    """
    place = np.arange(n_endpoints) % per_domain
    lower = [np.flatnonzero((place + step < per_domain)[: max(n_endpoints - step, 0)]) for step in range(1, per_domain)]
    a = np.concatenate(lower)
    b = a + np.repeat(np.arange(1, per_domain), [len(part) for part in lower])
    gbps = np.full(a.size, gpu_gbps / (per_domain - 1))
    # An endpoint has no port to itself: those to later places come one earlier.
    a_port, b_port = first_port + place[b] - 1, first_port + place[a]
    return a, b, a_port, b_port, gbps


def mesh_domains(n_endpoints: int, per_domain: int) -> Int32Vector:
    """Domain of each endpoint of such a mesh; `UNKNOWN` for a last one that is alone, (n_endpoints,) int32."""
    domain = (np.arange(n_endpoints) // per_domain).astype(np.int32)
    if n_endpoints % per_domain == 1:
        domain[-1] = UNKNOWN
    return domain
