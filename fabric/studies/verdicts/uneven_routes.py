"""Causes between switches that another routing removes, found by routing the same traffic again."""

import numpy as np

from collectives.errors import InputError
from collectives.transport import rail_aligned
from fabric.jobs.placement import domain_of_rank, rail_of_rank
from fabric.routing.policies import Adaptive, Ecmp
from fabric.studies.verdicts.evidence import Evidence
from fabric.studies.verdicts.thresholds import GAIN, UNEVEN
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact
from fabric.studies.verdicts.words import count, links_of, percent, seconds, times
from fabric.topology import ISL, UNKNOWN


def uneven_routes(case: Evidence) -> Cause | None:
    """Static hashing or static tables load the links between switches unevenly, and an even split is faster."""
    if case.trials is None or case.kind != ISL or isinstance(case.routing, Adaptive):
        return None
    if case.over_even < UNEVEN:
        return None
    even_s = case.trial_s(routing=Adaptive())
    if not even_s or case.time_s < GAIN * even_s:
        return None
    tail, head = case.ends(case.hottest.link)
    facts: dict[str, Fact] = {
        "over_mean": case.hottest.over_mean,
        "from": tail,
        "to": head,
        "even_time_s": even_s,
    }
    links = links_of(case.hottest.tier, case.hottest.direction)
    idle, beside = _idle_beside(case)
    spared = f", and {idle:,} of {beside:,} at the same switches carry nothing" if idle else ""
    loaded = f"the busiest of the {links} carries {times(case.hottest.over_mean)} times their mean{spared}"
    if isinstance(case.routing, Ecmp):
        text = f"hash collisions: {loaded}"
        if case.trials.seeds is not None:
            values = case.trials.seeds.time_s.values
            facts |= {"seeds": len(values), "least_time_s": min(values), "most_time_s": max(values)}
            text += f" ({seconds(min(values))} to {seconds(max(values))} over {count(len(values), 'hash seed')})"
        # What seeds of their own would mend is polarization.
        before_s = min(case.time_s, case.apart_s or case.time_s)
        return Cause(CauseKind.HASH_COLLISIONS, text, max(0.0, before_s - even_s), facts)
    text = f"static routes are uneven: {loaded}"
    return Cause(CauseKind.STATIC_ROUTES, text, case.time_s - even_s, facts)


def _idle_beside(case: Evidence) -> tuple[int, int]:
    """Links like the one that limits at lower switches that use some: those that carry nothing, and all."""
    lower, busy = case.lower_end, case.seconds[case.like] > 0
    if lower is None:
        return 0, 0
    at = lower[case.like]
    beside = np.isin(at, at[busy])
    return int(np.count_nonzero(beside & ~busy)), int(np.count_nonzero(beside))


def polarization(case: Evidence) -> Cause | None:
    """All switches hash alike: a switch repeats the choice of the one before it and leaves cables idle."""
    apart_s = case.apart_s if case.kind == ISL else None
    if not apart_s or case.time_s < GAIN * apart_s:
        return None
    tier, link_tier = (case.topology.link_kind == ISL), case.topology.link_tier
    # The tier that is left idle most: its switches repeat what those below them chose.
    idle, links, of_tier = max(
        (
            float(np.mean(case.seconds[tier & (link_tier == number)] == 0)),
            int(np.sum(tier & (link_tier == number))),
            number,
        )
        for number in np.unique(link_tier[tier]).tolist()
    )
    facts: dict[str, Fact] = {
        "idle_fraction": idle,
        "links": links,
        "tier": of_tier,
        "apart_time_s": apart_s,
        "over_mean": case.hottest.over_mean,
    }
    where = f"{percent(idle)} of the links to tier {of_tier} idle" if idle else "the links between switches uneven"
    text = f"all switches share one hash seed, which leaves {where} (polarization)"
    return Cause(CauseKind.POLARIZATION, text, case.time_s - apart_s, facts)


def cross_rail(case: Evidence) -> Cause | None:
    """Traffic between rails climbs to the spines although NVLink could carry it to the right rail first."""
    if case.trials is None or case.kind != ISL:
        return None
    domain, rail = domain_of_rank(case.topology, case.placement), rail_of_rank(case.topology, case.placement)
    if not ((domain != UNKNOWN) & (rail != UNKNOWN)).any():
        return None
    try:
        aligned = rail_aligned(case.trials.schedule, domain, rail)
    except InputError:
        return None
    aligned_s = case.trial_s(schedule=aligned)
    if not aligned_s or case.time_s < GAIN * aligned_s:
        return None
    between = float(case.loads.bytes[case.like].sum())
    facts: dict[str, Fact] = {"bytes": between, "aligned_time_s": aligned_s}
    text = "traffic between different rails crosses the switches above the leaves"
    return Cause(CauseKind.CROSS_RAIL, text, case.time_s - aligned_s, facts)
