"""The verdict on what breaks hurt."""

from collections.abc import Iterator, Sequence

from fabric.routing.policies import Lft
from fabric.studies.advice.failure import AgainstFailure, GoesOn, against_failures
from fabric.studies.faults import FaultRow, Faults
from fabric.studies.verdicts.remedy import A_COST, help_texts, remedies_of
from fabric.studies.verdicts.verdict import Remedy, Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import count, link_name, seconds, times

# A failure that costs less is none worth a word: assumed.
_SAME = 1.005


def faults_verdict(faults: Faults) -> Verdict:
    """What a single failure costs at worst, which kinds stop the job, what several do, and what helps against it."""
    against, parts = against_failures(faults), list(_parts(faults))
    helping = () if against is None else _help_texts(faults, against)
    return Verdict(
        sentences=with_help(parts, helping) if helping else sentences_of(parts),
        time_s=faults.time_s,
        helps=() if against is None else _remedies(against),
    )


def _help_texts(faults: Faults, against: AgainstFailure) -> tuple[str, ...]:
    """What helps against the worst failure, in several lengths."""
    fault = link_name(str(against.row.broken.fault))
    if against.row.time_s is None:
        if not against.going_on:
            return (f"nothing that was tried keeps the job going without {fault}",)
        best = against.going_on[0]
        said = f"against {fault}: {_goes_on(best)}"
        return (f"{said}, {seconds(best.time_s)} beside {seconds(faults.time_s)} without the failure", said)
    if against.advice is None:
        return ()
    if against.advice.best is None:
        return tuple(f"{text} against {fault}" for text in help_texts(against.advice))
    return tuple(f"against {fault}: {text}" for text in help_texts(against.advice))


def _goes_on(one: GoesOn) -> str:
    return f"{one.lever} ({A_COST[one.cost]}) keeps the job going"


def _remedies(against: AgainstFailure) -> tuple[Remedy, ...]:
    going_on = (
        Remedy(f"{_goes_on(one)}: {one.how}", one.time_s, None, one.lever, str(one.cost)) for one in against.going_on
    )
    return (*going_on, *remedies_of(against.advice))


def _parts(faults: Faults) -> Iterator[str]:
    rows = faults.rows
    stop = [row for row in rows if row.time_s is None]
    if stop:
        kinds = dict.fromkeys(row.broken.kind for row in stop)
        said = " and ".join(_stopping(kind, stop, rows) for kind in kinds)
        tables = isinstance(faults.scenario.routing, Lft)
        why = "the tables name no other way until they are made again" if tables else "nothing else leads there"
        cut = "cuts pairs of the job off and stops it" if len(stop) == 1 else "cut pairs of the job off and stop it"
        yield f"{said} {cut}: {why}"
    slow = [row for row in rows if row.slowdown is not None and row.slowdown >= _SAME]
    if slow:
        worst = slow[0]
        yield (
            f"of single failures that it survives {worst.broken.fault} costs most: "
            f"{times(worst.slowdown or 1.0)} times the {seconds(faults.time_s)} of the whole fabric, at "
            f"{link_name(worst.worst_link)}"
        )
    elif len(stop) < len(rows):
        yield (
            f"none of {count(len(rows) - len(stop), 'other single failure' if stop else 'single failure')} makes the "
            f"{seconds(faults.time_s)} longer: what limits lies elsewhere"
        )
    for sample in faults.sampled[-1:]:
        middle, tail = sample.percentile(50), sample.percentile(99)
        if middle is None:
            said = "stop the job at the median"
        else:
            said = f"{_longer(middle)} at the median, "
            said += "and stop the job" if tail is None else f"and {_longer(tail).removeprefix('take ')}"
            said += " at the 99th percentile"
        if sample.count == 1:
            said = said.replace("take", "takes", 1).replace("stop the", "stops the", 1)
        once = "" if sample.count == 1 else " at once"
        yield f"{count(sample.count, 'failure')}{once}, drawn {sample.trials:,} times, {said}"


def _stopping(kind: str, stop: Sequence[FaultRow], rows: Sequence[FaultRow]) -> str:
    number, total = (sum(row.broken.kind == kind for row in some) for some in (stop, rows))
    if total == 1:
        return f"the only {kind} failure"
    return f"each of {total:,} {kind} failures" if number == total else f"{number:,} of {total:,} {kind} failures"


def _longer(slowdown: float) -> str:
    return f"take {times(slowdown)} times as long" if slowdown >= _SAME else "take no longer"
