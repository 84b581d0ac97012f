"""A collective as phases of demand, and how the phases overlap."""

from dataclasses import dataclass
from typing import Literal, get_args

from collectives.demand import Demand
from collectives.errors import InputError
from collectives.sizes import format_decimal
from collectives.suggestion import hint

Overlap = Literal["sequential", "pipelined"]


@dataclass(frozen=True, eq=False)
class Phase:
    """Demands made together, `repeat` times in turn.

    Attributes
    ----------
    demand : Demand or tuple of Demand
        What is asked at once: one demand, or several that run side by side (the two hops of a PXN exchange).
    repeat : int
        How often the same is asked, one after the other (the steps of a ring); >= 1.
    label : str
        What a reader is shown.
    depth : int
        Sends that a chunk waits for one after the other in one repeat (a pipeline along a chain); >= 1.
    """

    demand: Demand | tuple[Demand, ...]
    repeat: int = 1
    label: str = ""
    depth: int = 1

    def __post_init__(self) -> None:
        if self.repeat < 1:
            raise InputError(f"phase {self.label!r}: expected repeat >= 1, got {self.repeat}")
        if self.depth < 1:
            raise InputError(f"phase {self.label!r}: expected depth >= 1, got {self.depth}")

    def __repr__(self) -> str:
        demands = " + ".join(map(repr, self.demands))
        depth = f", depth {self.depth:,}" if self.depth > 1 else ""
        return f"Phase({self.label!r}, {f'{self.repeat:,} x ' if self.repeat > 1 else ''}{demands}{depth})"

    @property
    def demands(self) -> tuple[Demand, ...]:
        """What is asked at once, as a tuple."""
        return self.demand if isinstance(self.demand, tuple) else (self.demand,)

    @property
    def max_rank(self) -> int:
        """The highest rank that takes part; -1 if none does."""
        return max((demand.max_rank for demand in self.demands), default=-1)

    def total_bytes(self) -> float:
        """Bytes sent from a rank to another one in one of the repeats."""
        return sum(demand.total_bytes() for demand in self.demands)


@dataclass(frozen=True, eq=False)
class Schedule:
    """Phases in order.

    Attributes
    ----------
    phases : tuple of Phase
    overlap : {"sequential", "pipelined"}
        ``sequential``: each phase waits for the one before, times add up.  ``pipelined``: all phases run at once on
        different chunks, loads add up and the time is the bottleneck's.
    """

    phases: tuple[Phase, ...]
    overlap: Overlap = "sequential"

    def __post_init__(self) -> None:
        if self.overlap not in get_args(Overlap):
            raise InputError(f"overlap {self.overlap!r}: {hint(self.overlap, get_args(Overlap))}")

    def __repr__(self) -> str:
        n, steps = len(self.phases), self.n_steps
        return (
            f"Schedule({n:,} phase{'s' * (n != 1)}, {steps:,} step{'s' * (steps != 1)}, {self.overlap}, "
            f"{format_decimal(self.total_bytes())})"
        )

    @property
    def n_steps(self) -> int:
        """Sends that follow one another (in a pipeline: that a chunk passes through)."""
        return sum(phase.repeat * phase.depth for phase in self.phases)

    @property
    def max_rank(self) -> int:
        """The highest rank that takes part; -1 if none does."""
        return max((phase.max_rank for phase in self.phases), default=-1)

    def total_bytes(self) -> float:
        """Bytes sent from a rank to another one, all phases and repeats together."""
        return sum(phase.repeat * phase.total_bytes() for phase in self.phases)
