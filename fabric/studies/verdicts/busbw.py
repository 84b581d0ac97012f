"""The verdict on a predicted table of nccl-tests: what limits large sizes, where latency ends, how measurements fit."""

from collections.abc import Sequence

import numpy as np

from collectives.catalog import ALGORITHMS, algorithm_of, collective_schedule
from collectives.demand import Groups
from collectives.nic_pool import NicPools, nics_pooled
from collectives.sizes import format_bytes
from fabric.jobs.placement import Placement, domain_of_rank, rail_of_rank
from fabric.jobs.traffic import with_algorithm
from fabric.routing.link_loads import schedule_loads
from fabric.routing.policies import Routing
from fabric.studies.advice.best import what_helps
from fabric.studies.advice.study import Advice
from fabric.studies.busbw import Prediction
from fabric.studies.hotspots import schedule_bottleneck
from fabric.studies.step_costs import unopened
from fabric.studies.verdicts.evidence import evidence_of
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.thresholds import HALF, OFF
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Limit, Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import busiest, links_of, seconds
from fabric.timing.networks import Reach
from fabric.timing.prediction import Comparison, Row
from fabric.topology import Topology


def busbw_limit(
    topology: Topology,
    placement: Placement,
    collective: str,
    row: Row,
    routing: Routing,
    groups: Groups | None = None,
    n_channels: int | None = None,
    cross_nic: int | None = None,
    n_threads: int | None = None,
    pools: NicPools | None = None,
) -> Limit | None:
    """The link that limits a row's algorithm where latency does not count: it is routed once more.

    Arguments and errors as for `fabric.timing.prediction.alpha_betas`; None where nothing is carried.
    """
    groups = groups or Groups.consecutive(placement.n_ranks, placement.n_ranks)
    domain, rail = domain_of_rank(topology, placement), rail_of_rank(topology, placement)
    given = algorithm_of(collective, row.algorithm).taken(n_channels=n_channels, cross_nic=cross_nic)
    schedule = collective_schedule(collective, groups, row.size, row.algorithm, domain, rail, **given)
    schedule = schedule if pools is None else nics_pooled(schedule, pools, domain)
    loads = schedule_loads(topology, schedule, placement, routing, n_threads)
    hottest = schedule_bottleneck(loads)
    return None if hottest is None else evidence_of(loads, placement, routing, hottest, None, None).limit


def prediction_verdict(prediction: Prediction) -> Verdict:
    """`busbw_verdict` of a scenario's table; what limits its largest size is found by routing that once more.

    Parameters
    ----------
    prediction : Prediction
    """
    scenario = prediction.scenario
    row = min(prediction.rows, key=lambda row: (-row.size, row.time_s))
    limit = busbw_limit(
        scenario.topology,
        scenario.placement,
        prediction.collective,
        row,
        scenario.routing,
        scenario.traffic.groups,
        prediction.n_channels,
        prediction.cross_nic,
        scenario.n_threads,
        scenario.pools,
    )
    alpha_beta = prediction.algorithms[row.algorithm]
    protocols = scenario.model.protocols_of(alpha_beta.tuning)
    protocol = next(one for one in protocols if one.name == row.protocol)
    latency_s = alpha_beta.latency_s(protocol, scenario.model)
    reach = alpha_beta.reach if scenario.model.reached else None
    return busbw_verdict(prediction.rows, limit, prediction.comparison, latency_s, reach, _advice(prediction, row))


def _advice(prediction: Prediction, row: Row) -> Advice | None:
    """What helps the collective of a row, by its algorithm."""
    scenario = prediction.scenario
    if row.algorithm not in ALGORITHMS[prediction.collective]:
        return None
    job = with_algorithm(scenario.traffic, row.algorithm, prediction.cross_nic, prediction.n_channels, row.size)
    return what_helps(scenario.carrying(job, unopened(scenario.routing)))


