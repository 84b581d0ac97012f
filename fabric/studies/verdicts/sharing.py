"""The verdict on several jobs on one fabric."""

from fabric.studies.sharing import Sharing
from fabric.studies.verdicts.verdict import Verdict, sentences_of
from fabric.studies.verdicts.words import seconds

# Less than this is no slowdown worth a word: assumed.
_SAME = 1.005


def sharing_verdict(sharing: Sharing) -> Verdict:
    """Who loses how much to whom, and whether routing or placement helps."""
    adaptive, hashed = sharing.routings
    victim, other = hashed.victim, adaptive.victim
    names = " and ".join(one.name for one in adaptive.jobs)
    parts = []
    if other.slowdown < _SAME:
        parts.append(
            f"under adaptive routing {names} do not slow each other down, on {adaptive.n_shared:,} shared links"
        )
    else:
        parts.append(
            f"under adaptive routing {other.name} is the victim: its step grows from {seconds(other.alone_s)} to "
            f"at most {seconds(other.worst_s)} ({other.slowdown:.2f}x)"
        )
    if victim.slowdown < _SAME:
        parts.append("static hashing costs them nothing either")
    else:
        parts.append(
            f"under static hashing {victim.name} is the victim: {seconds(victim.alone_s)} alone, at most "
            f"{seconds(victim.worst_s)} together ({victim.slowdown:.2f}x)"
        )
    crowded = [one for one in hashed.links if sum(share > 0 for share in one.shares) > 1]
    if crowded and victim.slowdown >= _SAME:
        link = crowded[0]
        largest = max(range(len(link.shares)), key=link.shares.__getitem__)
        parts.append(
            f"hottest shared link: {link.link}, {link.utilization:.0%} used, {link.shares[largest]:.0%} of it by "
            f"{hashed.jobs[largest].name}"
        )
    return Verdict(sentences=sentences_of(parts), time_s=other.worst_s)
