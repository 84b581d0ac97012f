"""The options that commands share, in groups: what the user said, and nothing done about it yet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from collectives.bandwidth import COLLECTIVES
from fabric.commands.choices import (
    DEVICES,
    HASH_SEEDS,
    LIBRARIES,
    NICS,
    POLICIES,
    TRACE_FORMATS,
    TRANSPORTS,
    WIRINGS,
    choice,
    put_on_device,
    registered_policies,
    registered_trace_formats,
)
from fabric.commands.grouping import OptionGroup
from fabric.commands.values import fraction, seconds
from fabric.formats.registry import readable_titles

FabricArgument = Annotated[
    str,
    typer.Argument(
        metavar="FABRIC",
        help=f"A preset, or a file (.gz, .xz; a folder or tar of devices' files): {readable_titles()}.",
    ),
]
FabricArguments = Annotated[
    list[str], typer.Argument(metavar="FABRIC", help=f"Presets, or files (as for other commands): {readable_titles()}.")
]
HostPattern = Annotated[
    str | None,
    typer.Option(
        "--host-pattern",
        metavar="REGEX",
        help=r"Dumps: host, rail (Ethernet: and plane) of a node's name, e.g. 'h(?P<host>\d+)r(?P<rail>\d+)'.",
    ),
]
Speed = Annotated[
    float | None,
    typer.Option("--speed", metavar="GBPS", help="Ethernet: Gb/s of cables whose speed the file lacks [default: 400]."),
]
AssumeSpine = Annotated[
    float | None,
    typer.Option(
        "--assume-spine",
        metavar="RATIO",
        help="Ethernet that only hosts tell of: a spine that nobody shows above the leaves, down over up, e.g. 1.",
    ),
]
Wire = Annotated[str | None, choice("Wire a described fabric by rail or by host, top of rack", WIRINGS, "--wiring")]
NvlinkGbps = Annotated[
    float | None,
    typer.Option("--nvlink-gbps", metavar="GBPS", help="Join each host's GPUs by NVLink, which no dump shows."),
]
MeshGbps = Annotated[
    float | None,
    typer.Option("--mesh-gbps", metavar="GBPS", help="The same by direct links, without a switch (AMD's xGMI)."),
]
Fail = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="What is down: 'leaf1 -> spine*', 'leaf1 port 3', spine:s03, nic:h0003g1, host:h00*, plane:1; again.",
    ),
]
Degrade = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=PART", help="What is slow, and the part of its capacity that is left: 'spine:s03=0.5'."),
]
FaultsFile = Annotated[
    Path | None,
    typer.Option("--faults", metavar="FILE", help='TOML of faults: [[fault]] link = "leaf1 -> *" capacity = 0.5.'),
]
Lfts = Annotated[
    Path | None,
    typer.Option("--lfts", metavar="FILE", help=f"Forwarding tables: {readable_titles('forwarding tables')}."),
]
GroupSize = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Ranks per group, consecutive [default: the whole job; compare: 64]."),
]
Parallel = Annotated[
    str | None, typer.Option(metavar="SIZES", help="Parallel layout, e.g. tp=4,pp=8,ep=64 (Megatron's meaning).")
]
Axis = Annotated[str | None, typer.Option(metavar="AXES", help="Axes of --parallel that the groups run over, e.g. ep.")]
Order = Annotated[
    str | None, typer.Option(help="Order of the axes of --parallel, fastest first [default: tp-cp-ep-dp-pp].")
]
LibraryName = Annotated[
    str | None, choice("Whose algorithms to choose from, any: all that there are [default: nccl]", LIBRARIES)
]
FillRanks = Annotated[
    bool, typer.Option("--fill-ranks", help="--trace: fill in the operations of untraced ranks by symmetry.")
]
FormatName = Annotated[
    str | None,
    choice("--trace: its format [default: told]", TRACE_FORMATS, "--format", more=registered_trace_formats),
]
Channels = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Rings or trees, or GPUs of a domain that talk across [default: all]."),
]
CrossNic = Annotated[
    int | None,
    typer.Option(min=0, max=2, help="Rails of rings, as NCCL_CROSS_NIC: 0 one, 1 any, 2 in pairs [default: 2]."),
]
Nics = Annotated[
    str | None,
    choice("Each GPU's own NIC, or those of a host pooled where they differ [default: own, as NCCL]", NICS, "--nics"),
]
Threads = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Threads [default: all]; the result does not depend on it.")
]
Device = Annotated[
    str | None,
    choice("What routes all-to-alls, cuda: an NVIDIA GPU [default: cpu]", DEVICES, "--device", callback=put_on_device),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="PATH", help="Write the report as one page, to open or hand on.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite files that exist.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every assumption, with its source.")]


@dataclass(frozen=True)
class FabricOptions(OptionGroup):
    """Which fabric, and what is known of it."""

    panel = "Fabric"

    fabric: FabricArgument
    wiring: Wire = None
    host_pattern: HostPattern = None
    nvlink_gbps: NvlinkGbps = None
    mesh_gbps: MeshGbps = None
    fail: Fail = None
    degrade: Degrade = None
    faults: FaultsFile = None
    speed: Speed = None
    assume_spine: AssumeSpine = None


@dataclass(frozen=True)
class FabricsOptions(OptionGroup):
    """Which fabrics, and what is known of each."""

    panel = "Fabric"

    fabrics: FabricArguments
    wiring: Wire = None
    host_pattern: HostPattern = None
    nvlink_gbps: NvlinkGbps = None
    mesh_gbps: MeshGbps = None
    fail: Fail = None
    degrade: Degrade = None
    faults: FaultsFile = None
    speed: Speed = None
    assume_spine: AssumeSpine = None

    def each(self) -> list[FabricOptions]:
        """The options of one fabric after the other."""
        return [
            FabricOptions(
                one,
                self.wiring,
                self.host_pattern,
                self.nvlink_gbps,
                self.mesh_gbps,
                self.fail,
                self.degrade,
                self.faults,
                self.speed,
                self.assume_spine,
            )
            for one in self.fabrics
        ]


@dataclass(frozen=True)
class DesignOptions(OptionGroup):
    """What differs between designs, and what their parts cost."""

    panel = "Designs side by side"

    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=A,B",
            help="Every combination of values: routing, placement, transport, nics, queue_pairs, seed, wiring, "
            "oversubscription, spines, planes, pods, or a description's key such as spine.count; again for another.",
        ),
    ] = None
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML with prices of switches, cables, optics; none are known.")
    ] = None


@dataclass(frozen=True)
class TrafficOptions(OptionGroup):
    """What the job sends: one of a collective, a trace, explicit flows and a training job's step."""

    panel = "Traffic"

    collective: Annotated[str | None, choice("Collective", COLLECTIVES)] = None
    size: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Size as nccl-tests counts it, with a unit [default: 1GiB].")
    ] = None
    group: GroupSize = None
    parallel: Parallel = None
    axis: Axis = None
    order: Order = None
    algorithm: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="rings, hierarchical, ... (a wrong name lists them); auto: the library's fastest, also for exchanges "
            "[default: the library's; exchanges: direct]; or FILE.xml of MSCCL.",
        ),
    ] = None
    library: LibraryName = None
    channels: Channels = None
    cross_nic: CrossNic = None
    trace: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A trace; again for each rank's file, or a pattern: 'rank*.json.gz'."),
    ] = None
    fill_ranks: FillRanks = False
    trace_format: FormatName = None
    demand: Annotated[Path | None, typer.Option(metavar="FILE", help="Flows as CSV: src,dst,bytes.")] = None
    workload: Annotated[
        str | None, typer.Option(metavar="NAME", help="A training job's step: deepseek-v3, ..., or a TOML file.")
    ] = None


