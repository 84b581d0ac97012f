"""What a finding is: something wrong with a fabric or its forwarding tables, counted, with examples."""

from collections.abc import Sequence
from dataclasses import dataclass

from fabric.formats.dump import Oddity

ERROR, WARNING = "error", "warning"
# Examples that a finding names at most; assumed: more than anybody reads, little to keep.
EXAMPLES = 1000


@dataclass(frozen=True)
class Finding:
    """Something wrong.

    Attributes
    ----------
    severity : {"error", "warning"}
        Whether something is broken, or only odd.
    kind : str
        What it is, in a word or two.
    count : int
        How many there are.
    text : str
        What is counted.
    examples : tuple of str
        The first `EXAMPLES` of them.
    """

    severity: str
    kind: str
    count: int
    text: str
    examples: tuple[str, ...]


def findings_of(severity: str, kind: str, text: str, examples: list[str], count: int | None = None) -> list[Finding]:
    """A finding of as many as there are, by default one for each example; none where nothing is wrong."""
    number = len(examples) if count is None else count
    return [Finding(severity, kind, number, text, tuple(examples[:EXAMPLES]))] if number else []


def odd_lines(oddities: Sequence[Oddity]) -> list[Finding]:
    """What readers passed over, as warnings."""
    return [Finding(WARNING, each.kind, each.count, each.text, each.examples[:EXAMPLES]) for each in oddities]
