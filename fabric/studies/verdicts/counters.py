"""The verdict on counters: the suspect cable and why, and how far the prediction explains what links carried."""

from fabric.studies.advice.best import what_helps
from fabric.studies.advice.study import Advice
from fabric.studies.counters import CounterStudy, apart, overfull
from fabric.studies.port_groups import port_groups
from fabric.studies.suspects import Suspect
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.verdict import Cause, CauseKind, Fact, Remedy, Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import count, data, link_name, percent, seconds, times
from fabric.topology import NVLINK

# What is said of a cable first, where it shows several things.
_REMEDIES = {
    "carries-less": "look at its width and speed, then at its errors",
    "ends-disagree": "read the counters of both ports again, then change the cable",
    "symbol-errors": "clean or change the cable",
    "link-downs": "clean or change the cable",
    "errors": "look at its error counters over time",
    "waits": "look at what is behind it",
}
# Below, the traffic is not what the fabric carried: assumed.
_EXPLAINS = 0.8
_IT = "the traffic"


def counters_verdict(study: CounterStudy) -> Verdict:
    """The most suspect cable and why; else that nothing stands out; how well prediction and counters agree."""
    measured = study.measured
    total = float(measured.bytes[measured.known].sum())
    facts: dict[str, Fact] = {
        "links_known": int(measured.known.sum()),
        "suspects": len(study.suspects),
        "explained": study.explained,
        "scale": study.scale,
        "total_bytes": total,
    }
    if total == 0:
        text = "nothing was carried: no port's data counter grew"
        return Verdict(sentences_of((text,)), causes=(Cause(CauseKind.NOTHING_CARRIED, text),), facts=facts)
    causes = tuple(_cause(study, suspect) for suspect in study.suspects)
    if causes:
        others = len(causes) - 1
        more = f"; {count(others, 'other cable')} {'is' if others == 1 else 'are'} suspect too" if others else ""
        first: tuple[str, ...] = (causes[0].sentence + more, causes[0].text + more, causes[0].text)
    else:
        first = (f"no cable is suspect among {count(int(measured.known.sum()) // 2, 'cable')} with counters",)
    parts = (apart(study), first, _part(study), overfull(study), _late(study), _fits(study))
    # What the traffic would gain is worth a word beside what the counters show, not instead of it.
    advice = _advice(study)
    helping = () if advice is None or advice.best is None else help_texts(advice, _IT)
    said = sentences_of(parts)
    if helping:
        said = with_help([one for one in parts if one and one != parts[2]], helping)
    return Verdict(said, causes=causes, facts=facts, helps=remedies_of(advice, _IT))


def _advice(study: CounterStudy) -> Advice | None:
    """What helps the traffic, where it is what the fabric carried; None where it is not known, or other traffic ran."""
    if study.scenario is None or study.explained is None or study.explained < _EXPLAINS:
        return None
    return what_helps(study.scenario)


def _part(study: CounterStudy) -> str:
    """How many links are known, where that is less than half of them."""
    links, known = int((study.topology.link_kind != NVLINK).sum()), int(study.measured.known.sum())
    return f"counters are there for {known:,} of {count(links, 'link')} only" if 2 * known < links else ""


def _cause(study: CounterStudy, suspect: Suspect) -> Cause:
    topology = study.topology
    facts: dict[str, Fact] = {
        "link": topology.link_name(suspect.link),
        "weight": suspect.weight,
        "bytes": suspect.bytes,
        "expected_bytes": suspect.expected,
        "twin": None if suspect.twin is None else topology.link_name(suspect.twin),
    }
    head, *others = (reason.text for reason in suspect.reasons)
    also = f"; also {others[0]}" if others else ""
    name = link_name(topology.link_name(suspect.link))
    helped = Remedy(_REMEDIES[suspect.reasons[0].kind])
    return Cause(CauseKind.SUSPECT_CABLE, f"suspect: {name} {head}{also}", 0.0, facts, (helped,))


def _late(study: CounterStudy) -> str:
    """The rank that the others wait for, where one stands out."""
    for one in study.late[:1]:
        if one.behind:
            said = f"rank {one.rank} is {count(one.behind, 'collective')} behind the others of its groups"
            return f"{said}; {_its_cable(study, one.rank)}"
    for one in study.late:
        if one.straggler:
            each = seconds(one.waited_s / one.last)
            of = f"{one.last:,} of {count(one.operations, 'collective')}"
            return f"rank {one.rank} came last in {of}; the others waited {each} each; {_its_cable(study, one.rank)}"
    return ""


def _its_cable(study: CounterStudy, rank: int) -> str:
    """What the counters say of the cable behind a rank."""
    for one in study.late_cables:
        if one.late.rank == rank and one.links:
            cable = link_name(study.topology.link_name(one.links[0]))
            more = f" and {len(one.links) - 1:,} more" if len(one.links) > 1 else ""
            if one.reasons:
                return f"its cable, {cable}{more}, is suspect: {one.reasons[0].text}"
            return f"nothing speaks against its cable, {cable}{more}"
    return "it is on no endpoint of the fabric"


def _fits(study: CounterStudy) -> str:
    if study.explained is None or study.scale is None:
        groups = port_groups(study.measured)
        if not groups:
            return ""
        first = groups[0]
        return (
            f"{count(len(groups), 'group')} of NICs sent the same, the largest {len(first.endpoints):,} NICs with "
            f"{data(first.bytes)} each: {first.suggests}"
        )
    ran = f"as if the traffic ran {times(study.scale)} times"
    if study.explained < _EXPLAINS:
        return (
            f"the prediction explains only {percent(study.explained)} of what links carried, {ran}: other traffic ran"
        )
    return f"the prediction explains {percent(study.explained)} of what links carried, {ran}"
