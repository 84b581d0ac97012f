"""Groups that are spread further than they must be."""

import numpy as np

from collectives.demand import Groups, Int64Vector
from fabric.jobs.placement import Placement
from fabric.studies.verdicts.evidence import Evidence
from fabric.studies.verdicts.thresholds import GAIN
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact
from fabric.studies.verdicts.words import count
from fabric.topology import NIC, NVLINK, SWITCH, UNKNOWN, Topology


def parts_of(groups: Groups, part: Int64Vector) -> Int64Vector:
    """In how many parts the members of each group are, (n_groups,) int64.

    Parameters
    ----------
    groups : Groups
    part : (n_ranks,) int64
        Part of each rank.
    """
    pairs = np.unique(np.stack([groups.member_group(), part[groups.rank]]), axis=1)
    return np.bincount(pairs[0], minlength=groups.n_groups)


def regrouped(placement: Placement, groups: Groups, part: Int64Vector) -> Placement:
    """The same endpoints, given to the ranks so that as many groups as first fit finds lie within one part.

    Parameters
    ----------
    placement : Placement
    groups : Groups
        No rank in two of them.
    part : (n_ranks,) int64
        Part of each rank's endpoint.
    """
    order = np.lexsort((placement.endpoint, part))
    labels, first = np.unique(part[order], return_index=True)
    free = [rest.tolist() for rest in np.split(placement.endpoint[order], first[1:])]
    endpoint = np.full(placement.n_ranks, UNKNOWN, np.int32)
    members = list(groups)
    for number in np.argsort(-groups.sizes, kind="stable").tolist():
        size = len(members[number])
        fits = next((place for place in range(labels.size) if len(free[place]) >= size), None)
        if fits is not None:
            endpoint[members[number]], free[fits] = free[fits][:size], free[fits][size:]
    # What fits nowhere, and ranks without a group, take what is left, in order.
    endpoint[endpoint == UNKNOWN] = [one for rest in free for one in rest]
    return Placement(endpoint)


def domain_parts(topology: Topology, placement: Placement) -> Int64Vector | None:
    """Scale-up domain of each rank; None where a rank has none."""
    domain = topology.endpoint_domain[placement.endpoint].astype(np.int64)
    return None if domain.size == 0 or (domain == UNKNOWN).any() else domain


def leaf_parts(topology: Topology, placement: Placement) -> Int64Vector | None:
    """Leaf of each rank, by node; None where a rank hangs on several."""
    links = np.flatnonzero((topology.link_kind == NIC) & (topology.nodes.kind[topology.link_head] == SWITCH))
    least, most = np.full(topology.n_nodes, topology.n_nodes), np.full(topology.n_nodes, UNKNOWN)
    np.minimum.at(least, topology.link_tail[links], topology.link_head[links])
    np.maximum.at(most, topology.link_tail[links], topology.link_head[links])
    node = topology.endpoints[placement.endpoint]
    return None if node.size == 0 or (least[node] != most[node]).any() else most[node].astype(np.int64)


def spread_over_domains(case: Evidence) -> Cause | None:
    """Groups straddle scale-up domains though they would fit in one."""
    return _spread(case, domain_parts(case.topology, case.placement), "NVLink domains", CauseKind.PLACEMENT)


def spread_over_leaves(case: Evidence) -> Cause | None:
    """Groups straddle leaves though they would fit below one."""
    return _spread(case, leaf_parts(case.topology, case.placement), "leaves", CauseKind.PLACEMENT)


def _spread(case: Evidence, part: Int64Vector | None, what: str, kind: CauseKind) -> Cause | None:
    trials = case.trials
    groups = None if trials is None else trials.job.groups
    if trials is None or groups is None or part is None or case.kind == NVLINK:
        return None
    if np.unique(groups.rank).size < groups.n_members or groups.rank.max(initial=-1) >= case.placement.n_ranks:
        return None
    straddling = int(np.count_nonzero(parts_of(groups, part) > 1))
    if straddling == 0:
        return None
    together = regrouped(case.placement, groups, part)
    new_part = np.empty(case.topology.n_endpoints, np.int64)
    new_part[case.placement.endpoint] = part
    left = int(np.count_nonzero(parts_of(groups, new_part[together.endpoint]) > 1))
    if left >= straddling:
        return None
    topology = case.topology
    schedule = trials.job.schedule(
        topology.endpoint_domain[together.endpoint], topology.endpoint_rail[together.endpoint]
    )
    time_s = case.trial_s(schedule=schedule, placement=together)
    if not time_s or case.time_s < GAIN * time_s:
        return None
    facts: dict[str, Fact] = {
        "parts": what,
        "groups": groups.n_groups,
        "straddling": straddling,
        "must_straddle": left,
        "packed_time_s": time_s,
    }
    must = f"only {left:,} would have to" if left else "though each would fit in one"
    which = "all" if straddling == groups.n_groups else f"{straddling:,} of"
    text = f"{which} {count(groups.n_groups, 'group')} straddle {what}, {must}"
    if groups.n_groups == 1:
        text = f"the group straddles {what}, though it would fit in one"
    return Cause(kind, text, case.time_s - time_s, facts)
