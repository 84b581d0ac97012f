"""The description of a Clos fabric: a TOML schema, strictly checked.

What a key means, its unit and what it is without a value stand with the key; messages and the reference page
(`traces.schema`) are made from them.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import AllowInfNan, BaseModel, BeforeValidator, ConfigDict, Field

from collectives.errors import InputError
from traces.files import read_text
from traces.schema import Default, Unit, checked
from traces.toml_text import parse_toml


def _in_any_case(choice: Any) -> BeforeValidator:
    """A text that is one of the choices but for its case becomes it; anything else stays, for the error to show."""
    known = get_args(choice)

    def folded(value: Any) -> Any:
        return value.casefold() if isinstance(value, str) and value.casefold() in known else value

    return BeforeValidator(folded)


Count = Annotated[int, Ge(1)]
Gbps = Annotated[float, Gt(0), AllowInfNan(False), Unit("Gbit/s")]
Ratio = Annotated[float, Gt(0), AllowInfNan(False)]
Nanoseconds = Annotated[float, Ge(0), AllowInfNan(False), Unit("ns")]
Fraction = Annotated[float, Gt(0), Le(1), AllowInfNan(False)]
Wiring = Literal["rail", "host"]
SpineSets = Literal["shared", "per-rail"]
Technology = Literal["infiniband", "spectrum-x", "roce", "efa", "slingshot", ""]
GpuGeneration = Literal["volta", "ampere", "hopper", "blackwell", "cdna3", "cdna4"]
ScaleUpKind = Literal["switch", "mesh"]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Hosts(_Table):
    """Hosts, their GPUs, and how they are wired to leaves."""

    name: Annotated[str, MinLen(1), Field(description="What reports call the fabric.", examples=["my-cluster"])]
    description: Annotated[
        str, Field(description="A line for `railscope fabric list`.", examples=["288 GPUs in 4 racks, two planes"])
    ] = ""
    technology: Annotated[
        Technology,
        _in_any_case(Technology),
        Field(
            description="Decides default latencies and efficiencies.",
            examples=["spectrum-x"],
        ),
        Default("unknown"),
    ] = ""
    sharp: Annotated[
        bool,
        Field(
            description="Whether InfiniBand switches reduce and the library uses it (NCCL: `NCCL_COLLNET_ENABLE=1`).",
            examples=[True],
        ),
    ] = False
    hosts: Annotated[Count, Field(description="Servers or compute trays.", examples=[72])]
    gpus_per_host: Annotated[Count, Field(description="GPUs, each an endpoint, in a host.", examples=[4])]
    rails: Annotated[
        Count | None,
        Field(description="GPU g of a host is on rail g mod `rails`; divides `gpus_per_host`.", examples=[4]),
        Default("`gpus_per_host`"),
    ] = None
    planes: Annotated[
        Count,
        Field(
            description="Disjoint copies of the switches; each takes `gpu_gbps` / `planes` of every GPU.", examples=[2]
        ),
    ] = 1
    gpu_gbps: Annotated[
        Gbps, Field(description="NIC bandwidth of a GPU each way, all planes together.", examples=[800.0])
    ]
    wiring: Annotated[
        Wiring,
        _in_any_case(Wiring),
        Field(
            description="Each rail to leaves of its own, or whole hosts to one leaf (top of rack).", examples=["rail"]
        ),
    ] = "rail"
    spines: Annotated[
        SpineSets,
        _in_any_case(SpineSets),
        Field(description="One set of spines for all leaves (of a pod), or one for each rail.", examples=["shared"]),
    ] = "shared"
    assumptions: Annotated[
        list[str],
        Field(
            description="What the figures rest on, shown with every result.",
            examples=[["cabling: two rails share a leaf (assumed)"]],
        ),
    ] = []

    @property
    def n_rails(self) -> int:
        """Rails of a host."""
        return self.rails or self.gpus_per_host


class ScaleUp(_Table):
    """Scale-up domains: NVLink, or AMD's xGMI; without the table there are none."""

    hosts_per_domain: Annotated[int, Ge(0), Field(description="Hosts that NVLink joins; 0: none.", examples=[18])]
    gpu_gbps: Annotated[
        Gbps, Field(description="NVLink bandwidth of a GPU each way, all its links together.", examples=[7200.0])
    ]
    kind: Annotated[
        ScaleUpKind,
        _in_any_case(ScaleUpKind),
        Field(
            description="Through a switch, or a direct link between every two GPUs of a domain (xGMI, NVLink without "
            "switches), over which alone the two can talk.",
            examples=["mesh"],
        ),
    ] = "switch"
    generation: Annotated[
        GpuGeneration | None,
        _in_any_case(GpuGeneration),
        Field(description="Of the GPUs: decides what a library gets out of NVLink.", examples=["hopper"]),
        Default("by `gpu_gbps`, the nearest"),
    ] = None


