"""Which cables are suspect by their counters, and why: the one that explains most first.

A link is compared with what is expected of it: the prediction, where the traffic is known, else the middle of its
siblings: links of one switch (of one host's NICs) in one tier and direction.  Nothing is suspected where siblings
differ anyway.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from collectives.demand import BoolVector, FloatVector, Int64Vector
from collectives.sizes import counted
from fabric.studies.measured import NDR_GBPS, Measured
from fabric.studies.verdicts.words import percent
from fabric.topology import ENDPOINT, NIC, UNKNOWN, Topology

# A link carries less than is expected of it from this part on: of the prediction, of its siblings; and so many times
# more than links differ anyway (the median of their absolute deviations, as a standard deviation).  Assumed.
LESS, LESS_THAN_SIBLINGS, SPREADS = 0.1, 0.2, 5.0
# Siblings that differ more among themselves show nothing; nor does a tier in which more links than these (a part, and
# at least so many: two cables and who makes up for them) differ from their siblings: its routes are uneven.  Assumed.
_EVEN, _UNEVEN_PART, _UNEVEN_LINKS = 0.1, 0.05, 4
_MAD = 1.4826
# Part of what a link lacks that a sibling must carry more for it to make up for it: assumed.
_MAKES_UP = 0.5
# Part of its capacity that a link lost while it waited, from which it is named; and over its siblings.  Assumed.
WAITS, _WAITS_MORE = 0.05, 2.0
# NVIDIA's UFM isolates ports (PDR plugin) for more symbol errors than these in so many seconds; NDR the other ones.
PDR_ERRORS, PDR_S = 2.88, 12 * 60.0
PDR_NDR_ERRORS, PDR_NDR_S = 3.0, 125 * 60.0
# What a reason counts for; carrying less counts up to twice the first one.  Assumed: the order in which operators look.
_WEIGHTS = {"carries-less": 0.5, "ends-disagree": 0.4, "symbol-errors": 0.4, "link-downs": 0.4, "errors": 0.1,
            "waits": 0.1}  # fmt: skip
_ERROR_WORDS = {
    "link_recoveries": "recovered link error",
    "rcv_errors": "receive error",
    "remote_physical_errors": "remote physical error",
    "xmit_discards": "discarded packet",
    "integrity_errors": "local link integrity error",
    "buffer_overruns": "buffer overrun",
}
_OF_A_CABLE = ("link_recoveries", "rcv_errors", "integrity_errors", "buffer_overruns")


@dataclass(frozen=True)
class Reason:
    """Why a cable is suspect.

    Attributes
    ----------
    kind : str
        carries-less, ends-disagree, symbol-errors, link-downs, errors or waits.
    text : str
        With the numbers.
    weight : float
        What it counts for.
    link : int
        The direction of the cable that shows it.
    """

    kind: str
    text: str
    weight: float
    link: int


@dataclass(frozen=True)
class Suspect:
    """A cable that its counters speak against.

    Attributes
    ----------
    link : int
        The direction that shows most.
    weight : float
        Of all reasons together.
    reasons : tuple of Reason
        What counts most first.
    bytes, expected : float or None
        What the link carried, and what was expected of it.
    twin : int or None
        The link that makes up for it.
    """

    link: int
    weight: float
    reasons: tuple[Reason, ...]
    bytes: float | None = None
    expected: float | None = None
    twin: int | None = None


@dataclass
class _Found:
    reasons: list[Reason] = field(default_factory=list)


def siblings_of(topology: Topology) -> Int64Vector:
    """A number that links share that are siblings, (n_links,) int64.

    Links that leave one switch in one tier and direction; of NICs, those of one host in one direction.
    """
    tail, head = topology.link_tail, topology.link_head
    nic = topology.link_kind == NIC
    up = topology.nodes.kind[tail] == ENDPOINT
    endpoint = np.where(up, tail, head)
    host = topology.nodes.host[endpoint].astype(np.int64)
    # An endpoint without a host is one of its own.
    host = np.where(host == UNKNOWN, topology.n_nodes + endpoint, host)
    owner = np.where(nic, host + topology.n_nodes, tail.astype(np.int64))
    key = np.stack([owner, topology.link_kind, topology.link_tier, topology.link_direction])
    _, number = np.unique(key, axis=1, return_inverse=True)
    return number.ravel().astype(np.int64)


def expected_of_siblings(measured: Measured) -> tuple[FloatVector, FloatVector]:
    """Middle of what each link's siblings carried, and how much they differ, over it; both (n_links,) float64.

    NaN for links with fewer than two siblings that are known.
    """
    middle, spread = (np.full(measured.topology.n_links, np.nan) for _ in range(2))
    for links in _groups(siblings_of(measured.topology), measured.known):
        if links.size < 3:
            continue
        rates = measured.bytes[links] / measured.topology.link_capacity_gbps[links]
        median = float(np.median(rates))
        if median * float(measured.topology.link_capacity_gbps[links].max()) > measured.idle_bytes:
            middle[links] = median * measured.topology.link_capacity_gbps[links]
            spread[links] = _MAD * float(np.median(np.abs(rates / median - 1)))
    return middle, spread


def suspects_of(measured: Measured, predicted: FloatVector | None = None) -> tuple[Suspect, ...]:
    """Cables that something speaks against, the most suspect first.

    Parameters
    ----------
    measured : Measured
    predicted : (n_links,) float64, optional
        Bytes that each link should have carried in the interval.
    """
    topology = measured.topology
    found: dict[int, _Found] = {}

    def add(link: int, kind: str, text: str, weight: float) -> None:
        cable = min(link, int(topology.link_reverse[link]))
        found.setdefault(cable, _Found()).reasons.append(Reason(kind, text, weight, link))

    less, expected = _less(measured, predicted)
    twins: dict[int, int] = {}
    siblings = siblings_of(topology)
    for link in less.tolist():
        twin = _twin(measured, expected, siblings, link)
        part = float(1 - measured.bytes[link] / expected[link])
        whose = "predicted" if predicted is not None else "usual among its siblings"
        text = f"carried {percent(part)} less than {whose}"
        if twin is not None:
            twins[link] = twin
            more = float(measured.bytes[twin] / expected[twin] - 1) if expected[twin] > 0 else np.inf
            text += f"; {topology.link_name(twin)} makes up for it" + (f" ({percent(more)} more)" if more < 10 else "")
        add(link, "carries-less", text, _WEIGHTS["carries-less"] * (1 + part))
    for link in _disagreeing(measured).tolist():
        part = float(measured.disagreement[link])
        sent = float(measured.sent[link])
        arrived = f"{percent(float(measured.received[link]) / sent - 1)} more" if sent > 0 else "more"
        said = (
            f"{percent(part)} of what it sent did not arrive"
            if part > 0
            else f"{arrived} arrived than it counts as sent"
        )
        add(link, "ends-disagree", f"its two ends disagree: {said}", _WEIGHTS["ends-disagree"] * min(1.0, abs(part)))
    for link, kind, text, weight in (*_errors(measured), *_waits(measured)):
        add(link, kind, text, weight)
    for link, text in _beside(measured):
        cable = found.get(min(link, int(topology.link_reverse[link])))
        if cable is not None and all((one.link, one.text) != (link, text) for one in cable.reasons):
            cable.reasons.append(Reason("errors", text, 0.0, link))
    suspects = []
    for each in found.values():
        reasons = tuple(sorted(each.reasons, key=lambda reason: -reason.weight))
        link = reasons[0].link
        knows = bool(measured.known[link]) and not np.isnan(expected[link])
        suspects.append(
            Suspect(
                link,
                sum(reason.weight for reason in reasons),
                reasons,
                float(measured.bytes[link]) if measured.known[link] else None,
                float(expected[link]) if knows else None,
                twins.get(link),
            )
        )
    return tuple(sorted(suspects, key=lambda suspect: (-suspect.weight, suspect.link)))


def _groups(number: Int64Vector, kept: BoolVector) -> Iterator[Int64Vector]:
    """Links of each group, those that are kept."""
    links = np.flatnonzero(kept)
    order = links[np.argsort(number[links], kind="stable")]
    if order.size:
        yield from np.split(order, np.flatnonzero(np.diff(number[order])) + 1)


def _less(measured: Measured, predicted: FloatVector | None) -> tuple[Int64Vector, FloatVector]:
    """Links that carried clearly less than was expected of them, and what that was."""
    if predicted is not None:
        return _less_than_predicted(measured, predicted)
    middle, spreads = expected_of_siblings(measured)
    with np.errstate(invalid="ignore"):
        below = 1 - measured.bytes / middle
        low = measured.known & (spreads < _EVEN) & (below > np.maximum(LESS_THAN_SIBLINGS, SPREADS * spreads))
        differs = measured.known & (np.abs(below) > LESS_THAN_SIBLINGS)
    return np.flatnonzero(low & ~_uneven(measured.topology, differs, measured.known)), middle


def _less_than_predicted(measured: Measured, predicted: FloatVector) -> tuple[Int64Vector, FloatVector]:
    """The same by a prediction.

    A link is compared with what most of its tier and direction carried of theirs: where all of them carried more or
    less than predicted, other traffic ran, and no cable is slow.
    """
    asked = measured.known & (predicted > measured.idle_bytes)
    ratio = np.full(predicted.size, np.nan)
    ratio[asked] = measured.bytes[asked] / predicted[asked]
    low, expected = np.zeros(predicted.size, bool), np.full(predicted.size, np.nan)
    for links in _groups(_tier_numbers(measured.topology), asked):
        middle = float(np.median(ratio[links]))
        if middle <= 0:
            continue
        expected[links] = predicted[links] * middle
        spread = _MAD * float(np.median(np.abs(ratio[links] / middle - 1)))
        low[links] = ratio[links] / middle < 1 - max(LESS, SPREADS * spread)
    return np.flatnonzero(low), expected


def _tier_numbers(topology: Topology) -> Int64Vector:
    """A number that links of one kind, tier and direction share, (n_links,) int64."""
    key = np.stack([topology.link_kind, topology.link_tier, topology.link_direction]).astype(np.int64)
    _, number = np.unique(key, axis=1, return_inverse=True)
    return number.ravel().astype(np.int64)


def _uneven(topology: Topology, differs: BoolVector, known: BoolVector) -> BoolVector:
    """Links of the tiers and directions in which too many differ from their siblings, (n_links,) bool."""
    tier = _tier_numbers(topology)
    most = np.maximum(_UNEVEN_PART * np.bincount(tier, known), _UNEVEN_LINKS)
    uneven: BoolVector = (np.bincount(tier, differs) > most)[tier]
    return uneven


def _twin(measured: Measured, expected: FloatVector, siblings: Int64Vector, link: int) -> int | None:
    """The sibling that carries most more, if that makes up for what a link lacks; parallel cables come first."""
    topology = measured.topology
    like = (siblings == siblings[link]) & measured.known & ~np.isnan(expected)
    like[link] = False
    more = np.where(like, measured.bytes - np.where(np.isnan(expected), 0.0, expected), -np.inf)
    lacks = float(expected[link] - measured.bytes[link])
    parallel = like & (topology.link_head == topology.link_head[link])
    for some in (parallel, like):
        if some.any():
            best = int(np.argmax(np.where(some, more, -np.inf)))
            if more[best] >= _MAKES_UP * lacks:
                return best
    return None


def _disagreeing(measured: Measured) -> Int64Vector:
    """Links whose ends count differently, where most of the fabric's agree."""
    return np.flatnonzero(measured.disagrees) if measured.ends_agree else np.zeros(0, np.int64)


