"""The verdict on several jobs on one fabric."""

from fabric.studies.sharing import Sharing
from fabric.studies.verdicts.verdict import Verdict, sentences_of
from fabric.studies.verdicts.words import seconds

# Less than this is no slowdown worth a word: assumed.
_SAME = 1.005
_WAYS = {"adaptive": "adaptive routing", "ecmp": "static hashing", "lft": "the tables"}


def sharing_verdict(sharing: Sharing) -> Verdict:
    """Who loses how much to whom, and whether routing or placement helps."""
    first, last = sharing.routings[0], sharing.routings[-1]
    names = " and ".join(one.name for one in first.jobs)
    parts = []
    for one in sharing.routings:
        victim, way = one.victim, _WAYS.get(one.routing, one.routing)
        if victim.slowdown >= _SAME:
            parts.append(
                f"under {way} {victim.name} is the victim: its step grows from {seconds(victim.alone_s)} to at most "
                f"{seconds(victim.worst_s)} ({victim.slowdown:.2f}x)"
            )
        elif one is first:
            parts.append(f"under {way} {names} do not slow each other down, on {one.n_shared:,} shared links")
        else:
            parts.append(f"{way} costs them nothing either")
    crowded = [one for one in last.links if sum(share > 0 for share in one.shares) > 1]
    if crowded and last.victim.slowdown >= _SAME:
        link = crowded[0]
        largest = max(range(len(link.shares)), key=link.shares.__getitem__)
        parts.append(
            f"hottest shared link: {link.link}, {link.utilization:.0%} used, {link.shares[largest]:.0%} of it by "
            f"{last.jobs[largest].name}"
        )
    return Verdict(sentences=sentences_of(parts), time_s=first.victim.worst_s)
