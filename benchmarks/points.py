"""Published measurements as rows, and what the model predicts for each with defaults alone."""

import csv
import math
import os
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import railscope as rs
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine

POINTS = Path(os.environ.get("RAILSCOPE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
POINTS = POINTS / "measured" / "points.csv"
GIB, MIB = float(1 << 30), float(1 << 20)
SLACK = 0.05
# What is said of no size is taken as a large one.
LARGE = 8 * GIB
COLLECTIVES = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "broadcast": "broadcast",
    "alltoall": "all-to-all",
    "sendrecv": "send-recv",
    "moe_dispatch": "all-to-all",
    "moe_combine": "all-to-all",
}
# Speed of a GPU inside its domain, Gbit/s each way, its generation where the speed does not tell it, and what joins the
# domain; the first that the row's name contains.  H800 has 8 of Hopper's 18 links; GH200 3 x 6 direct ones, MI300X and
# MI355X 7 of xGMI.
Link = tuple[float | None, str | None, str]
GPUS: tuple[tuple[str, Link], ...] = (
    ("GH200", (3600.0, "hopper", "mesh")),
    ("MI300X", (3584.0, "cdna3", "mesh")),
    ("MI355X", (4300.8, "cdna4", "mesh")),
    ("GB300", (7200.0, None, "switch")),
    ("GB200", (7200.0, None, "switch")),
    ("B300", (7200.0, None, "switch")),
    ("B200", (7200.0, None, "switch")),
    ("H800", (1600.0, "hopper", "switch")),
    ("SM90", (1600.0, "hopper", "switch")),
    ("H100", (3600.0, None, "switch")),
    ("H200", (3600.0, None, "switch")),
    ("H20", (3600.0, None, "switch")),
    ("A100", (2400.0, None, "switch")),
    ("GB10", (None, None, "switch")),
)
# The links of its 8 dies are of several speeds.
UNEQUAL = "MI250X"
TECHNOLOGIES = (("EFA", "efa"), ("Slingshot", "slingshot"), ("Spectrum", "spectrum-x"), ("RoCE", "roce"))
# What was fitted; parts of the text of the rows that it was fitted to, and the smallest and largest size of these.
FITTED = (
    ("rack: switches that add, 8 NICs", ("coreweave/nccl-tests", "GB200"), 0, math.inf),
    ("rack: switches that add, 8 NICs", ("sku_", "GB300"), 0, math.inf),
    ("levels of NVLS trees", ("KeitaW/p5-nccl-test", "H100"), 64 * MIB, GIB),
    ("steps over EFA (Hopper)", ("KeitaW/p5-nccl-test", "H100"), 0, 1024),
    ("steps over EFA (Ampere)", ("awsome-distributed-training", "p4de"), 0, 1024),
    ("posts of trees", ("results_sophia", "all_reduce"), 0, 1024),
    *(
        ("more than 64 domains, as found; trees", (f"all_reduce {n} GH200", "Alps"), 0, math.inf)
        for n in (512, 1024, 2048)
    ),
    ("latency as found over Slingshot", ("polaris", "all_gather"), 0, 16 * MIB),
    ("peers of an exchange", ("results_sophia", "alltoall"), 0, 4 * MIB),
    ("exchanges over Slingshot", ("Slingshot", "alltoall"), 0, math.inf),
    ("GPU-posted exchanges", ("docs/legacy", "low-latency"), 0, math.inf),
    ("GPU-posted over NVLink, few tokens as found", ("aiconfigurator", "NVLinkTwoSided bfloat16 1tok"), 0, math.inf),
    ("GPU-posted over NVLink, few tokens as found", ("aiconfigurator", "NVLinkTwoSided bfloat16 16tok"), 0, math.inf),
    ("GPU-posted over NVLink", ("aiconfigurator", "NVLinkTwoSided bfloat16 4096tok"), 0, math.inf),
)
# Settings or machines that are no default of a library: a part of the row's text, and what to say.
NOT_DEFAULT = {
    "p2p_put": "puts of one message",
    "GIN": "posted through NCCL's device API",
    "MSCCL++": "another library",
    "LSA": "kernels of NCCL's device API",
    "NCHANNELS_PER_NET_PEER": "channels set by hand",
    "RTX 6000D": "no NVLink, and the NICs' speed is not given",
    "rdma_alltoall": "puts without a library",
    "MNNVL disabled": "NVLink switched off",
    "multiple flows per TP size": "groups of several sizes at once",
}
# Rows that say of themselves that something is wrong, untuned or shared with other jobs.
AS_FOUND = ("UNHEALTHY", "broken", "iommu", "ECMP", "single QP", "Alps", "polaris", "#267", "#493", "#1792",
            "2-node accept", "UCCL-EP low-latency")  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A row that can be predicted.

    Attributes
    ----------
    row : dict of str to str
    size, measured_GBps, predicted_GBps, low_GBps : float
        Bytes; busbw measured, predicted for well-tuned clusters, and for what clusters are often found at.
    n_domains : int
    """

    row: dict[str, str]
    size: float
    measured_GBps: float
    predicted_GBps: float
    low_GBps: float
    n_domains: int

    @property
    def ratio(self) -> float:
        """Predicted over measured bandwidth."""
        return self.predicted_GBps / self.measured_GBps

    @property
    def off(self) -> float:
        """How far the ratio is from 1, either way."""
        return max(self.ratio, 1 / self.ratio) - 1

    @property
    def inside(self) -> bool:
        """Whether the measurement is in the predicted range, with slack."""
        return self.low_GBps * (1 - SLACK) <= self.measured_GBps <= self.predicted_GBps * (1 + SLACK)

    @property
    def width(self) -> float:
        """Of the range, over its upper end."""
        return 1 - self.low_GBps / self.predicted_GBps

    @property
    def fitted(self) -> str:
        """What was fitted to this row, if anything was."""
        text = text_of(self.row)
        for what, parts, least, most in FITTED:
            if least <= self.size <= most and all(part in text for part in parts):
                return what
        return ""

    @property
    def as_found(self) -> bool:
        """Whether the cluster is not a well-tuned one by its own account."""
        return any(part in text_of(self.row) for part in AS_FOUND)


def text_of(row: dict[str, str]) -> str:
    """All that a row says."""
    return " ".join(row.values())


@cache
def scenario_of(
    n_gpus: int,
    per_host: int,
    hosts_per_domain: int,
    nic_gbps: float,
    nvlink: Link,
    technology: str,
    collective: str,
    algorithm: str,
) -> rs.Scenario:
    """A job that fills a fabric of a leaf for each rail, without oversubscription."""
    hosts = -(-n_gpus // (per_host * hosts_per_domain)) * hosts_per_domain
    known: Any = {"technology": technology}
    gbps, key, kind = nvlink
    scale_up: Any = (
        None
        if gbps is None
        else {"hosts_per_domain": hosts_per_domain, "gpu_gbps": gbps, "generation": key, "kind": kind}
    )
    description = FabricDescription(
        fabric=Hosts(name="measured", hosts=hosts, gpus_per_host=per_host, gpu_gbps=nic_gbps, **known),
        scale_up=None if scale_up is None else ScaleUp(**scale_up),
        leaf=Leaf(radix=2 * hosts, port_gbps=nic_gbps),
        spine=Spine(radix=per_host * hosts, port_gbps=nic_gbps, count=hosts),
    )
    asked = rs.Collective(collective, algorithm=algorithm)
    library = "rccl" if key and key.startswith("cdna") else "nccl"
    return rs.Scenario.of(description, asked, rule=rs.PlacementRule(gpus=n_gpus), library=library)


@cache
def costs_of(scenario: rs.Scenario, algorithm: str) -> dict[str, rs.AlphaBeta]:
    """What the algorithms cost apart from the size."""
    return rs.predict_busbw(scenario, (GIB,), (algorithm,)).algorithms


def few_tokens(row: dict[str, str]) -> bool:
    """Whether a dispatch or combine sends directly, as the kernels for few tokens do."""
    return any(part in row["algorithm_or_env"] for part in ("low-latency", " LL", "NVLink"))


def moe_bytes(row: dict[str, str]) -> float:
    """Bytes of a rank's buffer: tokens x copies x 7,168 (DeepSeek-V3's hidden size) x bytes of a number.

    A token goes to 8 experts, or once to each of the 4 hosts or the GPUs that they are on; tokens that a row does not
    name are 4,096, or 128 for few.
    """
    setting = row["algorithm_or_env"]
    named = [int(word[:-3]) for word in setting.split() if word.endswith("tok") and word[:-3].isdigit()]
    tokens = named[0] if named else 128 if few_tokens(row) else 4096
    hosts, n = row["nodes_or_racks"], int(row["n_gpus"])
    if "NVLink" in setting:
        copies = n * (1 - (1 - 1 / n) ** 8)
    else:
        copies = 8.0 if few_tokens(row) or not hosts.isdigit() else float(min(int(hosts), 4))
    wide = row["collective"] == "moe_combine" or "bfloat16" in setting or "BF16" in setting
    return tokens * copies * 7168 * (2 if wide else 0.5 if "nvfp4" in setting else 1)


def point_of(row: dict[str, str]) -> Point | str:
    """A row's prediction, or why there is none."""
    text = text_of(row)
    for part, reason in NOT_DEFAULT.items():
        if part in text:
            return reason
    collective = COLLECTIVES.get(row["collective"])
    if collective is None:
        return f"{row['collective']}: no collective of railscope"
    if UNEQUAL in row["gpu"]:
        return "a host of links of unequal speed"
    known = next((link for name, link in GPUS if name in row["gpu"]), None)
    if known is None:
        return f"{row['gpu']}: NVLink speed not given"
    where = row["nodes_or_racks"]
    inside = where in ("1", "18 hosts/1 rack") or where.startswith("1 rack")
    if not row["n_gpus"] or not row["gpus_per_node"] or not (inside or row["nic_gbps_per_gpu"]):
        return "number of GPUs or speed of NICs not given"
    n = int(row["n_gpus"])
    moe = row["collective"].startswith("moe")
    size = moe_bytes(row) if moe else float(row["size_bytes"] or LARGE)
    algorithm = ("deepep-low-latency" if few_tokens(row) else "deepep") if moe else "auto"
    scenario = scenario_of(
        n,
        int(row["gpus_per_node"]),
        18 if "rack" in where else 1,
        float(row["nic_gbps_per_gpu"] or 400.0),
        known,
        next((name for part, name in TECHNOLOGIES if part in row["fabric"]), "infiniband"),
        collective,
        algorithm if moe else rs.algorithm_of(collective).name,
    )
    costs = costs_of(scenario, algorithm)
    (best,) = rs.predict(collective, n, (size,), costs, scenario.model, best_only=True)
    n_domains = costs[best.algorithm].span.n_domains
    busbw = float(row["busbw_GBps"] or 0.0)
    if busbw >= 0.05 or (busbw and not row["time_us"]):
        # Dispatch and combine count what stays at home, as algbw does.
        factor = n / (n - 1) if moe else 1.0
        return Point(row, size, busbw, best.busbw_GBps * factor, best.busbw_low_GBps * factor, n_domains)
    if not row["time_us"]:
        return "neither bandwidth nor time"
    measured = rs.busbw_GBps(collective, n, size, float(row["time_us"]) * 1e-6)
    return Point(row, size, measured, best.busbw_GBps, best.busbw_low_GBps, n_domains)


def read_points(path: Path = POINTS) -> tuple[list[Point], Counter[str]]:
    """Every row that can be predicted, and how many cannot for which reason."""
    points: list[Point] = []
    refused: Counter[str] = Counter()
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            point = point_of(row)
            if isinstance(point, str):
                refused[point] += 1
            else:
                points.append(point)
    return points, refused
