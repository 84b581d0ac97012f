"""What a reader of counters is given and gives."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from collectives.sizes import counted
from fabric.formats.counters.snapshot import CounterSample


@dataclass
class CounterReading:
    """Samples out of one file.

    Attributes
    ----------
    samples : list of CounterSample
        Counters as they stood.
    deltas : list of CounterSample
        What counters grew by, where the file says that.
    notes : list of str
        What was passed over or assumed.
    """

    samples: list[CounterSample] = field(default_factory=list)
    deltas: list[CounterSample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def notes_of(readings: Iterable[CounterReading]) -> list[str]:
    """Notes of several files, each once, and the saturated counts of all."""
    several = list(readings)
    notes = list(dict.fromkeys(note for one in several for note in one.notes))
    saturated = sum(len(sample.saturated) for one in several for sample in (*one.samples, *one.deltas))
    if saturated:
        notes.append(f"{counted(saturated, 'counter')} at the end of the range (saturated): not known")
    return notes
