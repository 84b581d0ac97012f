"""The verdict on where a job is: what a better order of its hosts gives, and what other hosts would."""

from collections.abc import Iterator

from fabric.studies.placing import Placing
from fabric.studies.verdicts.verdict import Cause, CauseKind, Remedy, Verdict, sentences_of
from fabric.studies.verdicts.words import count, seconds

# Less than this is the same step: assumed.
_SAME = 1.005


def place_verdict(placing: Placing) -> Verdict:
    """Whether groups stay in their domains, and what to do where they do not."""
    given, proposed = placing.given, placing.proposed
    gain = given.time.step_s / proposed.time.step_s
    best = min(placing.placed, key=lambda one: one.time.step_s)
    remedies = []
    if gain >= _SAME:
        remedies.append(Remedy("the proposed order of the same hosts", proposed.time.step_s, gain))
    if given.time.step_s / best.time.step_s >= _SAME and best is not proposed:
        remedies.append(Remedy(f"other hosts, {best.name}", best.time.step_s, given.time.step_s / best.time.step_s))
    cause = Cause(
        CauseKind.PLACEMENT,
        f"groups cross NVLink domains: {_crossing(placing)}",
        given.time.step_s - best.time.step_s,
        {"unit": placing.unit, "straddling": placing.assignment.straddling, "bound": placing.assignment.bound},
        tuple(remedies),
    )
    return Verdict(sentences=sentences_of(_parts(placing)), time_s=given.time.step_s, causes=(cause,))


def _crossing(placing: Placing) -> str:
    crossing = {axis: pair for axis, pair in placing.given.crossing.items() if axis in ("tp", "cp", "ep", "etp")}
    named = [f"{several} of {count(of, f'{axis} group')}" for axis, (several, of) in crossing.items() if several]
    return ", ".join(named) or "none of tensor, context and expert parallelism"


def _parts(placing: Placing) -> Iterator[str]:
    given, proposed = placing.given, placing.proposed
    gain = given.time.step_s / proposed.time.step_s
    where = f"as it is, the step takes {seconds(given.time.step_s)} and {_crossing(placing)} cross NVLink domains"
    best = min(placing.placed, key=lambda one: one.time.step_s)
    if gain >= _SAME:
        yield f"{where}; the proposed order of the same hosts takes {seconds(proposed.time.step_s)}, {gain:.2f}x faster"
    else:
        yield f"{where}; another order of the same hosts makes it no faster"
    if placing.assignment.bound and given.time.step_s / best.time.step_s >= _SAME:
        yield (
            f"on these hosts {count(placing.assignment.bound, 'unit')} of {placing.unit} ranks cannot but straddle, "
            f"and the worst sets the step: other hosts ({best.name}) take {seconds(best.time.step_s)}"
        )
    elif given.time.step_s / best.time.step_s >= _SAME and best is not proposed and gain < _SAME:
        yield f"other hosts ({best.name}) take {seconds(best.time.step_s)}"
