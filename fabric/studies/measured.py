"""What links carried between two readings of their ports' counters.

Both ends of a link count it: its tail what it sent, its head what it received.  A counter of data that went back has
wrapped, if it may have 32 bits and the bytes could have passed, or was reset: then it is not known what its port sent
and received.  So too where errors went back, and the other end counts other data.  Errors and waiting are at least what
they count since then, or up to the end of their range.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from collectives.demand import BoolVector, FloatVector, Int64Vector
from collectives.errors import InputError
from collectives.sizes import counted, numbered
from fabric.formats.counters.matching import NO_LINK, MatchedPorts, match_ports
from fabric.formats.counters.snapshot import ERRORS, MISSING, RCV, WAIT, XMIT, Snapshot
from fabric.formats.opening import OpenedFabric
from fabric.topology import NVLINK, Topology

SAME_ENDS = 0.01
"""Ends of a link agree within this part: their counters are not read at one moment (assumed)."""

MOST = 0.8
"""Ends agree at this part of the cables at least where counters are of one fabric and one interval (assumed)."""

IDLE = 1e-3
"""A link that carried less than this part of the busiest one is idle: management, keep-alives (assumed)."""

# Bits that a tick of PortXmitWait could have sent: 8 bytes on switches of NDR and later, 4 before (NVIDIA's UFM,
# congestion bandwidth).  A port of 400 Gb/s or more is NDR.
_TICK_BITS, _TICK_BITS_BEFORE_NDR, NDR_GBPS = 64.0, 32.0, 400.0
_WRAP = 2**32
# Without a time a wrap is believed from the last quarter of the range to the first: assumed.
_NEAR = _WRAP // 4
# More than a link carries; its readings and the interval are not of one moment (assumed).
_TOO_MUCH = 1.02
# Where more than this part of what arrived was not counted as sent, the sender's port was reset.  Assumed: ports that
# are read one after the other differ by less.
_NOT_SENT = 0.1
# Of the ports that went back, above which two snapshots are the wrong way round: assumed.
_BACKWARDS = 0.5


@dataclass(frozen=True, eq=False)
class Measured:
    """Counters of a fabric's links over an interval; NaN where nothing is known.

    Attributes
    ----------
    fabric : OpenedFabric
    source : str
        The files, and what they are.
    sent, received : (n_links,) float64
        Bytes that a link's tail sent, and that its head received.
    wait_ticks : (n_links,) float64
        Ticks in which the tail had data and might not send it.
    errors : dict of str to (n_links,) float64
        What the tail's port counted of `ERRORS`; receive errors are of the other direction of the cable.
    interval_s : float or None
        Between the two readings; None where nothing says it.
    ports : MatchedPorts
    resets, wraps : tuple of str
        Ports whose counters of data went back, or began anew: left out, and taken as wrapped.
    cleared : tuple of str
        Ports of which other counters went back: what they count since then is taken.
    at_end : tuple of str
        Ports of which other counters reached the end of their range: what they grew by at least is taken.
    notes : tuple of str
        What was passed over or assumed.
    """

    fabric: OpenedFabric
    source: str
    sent: FloatVector
    received: FloatVector
    wait_ticks: FloatVector
    errors: dict[str, FloatVector]
    interval_s: float | None
    ports: MatchedPorts
    resets: tuple[str, ...] = ()
    wraps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    at_end: tuple[str, ...] = ()

    @property
    def topology(self) -> Topology:
        """The fabric's nodes and links."""
        return self.fabric.topology

    @cached_property
    def bytes(self) -> FloatVector:
        """What each link carried, (n_links,) float64; NaN unknown.

        As its tail says, else as its head says; and where clearly more arrived than was sent, what arrived.
        """
        with np.errstate(invalid="ignore"):
            began_anew = self.received * (1 - SAME_ENDS) > self.sent
        return np.where(np.isnan(self.sent) | began_anew, self.received, self.sent)

    @cached_property
    def known(self) -> BoolVector:
        """Links of the network that are known, (n_links,) bool."""
        known: BoolVector = ~np.isnan(self.bytes) & (self.topology.link_kind != NVLINK)
        return known

    @cached_property
    def gbps(self) -> FloatVector | None:
        """Mean rate of each link, (n_links,) float64, Gb/s; None without an interval."""
        return None if self.interval_s is None else self.bytes * (8e-9 / self.interval_s)

    @cached_property
    def utilization(self) -> FloatVector | None:
        """Part of its capacity that each link carried, (n_links,) float64; None without an interval."""
        return None if self.gbps is None else self.gbps / self.topology.link_capacity_gbps

    @cached_property
    def wait_gbps(self) -> FloatVector | None:
        """What each link could have sent while it waited, (n_links,) float64, Gb/s, at most its capacity.

        ``ticks * bits of a tick / nanoseconds``; None without an interval.
        """
        if self.interval_s is None:
            return None
        capacity = self.topology.link_capacity_gbps
        bits = np.where(capacity >= NDR_GBPS, _TICK_BITS, _TICK_BITS_BEFORE_NDR)
        return np.minimum(self.wait_ticks * bits / (self.interval_s * 1e9), capacity)

    @cached_property
    def both_ends(self) -> BoolVector:
        """Links that both ends count, (n_links,) bool."""
        both: BoolVector = ~np.isnan(self.sent) & ~np.isnan(self.received)
        return both

    @cached_property
    def disagreement(self) -> FloatVector:
        """What got lost between a link's ends, over what was sent, (n_links,) float64; NaN where one end is unknown.

        Negative: more was received than sent.
        """
        largest = np.maximum(np.maximum(self.sent, self.received), 1.0)
        return (self.sent - self.received) / largest

    @cached_property
    def idle_bytes(self) -> float:
        """Up to so many bytes a link is idle."""
        return IDLE * float(self.bytes[self.known].max(initial=0.0))

    @cached_property
    def disagrees(self) -> BoolVector:
        """Links whose ends count clearly different bytes, (n_links,) bool."""
        with np.errstate(invalid="ignore"):
            apart: BoolVector = (np.abs(self.disagreement) > SAME_ENDS) & (
                np.abs(self.sent - self.received) > self.idle_bytes
            )
        return apart & self.both_ends

    @cached_property
    def agreeing_cables(self) -> tuple[int, int]:
        """Cables whose ends agree in both directions, and cables that are known at both ends."""
        reverse = self.topology.link_reverse
        both = self.both_ends & self.both_ends[reverse]
        apart = self.disagrees | self.disagrees[reverse]
        return int((both & ~apart).sum()) // 2, int(both.sum()) // 2

    @cached_property
    def ends_agree(self) -> bool:
        """Whether the ends of most cables count the same; so too where none is known at both."""
        same, both = self.agreeing_cables
        return same >= MOST * both


