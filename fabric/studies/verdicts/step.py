"""The verdicts on a training step, and on a workload over numbers of GPUs."""

from collections.abc import Iterator

from fabric.studies.advice.best import what_helps
from fabric.studies.scale import Scale
from fabric.studies.step import LEVERS, DesignStep, StepResult
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.verdict import Cause, CauseKind, Remedy, Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import seconds

# A lever that gives less is not worth a sentence: assumed.
_WORTH = 1.005


def step_verdict(result: StepResult) -> Verdict:
    """What the step takes, what of it is the network's, and what each lever would cost or give."""
    best = result.best
    time = best.time
    exposed = time.exposed_total_s
    first = f"the step takes {seconds(time.step_s)} on {result.workload.layout.n_ranks:,} GPUs"
    parts: list[str] = []
    if exposed > 0.001 * time.step_s:
        axis = result.axes[0]
        parts.append(
            f"{first}: {exposed / time.step_s:.1%} is communication that compute does not hide, most of it "
            f"{axis.axis} ({seconds(axis.exposed_s)}, up to the {axis.tier} tier)"
        )
    else:
        parts.append(f"{first}: compute hides all but {exposed / time.step_s:.2%} of its communication")
    parts += list(_levers(result))
    place, times = result.hot_receiver
    if times > 1.01:
        parts.append(
            f"rank {place} of each expert-parallel group receives {times:.3g} times the mean and sets the time "
            "of every exchange"
        )
    if time.bubble_s > max(exposed, 0.02 * time.step_s):
        parts.append(f"the pipeline's bubble, {time.bubble_s / time.step_s:.1%}, costs more than the network")
    advice = what_helps(result.step_scenario, costs=best.costs)
    helping = help_texts(advice) if advice is not None and advice.best is not None else ()
    return Verdict(
        sentences=with_help(parts, helping) if helping else sentences_of(parts),
        time_s=time.step_s,
        over_bound=time.step_s / result.bound_s if result.bound_s > 0 else None,
        bound=f"{seconds(result.bound_s)}: the step with every operation at its bound",
        causes=tuple(_causes(result)),
        helps=remedies_of(advice),
    )


def _levers(result: StepResult) -> Iterator[str]:
    naive = result.naive
    if naive is None:
        return
    step_s, aware_s = naive.time.step_s, result.best.time.step_s
    if step_s < _WORTH * aware_s:
        yield f"naive placement, wiring, transport and routing together cost {step_s / aware_s - 1:.1%}"
        return
    lever = best_lever(result)
    gain = step_s / lever.time.step_s
    name = lever.design.name.removesuffix(" alone")
    yield (
        f"naive, the step takes {seconds(step_s)}, {step_s / aware_s:.2f} times as long"
        + (f"; {name} alone gives {gain:.2f}x of that" if gain > _WORTH else "")
    )


def best_lever(result: StepResult) -> DesignStep:
    """The lever that alone helps the naive step most."""
    names = {one.name for one in LEVERS}
    return min((one for one in result.designs if one.design.name in names), key=lambda one: one.time.step_s)


def _causes(result: StepResult) -> Iterator[Cause]:
    for axis in result.axes[:1]:
        remedies: tuple[Remedy, ...] = ()
        if result.naive is not None:
            lever = best_lever(result)
            factor = result.naive.time.step_s / lever.time.step_s
            remedies = (Remedy(f"{lever.design.name} on the naive design", lever.time.step_s, factor),)
        yield Cause(
            CauseKind.STEP,
            f"{axis.axis} exposes {seconds(axis.exposed_s)}",
            axis.exposed_s,
            {"axis": axis.axis, "tier": axis.tier},
            remedies,
        )


def scale_verdict(scale: Scale) -> Verdict:
    """How the step scales, what the network has to do with it, and what is not explained."""
    first, last = scale.rows[0], scale.rows[-1]
    parts: list[str] = []
    if len(scale.rows) > 1:
        kept = 1.0
        for row in scale.rows[1:]:
            kept *= row.efficiency or 1.0
        parts.append(
            f"from {first.gpus:,} to {last.gpus:,} GPUs the model's step keeps {kept:.1%} of the rate per GPU"
            + _published(scale)
        )
    else:
        parts.append(f"the step takes {seconds(last.step_s)} on {last.gpus:,} GPUs")
    time = last.result.best.time
    parts.append(
        f"at {last.gpus:,} bubble is {time.bubble_s / time.step_s:.1%} and communication that nothing hides "
        f"{time.exposed_total_s / time.step_s:.1%} of the step"
    )
    naive = last.result.naive
    if naive is not None:
        parts.append(f"naive would take {naive.time.step_s / last.step_s:.2f} times as long a step")
    return Verdict(sentences=sentences_of(parts), time_s=last.step_s)


def _published(scale: Scale) -> str:
    known = [row.published_efficiency for row in scale.rows[1:]]
    if any(one is None for one in known):
        return ""
    kept = 1.0
    for one in known:
        kept *= one or 1.0
    return f"; the published times keep {kept:.1%}, start and evaluation among them"