class Leaf(_Table):
    """Leaf switches."""

    radix: Annotated[Count, Field(description="Ports of the switch.", examples=[128])]
    port_gbps: Annotated[Gbps, Field(description="Fastest speed of a port.", examples=[800.0])]
    down_ports: Annotated[
        Count | None, Field(description="Ports to endpoints.", examples=[36]), Default("half of `radix`")
    ] = None
    oversubscription: Annotated[Ratio, Field(description="Downward over upward capacity.", examples=[2.0])] = 1.0
    uplink_gbps: Annotated[
        Gbps | None, Field(description="Speed of the cables to the spines.", examples=[800.0]), Default("`port_gbps`")
    ] = None
    rails_per_leaf: Annotated[Count, Field(description="Rail wiring: how many rails share a leaf.", examples=[2])] = 1

    @property
    def n_down(self) -> int:
        """Ports to endpoints."""
        return self.down_ports or max(1, self.radix // 2)

    @property
    def up_gbps(self) -> float:
        """Speed of the cables to the spines."""
        return self.uplink_gbps or self.port_gbps


class Spine(_Table):
    """Spine switches.

    The default of `count` reproduces 24 of 25 rows of NVIDIA's published reference architectures
    (``tests/fabric/builders/test_clos.py``).
    """

    radix: Annotated[Count, Field(description="Ports of the switch.", examples=[128])]
    port_gbps: Annotated[Gbps, Field(description="Fastest speed of a port.", examples=[800.0])]
    count: Annotated[
        Annotated[int, Ge(0)] | None,
        Field(
            description="Spines of a set, in each plane; divides a leaf's uplinks; 0: none, one leaf for each rail.",
            examples=[9],
        ),
        Default("the smallest divisor of a leaf's uplinks that gives enough ports"),
    ] = None
    pods: Annotated[
        Count,
        Field(description="Groups of leaves with spines of their own, joined by cores; needs `[core]`.", examples=[2]),
    ] = 1
    oversubscription: Annotated[
        Ratio, Field(description="With cores: downward over upward capacity.", examples=[2.0])
    ] = 1.0
    uplink_gbps: Annotated[
        Gbps | None, Field(description="Speed of the cables to the cores.", examples=[800.0]), Default("`port_gbps`")
    ] = None

    @property
    def up_gbps(self) -> float:
        """Speed of the cables to the cores."""
        return self.uplink_gbps or self.port_gbps


class Core(_Table):
    """Core switches; without the table there are two tiers."""

    radix: Annotated[Count, Field(description="Ports of the switch.", examples=[128])]
    port_gbps: Annotated[Gbps, Field(description="Fastest speed of a port.", examples=[800.0])]
    count: Annotated[
        Count | None,
        Field(description="Cores in each plane; a multiple of a set's spines.", examples=[18]),
        Default("just enough ports"),
    ] = None


class Time(_Table):
    """Latency and efficiency for predictions with latency."""

    hop_ns: Annotated[
        Nanoseconds | None, Field(description="For each link beyond two.", examples=[1000.0]), Default("by technology")
    ] = None
    message_ns: Annotated[
        Nanoseconds | None,
        Field(description="For each further message that a rank posts.", examples=[1000.0]),
        Default("NCCL's"),
    ] = None
    wire_efficiency: Annotated[
        Fraction | None,
        Field(description="Payload over capacity of the network's links.", examples=[0.98]),
        Default("by technology"),
    ] = None
    scale_up_efficiency: Annotated[
        Fraction | None,
        Field(description="Payload over capacity of NVLink.", examples=[0.802]),
        Default("by NVLink generation"),
    ] = None
    nvls_efficiency: Annotated[
        Fraction | None,
        Field(description="On top of it where NVLink switches add.", examples=[0.74]),
        Default("by NVLink generation"),
    ] = None


class Job(_Table):
    """The job that the fabric is built for; what commands take unless told otherwise."""

    gpus: Annotated[Count | None, Field(description="Ranks of the job.", examples=[256]), Default("all endpoints")] = (
        None
    )
    gpus_per_domain: Annotated[
        Count | None, Field(description="GPUs that the job takes of each NVLink domain.", examples=[64]), Default("all")
    ] = None


class FabricDescription(_Table):
    """A Clos fabric of two or three switch tiers; `fabric.builders.build` makes the topology."""

    fabric: Hosts
    leaf: Leaf
    spine: Spine
    core: Core | None = None
    scale_up: ScaleUp | None = None
    job: Job = Job()
    time: Time = Time()

    def with_wiring(self, wiring: Wiring) -> "FabricDescription":
        """The same switches and cables, wired the other way."""
        return self.model_copy(update={"fabric": self.fabric.model_copy(update={"wiring": wiring})})


def read_description(path: str | Path) -> FabricDescription:
    """Read and check a TOML file, plain, gzip or xz.

    Raises
    ------
    InputError
        ``FILE: fabric.hosts: expected an integer >= 1, got 'x'``.
    """
    return parse_description(read_text(path), str(path))


def parse_description(text: str, source: str) -> FabricDescription:
    """Check a TOML text; `source` is what errors name."""
    tables = parse_toml(text, source)
    return checked_description(tables, source)


def checked_description(tables: dict[str, Any], source: str) -> FabricDescription:
    """Check the tables of a TOML text; `source` is what errors name."""
    return checked(FabricDescription, tables, source)


def fat_tree(radix: int, port_gbps: float = 400.0) -> FabricDescription:
    """The k-ary fat tree: radix^3 / 4 endpoints, every tier at full bisection.

    M. Al-Fares, A. Loukissas, A. Vahdat: A scalable, commodity data center network architecture, SIGCOMM 2008.

    Raises
    ------
    InputError
        If `radix` is not an even number >= 2.
    """
    if radix < 2 or radix % 2:
        raise InputError(f"fat tree: expected an even radix >= 2, got {radix}")
    return FabricDescription(
        fabric=Hosts(name=f"fat-tree-{radix}", hosts=radix**3 // 4, gpus_per_host=1, gpu_gbps=port_gbps),
        leaf=Leaf(radix=radix, port_gbps=port_gbps),
        spine=Spine(radix=radix, port_gbps=port_gbps, pods=radix),
        core=Core(radix=radix, port_gbps=port_gbps),
    )