@dataclass(frozen=True)
class PlacementOptions(OptionGroup):
    """Where the job runs."""

    panel = "Job and placement"

    gpus: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="GPUs of the job [default: as the fabric says].")
    ] = None
    gpus_per_domain: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="GPUs that the job takes of each NVLink domain.")
    ] = None
    placement: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="packed, unaligned, fragmented, scattered, segmented, tree, or a file with an endpoint per line "
            "[default: packed].",
        ),
    ] = None
    hosts: Annotated[
        str | None, typer.Option(metavar="LIST", help="Hosts of the job, Slurm syntax: 'h00[00-15],h0020'.")
    ] = None
    topology_conf: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Slurm's topology.conf or topology.yaml: place the job by its leaves."),
    ] = None
    node_labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The same by labels of nodes, CSV: host,LABEL,... from narrow to wide."),
    ] = None
    segment: Annotated[
        int | None,
        typer.Option(min=1, metavar="HOSTS", help="segmented: hosts that must be in one NVLink domain (Slurm's)."),
    ] = None
    exclusive: Annotated[
        bool,
        typer.Option("--exclusive", help="segmented: only NVLink domains that nobody else is in (Slurm's =topo)."),
    ] = False
    taken: Annotated[
        str | None,
        typer.Option(
            metavar="PART|FILE", help="Hosts that other jobs have: a part, drawn (0.4), or a file, HOSTS [taken|free]."
        ),
    ] = None