def busbw_verdict(
    rows: Sequence[Row],
    limit: Limit | None = None,
    comparison: Comparison | None = None,
    latency_s: float = 0.0,
    reach: Reach | None = None,
    advice: Advice | None = None,
) -> Verdict:
    """The best bandwidth and what limits it, the size that reaches half of it, and how measurements fit.

    Parameters
    ----------
    rows : sequence of Row
        At least one; of several algorithms for a size the fastest counts.
    limit : Limit, optional
        `busbw_limit` of the row of the largest size.
    comparison : Comparison, optional
    latency_s : float
        Time of no bytes in the row of the largest size; where it is most of that row's time, it is what limits.
    reach : Reach, optional
        What part of the network is reached in that row; None: all of it, and a bandwidth is no range.
    advice : Advice, optional
        What helps the row of the largest size.
    """
    fastest: dict[float, Row] = {}
    for row in sorted(rows, key=lambda row: row.time_s):
        fastest.setdefault(row.size, row)
    best = [fastest[size] for size in sorted(fastest)]
    peak = max(best, key=lambda row: row.busbw_GBps)
    half = next(row for row in best if row.busbw_GBps >= HALF * peak.busbw_GBps)
    last = best[-1]
    facts: dict[str, Fact] = {
        "peak_busbw_GBps": peak.busbw_GBps,
        "peak_busbw_low_GBps": peak.busbw_low_GBps,
        "peak_size": peak.size,
        "algorithm": peak.algorithm,
        "largest_size": last.size,
        "largest_algorithm": last.algorithm,
        "half_size": half.size,
    }
    mostly_latency = latency_s > HALF * last.time_s
    limit = None if mostly_latency else limit
    limits = "" if limit is None else f"; {links_of(limit.tier, limit.direction)} limit it, {busiest(limit)}"
    if mostly_latency:
        limits = f"; latency limits it, {seconds(latency_s)} of {seconds(last.time_s)}"
    parts = [
        f"busbw reaches {_range(peak, reach)} at {format_bytes(peak.size)} with {peak.algorithm}{limits}",
        _bound_only(reach),
        "" if mostly_latency else _latency(best, half),
    ]
    causes: list[Cause] = []
    if mostly_latency:
        text = f"latency is {seconds(latency_s)} of {seconds(last.time_s)} at {format_bytes(last.size)}"
        causes.append(Cause(CauseKind.LATENCY, text, latency_s, {"latency_s": latency_s}))
    elif half is not best[0]:
        causes.append(
            Cause(CauseKind.LATENCY, parts[1], 0.0, {"half_size": half.size, "smallest_time_s": best[0].time_s})
        )
    if comparison is not None:
        text, measured = _measured(comparison)
        parts.append(text)
        facts |= measured
    helping = help_texts(advice) if advice is not None and advice.best is not None and not mostly_latency else ()
    sentences = with_help(parts, helping) if helping else sentences_of(parts)
    helps = remedies_of(advice) if helping else ()
    return Verdict(sentences, last.time_s, limit, causes=tuple(causes), facts=facts, helps=helps)


def _range(row: Row, reach: Reach | None) -> str:
    most, least = f"{row.busbw_GBps:.4g} GB/s", f"{row.busbw_low_GBps:.4g}"
    if reach is None or row.found_time_s <= row.time_s:
        return most
    return f"at most {most}" if reach.upper_bound else f"{most} ({least} as clusters are often found)"


def _bound_only(reach: Reach | None) -> str:
    if reach is None or not reach.upper_bound:
        return ""
    return f"this is an upper bound: what was measured of such exchanges is {reach.found / reach.tuned:.0%} of it"


def _latency(best: Sequence[Row], half: Row) -> str:
    if len(best) == 1:
        return ""
    if half is best[0]:
        return f"even {format_bytes(half.size)} reaches half of that: latency counts little for these sizes"
    return (
        f"half of that is reached from {format_bytes(half.size)} on; for smaller sizes latency counts more than links"
    )


def _measured(comparison: Comparison) -> tuple[str, dict[str, Fact]]:
    """Median of predicted over measured time, and the size that is furthest off."""
    ratios = np.array([one.ratio for one in comparison.rows])
    middle = float(np.median(ratios))
    worst = comparison.rows[int(np.argmax(np.abs(np.log(ratios))))]
    facts: dict[str, Fact] = {"median_ratio": middle, "worst_ratio": worst.ratio, "worst_size": worst.measured.size}
    largest = max(comparison.rows, key=lambda one: one.measured.size)
    reached = largest.measured.busbw_GBps / largest.row.busbw_GBps if largest.row.busbw_GBps else largest.ratio
    facts["reached"] = reached
    text = (
        f"the measured busbw reaches {reached:.0%} of the predicted at {format_bytes(largest.measured.size)}; "
        f"predicted times are {middle:.2f} times the measured ones at the median"
    )
    if max(worst.ratio, 1 / worst.ratio) > OFF:
        text += f", furthest off at {format_bytes(worst.measured.size)} ({worst.ratio:.2f} times)"
    else:
        text += f", and none is further off than {worst.ratio:.2f} times"
    return text, facts