def measure(
    fabric: OpenedFabric, after: Snapshot, before: Snapshot | None = None, interval_s: float | None = None
) -> Measured:
    """What links carried between two snapshots.

    Parameters
    ----------
    fabric : OpenedFabric
    after : Snapshot
    before : Snapshot, optional
        None: `after` holds what counters grew by.
    interval_s : float, optional
        Between the two; default as their times say.

    Raises
    ------
    InputError
        A snapshot of another fabric, or two that are the wrong way round.
    """
    topology = fabric.topology
    ports = match_ports(after, fabric)
    earlier = None if before is None else match_ports(before, fabric)
    if interval_s is None and before is not None and earlier is not None:
        interval_s = _interval_s(topology, before, earlier, after, ports)
    grown, went = _grown(topology, after, ports, before, earlier, interval_s)
    unknown = np.full(topology.n_links, np.nan)
    received = grown.get(RCV, unknown)[topology.link_reverse]
    notes = [*(before.notes if before is not None else ()), *after.notes, *ports.notes]
    if ports.unmatched:
        notes.append(
            f"{numbered(ports.unmatched, 'ports have data and no cable in the fabric')}, such as {ports.examples[0]}"
        )
    source = f"{after.source} ({after.title})" + ("" if before is None else f" after {before.source}")
    made = Measured(
        fabric,
        source,
        grown.get(XMIT, unknown),
        received,
        grown.get(WAIT, unknown),
        {name: grown[name] for name in ERRORS if name in grown},
        interval_s,
        ports,
        _names(topology, went.reset),
        _names(topology, went.wrapped),
        tuple(dict.fromkeys(notes)),
        _names(topology, went.cleared & ~went.reset),
        _names(topology, went.at_end),
    )
    if not made.known.any():
        raise InputError(f"{made.source}: no port is known in both; expected two snapshots of the same ports")
    return made


def too_busy(measured: Measured) -> int:
    """Links that carried more than they can in the interval: it is wrong, or the unit of a counter is."""
    if measured.utilization is None:
        return 0
    return int((measured.utilization[measured.known] > _TOO_MUCH).sum())


def _column(topology: Topology, counts: Int64Vector, ports: MatchedPorts) -> Int64Vector:
    """A counter of each row by the link that leaves its port, (n_links,) int64."""
    column = np.full(topology.n_links, MISSING, np.int64)
    there = ports.link != NO_LINK
    column[ports.link[there]] = counts[there]
    return column


def _times(topology: Topology, snapshot: Snapshot, ports: MatchedPorts) -> FloatVector:
    times = np.full(topology.n_links, np.nan)
    there = ports.link != NO_LINK
    times[ports.link[there]] = snapshot.time_s[there]
    return times


def _interval_s(
    topology: Topology, before: Snapshot, earlier: MatchedPorts, after: Snapshot, later: MatchedPorts
) -> float | None:
    """Median of the ports' times between the two; None where none says its time."""
    passed = _times(topology, after, later) - _times(topology, before, earlier)
    passed = passed[~np.isnan(passed)]
    if not passed.size:
        return None
    middle = float(np.median(passed))
    if middle <= 0:
        raise InputError(
            f"{after.source}: is not later than {before.source} ({middle:g} s by their times); expected the later one"
        )
    return middle


