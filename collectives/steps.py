"""Collective algorithms block by block: who sends which blocks to whom, step by step.

A buffer is cut into blocks (`n` of them unless said, block ``i`` being member ``i``'s).  A program says what moves;
from it come both the schedule (how many bytes) and, in `collectives.proof`, the execution on data that shows that the
result is the collective's.  Which blocks move is only worked out when the program is executed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from collectives.demand import FloatVector, Flows, Groups, Int32Vector, Int64Vector
from collectives.errors import InputError
from collectives.schedule import Overlap, Phase, Schedule

Contents = Callable[[int], Int64Vector]


@dataclass(frozen=True, eq=False)
class Step:
    """Transfers made at once.

    Attributes
    ----------
    src, dst : (T,) int64
        Members of the group.
    blocks : (T,) int64
        Number of blocks of each transfer.
    contents : callable
        Blocks of transfer ``t``, (blocks[t],) int64.
    combine : bool
        The receiver adds what comes to what it has, instead of keeping it.
    """

    src: Int64Vector
    dst: Int64Vector
    blocks: Int64Vector
    contents: Contents
    combine: bool = False


@dataclass(frozen=True, eq=False)
class Sum:
    """Blocks that switches add up on the way from some members to others (SHARP, NVLS).

    One giver and several takers are a multicast.

    Attributes
    ----------
    givers, takers : (G,), (T,) int64
        Members of the group; one may be both.
    blocks : (B,) int64
    """

    givers: Int64Vector
    takers: Int64Vector
    blocks: Int64Vector


@dataclass(frozen=True, eq=False)
class NetworkStep:
    """Sums that switches make at once."""

    sums: tuple[Sum, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """Steps of `n` members over buffers of `n_blocks` blocks.

    Attributes
    ----------
    n, n_blocks : int
    steps : tuple of Step or NetworkStep
    overlap : {"sequential", "pipelined"}
        Pipelined: the blocks are cut up further and follow one another through the steps.

    Raises
    ------
    InputError
        If there is no member or no block, or a step is of members that there are not.
    """

    n: int
    n_blocks: int
    steps: tuple[Step | NetworkStep, ...]
    overlap: Overlap = "sequential"

    def __post_init__(self) -> None:
        if self.n < 1 or self.n_blocks < 1:
            raise InputError(f"program of {self.n} members and {self.n_blocks} blocks: expected 1 or more of both")
        for number, step in enumerate(self.steps):
            for members in _members_of(step):
                if members.size and not 0 <= members.min() <= members.max() < self.n:
                    raise InputError(f"program: step {number}: expected members from 0 to {self.n - 1}")

    def transfers(self) -> tuple[Step, ...]:
        """The steps of a program in which switches add nothing.

        Raises
        ------
        InputError
            If they do: what such steps load depends on the domains (`collectives.hierarchical`).
        """
        between = tuple(step for step in self.steps if isinstance(step, Step))
        if len(between) < len(self.steps):
            raise InputError("a program with steps made by switches: expected transfers between members only")
        return between


def _members_of(step: Step | NetworkStep) -> tuple[Int64Vector, ...]:
    if isinstance(step, Step):
        return step.src, step.dst
    return tuple(members for one in step.sums for members in (one.givers, one.takers))


def step_of(rows: list[tuple[int, int, Int64Vector]], combine: bool = False) -> Step:
    """A step from (src, dst, blocks) rows."""
    src, dst = (np.array([row[end] for row in rows], np.int64) for end in (0, 1))
    return Step(src, dst, np.array([row[2].size for row in rows], np.int64), lambda t: rows[t][2], combine)


def schedule_of(make: Callable[[int], Program], groups: Groups, bytes: FloatVector, label: str) -> Schedule:
    """The schedule of a program in all groups at once; steps that ask the same are one phase, repeated.

    Parameters
    ----------
    make : callable
        The program for a number of members.
    groups : Groups
    bytes : (n_groups,) float64
        A whole buffer, `n_blocks` blocks.
    label : str
        What a reader is shown.

    Raises
    ------
    InputError
        If a step is made by switches.
    """
    programs = {int(n): make(int(n)) for n in np.unique(groups.sizes) if n > 1}
    steps = {n: program.transfers() for n, program in programs.items()}
    n_steps = max(map(len, steps.values()), default=0)
    # Members of the groups of each size, a group a row, and which groups they are.
    of_size = {n: np.flatnonzero(groups.sizes == n) for n in steps}
    members = {n: groups.rank[groups.start[:-1][chosen][:, None] + np.arange(n)] for n, chosen in of_size.items()}
    phases: list[tuple[Flows, int]] = []
    for number in range(n_steps):
        parts: list[tuple[Int64Vector, Int32Vector, Int32Vector, FloatVector]] = []
        for n, own in steps.items():
            if number >= len(own):
                continue
            step, chosen, ranks = own[number], of_size[n], members[n]
            amount = step.blocks * (bytes[chosen] / programs[n].n_blocks)[:, None]
            ends = (ranks[:, end].ravel() for end in (step.src, step.dst))
            parts.append((np.repeat(chosen, step.src.size), *ends, amount.ravel()))
        group, src, dst, amounts = (np.concatenate(column) for column in zip(*parts, strict=True))
        # Group by group, whatever their sizes.
        order = np.argsort(group, kind="stable") if len(parts) > 1 else slice(None)
        flows = Flows(src[order], dst[order], amounts[order])
        if phases and _same(phases[-1][0], flows):
            phases[-1] = (flows, phases[-1][1] + 1)
        else:
            phases.append((flows, 1))
    overlap: Overlap = next((program.overlap for program in programs.values()), "sequential")
    return Schedule(tuple(Phase(flows, repeat, label) for flows, repeat in phases), overlap)


def _same(one: Flows, other: Flows) -> bool:
    return (
        len(one.src) == len(other.src)
        and np.array_equal(one.src, other.src)
        and np.array_equal(one.dst, other.dst)
        and np.array_equal(one.bytes, other.bytes)
    )
