"""Options that commands share, and what they mean: a routing policy, a job's traffic, its placement."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from fabric.builders.description import Wiring
    from fabric.formats.opening import OpenedFabric
    from fabric.jobs.placement import Placement
    from fabric.jobs.traffic import Traffic
    from fabric.routing.match_lfts import MatchedLfts
    from fabric.routing.policies import Ecmp, Routing
    from fabric.timing.protocols import GivenTimes, TimeModel


FabricArgument = Annotated[
    str,
    typer.Argument(metavar="FABRIC", help="Preset, .toml description, node-link .json (.gz) or a subnet's dump."),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
CsvPath = Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per link.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
Collective = Annotated[
    str | None,
    typer.Option(
        help="all-reduce, all-to-all, all-gather, reduce-scatter, broadcast, reduce, gather, scatter, send-recv."
    ),
]
Size = Annotated[str, typer.Option(metavar="BYTES", help="Size as nccl-tests counts it, with a unit.")]
GroupSize = Annotated[
    int | None, typer.Option("--group", metavar="N", help="Ranks per group, consecutive [default: the whole job].")
]
Algorithm = Annotated[
    str | None, typer.Option(help="ring, hierarchical, halving-doubling, ... (a wrong name lists them), or auto.")
]
Channels = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="Channels: rings or trees, or GPUs of a domain that talk across [default: all GPUs]."
    ),
]
CrossNic = Annotated[
    int | None,
    typer.Option(
        min=0, max=2, help="Rails of --algorithm rings, as NCCL_CROSS_NIC: 0 one, 1 any, 2 in pairs [default: 2]."
    ),
]
Parallel = Annotated[
    str | None, typer.Option(metavar="SIZES", help="Parallel layout such as tp=4,pp=8,ep=64 (Megatron's meaning).")
]
Axis = Annotated[str | None, typer.Option(metavar="AXES", help="Axes of --parallel that the groups run over, e.g. ep.")]
Order = Annotated[str, typer.Option(help="Order of the axes of --parallel, fastest first.")]
TraceFiles = Annotated[
    list[Path] | None, typer.Option(metavar="FILE", help="A Kineto trace; give it once per rank's file.")
]
DemandFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Flows as CSV: src,dst,bytes.")]
PlacementKind = Annotated[
    str | None, typer.Option(help="packed, scattered, or a file with an endpoint per line [default: packed].")
]
Gpus = Annotated[int | None, typer.Option(min=1, metavar="N", help="GPUs of the job [default: the fabric's].")]
PerDomain = Annotated[
    int | None, typer.Option("--gpus-per-domain", metavar="N", help="GPUs that the job takes of each NVLink domain.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of scattered placement and of the hashes.")]
RoutingName = Annotated[
    str | None, typer.Option(help="adaptive, ecmp, dmodk or lft [default: lft with --lfts, else adaptive].")
]
QueuePairs = Annotated[int, typer.Option(min=1, help="ecmp: queue pairs per pair of endpoints, each with a path.")]
HashSeeds = Annotated[str, typer.Option(help="ecmp: per-switch, or shared (which shows polarization).")]
Threshold = Annotated[
    float, typer.Option(min=0.0, help="A link is hot above this many times the mean of its tier and direction.")
]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads [default: all]; the result does not depend on it.")]
Figure = Annotated[Path | None, typer.Option(metavar="PATH", help="Write heatmaps leaf x spine (.png, .svg, .pdf).")]
MaxImbalance = Annotated[
    float | None,
    typer.Option("--max-imbalance", metavar="X", help="Exit 3 if max/mean between switches is above X in any tier."),
]
Wire = Annotated[str | None, typer.Option(help="Wire a described fabric by rail or by host (top of rack).")]

HostPattern = Annotated[
    str | None,
    typer.Option(
        "--host-pattern",
        metavar="REGEX",
        help=r"For dumps: host and rail of a node description, e.g. 'h(?P<host>\d+)r(?P<rail>\d+)'.",
    ),
]
Lfts = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Forwarding tables: opensm-lfts.dump, dump_lfts, ibroute or opensm.fdbs."),
]
NvlinkGbps = Annotated[
    float | None,
    typer.Option("--nvlink-gbps", metavar="GBPS", help="Join each host's GPUs by NVLink, which no dump shows."),
]
SkipUnrouted = Annotated[
    bool, typer.Option("--skip-unrouted", help="Leave pairs that the tables do not route out, and count them.")
]
HostsOption = Annotated[
    str | None, typer.Option("--hosts", metavar="LIST", help="Hosts of the job, Slurm syntax: 'h00[00-15],h0020'.")
]
TopologyConf = Annotated[
    Path | None,
    typer.Option("--topology-conf", metavar="FILE", help="Slurm's topology.conf: place the job as its leaves say."),
]


def usage(message: str) -> NoReturn:
    """Refuse the command line: one line, exit 2."""
    raise typer.BadParameter(message)


def one_of(value: str, choices: tuple[str, ...], option: str) -> str:
    """`value`, if it is one of `choices`."""
    if value not in choices:
        usage(f"{option} {value}: expected {' or '.join(choices)}")
    return value


def wiring_of(value: str | None) -> "Wiring | None":
    """The wiring that --wiring names."""
    wirings: dict[str | None, Wiring | None] = {None: None, "rail": "rail", "host": "host"}
    if value not in wirings:
        usage(f"--wiring {value}: expected rail or host")
    return wirings[value]


def ecmp_of(queue_pairs: int, seed: int, hash_seeds: str) -> "Ecmp":
    """Static hashing with its options."""
    from fabric.routing.policies import Ecmp

    one_of(hash_seeds, ("per-switch", "shared"), "--hash-seeds")
    return Ecmp(queue_pairs, seed, hash_seeds == "shared")


def routing_name(name: str | None, lfts: Path | None) -> str:
    """The policy that --routing names: by default the tables in force, or adaptive where there are none."""
    from fabric.routing.policies import COMPUTED, Adaptive, Lft

    return one_of(name or (Adaptive.name if lfts is None else Lft.name), (*COMPUTED, Lft.name), "--routing")


def routing_of(name: str, hashing: "Ecmp", tables: "MatchedLfts | None") -> "Routing":
    """The policy that --routing names; the tables in force if there are any and nothing else is named."""
    from fabric.routing.policies import COMPUTED, Lft

    if name == Lft.name:
        if tables is None:
            usage("--routing lft: expected forwarding tables, --lfts FILE")
        return tables.routing
    return hashing if name == hashing.name else COMPUTED[name]()


def check_channels(channels: int | None, cross_nic: int | None, algorithms: Iterable[str | None]) -> None:
    """Refuse the options of channels if none of the algorithms has any."""
    from collectives.catalog import names_that_take

    for option, value, known in (
        ("--channels", channels, names_that_take("n_channels")),
        ("--cross-nic", cross_nic, names_that_take("cross_nic")),
    ):
        if value is not None and set(known).isdisjoint(algorithms):
            usage(f"{option} goes with --algorithm {' or '.join(known)}")


@dataclass(frozen=True)
class JobOptions:
    """What the user said of the job's traffic and size; None where he said nothing."""

    collective: str | None = None
    size: str = "1GiB"
    group: int | None = None
    algorithm: str | None = None
    parallel: str | None = None
    axis: str | None = None
    order: str = "tp-cp-ep-dp-pp"
    trace: tuple[Path, ...] = ()
    demand: Path | None = None
    gpus: int | None = None
    gpus_per_domain: int | None = None
    hosts: str | None = None
    topology_conf: Path | None = None
    channels: int | None = None
    cross_nic: int | None = None

    def check(self) -> None:
        """Refuse options that do not go together, before anything is loaded."""
        if sum([self.collective is not None, bool(self.trace), self.demand is not None]) != 1:
            usage("expected one of --collective, --trace and --demand")
        if self.collective is None:
            for option in ("group", "parallel", "algorithm"):
                if getattr(self, option) is not None:
                    usage(f"--{option} goes with --collective")
        if self.group is not None and self.parallel is not None:
            usage("expected --group or --parallel, not both")
        if (self.parallel is None) != (self.axis is None):
            usage("expected --parallel and --axis together")
        if self.gpus_per_domain is not None and (self.hosts or self.topology_conf):
            usage("--gpus-per-domain: --hosts and --topology-conf name the hosts themselves")
        check_channels(self.channels, self.cross_nic, (self.algorithm,))

    def chosen_hosts(self, given: "OpenedFabric") -> list[int] | None:
        """Numbers of the hosts that --hosts and --topology-conf choose, in order; None where neither is given."""
        from fabric.jobs.hosts import choose_hosts

        if self.hosts is None and self.topology_conf is None:
            return None
        return choose_hosts(given, self.hosts, self.topology_conf, self.gpus)

    def per_domain(self, given: "OpenedFabric") -> int | None:
        """GPUs that the job takes of each NVLink domain: as asked, or as the fabric's description says."""
        if self.hosts or self.topology_conf:
            return None
        return self.gpus_per_domain or (given.description.job.gpus_per_domain if given.description else None)

    def n_ranks(self, given: "OpenedFabric") -> int:
        """Ranks of the job: as asked, as the fabric's description says, or all that there is room for."""
        from fabric.jobs.placement import packed

        if self.gpus is not None:
            return self.gpus
        hosts = self.chosen_hosts(given)
        usual = given.description.job.gpus if given.description else None
        if usual is not None and self.gpus_per_domain is None and hosts is None:
            return usual
        return packed(given.topology, None, self.gpus_per_domain, hosts).n_ranks

    def traffic(self, given: "OpenedFabric") -> "Traffic":
        """The job's traffic."""
        from collectives.layout import ParallelLayout
        from collectives.sizes import parse_bytes
        from fabric.jobs.traffic import collective_traffic, demand_traffic, trace_traffic

        if self.demand is not None:
            return demand_traffic(self.demand, given.topology)
        if self.trace:
            return trace_traffic(self.trace, self.gpus)
        assert self.collective is not None
        n_ranks = self.n_ranks(given)
        layout = ParallelLayout.parse(self.parallel, n_ranks, self.order) if self.parallel is not None else None
        size = parse_bytes(self.size)
        return collective_traffic(
            self.collective,
            n_ranks,
            size,
            self.group,
            self.algorithm,
            layout,
            self.axis,
            n_channels=self.channels,
            cross_nic=self.cross_nic,
        )

    def placement(self, given: "OpenedFabric", job: "Traffic", kind: str | None, seed: int) -> "Placement":
        """Where the ranks go: packed, scattered, or as a file says."""
        from fabric.jobs.placement import packed, read_placement, scattered

        if job.placement is not None:
            for option, value in (
                ("--placement", kind),
                ("--gpus", self.gpus),
                ("--gpus-per-domain", self.gpus_per_domain),
                ("--hosts", self.hosts),
                ("--topology-conf", self.topology_conf),
            ):
                if value is not None:
                    usage(f"{option}: --demand names the endpoints itself")
            return job.placement
        hosts = self.chosen_hosts(given)
        if kind in (None, "packed"):
            return packed(given.topology, job.n_ranks, self.per_domain(given), hosts)
        if kind == "scattered":
            return scattered(given.topology, job.n_ranks, self.per_domain(given), seed, hosts)
        if hosts is not None:
            usage(f"--placement {kind}: --hosts and --topology-conf go with packed and scattered")
        return read_placement(str(kind), given.topology).for_ranks(job.n_ranks, str(kind))

    def decided(
        self, given: "OpenedFabric", placement: str | None, seed: int, policy: "Routing", threads: int | None
    ) -> "tuple[JobOptions, list[str]]":
        """The options with ``--algorithm auto`` replaced by the fastest by the model, and what to say of the choice."""
        from collectives.algorithm import AUTO
        from collectives.catalog import ALGORITHMS

        usual = ALGORITHMS.get(self.collective or "", ("",))[0]
        if self.algorithm is None and usual == "ring" and given.topology.nvlink_gbps is not None:
            return self, ["algorithm: one ring, which uses one NIC of each domain; --algorithm auto takes the fastest"]
        if self.algorithm != AUTO:
            return self, []
        from fabric.timing.prediction import fastest

        options = replace(self, algorithm=None)
        job = options.traffic(given)
        where = options.placement(given, job, placement, seed)
        model, _ = time_model_of(given)
        chosen, reason = fastest(given.topology, where, job, policy, model, switches_reduce(given), threads)
        return replace(self, algorithm=chosen), [reason]

    def assumptions(
        self, given: "OpenedFabric", job: "Traffic", placement: str | None, with_latency: bool = False
    ) -> list[str]:
        """What was assumed of fabric, traffic and placement, and of time where it is the bottleneck's alone."""
        lines = [*given.assumptions, *job.assumptions]
        usual = given.description.job.gpus_per_domain if given.description else None
        if usual is not None and usual == self.per_domain(given) and placement in (None, "packed", "scattered"):
            lines.append(f"the job takes {usual} GPUs of each NVLink domain (--gpus-per-domain changes it)")
        if not with_latency:
            lines.append("time is the bottleneck's: the largest load over capacity; no latency, no protocol overhead")
        return lines


