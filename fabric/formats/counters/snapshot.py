"""What counters of ports say at one moment, whoever wrote them: a row a port.

Readers yield a `CounterSample` for each port that they find, or several for one port where a file holds a metric a
line; `by_port` joins those of one port and moment.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from collectives.demand import FloatVector, Int32Vector, Int64Vector, frozen_array
from collectives.errors import InputError
from fabric.topology import UInt64Vector

MISSING = -1
"""A count that is not known: not in the file, ``N/A``, or saturated."""

XMIT, RCV, WAIT = "xmit", "rcv", "wait"
"""Bytes out of a port, bytes into it, and the ticks that it had data and might not send (PortXmitWait)."""

ERRORS = (
    "symbol_errors",
    "link_recoveries",
    "link_downs",
    "rcv_errors",
    "remote_physical_errors",
    "xmit_discards",
    "integrity_errors",
    "buffer_overruns",
)
"""Counters of what goes wrong: InfiniBand architecture specification 1.4, 16.1.3.5 (PortCounters)."""

COUNTERS = (XMIT, RCV, WAIT, *ERRORS)

Key = tuple[int, int, int, str, int, str]


@dataclass
class CounterSample:
    """What a reader finds of one port, or a part of it.

    Attributes
    ----------
    where : str
        File and line.
    guid, port_guid : int
        Of the node and of the port; 0 where it is not said.
    lid : int
        0 where it is not said.
    node : str
        Name of the node; empty where it is not said.
    port : int
        Number of the port, or `MISSING`.
    time_s : float
        Since 1970; NaN where it is not said.
    counts : dict of str to int
        By the names of `COUNTERS`; data in bytes.
    wide : frozenset of str
        Counters that are known to have 64 bits, and do not wrap.
    word_bytes : int
        Bytes of a count of data: 4 or 1.
    saturated : frozenset of str
        Counters at the end of their range, which are not known.
    port_name : str
        What the port is called where that is no number: ``swp1s0``, ``1/3/2``.
    ends : dict of str to int
        Where the counters stand that are at the end of their range.
    went_back : bool
        Data of an earlier time was more: the port was reset between them.
    """

    where: str
    guid: int = 0
    port_guid: int = 0
    lid: int = 0
    node: str = ""
    port: int = MISSING
    time_s: float = math.nan
    counts: dict[str, int] = field(default_factory=dict)
    wide: frozenset[str] = frozenset()
    word_bytes: int = 1
    saturated: frozenset[str] = frozenset()
    port_name: str = ""
    ends: dict[str, int] = field(default_factory=dict)
    went_back: bool = False

    @property
    def key(self) -> Key:
        """What tells ports apart."""
        return (self.port_guid, self.guid, self.lid, self.node, self.port, self.port_name)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Counters of ports, columns with a row a port.

    Attributes
    ----------
    source : str
        The files, in words.
    title : str
        What people call their format.
    guid, port_guid : (n,) uint64
        0 where not known.
    lid : (n,) int32
        0 where not known.
    node : tuple of str
        Empty where not known.
    port : (n,) int32
        `MISSING` where not known.
    time_s : (n,) float64
        Since 1970; NaN where not known.
    counts : dict of str to (n,) int64
        By the names of `COUNTERS`, those that the files have; data in bytes; `MISSING` where not known.
    wide : frozenset of str
        Counters that are known to have 64 bits.
    word_bytes : int
        Bytes of a count of data, 4 or 1: one of 32 bits wraps after 2^32 of them.
    notes : tuple of str
        What was passed over or assumed.
    port_name : tuple of str
        What ports are called that are not called by a number; empty otherwise.
    ends : dict of str to (n,) int64
        Where counters stand that are at the end of their range; `MISSING` for others.
    went_back : frozenset of int
        Rows of ports that were reset between the times of which this is the last.
    """

    source: str
    title: str
    guid: UInt64Vector
    port_guid: UInt64Vector
    lid: Int32Vector
    node: tuple[str, ...]
    port: Int32Vector
    time_s: FloatVector
    counts: dict[str, Int64Vector]
    wide: frozenset[str] = frozenset()
    word_bytes: int = 1
    notes: tuple[str, ...] = ()
    port_name: tuple[str, ...] = ()
    ends: dict[str, Int64Vector] = field(default_factory=dict)
    went_back: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if not self.port_name:
            object.__setattr__(self, "port_name", ("",) * self.n_ports)

    @property
    def n_ports(self) -> int:
        """Rows."""
        return len(self.node)

    def count(self, counter: str) -> Int64Vector:
        """A column, (n,) int64; all `MISSING` where no file has it."""
        column = self.counts.get(counter)
        return np.full(self.n_ports, MISSING, np.int64) if column is None else column

    @classmethod
    def of(cls, samples: Iterable[CounterSample], source: str, title: str, notes: Iterable[str] = ()) -> "Snapshot":
        """Lay samples out, one a port.  O(n).

        Raises
        ------
        InputError
            If there is none with data.
        """
        rows = list(samples)
        if not any(one.counts.get(XMIT, MISSING) >= 0 or one.counts.get(RCV, MISSING) >= 0 for one in rows):
            raise InputError(f"{source}: no counter of data, sent or received; expected those of ports")
        names = [name for name in COUNTERS if any(name in one.counts for one in rows)]
        return cls(
            source,
            title,
            frozen_array(np.array([one.guid for one in rows], np.uint64), np.uint64, "guid"),
            frozen_array(np.array([one.port_guid for one in rows], np.uint64), np.uint64, "port_guid"),
            frozen_array(np.array([one.lid for one in rows], np.int32), np.int32, "lid"),
            tuple(one.node for one in rows),
            frozen_array(np.array([one.port for one in rows], np.int32), np.int32, "port"),
            frozen_array(np.array([one.time_s for one in rows], np.float64), np.float64, "time_s"),
            {
                name: frozen_array(np.array([one.counts.get(name, MISSING) for one in rows], np.int64), np.int64, name)
                for name in names
            },
            frozenset(name for name in names if all(name in one.wide for one in rows if name in one.counts)),
            max(one.word_bytes for one in rows),
            tuple(notes),
            tuple(one.port_name for one in rows),
            {
                name: frozen_array(np.array([one.ends.get(name, MISSING) for one in rows], np.int64), np.int64, name)
                for name in COUNTERS
                if any(name in one.ends for one in rows)
            },
            frozenset(row for row, one in enumerate(rows) if one.went_back),
        )


def by_port(samples: Iterable[CounterSample]) -> dict[Key, list[CounterSample]]:
    """Samples of each port in the order of their times; those of one time are joined into one.

    A port without a time is joined with the first of the same port.
    """
    joined: dict[tuple[Key, float], CounterSample] = {}
    for one in samples:
        moment = 0.0 if math.isnan(one.time_s) else one.time_s
        known = joined.setdefault((one.key, moment), one)
        if known is not one:
            for name, count in one.counts.items():
                known.counts.setdefault(name, count)
            known.wide |= one.wide
            known.ends = {name: end for name, end in (one.ends | known.ends).items() if known.counts[name] == MISSING}
            known.word_bytes = max(known.word_bytes, one.word_bytes)
    ports: dict[Key, list[CounterSample]] = {}
    for (key, _), one in sorted(joined.items(), key=lambda item: item[0][1]):
        ports.setdefault(key, []).append(one)
    return ports
