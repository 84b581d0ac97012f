"""The verdict on a trace: what it holds, what dominates, what it does not say and what that means."""

from collections import Counter, defaultdict

from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy, Verdict, sentences_of
from fabric.studies.verdicts.words import count, data, percent
from traces.operation import Operation, Trace

# What it means that the trace does not say something.
_MEANS = {
    "ranks": "the ranks of their groups are not recorded",
    "size": "their sizes are not recorded",
    "splits": "who gets how much is not recorded",
}


def trace_verdict(trace: Trace) -> Verdict:
    """How many operations and bytes, what most of the bytes are, what is missing.

    Parameters
    ----------
    trace : Trace
    """
    operations = trace.operations
    if not operations:
        text = f"no operation with a size in {count(len(trace.files), 'file')}: nothing can be routed"
        found = ", ".join(f"{number:,} {reason}" for reason, number in trace.ignored)
        facts: dict[str, Fact] = {"operations": 0, "ignored": sum(number for _, number in trace.ignored)}
        cause = Cause(CauseKind.NOTHING_CARRIED, text, 0.0, facts)
        return Verdict(sentences_of((text, f"found {found}" if found else "")), causes=(cause,), facts=facts)
    # By group too: bytes of the operation on all of its ranks.
    volume: defaultdict[tuple[str, int], float] = defaultdict(float)
    number: Counter[tuple[str, int]] = Counter()
    for operation in operations:
        key = (operation.kind, operation.group_size)
        number[key] += 1
        volume[key] += (operation.bytes or 0.0) * operation.group_size
    total = float(sum(volume.values()))
    incomplete = sum(not operation.complete for operation in operations)
    kind, size = max(volume, key=lambda key: (volume[key], number[key]))
    facts = {
        "operations": len(operations),
        "ranks": trace.n_ranks,
        "bytes": total,
        "main_kind": kind,
        "main_group_size": size,
        "main_operations": number[kind, size],
        "main_fraction": volume[kind, size] / total if total else None,
        "incomplete": incomplete,
    }
    ranks = "an unknown number of ranks" if trace.n_ranks is None else count(trace.n_ranks, "rank")
    first = f"{count(len(operations), 'operation')} on {ranks}, {data(total)} in all ranks' buffers"
    if total:
        main = f"{kind} in groups of {size:,} ranks is {percent(volume[kind, size] / total)} of it"
        first += f"; {main} ({count(number[kind, size], 'operation')})"
    missing = _missing(operations, incomplete)
    return Verdict(
        sentences=sentences_of((first, missing.sentence if missing else "")),
        causes=(missing,) if missing else (),
        facts=facts,
    )


def _missing(operations: tuple[Operation, ...], incomplete: int) -> Cause | None:
    """What the trace does not say, and what that means for an answer."""
    if not incomplete:
        return None
    lacking = Counter(reason for operation in operations for reason in operation.missing)
    reason, often = lacking.most_common(1)[0]
    text = f"{incomplete:,} of {len(operations):,} operations cannot be routed: "
    text += _MEANS.get(reason, f"{reason} missing")
    facts: dict[str, Fact] = {"incomplete": incomplete, "reason": reason, "often": often}
    usable = len(operations) - incomplete
    if usable:
        advice = Remedy("loads and times are those of the others only")
    else:
        advice = Remedy("traces of all ranks, or of a newer PyTorch, may say more")
    return Cause(CauseKind.MISSING, text, 0.0, facts, (advice,))