@dataclass(frozen=True)
class SendingOptions(OptionGroup):
    """By which NIC bytes leave their host."""

    panel = "Job and placement"

    transport: Annotated[
        str | None, choice("Cross rails over NVLink first (PXN), or not [default: direct]", TRANSPORTS)
    ] = None
    nics: Nics = None


@dataclass(frozen=True)
class HashOptions(OptionGroup):
    """Static hashing, and the seed of what is drawn."""

    panel = "Routing"

    queue_pairs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="ecmp: hashed flows of a pair of endpoints [default: as the library opens]."
        ),
    ] = None
    hash_seeds: Annotated[
        str | None, choice("ecmp: seeds of the switches; shared ones show polarization", HASH_SEEDS, metavar="KIND")
    ] = None
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Of hashes and of drawn placements [default: 0].")
    ] = None

    nccl_version: Annotated[
        str | None,
        typer.Option(metavar="X.Y.Z", help="ecmp: whose rule opens flows; it changed with 2.29.2 [default: 2.30.7]."),
    ] = None


@dataclass(frozen=True)
class RoutingOptions(OptionGroup):
    """Which way."""

    panel = "Routing"

    routing: Annotated[
        str | None, choice("Policy [default: lft with --lfts, else adaptive]", POLICIES, more=registered_policies)
    ] = None
    lfts: Lfts = None


SkipUnrouted = Annotated[
    bool, typer.Option("--skip-unrouted", help="Leave pairs that the tables do not route out, and count them.")
]


@dataclass(frozen=True)
class OutputOptions(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per link.")] = None
    figure: Annotated[Path | None, typer.Option(metavar="PATH", help="Draw it (.png, .svg, .pdf).")] = None
    html: Html = None
    force: Force = False


@dataclass(frozen=True)
class CompareOutput(OutputOptions):
    """Where the answer goes."""

    figure: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Picture [default: railscope-FABRIC-COLLECTIVE.png, numbered if taken]."),
    ] = None
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="PATH", help="Write one row per link of the best; designs: one row per design."),
    ] = None
    no_figure: Annotated[bool, typer.Option("--no-figure", help="Draw nothing.")] = False


@dataclass(frozen=True)
class GateOptions(OptionGroup):
    """Limits for scripts and CI: exit status 3 if one is crossed."""

    panel = "Limits (exit status 3 if crossed)"

    max_time: Annotated[float | None, typer.Option(parser=seconds, metavar="TIME", help="On the time, e.g. 5ms.")] = (
        None
    )
    max_over_bound: Annotated[float | None, typer.Option(min=1.0, metavar="X", help="On time over the bound.")] = None
    min_busbw: Annotated[float | None, typer.Option(min=0.0, metavar="GBPS", help="On busbw, GB/s.")] = None
    max_imbalance: Annotated[
        float | None, typer.Option(min=1.0, metavar="X", help="On max/mean between switches, in any tier.")
    ] = None
    baseline: Annotated[
        Path | None, typer.Option(metavar="OLD.json", help="On what an earlier --json of the same command says.")
    ] = None
    max_regression: Annotated[
        float | None,
        typer.Option(parser=fraction, metavar="PART", help="How much worse than --baseline it may be [default: 0%]."),
    ] = None
