"""Levers of a described fabric: which leaf a NIC goes to, how many cables and switches there are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from collectives.errors import InputError
from fabric.builders.changes import changed_description
from fabric.builders.clos import shape_of
from fabric.builders.description import Wiring
from fabric.formats.opening import OpenedFabric
from fabric.jobs.rule import TREE
from fabric.scenario import PXN
from fabric.studies.advice.lever import Case, Change, Cost, NotTried, Option, Proposal, elsewhere
from fabric.studies.parts import parts_of
from fabric.studies.verdicts.thresholds import OVERSUBSCRIBED

_UNKNOWN = "the fabric has no description, so it is not known where a cable could go instead"
_NOT_LIMITING = "cables between switches are not what limits"


def _why_not(case: Case) -> str:
    if case.scenario.fabric.description is None:
        return _UNKNOWN
    return "" if case.switches_matter and not case.ends_limit else _NOT_LIMITING


def wiring(case: Case) -> Iterator[Proposal]:
    """Each rail to leaves of its own, or whole hosts to one leaf: the same switches and cables."""
    description = case.scenario.fabric.description
    other: Wiring = "rail" if description is None or description.fabric.wiring == "host" else "host"
    lever = f"wired by {other}"
    why_not = "" if case.switches_matter and _sends_less(case) else _why_not(case)
    if why_not or description is None:
        yield NotTried(lever, Cost.RECABLING, why_not)
        return
    how = "each GPU's NIC to its own rail's leaves" if other == "rail" else "all NICs of a host to one leaf"
    try:
        whole = case.scenario.fabric.whole
        scenario = elsewhere(case.scenario, _as_broken(whole.wired(other), case.scenario.fabric))
    except InputError as error:
        yield NotTried(lever, Cost.RECABLING, str(error))
    else:
        yield Change(lever, Cost.RECABLING, how, scenario, {"wiring": other})
        job = scenario.job
        if other == "rail" and job.transport != PXN and scenario.topology.nvlink_gbps is not None:
            # Neither of the two may gain alone.
            both = replace(scenario, jobs=(replace(job, transport=PXN),))
            options: dict[str, Option] = {"wiring": other, "transport": PXN}
            yield Change(f"{lever}, with PXN transport", Cost.RECABLING, f"{how}; PXN on", both, options)


def _sends_less(case: Case) -> bool:
    """Whether less could go through NICs that limit: ranks would be elsewhere, or PXN take bytes over NVLink."""
    scenario = case.scenario
    pxn = scenario.job.transport != PXN and scenario.topology.nvlink_gbps is not None and not case.algorithms_at_bound
    return scenario.fabric.description is not None and (scenario.job.rule.kind == TREE or pxn)


def less_oversubscription(case: Case) -> Iterator[Proposal]:
    """As much capacity up as down, at the leaves and at the spines."""
    lever, description = "less oversubscription", case.scenario.fabric.description
    if (why_not := _why_not(case)) or description is None:
        yield NotTried(lever, Cost.PURCHASE, why_not)
        return
    ratios = {"leaf": description.leaf.oversubscription}
    if description.core is not None:
        ratios["spine"] = description.spine.oversubscription
    over = {tier: ratio for tier, ratio in ratios.items() if ratio >= OVERSUBSCRIBED}
    if not over:
        yield NotTried(lever, Cost.PURCHASE, "no tier is oversubscribed")
    for tier in over:
        keys: list[Mapping[str, object]] = [{f"{tier}.oversubscription": 1.0}]
        if tier == "leaf" and description.spine.count is not None:
            more = round(description.spine.count * over[tier])
            keys.append({"leaf.oversubscription": 1.0, "spine.count": more})
        yield from _built(case, f"no oversubscription of the {tier} switches", f"as many cables up as down at each "
                          f"{tier}", keys)  # fmt: skip


def more_spines(case: Case) -> Iterator[Proposal]:
    """The next number of spines that a leaf's uplinks can be dealt to."""
    lever, description = "more spines", case.scenario.fabric.description
    if (why_not := _why_not(case)) or description is None:
        yield NotTried(lever, Cost.PURCHASE, why_not)
        return
    shape = shape_of(description)
    counts = [number for number in range(shape.spines + 1, shape.uplinks + 1) if shape.uplinks % number == 0]
    if shape.spines == 0 or not counts:
        yield NotTried(lever, Cost.PURCHASE, f"{shape.uplinks} uplinks of a leaf cannot be dealt to more spines")
        return
    each = "" if shape.sets * shape.planes == 1 else " of each set"
    keys: list[Mapping[str, object]] = [{"spine.count": number} for number in counts[:2]]
    yield from _built(case, f"{counts[0]} spines{each} instead of {shape.spines}", "deal the uplinks to more spines",
                      keys[:1])  # fmt: skip


def _built(case: Case, lever: str, how: str, keys: list[Mapping[str, object]]) -> Iterator[Proposal]:
    """The first of the changes that can be built."""
    fabric, description = case.scenario.fabric, case.scenario.fabric.description
    assert description is not None
    refused = ""
    for vary in keys:
        try:
            changed = _as_broken(fabric.whole.rebuilt(changed_description(description, vary)), fabric)
            scenario = elsewhere(case.scenario, changed)
        except InputError as error:
            refused = refused or str(error)
            continue
        yield Change(lever, cost_of(fabric, changed), f"{how}: {_parts_text(fabric, changed)}", scenario, vary=vary)
        return
    yield NotTried(lever, Cost.PURCHASE, refused)


def _as_broken(changed: OpenedFabric, fabric: OpenedFabric) -> OpenedFabric:
    """A changed fabric with the faults of the one that is: a lever mends nothing by the way.

    Raises
    ------
    InputError
        If a fault is of cables that the changed fabric does not have.
    """
    try:
        return changed.with_faults(fabric.faults)
    except InputError:
        raise InputError("what has failed has another place there: mended first it can be tried") from None


def cost_of(fabric: OpenedFabric, changed: OpenedFabric) -> Cost:
    """A purchase where there are more switches or cables, else recabling."""
    before, after = parts_of(fabric), parts_of(changed)
    more = after.n_switches > before.n_switches or after.n_cables > before.n_cables
    return Cost.PURCHASE if more else Cost.RECABLING


def _parts_text(fabric: OpenedFabric, changed: OpenedFabric) -> str:
    before, after = parts_of(fabric), parts_of(changed)
    return f"{after.n_switches - before.n_switches:+,} switches, {after.n_cables - before.n_cables:+,} cables"
