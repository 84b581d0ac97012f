"""Predictions with defaults alone beside every published measurement that `points.csv` holds.

python -m benchmarks.validation [--rows] [--figure validation.png] [points.csv]

A row's machine, shape, size and NIC speed are its own; nothing else is.  The ratio is that of bandwidths, predicted over
measured, for every collective: 1.2 is 20 % too fast.
"""

import argparse
import csv
import math
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import railscope as rs
from fabric.timing.prediction import Row
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine

SHARED = Path(os.environ.get("RAILSCOPE_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
POINTS = SHARED / "measured" / "points.csv"
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
# Speed of a GPU inside its domain, Gbit/s each way, and its generation where the speed does not tell it.
GPUS = {
    "GB300": (7200.0, None),
    "GB200": (7200.0, None),
    "B300": (7200.0, None),
    "B200": (7200.0, None),
    "H800": (1600.0, "hopper"),
    "H100": (3600.0, None),
    "H200": (3600.0, None),
    "H20": (3600.0, None),
    "SM90": (1600.0, "hopper"),
    "A100": (2400.0, None),
    "GB10": (None, None),
}
NETWORKS = (("EFA", "efa"), ("Slingshot", "slingshot"), ("Spectrum", "spectrum-x"), ("RoCE", "roce"))
# Inputs that were fitted; parts of the text of the rows that they were fitted to, and the smallest and largest of these.
FITTED = (
    ("rack: switches that add, 8 NICs", ("coreweave/nccl-tests", "GB200"), 0, math.inf),
    ("rack: switches that add, 8 NICs", ("sku_", "GB300"), 0, math.inf),
    ("levels of NVLS trees", ("KeitaW/p5-nccl-test", "H100"), 64 * MIB, GIB),
    ("steps over EFA (Hopper)", ("KeitaW/p5-nccl-test", "H100"), 0, 1024),
    ("steps over EFA (Ampere)", ("awsome-distributed-training", "p4de"), 0, 1024),
    ("peers of an exchange", ("results_sophia", "alltoall"), 0, 4 * MIB),
    ("exchanges over Slingshot", ("Slingshot", "alltoall"), 0, math.inf),
    ("GPU-posted exchanges", ("docs/legacy", "low-latency"), 0, math.inf),
    ("GPU-posted over NVLink", ("aiconfigurator", "NVLinkTwoSided bfloat16 4096tok"), 0, math.inf),
)
# Settings or machines that are no default of the library, a part of each row's text.
NOT_DEFAULT = {
    "p2p_put": "puts of one message",
    "GIN": "posted by GPUs through the device API",
    "MSCCL++": "another library",
    "LSA": "kernels of the device API",
    "NCHANNELS_PER_NET_PEER": "channels set by hand",
    "RTX 6000D": "no NVLink, and the NICs' speed is not given",
    "rdma_alltoall": "puts by themselves",
    "MNNVL disabled": "NVLink switched off",
    "multiple flows per TP size": "groups of several sizes at once: see the table of effects",
}
# Clusters that say of themselves that something was wrong or untuned, and production networks shared with others.
AS_FOUND = ("UNHEALTHY", "broken", "iommu", "ECMP", "single QP", "Alps", "polaris", "H20", "#267", "#493", "2-node acceptance",
            "platform", "UCCL-EP low-latency")  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A row that can be predicted."""

    row: dict[str, str]
    collective: str
    size: float
    measured_GBps: float
    busbw_GBps: float
    low_GBps: float

    @property
    def ratio(self) -> float:
        """Predicted over measured bandwidth."""
        return self.busbw_GBps / self.measured_GBps

    @property
    def inside(self) -> bool:
        """Whether the measurement is in the predicted range, with slack."""
        return self.low_GBps * (1 - SLACK) <= self.measured_GBps <= self.busbw_GBps * (1 + SLACK)

    @property
    def width(self) -> float:
        """Of the range, over its upper end."""
        return 1 - self.low_GBps / self.busbw_GBps

    @property
    def fitted(self) -> str:
        """What was fitted to this row."""
        text = text_of(self.row)
        for what, parts, least, most in FITTED:
            if least <= self.size <= most and all(part in text for part in parts):
                return what
        return ""

    @property
    def as_found(self) -> bool:
        """Whether the cluster is not a well-tuned one by its own account."""
        return any(part in text_of(self.row) for part in AS_FOUND)

    @property
    def size_class(self) -> str:
        """Three classes of sizes."""
        return "1 GiB and more" if self.size >= GIB else "1 MiB to 1 GiB" if self.size >= MIB else "below 1 MiB"


def text_of(row: dict[str, str]) -> str:
    """All that a row says."""
    return " ".join(row.values())


def gpu_of(row: dict[str, str]) -> tuple[float | None, str | None]:
    """Speed and generation of the row's GPUs."""
    return next((said for name, said in GPUS.items() if name in row["gpu"]), (math.nan, None))


@cache
def scenario_of(
    n_gpus: int, per_host: int, hosts_per_domain: int, nic_gbps: float, nvlink: float | None, key: str | None, technology: str,
    collective: str, algorithm: str | None,
) -> rs.Scenario:  # fmt: skip
    """A fabric of a leaf for each rail, without oversubscription, full of one job."""
    hosts = -(-n_gpus // per_host)
    hosts = -(-hosts // max(hosts_per_domain, 1)) * max(hosts_per_domain, 1)
    scale_up = None
    if nvlink is not None:
        scale_up = ScaleUp(hosts_per_domain=hosts_per_domain, gpu_gbps=nvlink, generation=key)
    description = FabricDescription(
        fabric=Hosts(name="measured", hosts=hosts, gpus_per_host=per_host, gpu_gbps=nic_gbps, technology=technology),
        scale_up=scale_up,
        leaf=Leaf(radix=2 * hosts, port_gbps=nic_gbps),
        spine=Spine(radix=per_host * hosts, port_gbps=nic_gbps, count=hosts),
    )
    library = "rccl" if key and key.startswith("cdna") else "nccl"
    named = algorithm or rs.algorithm_of(collective).name
    return rs.Scenario.of(
        description, rs.Collective(collective, algorithm=named), rule=rs.PlacementRule(gpus=n_gpus), library=library
    )


def hosts_per_domain_of(row: dict[str, str]) -> int:
    """18 trays for a rack of 72 or 64, else one host."""
    return 18 if "rack" in row["nodes_or_racks"] else 1


def low_latency(row: dict[str, str]) -> bool:
    """Whether a dispatch or combine is of the kernels for few tokens."""
    return any(part in row["algorithm_or_env"] for part in ("low-latency", " LL", "NVLink"))


def moe_bytes(row: dict[str, str]) -> float:
    """Bytes of a rank's buffer: tokens x copies x 7,168 x bytes of a number, where they are known."""
    setting = row["algorithm_or_env"]
    tokens = next((int(word[:-3]) for word in setting.split() if word.endswith("tok") and word[:-3].isdigit()), 0)
    tokens = tokens or (128 if low_latency(row) else 4096)
    nodes = row["nodes_or_racks"]
    if "NVLink" in setting:
        # Different GPUs that a token's 8 of 256 experts are on.
        n = int(row["n_gpus"])
        copies = n * (1 - (1 - 1 / n) ** 8)
    else:
        copies = 8 if low_latency(row) or not nodes.isdigit() else min(int(nodes), 4)
    width = 2 if row["collective"] == "moe_combine" or "bfloat16" in setting or "BF16" in setting else 1
    return float(tokens * copies * 7168 * (0.5 if "nvfp4" in setting and width == 1 else width))


def point_of(row: dict[str, str]) -> Point | str:
    """A row's prediction, or why there is none."""
    text = text_of(row)
    for part, reason in NOT_DEFAULT.items():
        if part in text:
            return reason
    collective = COLLECTIVES.get(row["collective"])
    if collective is None:
        return f"no collective of ours: {row['collective']}"
    nvlink, key = gpu_of(row)
    if nvlink is not None and math.isnan(nvlink):
        return f"GPUs of which no generation is known: {row['gpu']}"
    inside = row["nodes_or_racks"] in ("1", "18 hosts/1 rack") or row["nodes_or_racks"].startswith("1 rack")
    if not row["n_gpus"] or not row["gpus_per_node"] or (not inside and not row["nic_gbps_per_gpu"]):
        return "number of GPUs or speed of NICs not given"
    moe = row["collective"].startswith("moe")
    size = moe_bytes(row) if moe else float(row["size_bytes"] or LARGE)
    nic = float(row["nic_gbps_per_gpu"] or 400.0)
    technology = next((name for part, name in NETWORKS if part in row["fabric"]), "infiniband")
    n = int(row["n_gpus"])
    algorithm = ("deepep-low-latency" if low_latency(row) else "deepep") if moe else None
    scenario = scenario_of(
        n, int(row["gpus_per_node"]), hosts_per_domain_of(row), nic, nvlink, key, technology, collective, algorithm
    )
    (best,) = predictions(scenario, (size,), algorithm)
    if row["busbw_GBps"] and (float(row["busbw_GBps"]) >= 0.05 or not row["time_us"]):
        measured = float(row["busbw_GBps"])
        # DeepEP's bandwidth counts what stays at home, as algbw does.
        factor = n / (n - 1) if moe else 1.0
        return Point(row, row["collective"], size, measured, best.busbw_GBps * factor, best.busbw_low_GBps * factor)
    if not row["time_us"]:
        return "neither bandwidth nor time"
    measured = rs.busbw_GBps(collective, n, size, float(row["time_us"]) * 1e-6)
    return Point(row, row["collective"], size, measured, best.busbw_GBps, best.busbw_low_GBps)


_found: dict[int, rs.Prediction] = {}


def predictions(scenario: rs.Scenario, sizes: Sequence[float], algorithm: str | None) -> tuple[Row, ...]:
    """Rows of a scenario; what does not depend on the size is kept."""
    kept = _found.setdefault(id(scenario), rs.predict_busbw(scenario, sizes, (algorithm or "auto",)))
    job = scenario.traffic
    return rs.predict(job.collective, job.group_size, sizes, kept.algorithms, scenario.model, True)


def off(ratio: float) -> float:
    """How far a ratio is from 1, either way."""
    return max(ratio, 1 / ratio) - 1


def quantile(values: Iterable[float], part: float) -> float:
    """The value that this part of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def table(points: Sequence[Point], title: str, label: Callable[[Point], str]) -> list[str]:
    """Median, 90th percentile and worst error, and how many measurements are in the range, by a label."""
    groups: dict[str, list[Point]] = defaultdict(list)
    for point in points:
        groups[label(point)].append(point)
    lines = [f"{title:32} rows  median    90 %  worst ratio  inside  width"]
    for name, own in sorted(groups.items()):
        errors = [off(point.ratio) for point in own]
        worst = max(own, key=lambda point: off(point.ratio)).ratio
        inside = sum(point.inside for point in own) / len(own)
        width = statistics.median(point.width for point in own)
        lines.append(
            f"{name[:32]:32} {len(own):4} {statistics.median(errors):7.1%} {quantile(errors, 0.9):7.1%}  {worst:11.2f}  "
            f"{inside:6.0%}  {width:5.0%}"
        )
    return lines


def hosts_label(point: Point) -> str:
    """Hosts or racks, in three classes."""
    n, per = int(point.row["n_gpus"]), int(point.row["gpus_per_node"]) * hosts_per_domain_of(point.row)
    domains = -(-n // per)
    return (
        "one domain"
        if domains == 1
        else "two domains"
        if domains == 2
        else "3 to 16"
        if domains <= 16
        else "more than 16"
    )


def report(points: Sequence[Point], refused: Counter[str], rows: bool) -> list[str]:
    """All that is printed."""
    tuned = [point for point in points if not point.fitted and not point.as_found]
    found = [point for point in points if not point.fitted and point.as_found]
    unseen = [*tuned, *found]
    fitted = [point for point in points if point.fitted]
    inside = sum(point.inside for point in unseen) / len(unseen)
    width = statistics.median(point.width for point in unseen)
    lines = [
        f"{len(points)} of {len(points) + sum(refused.values())} measurements are predicted, with defaults alone; inputs were "
        f"fitted to {len(fitted)} of them.",
        f"Of the others {inside:.0%} lie in the predicted range, which is {width:.0%} wide at the median.",
        "Ratio of bandwidths, predicted over measured; errors count either way.",
        "",
        *table(tuned, "well-tuned, by collective", lambda one: f"{one.collective}, {one.size_class}"),
        "",
        *table(tuned, "well-tuned, by machine", lambda one: one.row["gpu"]),
        "",
        *table(tuned, "well-tuned, by domains", hosts_label),
        "",
        *table(found, "as found, by machine", lambda one: f"{one.row['gpu']}, {one.collective}"),
        "",
        *table(fitted, "fitted rows, by input", lambda one: one.fitted),
        "",
        "not predicted",
        *(f"{count:5}  {reason}" for reason, count in refused.most_common()),
    ]
    if rows:
        lines += ["", "ratio   measured       range        size  what"]
        for one in sorted(points, key=lambda one: -off(one.ratio)):
            mark = "fitted " if one.fitted else "found  " if one.as_found else ""
            lines.append(
                f"{one.ratio:5.2f} {one.measured_GBps:10.4g} {one.low_GBps:7.4g}-{one.busbw_GBps:<7.4g} {one.size / MIB:9.4g}M "
                f"{mark}{one.collective} {one.row['n_gpus']}x{one.row['gpu']} {one.row['fabric'][:30]} {one.row['algorithm_or_env'][:24]}"
            )
    return lines


def read(path: Path) -> tuple[list[Point], Counter[str]]:
    """Every row that can be predicted, and why the others cannot."""
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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("points", nargs="?", type=Path, default=POINTS)
    parser.add_argument("--rows", action="store_true", help="every row too, the worst first")
    given = parser.parse_args()
    points, refused = read(given.points)
    print("\n".join(report(points, refused, given.rows)))


if __name__ == "__main__":
    main()
