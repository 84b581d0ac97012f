"""What breaks hurt: every single failure of a kind, and several at once drawn by chance, each run through the model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from collectives.demand import Int64Vector
from collectives.errors import InputError
from fabric import memory
from fabric.builders.clos import LINK_BYTES
from fabric.routing.one_cable_less import CableSweep
from fabric.routing.policies import Adaptive, Ecmp
from fabric.routing.unroutable import Unroutable
from fabric.scenario import Scenario
from fabric.studies.breakable import Broken, breakable, of_kind
from fabric.studies.cut_off import disconnected_pairs
from fabric.studies.fault_classes import Alike, alike_classes, symmetry_of_scenario
from fabric.studies.fault_runs import FaultRun, fault_run, whole_run
from fabric.studies.hurt_links import HurtLink, LinkView, WorstOfLinks
from fabric.topology import Topology

MOST_RUNS, LEAST_RUNS = 2000, 20
"""Single failures that are routed anew where nothing spares them; of more a sample is drawn."""

FEW_CABLES = 32
"""Cables that are not alike and are routed anew each rather than followed from the whole.  Assumed: both are exact."""

_MOST_FLOWS = 4e9  # Hashed, of all runs together: some seconds on two cores.
_MOST_LINKS = 6e7  # The same for links of the fabric, where nothing is hashed.
# What is known of a fabric stays for a while (`fabric.routing.layer.layer_of` and others keep eight layers).
_KEPT_FABRICS = 4
# Of one of its links: columns, both layers, their bundles and last hops.  Measured, as `LINK_BYTES`.
_FABRIC_BYTES = 110.0
_BLOCK = 2048  # Cables between two signs of progress.

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class FaultRow:
    """What a failure does.

    Attributes
    ----------
    broken : Broken
    time_s : float or None
        Of the traffic; None where pairs are cut off and the job stops.
    slowdown : float or None
        Over the time of the whole fabric.
    disconnected_pairs : int
        Ordered pairs of the job's ranks with no way between them.
    worst_link : str
        The busiest link then; empty where the job stops.
    alike : int
        Failures that are this one, seen from elsewhere: proven by a symmetry of fabric and traffic.
    """

    broken: Broken
    time_s: float | None
    slowdown: float | None
    disconnected_pairs: int
    worst_link: str
    alike: int


@dataclass(frozen=True)
class Sampled:
    """Several failures at once, drawn by chance.

    Attributes
    ----------
    count, trials : int
        Failures at once; draws.
    slowdown : tuple of float
        Of each draw in which the job goes on, in the order of the draws.
    stopped : int
        Draws in which pairs were cut off.
    worst : tuple of Broken
        The draw that hurts most: one that stops the job, else the slowest.
    """

    count: int
    trials: int
    slowdown: tuple[float, ...]
    stopped: int
    worst: tuple[Broken, ...]

    def percentile(self, percent: float) -> float | None:
        """Nearest-rank percentile of the slowdown; a draw that stops the job counts as slower than any."""
        values = [*sorted(self.slowdown), *([float("inf")] * self.stopped)]
        if not values:
            return None
        found = values[min(len(values) - 1, max(0, int(np.ceil(percent / 100 * len(values))) - 1))]
        return None if found == float("inf") else found


@dataclass(frozen=True, eq=False)
class Faults:
    """What breaks hurt.

    Attributes
    ----------
    scenario : Scenario
    time_s : float
        Of the whole fabric.
    rows : tuple of FaultRow
        The worst first.
    links : tuple of LinkView
        By tier and direction.
    hurt : tuple of HurtLink
        Link by link, one of each class; those that no failure loads more are left out.
    sampled : tuple of Sampled
    n_runs : int
        Failures that were routed anew.
    n_followed : int
        Cables whose loads were followed from those of the whole fabric.  All others are proven to be alike.
    notes : tuple of str
        What was left out.
    """

    scenario: Scenario
    time_s: float
    rows: tuple[FaultRow, ...]
    links: tuple[LinkView, ...]
    hurt: tuple[HurtLink, ...]
    sampled: tuple[Sampled, ...]
    n_runs: int
    n_followed: int
    notes: tuple[str, ...]
    _worst: WorstOfLinks = field(repr=False)
    _failures: tuple[Broken, ...] = field(repr=False)
    _things: tuple[Broken, ...] = field(repr=False)

    def every_link(self) -> Iterator[tuple[int, float, float, Broken | None]]:
        """Every link of the fabric, with load over capacity in the whole one, under the worst failure, and which it is.

        Yields
        ------
        link : int
        whole_s, worst_s : float
        failure : Broken or None
            None where no failure loads the link more.
        """
        for link, worst_s, failure in self._worst.every_link(self._failures, self._things):
            yield link, float(self._worst.whole[link]), worst_s, failure


def study_faults(
    scenario: Scenario,
    kinds: Sequence[str] | None = None,
    counts: Sequence[int] = (),
    trials: int = 200,
    seed: int = 0,
    most: int | None = None,
    progress: Progress | None = None,
) -> Faults:
    """Run every single failure of some kinds, and `trials` draws of several at once.

    Failures that a symmetry carries into one another are run once.  Cables between switches that are not alike are
    followed from the loads of the whole fabric under `Adaptive` routing; other failures are routed anew, of very many a
    sample.

    Parameters
    ----------
    scenario : Scenario
        Of the fabric as it is.
    kinds : sequence of str, optional
        Of `KINDS`; default cables and spines, or NICs where there are neither.
    counts : sequence of int
        Failures at once that are drawn.
    trials : int
        Draws of each count.
    seed : int
        Of the draws.
    most : int, optional
        Single failures that are routed anew; default `most_runs`.
    progress : callable, optional
        Called with failures done and failures in all.

    Raises
    ------
    InputError
        A kind or count that cannot be; a job that pairs are cut off of already.
    """
    if kinds is None:
        kinds = [kind for kind in ("cable", "spine") if of_kind(scenario, kind)] or ["nic"]
    things = breakable(scenario, kinds)
    for count in counts:
        if not 1 <= count <= len(things):
            raise InputError(f"count {count}: expected 1 to {len(things):,} of {', '.join(kinds)}")
    whole = _whole(scenario)
    if whole.time_s is None or whole.time_s <= 0:
        raise InputError(f"{scenario.traffic.label}: nothing crosses a link, so that no failure hurts")
    topology = scenario.topology
    symmetry = symmetry_of_scenario(scenario)
    classes = alike_classes(topology, symmetry, things)
    worst = WorstOfLinks(topology, whole.seconds, symmetry)
    draw = np.random.default_rng([seed, 1])
    done, total = 0, len(classes) + trials * len(counts)

    def step(number: int = 1) -> None:
        nonlocal done
        done += number
        if progress is not None:
            progress(min(done, total), total)

    followed = _followed(scenario, things, classes, worst, step)
    anew = [number for number in range(len(classes)) if number not in followed]
    allowed = most_runs(scenario) if most is None else most
    notes = []
    if len(anew) > allowed:
        chosen = np.sort(draw.choice(len(anew), allowed, replace=False)).tolist()
        notes.append(f"{len(anew):,} failures are not alike: {allowed:,} of them, drawn by chance, were run (--most)")
        anew = [anew[place] for place in chosen]
    total = len(followed) + len(anew) + trials * len(counts)
    _require_fabrics(topology, min(_KEPT_FABRICS, len(anew) + trials * len(counts)))
    rows: list[FaultRow] = []
    for number in sorted([*followed, *anew]):
        alike = classes[number]
        if number in followed:
            time_s, busiest = followed[number]
            rows += _rows(topology, things, alike, time_s, 0, busiest, whole.time_s)
            continue
        run = fault_run(scenario, (things[alike.first].fault,))
        rows += _rows(topology, things, alike, run.time_s, run.disconnected, int(run.seconds.argmax()), whole.time_s)
        worst.add(run.seconds, number)
        step()
    sampled = tuple(_sample(scenario, things, count, trials, draw, whole.time_s, step) for count in counts)
    order = sorted(range(len(rows)), key=lambda place: (_badness(rows[place]), place))
    failures = tuple(things[alike.first] for alike in classes)
    return Faults(
        scenario,
        whole.time_s,
        tuple(rows[place] for place in order),
        tuple(worst.views(failures)),
        worst.links(failures),
        sampled,
        len(anew) + trials * len(counts),
        len(followed),
        tuple(notes),
        worst,
        failures,
        tuple(things),
    )


def _require_fabrics(topology: Topology, n_fabrics: int) -> None:
    """Refuse failures that are run anew, each on a fabric of its own, if so many of these do not fit."""
    what = f"failures, each on a fabric of its own of {topology.n_links:,} links"
    if n_fabrics:
        memory.require(what, (n_fabrics * _FABRIC_BYTES + LINK_BYTES) * topology.n_links)


def _whole(scenario: Scenario) -> FaultRun:
    try:
        return whole_run(scenario)
    except Unroutable as error:
        pools = scenario.pools
        cut = disconnected_pairs(
            scenario.topology, scenario.placement.endpoint, None if pools is None else pools.pool
        )  # fmt: skip
        if not cut:
            raise
        pairs = scenario.placement.n_ranks * (scenario.placement.n_ranks - 1)
        said = f"{error}; {cut:,} of the job's {pairs:,} ordered pairs are cut off before anything more breaks"
        raise Unroutable(said, error.src, error.dst, cut, option=error.option) from None


def most_runs(scenario: Scenario) -> int:
    """Single failures that are routed anew by default: fewer where that takes long."""
    routing = scenario.routing
    if isinstance(routing, Ecmp):
        flows = float(scenario.placement.n_ranks) ** 2 * routing.flows_a_pair
        allowed = _MOST_FLOWS // max(flows, 1.0)
    else:
        allowed = _MOST_LINKS // max(scenario.topology.n_links, 1)
    return int(max(LEAST_RUNS, min(MOST_RUNS, allowed)))


def _badness(row: FaultRow) -> tuple[float, float]:
    return (-row.disconnected_pairs, -(row.slowdown or 0.0))


def _followed(
    scenario: Scenario,
    things: Sequence[Broken],
    classes: Sequence[Alike],
    worst: WorstOfLinks,
    step: Callable[[int], None],
) -> dict[int, tuple[float, int]]:
    """Time and busiest link of those classes of cables that follow from the loads of the whole fabric, by number."""
    cables = np.array([number for number, one in enumerate(classes) if things[one.first].kind == "cable"], np.int64)
    if cables.size <= FEW_CABLES or not isinstance(scenario.routing, Adaptive):
        return {}
    sweep = CableSweep.of(scenario.topology, scenario.schedule, scenario.placement, scenario.n_threads)
    if sweep is None:
        return {}
    links: Int64Vector = np.array([things[classes[number].first].part for number in cables.tolist()], np.int64)
    found: dict[int, tuple[float, int]] = {}
    for first in range(0, cables.size, _BLOCK):
        block = cables[first : first + _BLOCK]
        lost = sweep.without(links[first : first + _BLOCK], scenario.n_threads)
        worst.add(lost.highest_s, block[lost.by])
        for number, time_s, link in zip(block.tolist(), lost.time_s.tolist(), lost.worst_link.tolist(), strict=True):
            if not np.isnan(time_s):
                found[number] = (time_s, link)
        step(int(np.count_nonzero(~np.isnan(lost.time_s))))
    return found


def _rows(
    topology: Topology,
    things: Sequence[Broken],
    alike: Alike,
    time_s: float | None,
    disconnected: int,
    busiest: int,
    whole_s: float,
) -> Iterator[FaultRow]:
    """A row for each failure of a class, its busiest link where the symmetry carries that of the one that was run."""
    slowdown = None if time_s is None else time_s / whole_s
    for place, link in alike.members(None if time_s is None else busiest):
        name = "" if link is None else topology.link_name(link)
        yield FaultRow(things[place], time_s, slowdown, disconnected, name, alike.n)


def _sample(
    scenario: Scenario,
    things: Sequence[Broken],
    count: int,
    trials: int,
    draw: np.random.Generator,
    whole_s: float,
    step: Callable[[], None],
) -> Sampled:
    slow: list[float] = []
    stopped, worst_rank = 0, (0, 0.0)
    worst: tuple[Broken, ...] = ()
    for _ in range(trials):
        some = tuple(things[int(place)] for place in np.sort(draw.choice(len(things), count, replace=False)))
        run = fault_run(scenario, tuple(one.fault for one in some))
        if run.time_s is None:
            stopped += 1
        else:
            slow.append(run.time_s / whole_s)
        rank = _rank(run, whole_s)
        if rank > worst_rank:
            worst_rank, worst = rank, some
        step()
    return Sampled(count, trials, tuple(slow), stopped, worst)


def _rank(run: FaultRun, whole_s: float) -> tuple[int, float]:
    return (1, float(run.disconnected)) if run.time_s is None else (0, run.time_s / whole_s)
