"""Numbers, links and bounds in words."""

from fabric.bounds.cuts import ANY_ALGORITHM, ANY_ROUTING, NO_REDUCING_SWITCHES, Bound
from fabric.studies.verdicts.thresholds import SAME
from fabric.studies.verdicts.verdict import Limit

# A name that takes more is cut in the middle, so that a sentence stays one.  Assumed.
LONGEST_NAME = 44
# From about twice on, a factor reads better than a percentage: assumed.
TWICE = 1.95


def seconds(value: float) -> str:
    """A time with the unit that suits it: ``23.4 ms``."""
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1:
            return f"{value * factor:.4g} {unit}"
    return f"{value * 1e9:.4g} ns" if value > 0 else "0 s"


def data(value: float) -> str:
    """Bytes in decimal units: ``1.65 TB``."""
    for factor, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value:.4g} B"


def count(number: int, what: str, several: str | None = None) -> str:
    """``1 group``, ``1,200 groups``."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def times(factor: float) -> str:
    """A factor with as many digits as matter: ``1.34``, ``2.3``, ``16``."""
    if factor >= 10:
        return f"{factor:,.0f}"
    return f"{factor:.{2 if factor < 2 else 1}f}".rstrip("0").removesuffix(".")


def percent(fraction: float) -> str:
    """``43 %``; small ones keep a digit, and neither 0 nor 100 is said of what is not."""
    value = 100 * fraction
    if 0 < value < 0.1:
        return "under 0.1 %"
    if 99.9 < value < 100:
        return "over 99.9 %"
    return f"{value:.1f} %" if value < 1 or 99 < value < 100 else f"{value:.0f} %"


def faster(before_s: float, after_s: float) -> str:
    """``16.4 ms, 1.5 times faster``."""
    return f"{seconds(after_s)}, {times(before_s / after_s)} times faster"


def name(text: str) -> str:
    """A name that is not too long for a sentence."""
    if len(text) <= LONGEST_NAME:
        return text
    half = (LONGEST_NAME - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def link_name(text: str) -> str:
    """A link's name, each end cut on its own."""
    return " -> ".join(name(end) for end in text.split(" -> "))


def links_of(tier: str, direction: str) -> str:
    """The links of a tier and direction: ``leaf-spine links up``."""
    if tier.startswith("within "):
        return f"links {tier}"
    if tier == "GPU mesh":
        return f"{tier} links"
    side = {"up": "sending", "down": "receiving"}.get(direction)
    said = f" ({side} NICs)" if tier.startswith("host") and side else ""
    return f"{tier} links {direction}{said}" if tier != "NVLink" else f"NVLinks {direction}"


def limits(limit: Limit) -> str:
    """What a job is limited by: ``the receivers' NICs are the limit``."""
    if limit.tier.startswith("host") and limit.direction in ("up", "down"):
        return f"the {'senders' if limit.direction == 'up' else 'receivers'}' NICs are the limit"
    if limit.tier == "NVLink":
        return "NVLink is the limit"
    return f"the {links_of(limit.tier, limit.direction)} are the limit"


def busiest(limit: Limit) -> str:
    """Which of the links limit: ``the busiest of 64 is A -> B``, or ``all 64 are equally busy``."""
    if limit.as_busy == limit.links:
        return (
            f"all {limit.links:,} are equally busy" if limit.links > 1 else f"the only one is {link_name(limit.link)}"
        )
    if limit.as_busy > 1:
        return f"the busiest {limit.as_busy:,} of {limit.links:,} include {link_name(limit.link)}"
    return f"the busiest of {limit.links:,} is {link_name(limit.link)}"


_WHERE = {
    "endpoint": " through the GPUs' own links",
    "domain": " through the NICs of an NVLink domain",
    "leaf": " through the leaves",
    "pod": " through the pods",
    "rail": " between the leaves of the rails, over NVLink and spines",
    "plane": " between planes of the network, over NVLink",
    "half": " between two halves of the job",
    "pair": " over the direct links of a GPU mesh",
    "step": " in each of its operations",
}
_WHO = {
    ANY_ALGORITHM: ("any algorithm", "no algorithm", ""),
    NO_REDUCING_SWITCHES: ("any algorithm", "no algorithm", " (unless switches reduce)"),
    ANY_ROUTING: ("any routing of this traffic", "no routing of this traffic", ""),
}


def _where(bound: Bound) -> str:
    return f" through the cut {bound.sides}" if bound.sides else _WHERE.get(bound.cut, "")


def bound_text(bound: Bound) -> str:
    """What the bound is: ``what any algorithm could do through the leaves``."""
    who, _, unless = _WHO[bound.holds_for]
    return f"what {who} could do{_where(bound)}{unless}"


def over_bound_text(time_s: float, bound: Bound) -> str:
    """How far over the bound: ``43 % over what any algorithm could do through the leaves``."""
    ratio = time_s / bound.time_s
    who, nobody, unless = _WHO[bound.holds_for]
    where = _where(bound)
    if ratio < SAME:
        return f"at the bound: {nobody} is faster{where}{unless}"
    if ratio < TWICE:
        return f"{percent(ratio - 1)} over {bound_text(bound)}"
    return f"{times(ratio)} times what {who} needs{where}{unless}"
