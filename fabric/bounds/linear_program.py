"""The best that any routing of given traffic can reach: a linear program, for small fabrics.

The smallest possible largest load over capacity of any split of its flows over any paths of their layer (NVLink inside
a domain, the network between domains), shortest or not, that do not pass a third endpoint.
"""

import numpy as np

from collectives.demand import Flows, Int32Vector, Int64Vector, Reduction
from collectives.domains import lone_apart
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric._kernels.arrays import FloatMatrix
from fabric.bounds.cut_demand import Together, leaving_bytes, reversed_demand, steps_of
from fabric.bounds.cuts import ANY_ROUTING, Bound
from fabric.jobs.placement import Placement
from fabric.routing.pairs import pairs_in_blocks
from fabric.topology import ENDPOINT, NVLINK, Topology

LINEAR_PROGRAM = "linear program"
# Some minutes of HiGHS on one core; assumed to be the longest that anybody waits.
_MOST_VARIABLES = 400_000


def linear_program_bound(topology: Topology, schedule: Schedule, placement: Placement) -> Bound:
    """The optimum of the largest load over capacity (HiGHS), phase by phase as the schedule overlaps them.

    Raises
    ------
    InputError
        If the fabric is too large (more than 400,000 variables), or a demand is a reduction in the network.
    """
    # The layers share no link: the longer one decides.
    time_s = sum(
        max(_optimum_s(topology, step, placement.endpoint, inside) for inside in (False, True))
        for step in steps_of(schedule)
    )
    return Bound(time_s, LINEAR_PROGRAM, ANY_ROUTING)


def _optimum_s(topology: Topology, step: Together, endpoint: Int32Vector, inside: bool) -> float:
    """Least largest load over capacity, seconds, in one layer: flows by destination on every link."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    domain = lone_apart(topology.endpoint_domain)
    links = np.flatnonzero((topology.link_kind == NVLINK) == inside)
    tail, head, gbps = topology.link_tail[links], topology.link_head[links], topology.link_capacity_gbps[links]
    n_links, n_nodes = links.size, topology.n_nodes
    goals = _goals(step, endpoint, domain, inside)
    n_variables = goals.size * n_links + 1
    if goals.size == 0:
        return 0.0
    if n_variables > _MOST_VARIABLES:
        raise InputError(
            f"linear program: {goals.size} destinations x {n_links} links; "
            f"expected at most {_MOST_VARIABLES:,} variables"
        )
    amount = _amounts(step, endpoint, domain, inside, goals)
    whole = float(amount.max())
    is_endpoint = topology.nodes.kind == ENDPOINT
    rows, columns, values, supply = [], [], [], []
    upper = np.full(n_variables, np.inf)
    for number, goal in enumerate(topology.endpoints[goals].tolist()):
        first = number * n_links
        # Bytes out less bytes in are what a node has for the goal; the goal's own balance follows.
        nodes = np.arange(n_nodes)
        row = np.where(nodes != goal, number * n_nodes + nodes, -1)
        for ends, sign in ((tail, 1.0), (head, -1.0)):
            chosen = np.flatnonzero(row[ends] >= 0)
            rows.append(row[ends[chosen]])
            columns.append(first + chosen)
            values.append(np.full(chosen.size, sign))
        have = np.zeros(n_nodes)
        have[topology.endpoints] = amount[:, number] / whole
        supply.append(have)
        # No third endpoint forwards: nothing enters an endpoint but the goal.
        upper[first : first + n_links][is_endpoint[head] & (head != goal)] = 0.0
    balance = coo_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (goals.size * n_nodes, n_variables)
    )
    link = np.tile(np.arange(n_links), goals.size)
    load = coo_array(
        (
            np.concatenate([np.ones(link.size), -gbps / gbps.max()]),
            (
                np.concatenate([link, np.arange(n_links)]),
                np.concatenate([np.arange(link.size), np.full(n_links, link.size)]),
            ),
        ),
        (n_links, n_variables),
    )
    objective = np.zeros(n_variables)
    objective[-1] = 1.0
    result = linprog(
        objective,
        A_ub=load.tocsr(),
        b_ub=np.zeros(n_links),
        A_eq=balance.tocsr(),
        b_eq=np.concatenate(supply),
        bounds=np.stack([np.zeros(n_variables), upper], axis=1),
        method="highs",
    )
    if result.status != 0:
        raise InputError(f"linear program: {result.message}")
    return float(result.fun) * whole * 8e-9 / float(gbps.max())


def _goals(step: Together, endpoint: Int32Vector, domain: Int64Vector, inside: bool) -> Int64Vector:
    """Endpoints that get bytes through a layer, found without writing the pairs."""
    everyone = np.arange(domain.size)
    into = np.zeros(domain.size)
    for _, demand in step:
        if isinstance(demand, Reduction):
            raise InputError(
                "linear program: reductions in the network are no flows; expected an algorithm without them"
            )
        into += leaving_bytes(reversed_demand(demand), endpoint, domain, everyone, domain.size, inside)
    return np.flatnonzero(into > 0)


def _amounts(
    step: Together, endpoint: Int32Vector, domain: Int64Vector, inside: bool, goals: Int64Vector
) -> FloatMatrix:
    """Bytes from every endpoint to each goal through a layer, (n_endpoints, n_goals) float64."""
    amount = np.zeros((domain.size, goals.size))
    goal_of = np.full(domain.size, -1, np.int64)
    goal_of[goals] = np.arange(goals.size)
    for times, demand in step:
        assert not isinstance(demand, Reduction)
        for flows in (demand,) if isinstance(demand, Flows) else pairs_in_blocks(demand):
            start, stop = endpoint[flows.src], endpoint[flows.dst]
            goal = goal_of[stop]
            chosen = (start != stop) & (goal >= 0) & ((domain[start] == domain[stop]) == inside)
            np.add.at(amount, (start[chosen], goal[chosen]), times * flows.bytes[chosen])
    return amount
