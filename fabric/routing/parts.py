"""Loads of one large fabric by several workers: each routes a part of the destinations, and one adds the parts up.

The parts are the chunks that threads take (`fabric.routing.chunks`): the problem decides how the destinations are cut
up and in which order the sums are formed, so that the loads have the same bytes as those of one machine, whoever
routed which part.

parts = [part_of_loads(*problem, number) for number in range(N_PARTS)]   # anywhere, in any order
loads = loads_of_parts(*problem, parts)                                  # as schedule_loads(*problem)
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from collectives.demand import FloatVector
from collectives.errors import InputError
from collectives.schedule import Schedule
from fabric.jobs.placement import Placement
from fabric.routing.chunks import MAX_CHUNKS, Chunk, Placed, in_order, summed_elsewhere
from fabric.routing.link_loads import schedule_loads
from fabric.routing.loads import ScheduleLoads
from fabric.routing.policies import Routing
from fabric.topology import Topology

N_PARTS = MAX_CHUNKS
"""Parts of every problem; of a small one, or one whose sums take much memory, the last ones are empty."""


@dataclass(frozen=True, eq=False)
class SweepPart:
    """One chunk of one sweep.

    Attributes
    ----------
    n_chunks : int
        Chunks that the sweep is cut into.
    sums : tuple of float64 arrays
        What is added up over the chunks; none where the sweep has no chunk of this number.
    placed : tuple of arrays
        What the chunk wrote to places of its own; elsewhere they are as they were.
    """

    n_chunks: int
    sums: tuple[FloatVector, ...]
    placed: Placed


@dataclass(frozen=True, eq=False)
class LoadsPart:
    """One part of the loads of a schedule.

    Attributes
    ----------
    number : int
        0 to ``N_PARTS - 1``.
    sweeps : tuple of SweepPart
        In the order in which the schedule's demands are routed.
    """

    number: int
    sweeps: tuple[SweepPart, ...]

    def to_bytes(self) -> bytes:
        """The arrays, for a file or a wire (NumPy's npz)."""
        buffer = io.BytesIO()
        arrays = {"head": np.array([self.number, len(self.sweeps)])}
        for place, sweep in enumerate(self.sweeps):
            arrays[f"{place}"] = np.array([sweep.n_chunks, len(sweep.sums), len(sweep.placed)])
            arrays |= {f"{place}.{number}": array for number, array in enumerate((*sweep.sums, *sweep.placed))}
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "LoadsPart":
        """What `to_bytes` wrote."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            number, n_sweeps = arrays["head"].tolist()
            sweeps = []
            for place in range(n_sweeps):
                n_chunks, n_sums, n_placed = arrays[f"{place}"].tolist()
                own = [arrays[f"{place}.{number}"] for number in range(n_sums + n_placed)]
                sweeps.append(SweepPart(n_chunks, tuple(own[:n_sums]), tuple(own[n_sums:])))
        return cls(number, tuple(sweeps))


def part_of_loads(
    topology: Topology, schedule: Schedule, placement: Placement, routing: Routing | None, number: int
) -> LoadsPart:
    """Route one part of the destinations, on one thread.

    Policies that say nothing faster than paths (`register_policy`) are not cut up: their parts are empty.

    Parameters
    ----------
    topology, schedule, placement, routing
        As for `fabric.routing.link_loads.schedule_loads`.
    number : int
        0 to ``N_PARTS - 1``.

    Raises
    ------
    InputError
        If there is no such part; as for `schedule_loads`, but for pairs without a way, which `loads_of_parts` refuses.
    """
    if not 0 <= number < N_PARTS:
        raise InputError(f"part {number}: expected 0 to {N_PARTS - 1}")
    sweeps: list[SweepPart] = []

    def route(chunk: Chunk, n_items: int, n_chunks: int, placed: Placed) -> tuple[FloatVector, ...]:
        before = tuple(array.copy() for array in placed)
        sums = chunk(number if number < n_chunks else n_items, n_chunks)
        if number < n_chunks:
            written = tuple(array.copy() for array in placed)
            sweeps.append(SweepPart(n_chunks, tuple(array.copy() for array in sums), written))
        else:
            sweeps.append(SweepPart(n_chunks, (), ()))
        # What follows is thrown away: it must not refuse what it sees only in part.
        for array, whole in zip(placed, before, strict=True):
            array[...] = whole
        return sums

    with summed_elsewhere(route):
        schedule_loads(topology, schedule, placement, routing, n_threads=1)
    return LoadsPart(number, tuple(sweeps))


def loads_of_parts(
    topology: Topology,
    schedule: Schedule,
    placement: Placement,
    routing: Routing | None,
    parts: Sequence[LoadsPart],
    n_threads: int | None = None,
) -> ScheduleLoads:
    """Add all parts up, in the order of their numbers: what `schedule_loads` gives, to the last bit.

    Parameters
    ----------
    topology, schedule, placement, routing
        Those that the parts are of.
    parts : sequence of LoadsPart
        All of them, in any order.
    n_threads : int, optional
        For what is not cut up.

    Raises
    ------
    InputError
        If a part is missing, is there twice, or is of another problem; as for `schedule_loads`.
    """
    by_number = {part.number: part for part in parts}
    if sorted(part.number for part in parts) != list(range(N_PARTS)):
        raise InputError(f"parts {sorted(part.number for part in parts)}: expected each of 0 to {N_PARTS - 1} once")
    taken = 0

    def add(chunk: Chunk, n_items: int, n_chunks: int, placed: Placed) -> tuple[FloatVector, ...]:
        nonlocal taken
        own = [by_number[number].sweeps[taken : taken + 1] for number in range(n_chunks)]
        taken += 1
        found = [sweep for one in own for sweep in one]
        if len(found) < n_chunks or any(sweep.n_chunks != n_chunks for sweep in found):
            raise InputError("parts: are of another fabric, job or routing")
        untouched = tuple(array.copy() for array in placed)
        for sweep in found:
            for array, before, written in zip(placed, untouched, sweep.placed, strict=True):
                if array.shape != written.shape:
                    raise InputError("parts: are of another fabric, job or routing")
                np.copyto(array, written, where=written != before)
        return in_order(tuple(array.copy() for array in sweep.sums) for sweep in found)

    with summed_elsewhere(add):
        loads = schedule_loads(topology, schedule, placement, routing, n_threads)
    if any(len(part.sweeps) != taken for part in parts):
        raise InputError("parts: are of another fabric, job or routing")
    return loads