def matched_lfts(given: "OpenedFabric", lfts: Path | None, skip_unrouted: bool) -> "MatchedLfts | None":
    """The tables of --lfts, matched to the fabric."""
    from fabric.formats.infiniband.lfts import read_lfts
    from fabric.routing.match_lfts import match_lfts

    if lfts is None:
        return None
    return match_lfts(read_lfts(lfts), given.topology, given.origin, skip_unrouted)


def time_model_of(
    given: "OpenedFabric", user: "GivenTimes | None" = None, latency_factor: float = 1.0, bandwidth_factor: float = 1.0
) -> "tuple[TimeModel, list[str]]":
    """The time model of a fabric, and its sources: what the user says, then its description, then the defaults."""
    from fabric.timing.protocols import GivenTimes, model_for

    own = given.description.time if given.description is not None else None
    described = GivenTimes()
    if own is not None:
        described = GivenTimes.in_ns(
            own.hop_ns, own.message_ns, own.wire_efficiency, own.scale_up_efficiency, own.nvls_efficiency
        )
    nvlink = given.topology.nvlink_gbps
    return model_for(technology_of(given), nvlink, user, described, latency_factor, bandwidth_factor)


def switches_reduce(given: "OpenedFabric") -> bool:
    """Whether the automatic choice may take SHARP: only InfiniBand switches reduce."""
    return technology_of(given) == "infiniband"


def technology_of(given: "OpenedFabric") -> str:
    """infiniband, spectrum-x, ... as a fabric's description says or its dump shows; empty if unknown."""
    if given.description is not None:
        return given.description.fabric.technology
    return "infiniband" if given.origin is not None else ""
