"""What a finding is: something wrong with a fabric or its forwarding tables, counted, with examples."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fabric.formats.dump import Oddity
from fabric.studies.finding_advice import ADVICE
from fabric.topology import UNKNOWN, Topology

ERROR, WARNING = "error", "warning"
# Examples that a finding names at most; assumed: more than anybody reads, little to keep.
EXAMPLES = 1000


@dataclass(frozen=True)
class End:
    """A node, or a port of it, as counters and other tables name it.

    Attributes
    ----------
    device : str
        Name of the node.
    port : int, str or None
        Its number, or its name where it has one (``swp31``); None for the whole node, or where nobody says it.
    guid : str or None
        Of the switch, or of the adapter's port: ``0x0002c90300001011``; None where the fabric has none.
    """

    device: str
    port: int | str | None = None
    guid: str | None = None


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
    todo : str
        What to do about it.
    ends : tuple of tuple of End
        Nodes and ports of each example; empty where there are none to name.
    ids : tuple of str
        Identifier of each example, the same on another day: for ``--ignore``; empty where they have none.
    """

    severity: str
    kind: str
    count: int
    text: str
    examples: tuple[str, ...]
    todo: str = ""
    ends: tuple[tuple[End, ...], ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """One of what a finding counts: in words, the nodes and ports that it is about, and its identifier."""

    text: str
    ends: tuple[End, ...] = ()
    id: str = ""


def findings_of(
    severity: str,
    kind: str,
    text: str,
    examples: Sequence[str | Example],
    count: int | None = None,
    todo: str | None = None,
) -> list[Finding]:
    """A finding of as many as there are, by default one for each example; none where nothing is wrong."""
    number = len(examples) if count is None else count
    if not number:
        return []
    kept = [one if isinstance(one, Example) else Example(one) for one in examples[:EXAMPLES]]
    ends = tuple(one.ends for one in kept) if any(one.ends for one in kept) else ()
    ids = tuple(one.id for one in kept) if any(one.id for one in kept) else ()
    advice = ADVICE.get(kind, "") if todo is None else todo
    return [Finding(severity, kind, number, text, tuple(one.text for one in kept), advice, ends, ids)]


def odd_lines(oddities: Sequence[Oddity]) -> list[Finding]:
    """What readers passed over, as warnings."""
    return [
        finding
        for each in oddities
        for finding in findings_of(WARNING, each.kind, each.text, _examples(each), each.count)
    ]


def _examples(oddity: Oddity) -> list[Example]:
    ends = oddity.ends or ((),) * len(oddity.examples)
    return [
        Example(text, tuple(End(device, port) for device, port in own))
        for text, own in zip(oddity.examples, ends, strict=True)
    ]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, and of each severity the worst kind first."""
    place = {kind: number for number, kind in enumerate(ADVICE)}
    return sorted(findings, key=lambda one: (one.severity != ERROR, place.get(one.kind, len(place))))


def link_ends(topology: Topology, link: int) -> tuple[End, End]:
    """Both ends of a link."""
    return (
        port_end(topology, int(topology.link_tail[link]), int(topology.link_tail_port[link])),
        port_end(topology, int(topology.link_head[link]), int(topology.link_head_port[link])),
    )


def port_end(topology: Topology, node: int, port: int = UNKNOWN) -> End:
    """A node, and its port where it is known."""
    name = topology.nodes.name[node]
    return End(name, None if port == UNKNOWN else topology.port_names.get((name, port), port))


def end_text(end: End) -> str:
    """``leaf1 port 37``."""
    return end.device if end.port is None else f"{end.device} port {end.port}"
