"""The verdict on a replayed trace."""

from collections.abc import Iterator

from fabric.studies.advice.replayed import replay_advice
from fabric.studies.replay import Replay, exposed_share
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.verdict import Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import count, seconds

# What a lever makes faster: the time that a rank communicates.
_IT = "communication"
# The same of long traces, of which the longest operations are looked at one after the other.
_LONG = "communication, latency aside,"


def replay_verdict(replay: Replay) -> Verdict:
    """The busiest link and when, what slows what, predicted beside measured, and what helps its communication."""
    advice, parts = replay_advice(replay), list(_parts(replay))
    what = _LONG if advice is not None and advice.share < 1 else _IT
    helping = () if advice is None or advice.best is None else help_texts(advice, what)
    return Verdict(
        sentences=with_help(parts, helping) if helping else sentences_of(parts),
        time_s=replay.span_s,
        helps=remedies_of(advice, what),
    )


def _parts(replay: Replay) -> Iterator[str]:
    if replay.links:
        link = max(replay.links, key=lambda one: float(one.utilization.max()))
        peak = int(link.utilization.argmax())
        when = replay.span_s * (peak + 0.5) / len(link.utilization)
        yield (
            f"the busiest link is {link.name}, {link.utilization.max():.0%} used at {seconds(when)} of "
            f"{seconds(replay.span_s)}, by {link.peak.label}"
        )
    else:
        yield f"no link carries anything in {seconds(replay.span_s)}"
    if replay.exposed:
        measured, model = exposed_share(replay.exposed), exposed_share(replay.exposed, "predicted_s")
        yield (
            f"communication that compute does not hide is {measured:.1%} of the time as measured, {model:.1%} by the "
            "model: the difference is waiting for other ranks, or a slower fabric"
        )
    slow = replay.slowed
    if slow:
        yield (
            f"{count(len(slow), 'operation')} of {len(replay.operations):,} are slowed by others, the most "
            f"{slow[0].label}, {slow[0].took_s / slow[0].alone_s:.2f}x"
        )
    else:
        yield "no operation slows another one"
    known = [(one.took_s, one.operation.measured_s) for one in replay.operations if one.operation.measured_s]
    if known:
        predicted, measured = sum(a for a, _ in known), sum(b or 0.0 for _, b in known)
        yield f"operations take {seconds(predicted)} by the model, {seconds(measured)} were measured"