def allowed_symbol_errors(gbps: float, interval_s: float | None) -> float:
    """Symbol errors that are not too many in an interval; in the shortest that is judged where it is not known."""
    errors, window_s = (PDR_NDR_ERRORS, PDR_NDR_S) if gbps >= NDR_GBPS else (PDR_ERRORS, PDR_S)
    return errors * max(1.0, (interval_s or 0.0) / window_s)


def _errors(measured: Measured) -> Iterator[tuple[int, str, str, float]]:
    """Links with more errors than are allowed.  Lost packets and what others marked as bad are no cable's own."""
    topology = measured.topology
    for name, column in measured.errors.items():
        for link in np.flatnonzero(column > 0).tolist():
            number = float(column[link])
            allowed = allowed_symbol_errors(float(topology.link_capacity_gbps[link]), measured.interval_s)
            if name == "link_downs":
                text = "the link went down" + (f" {number:,.0f} times" if number > 1 else "")
                yield link, "link-downs", text, _WEIGHTS["link-downs"]
            elif number > allowed and name == "symbol_errors":
                text = f"{number:,.0f} symbol errors, {allowed:.3g} are allowed"
                yield link, "symbol-errors", text, _WEIGHTS["symbol-errors"]
            elif number > allowed and name in _OF_A_CABLE:
                yield link, "errors", counted(int(number), _ERROR_WORDS[name]), _WEIGHTS["errors"]


def _beside(measured: Measured) -> Iterator[tuple[int, str]]:
    """What is said besides of cables that are suspect: errors that are too few, or no cable's own."""
    for name, words in _ERROR_WORDS.items():
        column = measured.errors.get(name)
        for link in [] if column is None else np.flatnonzero(column > 0).tolist():
            assert column is not None
            yield link, counted(int(column[link]), words)


def _waits(measured: Measured) -> Iterator[tuple[int, str, str, float]]:
    """Links that waited for much of the time, and more than their siblings."""
    lost = measured.wait_gbps
    if lost is None:
        return
    capacity = measured.topology.link_capacity_gbps
    with np.errstate(invalid="ignore"):
        waits = lost > WAITS * capacity
    for links in _groups(siblings_of(measured.topology), ~np.isnan(lost)):
        usual = float(np.median(lost[links]))
        for link in links[waits[links] & (lost[links] > _WAITS_MORE * usual)].tolist():
            part = float(lost[link] / capacity[link])
            text = f"waited for {lost[link]:.3g} Gb/s ({percent(part)} of the cable): what it leads to is slow"
            yield link, "waits", text, _WEIGHTS["waits"] * part
