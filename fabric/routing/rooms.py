"""Arrays that kernels of static routing work in, made once for each thread."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from fabric._kernels.arrays import HashRoom, NextHops, WaitingRoom
from fabric.routing.layer import Layer

Room = TypeVar("Room")
Scalar = TypeVar("Scalar", bound=np.generic)

# Flows that are hashed together: their keys, salts and choices stay in an L1 cache of 32 kB.
BLOCK = 1024
# Largest table of joint choices: 64 kB of counts, assumed to stay in any L2 cache.
TABLE = 1 << 14
# Destinations whose bytes are carried together: those of a leaf; arrays of (switches x this) stay in an L2 cache.
DESTINATIONS = 32
_PAGE = 4096


class Rooms(Generic[Room]):
    """Rooms that are handed out and taken back: as many as are in use at once, whatever runs in which thread."""

    def __init__(self, make: Callable[[], Room]) -> None:
        self._make = make
        self._free: SimpleQueue[Room] = SimpleQueue()

    @contextmanager
    def one(self) -> Iterator[Room]:
        """A room that nobody else has; it is left as it was found."""
        try:
            room = self._free.get_nowait()
        except Empty:
            room = self._make()
        yield room
        self._free.put(room)


def next_hops(layer: Layer) -> NextHops:
    """Room for the next hops towards one destination class."""
    switches = [np.zeros(layer.n_switches, np.int32) for _ in range(8)]
    distance, queue, position, start, stop, choices, fan, end_slot = switches
    link, head = (np.zeros(layer.n_isls, np.int32) for _ in range(2))
    return NextHops(np.zeros(2, np.int64), distance, queue, position, start, stop, link, head, choices, fan, end_slot)


def hash_room(layer: Layer, n_seeds: int, most_sources: int) -> HashRoom:
    """Room for hashing.

    Parameters
    ----------
    layer : Layer
    n_seeds : int
        Sets of seeds.
    most_sources : int
        Largest number of members of one group in one attachment class.
    """
    n_switches, n_isls = layer.n_switches, layer.n_isls
    most_hops = int(np.diff(layer.arrays.out_start).max(initial=1))
    return HashRoom(
        fraction=np.zeros(len(layer.arrays.slot_switch)),
        bulk=np.zeros(n_switches),
        waiting=np.zeros(n_switches),
        counted=np.zeros((n_seeds, n_isls), np.int64),
        carried=np.zeros((n_seeds, n_isls)),
        chosen=np.zeros(n_switches, bool),
        source=np.zeros(most_sources, np.uint64),
        send=np.zeros(most_sources),
        fan=np.zeros(layer.width, np.int64),
        key=_aligned(BLOCK, np.uint64),
        salt=_aligned(BLOCK, np.uint64),
        choice=_aligned(BLOCK, np.uint64),
        weight=_aligned(BLOCK, np.float64),
        head_salt=_aligned(most_hops, np.uint64),
        counts=_aligned(TABLE, np.int32),
        sums=_aligned(TABLE, np.float64),
        flow=_aligned(BLOCK, np.int64),
        range=_aligned(BLOCK, np.uint64),
        listed_key=_aligned(BLOCK, np.uint64),
        listed_switch=_aligned(BLOCK, np.int32),
        listed_port=_aligned(BLOCK, np.int32),
        listed_weight=_aligned(BLOCK, np.float64),
        listed_end=_aligned(BLOCK, np.int64),
    )


def waiting_room(layer: Layer) -> WaitingRoom:
    """Room for what waits for some destinations."""
    return WaitingRoom(
        fraction=np.zeros(len(layer.arrays.slot_switch)),
        bulk=np.zeros(layer.n_switches),
        waiting=np.zeros((layer.n_switches, DESTINATIONS)),
        anything=np.zeros(layer.n_switches, bool),
        receive=np.zeros(DESTINATIONS),
        number=np.zeros(DESTINATIONS, np.int64),
        slot=np.zeros(DESTINATIONS, np.int64),
        place=np.zeros(DESTINATIONS, np.int64),
    )


def _aligned(n: int, kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """Zeros that begin with a page.

    A vector of the widest registers then never lies in two lines of the cache, and a store never looks like one to the
    place that the next load reads (processors compare the last 12 bits): measured, twice as fast as where chance puts
    them.
    """
    size = n * np.dtype(kind).itemsize
    room = np.zeros(size + _PAGE, np.uint8)
    first = -room.ctypes.data % _PAGE
    found: npt.NDArray[Scalar] = room[first : first + size].view(kind)
    return found