@dataclass(frozen=True, eq=False)
class _Went:
    """Links by how the counters of the port that they leave by went, each (n_links,) bool; as in `Measured`."""

    reset: BoolVector
    wrapped: BoolVector
    cleared: BoolVector
    at_end: BoolVector


def _grown(
    topology: Topology,
    after: Snapshot,
    ports: MatchedPorts,
    before: Snapshot | None,
    earlier: MatchedPorts | None,
    interval_s: float | None,
) -> tuple[dict[str, FloatVector], _Went]:
    """What every counter grew by, by the link of its port; and how those went that did not simply grow."""
    grown: dict[str, FloatVector] = {}
    went = _Went(*(np.zeros(topology.n_links, bool) for _ in range(4)))
    rows = np.array(sorted(after.went_back), np.int64)
    went.reset[ports.link[rows][ports.link[rows] != NO_LINK]] = True
    for name in after.counts:
        last = _column(topology, after.count(name), ports)
        known = last != MISSING
        value = last.astype(np.float64)
        if before is not None and earlier is not None:
            first = _column(topology, before.count(name), earlier)
            if name in (XMIT, RCV):
                known &= first != MISSING
                back = known & (last < first)
                wide = name in after.wide or name in before.wide
                around = back & _wraps(topology, first, last, after.word_bytes, interval_s) & (not wide)
                difference = last - first + np.where(around, _WRAP * after.word_bytes, 0)
                np.logical_or(went.wrapped, around, out=went.wrapped)
                np.logical_or(went.reset, back & ~around, out=went.reset)
                known &= difference >= 0
            else:
                end = _column(topology, after.ends[name], ports) if name in after.ends else np.full_like(last, MISSING)
                full = (end > first) & (first != MISSING)
                np.logical_or(went.at_end, full, out=went.at_end)
                known = (known & (first != MISSING)) | full
                back = known & ~full & (last < first)
                np.logical_or(went.cleared, back, out=went.cleared)
                # It has counted so much since then, and at least so much in all.
                difference = np.where(full, end - first, np.where(back, last, last - first))
            value = difference.astype(np.float64)
        grown[name] = np.where(known, value, np.nan)
    _began_anew(topology, grown, went)
    counted_ports = int((~np.isnan(grown[XMIT]) | went.reset).sum()) if XMIT in grown else 0
    if before is not None and counted_ports and went.reset.sum() > _BACKWARDS * counted_ports:
        raise InputError(
            f"{after.source}: {counted(int(went.reset.sum()), 'port')} of {counted_ports:,} count less than in "
            f"{before.source}; expected the earlier one as before (or all were reset in between)"
        )
    # What a port counted before its reset is not known, whether a counter shows it or not.
    for name in (XMIT, RCV):
        if name in grown:
            grown[name] = np.where(went.reset, np.nan, grown[name])
    return grown, went


def _began_anew(topology: Topology, grown: dict[str, FloatVector], went: _Went) -> None:
    """Ports that were reset, and count more by now than before: what they say is not what the other end says.

    Nobody receives what was not sent; and ports of which other counters went back were reset as a whole, if not only
    those were cleared.
    """
    if XMIT not in grown or RCV not in grown:
        return
    idle = IDLE * max(float(np.nanmax(grown[name], initial=0.0)) for name in (XMIT, RCV))
    for name, other in ((XMIT, RCV), (RCV, XMIT)):
        own, there = grown[name], np.where(went.reset, np.nan, grown[other])[topology.link_reverse]
        with np.errstate(invalid="ignore"):
            apart = np.abs(own - there) > np.maximum(SAME_ENDS * np.maximum(own, there), idle)
            less = apart & (own < (1 - _NOT_SENT) * there)
        both = ~np.isnan(own) & ~np.isnan(there)
        if name == XMIT and (both & ~apart).sum() >= MOST * both.sum():
            np.logical_or(went.reset, less & both, out=went.reset)
        np.logical_or(went.reset, went.cleared & apart, out=went.reset)


def _wraps(
    topology: Topology, first: Int64Vector, last: Int64Vector, word_bytes: int, interval_s: float | None
) -> BoolVector:
    """Where a counter that went back may have wrapped once at 32 bits, and not more often."""
    around = _WRAP * word_bytes
    fits: BoolVector = (first < around) & (last < around)
    if interval_s is None:
        near = _NEAR * word_bytes
        return fits & (first >= around - near) & (last < near)
    most = topology.link_capacity_gbps * (interval_s * 1e9 / 8 * _TOO_MUCH)
    return fits & (last - first + around <= most) & (most < around)


def _names(topology: Topology, links: BoolVector) -> tuple[str, ...]:
    """Ports that links leave by."""
    return tuple(topology.link_name(int(link)).split(" -> ")[0] for link in np.flatnonzero(links))
