"""What there is to know of a collective algorithm: one record for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from collectives.bandwidth import known_collective
from collectives.demand import Groups, Int32Vector
from collectives.errors import InputError
from collectives.nccl_channels import Channel
from collectives.ring import group_bytes
from collectives.schedule import Schedule
from collectives.steps import Program, schedule_of
from collectives.suggestion import hint

# Instead of an algorithm's name: the fastest.
AUTO = "auto"
# Whether an algorithm looks at scale-up domains and rails, and what it does where they are not given.
Domains = Literal["unused", "optional", "required"]
# Rows of NCCL's tuning tables: what a step costs (`fabric.timing.protocols`).
Tuning = Literal["ring", "tree", "pat", "nvls", "nvls-tree", "sharp", "exchange", "gpu-exchange"]
# Whose choice of algorithms the automatic one follows: a library's own, or all that there are.
Library = Literal["nccl", "rccl", "any"]
LIBRARIES: tuple[Library, ...] = get_args(Library)
NCCL, RCCL, ANY = LIBRARIES
# What an algorithm may be given beyond groups, size and domains: see `collective_schedule`.
OPTIONS = ("n_channels", "cross_nic")

MakeProgram = Callable[..., Program]
MakeSchedule = Callable[..., Schedule]
MakeChannels = Callable[..., tuple[Channel, ...]]


@dataclass(frozen=True)
class JobFacts:
    """What decides whether an algorithm is one that the automatic choice considers.

    Attributes
    ----------
    n_ranks : int
        Of the job.
    switches_reduce : bool
        Whether the network's switches add up (SHARP).
    n_domains : int
        Scale-up domains that its largest group is in.
    nvlink_switches_reduce : bool
        Whether the domains' NVLink switches add up (NVLS).
    """

    n_ranks: int
    switches_reduce: bool = False
    n_domains: int = 1
    nvlink_switches_reduce: bool = True


def always(facts: JobFacts) -> bool:
    """Whatever the job: the automatic choice always considers the algorithm."""
    return True


@dataclass(frozen=True)
class Algorithm:
    """A collective algorithm, to be given to `register_algorithm`.

    Attributes
    ----------
    collective : str
        One of `COLLECTIVES`.
    name : str
        What users type; unique in its collective.
    program : callable
        The `Program` that proves it: of the number of members, ``program(n)``; where `domains` are looked at, of the
        number of members in each, ``program(sizes, **options)``, members counted domain by domain, one on each rail.
    schedule : callable or None
        ``schedule(groups, bytes)``, or where `domains` are looked at ``schedule(groups, bytes, domain, rail,
        **options)``: the `Schedule` of all groups at once, arguments as in `collective_schedule`.  None: the steps of
        `program`.
    label : str
        What a reader is shown of a schedule made from the program; default the name.
    domains : {"unused", "optional", "required"}
        Whether it looks at the ranks' scale-up domains and rails; optional: None will do for both.
    options : tuple of str
        Those of `OPTIONS` that it takes, by keyword.
    channels : callable or None
        ``channels(groups, domain, rail, **options)``: the `Channel` of every group, for an algorithm that has some.
    switches_reduce : bool
        Whether switches add up and multicast, those of NVLink or the network's.
    automatic : callable
        Whether the automatic choice considers it, given the `JobFacts`.
    tuning : {"ring", "tree", "pat", "nvls", "nvls-tree", "sharp", "exchange", "gpu-exchange"}
        Row of NCCL's tuning tables that its steps are timed by; exchanges are sends and receives, posted by the host's
        processor or by the GPUs themselves.
    libraries : tuple of str
        Those of `LIBRARIES` whose automatic choice considers it; default all.
    moves : str
        What it sends: of equal bytes, algorithms with the same word here have equal schedules, as reduce-scatter and
        all-gather have on the same rings.  Empty: like no other.

    Raises
    ------
    InputError
        If the collective, an option, `domains`, `tuning` or a library is unknown, the name cannot be typed, or there is
        no schedule where the program needs domains.
    """

    collective: str
    name: str
    program: MakeProgram
    schedule: MakeSchedule | None = None
    label: str = ""
    domains: Domains = "unused"
    options: tuple[str, ...] = ()
    channels: MakeChannels | None = None
    switches_reduce: bool = False
    automatic: Callable[[JobFacts], bool] = always
    tuning: Tuning = "ring"
    libraries: tuple[Library, ...] = LIBRARIES
    moves: str = ""

    def __post_init__(self) -> None:
        known_collective(self.collective)
        what = f"algorithm {self.name!r}"
        if not self.name or self.name == AUTO or any(letter.isspace() or letter == "," for letter in self.name):
            raise InputError(f"{what}: expected a name without spaces and commas, other than {AUTO}")
        for field, given, known in (
            ("domains", (self.domains,), get_args(Domains)),
            ("options", self.options, OPTIONS),
            ("tuning", (self.tuning,), get_args(Tuning)),
            ("libraries", self.libraries, LIBRARIES),
        ):
            for value in given:
                if value not in known:
                    raise InputError(f"{what}: {field} {value!r}; {hint(value, known)}")
        if self.domains == "unused" and (self.options or self.channels):
            raise InputError(f"{what}: options and channels are of domains; expected domains 'optional' or 'required'")
        if self.domains != "unused" and self.schedule is None:
            raise InputError(f"{what}: looks at domains; expected a schedule beside the program")

    def schedule_for(
        self,
        groups: Groups,
        bytes: float,
        domain: Int32Vector | None = None,
        rail: Int32Vector | None = None,
        options: Mapping[str, int] | None = None,
    ) -> Schedule:
        """The schedule of every group at once, arguments as in `collective_schedule`; `options` are those it takes.

        Raises
        ------
        InputError
            If it needs domains and rails and they are not given.
        """
        if self.schedule is None:
            return schedule_of(self.program, groups, group_bytes(groups, bytes), self.label or self.name)
        if self.domains == "unused":
            return self.schedule(groups, bytes)
        if self.domains == "required" and (domain is None or rail is None):
            raise InputError(f"{self.name} {self.collective}: expected the domain and rail of every rank")
        return self.schedule(groups, bytes, domain, rail, **(options or {}))

    def considered(self, library: Library, facts: JobFacts) -> bool:
        """Whether the automatic choice of a library considers it for a job."""
        return library in self.libraries and self.automatic(facts)

    def taken(self, **given: int | None) -> dict[str, int]:
        """Of the options that are given, not None, those that the algorithm takes."""
        return {key: value for key, value in given.items() if value is not None and key in self.options}
