"""Who runs the points: an engine takes tasks and gives replies as they come, in any order."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fabric.studies.sweep.outcome import PointOutcome

Payload = Mapping[str, Any]


@dataclass(frozen=True)
class Task:
    """A point to run, or a part of one.

    Attributes
    ----------
    point : str
        Its id.
    part : int or None
        Of the loads of one fabric that several workers route; None: the whole point.
    payload : mapping
        What a worker needs: options and names, no arrays.
    """

    point: str
    part: int | None
    payload: Payload

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return self.point if self.part is None else f"{self.point}-{self.part}"


@dataclass(frozen=True)
class Reply:
    """What came of a task.

    Attributes
    ----------
    outcome : PointOutcome or None
        Of a whole point, or why there is none; None for a part.
    part : bytes
        `LoadsPart.to_bytes` of a part; empty for a whole point.
    seconds : float
        That it took.
    worker : str
        Machine and process.
    """

    outcome: PointOutcome | None
    part: bytes = b""
    seconds: float = 0.0
    worker: str = ""


Replies = Generator[tuple[Task, Reply], None, None]
Work = Callable[[Payload], Reply]
"""What a worker does with a task; raises InputError only for what makes all tasks vain."""


class Engine(Protocol):
    """Runs tasks somewhere."""

    def run(self, work: Work, tasks: Sequence[Task], warm: Sequence[Payload]) -> Replies:
        """Run `work` on the payload of every task, and give each its reply.

        Parameters
        ----------
        work : callable
            A function of a module, so that other processes find it by its name.
        tasks : sequence of Task
            In the order in which they are begun.
        warm : sequence of payload
            What one worker does before any begins a task, so that kernels are compiled once.

        Raises
        ------
        InputError
            If there is nobody to run them.
        """


@dataclass(frozen=True)
class Here:
    """One task after the other in this process."""

    def run(self, work: Work, tasks: Sequence[Task], warm: Sequence[Payload]) -> Replies:
        """See `Engine`; nothing has to be warm."""
        for task in tasks:
            yield task, work(task.payload)


def lost_outcome(how: str) -> PointOutcome:
    """The outcome of a point whose workers ended."""
    return PointOutcome(error=f"the process that ran it ended twice ({how})")
