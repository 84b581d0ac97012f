"""The verdict on links that were explained."""

from collections.abc import Iterator

from collectives.sizes import counted
from fabric.studies.advice.study import Advice
from fabric.studies.explain import MOSTLY, Contributions, Explained, main_cause
from fabric.studies.link_odds import UNEVEN, place_text, wiring_text
from fabric.studies.verdicts.remedy import help_texts, remedies_of
from fabric.studies.verdicts.verdict import Verdict, sentences_of, with_help
from fabric.studies.verdicts.words import data, link_name, percent, seconds


def explain_verdict(explained: Explained, advice: Advice | None = None) -> Verdict:
    """Whose bytes are on the first link, what is odd about it, what helps, and what the others share with it.

    Parameters
    ----------
    explained : Explained
    advice : Advice, optional
        What helps the job as a whole; said where the first link is the busiest one.
    """
    if not explained.links:
        return Verdict(sentences=("Nothing is carried: no link has bytes to explain.",), time_s=0.0)
    parts = list(_parts(explained))
    helping = help_texts(advice) if explained.of_busiest[0] >= 1 else ()
    sentences = with_help(parts, helping) if helping else sentences_of(parts)
    return Verdict(sentences=sentences, time_s=explained.seconds[0], helps=remedies_of(advice) if helping else ())


def _parts(explained: Explained) -> Iterator[str]:
    first, busy = explained.links[0], explained.of_busiest[0]
    which = "the busiest link" if busy >= 1 else f"a link that is busy for {percent(busy)} of the busiest one's time"
    yield (
        f"{which}, {link_name(first.name)}, carries {data(first.bytes)} in {seconds(explained.seconds[0])}, "
        f"{whose(first)}"
    )
    wiring = wiring_text(first.topology, first.link, first.odds)
    if wiring:
        yield f"what is odd: {' and '.join(wiring)}"
    over, place = first.odds.over_even, place_text(first.topology, first.link)
    if over is not None and over >= UNEVEN:
        yield f"it has {over:.2f} times what an even split of the same traffic puts on it"
    elif place.endswith(" it"):
        yield "that is an endpoint's own cable, which no routing relieves"
    elif not wiring and (over is not None or explained.routing.name == "adaptive"):
        yield "its load is an even split of what is sent"
    causes = {main_cause(one, explained.routing.name) for one in explained.links[1:]}
    if len(explained.links) > 2 and causes == {main_cause(first, explained.routing.name)}:
        yield f"the other {len(explained.links) - 1} links have the same cause"


def whose(found: Contributions) -> str:
    """Whose most of it is, in words."""
    said = []
    for shares, what in ((found.by_job, "job"), (found.by_axis, "axis")):
        if len(shares) > 1:
            said.append(f"{percent(shares[0].share)} of {what} {shares[0].name}")
    place = place_text(found.topology, found.link)
    if place:
        said.append(place.removesuffix(" it") + ("" if place.startswith("all") else " all of it"))
    elif found.by_source_leaf[0].share >= MOSTLY:
        said.append(f"{percent(found.by_source_leaf[0].share)} from {found.by_source_leaf[0].name}")
    else:
        said.append(f"from {len(found.by_source_leaf):,} leaves to {len(found.by_destination_leaf):,}")
    return f"{', '.join(said)}; {counted(found.n_pairs, 'pair')} of ranks"
