"""The description of a Clos fabric: a TOML schema, strictly checked."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collectives.errors import InputError

Count = Annotated[int, Field(ge=1)]
Gbps = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Nanoseconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Wiring = Literal["rail", "host"]
SpineSets = Literal["shared", "per-rail"]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Hosts(_Table):
    """Table ``[fabric]``: hosts, their GPUs, and how they are wired to leaves.

    Attributes
    ----------
    name, description, technology : str
    hosts, gpus_per_host : int
    rails : int
        GPU ``g`` of a host is on rail ``g mod rails``; default `gpus_per_host`.
    planes : int
        Disjoint copies of the switches; each takes ``gpu_gbps / planes`` of every GPU.
    gpu_gbps : float
        NIC bandwidth of a GPU each way, all planes together.
    wiring : {"rail", "host"}
        Each rail to leaves of its own, or whole hosts to one leaf (top of rack).
    spines : {"shared", "per-rail"}
        One set of spines for all leaves (of a pod), or one for each rail.
    assumptions : list of str
        What the figures rest on, shown with every result.
    """

    name: Annotated[str, Field(min_length=1)]
    description: str = ""
    technology: str = ""
    hosts: Count
    gpus_per_host: Count
    rails: Count | None = None
    planes: Count = 1
    gpu_gbps: Gbps
    wiring: Wiring = "rail"
    spines: SpineSets = "shared"
    assumptions: list[str] = []

    @property
    def n_rails(self) -> int:
        return self.rails or self.gpus_per_host


class ScaleUp(_Table):
    """Table ``[scale_up]``: NVLink domains of `hosts_per_domain` hosts (0: none), `gpu_gbps` each way per GPU."""

    hosts_per_domain: Annotated[int, Field(ge=0)]
    gpu_gbps: Gbps


class Leaf(_Table):
    """Table ``[leaf]``.

    Attributes
    ----------
    radix : int
        Ports of the switch.
    port_gbps : float
        Fastest speed of a port.
    down_ports : int
        Ports to endpoints; default half the radix.
    oversubscription : float
        Downward over upward capacity; default 1.
    uplink_gbps : float
        Speed of the cables to the spines; default `port_gbps`.
    rails_per_leaf : int
        Rail wiring: how many rails share a leaf.
    """

    radix: Count
    port_gbps: Gbps
    down_ports: Count | None = None
    oversubscription: Ratio = 1.0
    uplink_gbps: Gbps | None = None
    rails_per_leaf: Count = 1

    @property
    def n_down(self) -> int:
        return self.down_ports or max(1, self.radix // 2)

    @property
    def up_gbps(self) -> float:
        return self.uplink_gbps or self.port_gbps


class Spine(_Table):
    """Table ``[spine]``.

    Attributes
    ----------
    radix, port_gbps
        As for a leaf.
    count : int
        Spines of a set, in each plane.  Default: the smallest divisor of a leaf's uplinks that gives enough ports (it
        reproduces 24 of 25 rows of NVIDIA's published reference architectures).
    pods : int
        Groups of leaves with spines of their own, joined by cores.
    oversubscription : float
        Downward over upward capacity of a spine, with cores; default 1.
    uplink_gbps : float
        Speed of the cables to the cores; default `port_gbps`.
    """

    radix: Count
    port_gbps: Gbps
    count: Count | None = None
    pods: Count = 1
    oversubscription: Ratio = 1.0
    uplink_gbps: Gbps | None = None

    @property
    def up_gbps(self) -> float:
        return self.uplink_gbps or self.port_gbps


class Core(_Table):
    """Table ``[core]``: `count` is per plane; the default gives just enough ports."""

    radix: Count
    port_gbps: Gbps
    count: Count | None = None


class Time(_Table):
    """Table ``[time]``: latency and efficiency for predictions with latency; defaults in `fabric.timing.protocols`.

    Attributes
    ----------
    hop_ns : float
        For each link beyond two.
    message_ns : float
        For each further message that a rank posts.
    wire_efficiency, scale_up_efficiency : float
        Payload over capacity of the network's links, and of NVLink.
    nvls_efficiency : float
        On top of it where NVLink switches add.
    """

    hop_ns: Nanoseconds | None = None
    message_ns: Nanoseconds | None = None
    wire_efficiency: Fraction | None = None
    scale_up_efficiency: Fraction | None = None
    nvls_efficiency: Fraction | None = None


class Job(_Table):
    """Table ``[job]``: the job that the fabric is built for; what commands take unless told otherwise."""

    gpus: Count | None = None
    gpus_per_domain: Count | None = None


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


def load_description(path: str | Path) -> FabricDescription:
    """Read and check a TOML file.

    Raises
    ------
    InputError
        ``FILE: fabric.hosts: expected an integer >= 1, got 'x'``.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; expected TOML") from None
    return parse_description(text, str(path))


def parse_description(text: str, source: str) -> FabricDescription:
    """Check a TOML text; `source` is what errors name."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{source}: not TOML: {error}") from None
    try:
        return FabricDescription.model_validate(tables)
    except ValidationError as error:
        raise InputError(f"{source}: {_first_error(error)}") from None


_EXPECTED = {
    "missing": "expected a value",
    "int_type": "expected an integer",
    "float_type": "expected a number",
    "string_type": "expected a text in quotes",
    "list_type": "expected a list",
    "model_type": "expected a table",
    "finite_number": "expected a finite number",
}


def _first_error(error: ValidationError) -> str:
    # A misspelt key is both unknown and missing: the unknown one tells more.
    detail = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in detail["loc"])
    kind, given = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        known = _known_keys(detail["loc"][:-1])
        near = get_close_matches(str(detail["loc"][-1]), known, 1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    if kind == "missing":
        return f"{key}: missing; {_limits(detail['loc'])}"
    context: dict[str, Any] = detail.get("ctx", {})
    if kind in ("greater_than_equal", "greater_than", "less_than_equal", "int_type", "float_type", "finite_number"):
        return f"{key}: {_limits(detail['loc'])}, got {given!r}"
    expected = _EXPECTED.get(kind) or f"expected {context.get('expected', detail['msg'])}"
    return f"{key}: {expected}, got {given!r}"


def _field(loc: tuple[int | str, ...]) -> Any:
    model: Any = FabricDescription
    info = None
    for part in loc:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return info
        info = model.model_fields[str(part)]
        arguments = getattr(info.annotation, "__args__", ())
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), info.annotation)
    return info


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    model: Any = FabricDescription
    for part in loc:
        annotation = model.model_fields[str(part)].annotation
        arguments = getattr(annotation, "__args__", ())
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), annotation)
    return list(model.model_fields)


def _limits(loc: tuple[int | str, ...]) -> str:
    text = repr(_field(loc))
    if "Le(le=" in text:
        return f"expected a number > 0 and <= {text.split('Le(le=')[1].split(')')[0]}"
    if "allow_inf_nan" in text and "Ge(ge=" in text:
        return "expected a finite number >= 0"
    if "allow_inf_nan" in text:
        return "expected a finite number > 0"
    if "Ge(ge=" in text:
        return f"expected an integer >= {text.split('Ge(ge=')[1][0]}"
    return "expected a table" if isinstance(loc[-1], str) and len(loc) == 1 else "expected a value"


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
