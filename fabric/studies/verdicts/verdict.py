"""What every verdict is made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# What a person reads before he looks at the tables: assumed.
MOST_SENTENCES = 3
MOST_CHARACTERS = 400
# The same with what helps, which is worth a line more.
MOST_WITH_HELP = 480

Fact = float | int | str | None


class CauseKind(StrEnum):
    """What a cause is; stable, for programs."""

    NOTHING_CARRIED = "nothing-carried"
    UNROUTED = "unrouted-pairs"
    HASH_COLLISIONS = "hash-collisions"
    POLARIZATION = "polarization"
    STATIC_ROUTES = "static-routes"
    CROSS_RAIL = "cross-rail"
    INCAST = "incast"
    BUSY_SENDER = "busy-sender"
    ONE_NIC = "idle-nics"
    OVERSUBSCRIPTION = "oversubscription"
    MISSING_CABLE = "missing-cable"
    SLOW_CABLE = "slow-cable"
    PLACEMENT = "placement"
    WAITING_PHASES = "waiting-phases"
    EVEN_NICS = "even-nics"
    NVLINK_ONLY = "nvlink-only"
    STEP = "design-step"
    ROUTING = "routing"
    LATENCY = "latency"
    SHARED_LINK = "shared-link"
    SUSPECT_CABLE = "suspect-cable"
    FINDING = "finding"
    MISSING = "missing-facts"


@dataclass(frozen=True)
class Limit:
    """The link that sets the time.

    Attributes
    ----------
    tier, direction : str
        As in the tables.
    link : str
        Both ends with their ports.
    seconds : float
        Load over capacity, in the longest phase.
    over_mean : float
        Its load over capacity over the mean of the links of its tier and direction that carry anything, all phases
        together.
    links, as_busy : int
        Links of that tier and direction that the job could load, and those of them that are as busy.
    """

    tier: str
    direction: str
    link: str
    seconds: float
    over_mean: float
    links: int
    as_busy: int


@dataclass(frozen=True)
class Remedy:
    """What helps.

    Attributes
    ----------
    text : str
        What to do, and what it gives.
    time_s : float or None
        The job's time with it, where it was tried.
    factor : float or None
        The time without it over `time_s`.
    lever : str or None
        What `advise` calls it.
    takes : str or None
        What it takes: setting, restart, recabling, purchase.
    """

    text: str
    time_s: float | None = None
    factor: float | None = None
    lever: str | None = None
    takes: str | None = None


@dataclass(frozen=True)
class Cause:
    """Why it takes so long.

    Attributes
    ----------
    kind : CauseKind
    text : str
        A sentence without its full stop, with the numbers.
    explains_s : float
        Seconds of the job's time that would go without it, as far as the numbers show; 0 where they do not.
    facts : dict
        The numbers and names that the text speaks of, and some more.
    remedies : tuple of Remedy
        What follows from it, in words; what was tried is the verdict's.
    """

    kind: CauseKind
    text: str
    explains_s: float = 0.0
    facts: dict[str, Fact] = field(default_factory=dict)
    remedies: tuple[Remedy, ...] = ()

    @property
    def sentence(self) -> str:
        """The cause, and the best remedy."""
        return self.text + (f"; {self.remedies[0].text}" if self.remedies else "")


@dataclass(frozen=True)
class Verdict:
    """What a report begins with.

    Attributes
    ----------
    sentences : tuple of str
        At most `MOST_SENTENCES`, together at most `MOST_WITH_HELP` characters.
    time_s : float or None
    limit : Limit or None
        None where nothing is carried, or no link is looked at.
    over_bound : float or None
        Time over that of the bound.
    bound : str or None
        The bound in words.
    causes : tuple of Cause
        What explains most of the time first.
    facts : dict
        What else the sentences speak of.
    helps : tuple of Remedy
        Levers that were tried and help, as `advise` finds them, the best first.
    """

    sentences: tuple[str, ...]
    time_s: float | None = None
    limit: Limit | None = None
    over_bound: float | None = None
    bound: str | None = None
    causes: tuple[Cause, ...] = ()
    facts: dict[str, Fact] = field(default_factory=dict)
    helps: tuple[Remedy, ...] = ()

    @property
    def text(self) -> str:
        """The sentences in one line."""
        return " ".join(self.sentences)

    @property
    def cause(self) -> CauseKind | None:
        """What explains most."""
        return self.causes[0].kind if self.causes else None

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        """What was tried and helps, then what follows from the causes."""
        return (*self.helps, *(remedy for cause in self.causes for remedy in cause.remedies))


def sentences_of(
    parts: Iterable[str | tuple[str, ...]], most: int = MOST_SENTENCES, room: int = MOST_CHARACTERS
) -> tuple[str, ...]:
    """The first parts that fit, as sentences.

    Of a part in several lengths the first that fits is taken; a part that does not fit is left out.

    Parameters
    ----------
    parts : iterable of str or tuple of str
    most : int
        Sentences.
    room : int
        Characters of all of them together.
    """
    kept: list[str] = []
    for part in parts:
        lengths = part if isinstance(part, tuple) else (part,)
        written = (_sentence(text) for text in lengths if text)
        sentence = next((text for text in written if len(text) <= room), "")
        if sentence and len(kept) < most:
            kept.append(sentence)
            room -= len(sentence) + 1
    return tuple(kept)


def with_help(parts: Sequence[str | tuple[str, ...]], helping: Iterable[str]) -> tuple[str, ...]:
    """`sentences_of`, and what helps in the first of its lengths that fits beside the first part."""
    lead = sentences_of(parts[:1])
    for last in map(_sentence, filter(None, helping)):
        before = sentences_of(parts, MOST_SENTENCES - 1, min(MOST_CHARACTERS, MOST_WITH_HELP - len(last) - 1))
        if before[:1] == lead:
            return (*before, last)
    return sentences_of(parts)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def ranked(causes: Iterable[Cause]) -> tuple[Cause, ...]:
    """What explains most of the time first; those that explain the same to three digits as they come."""
    return tuple(sorted(causes, key=lambda cause: -float(f"{cause.explains_s:.3g}")))
