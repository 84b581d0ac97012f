"""What published measurements say that routing, rails, planes and placement change, beside what the model says.

python -m benchmarks.effects

Every effect is a ratio. A range of the model is over hash seeds, or over what the source leaves open; fabrics are as
the source has them, as far as it says, and assumed otherwise.

Sources: NVIDIA on xAI's Colossus (95 against 60 % of throughput); n flows on n links, 1 - (1 - 1/n)^n; Meta: RDMA over
Ethernet for Distributed AI Training, SIGCOMM 2024; DeepSeek-AI: Insights into DeepSeek-V3, ISCA 2025, figure 8; UCCL:
uccl-project/uccl da914a2, ep/bench/alltoall/efa_alltoall_results.md; Spectrum-X, MRC, B300: what one plane of several
is of a NIC, and 10 % of links removed (377.8 to 335.3 Gb/s); HPN: Alibaba, SIGCOMM 2024; pairs: 136 pairs of H100 hosts
of one cluster in two groups, wiring not published.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

import railscope as rs
from collectives.demand import BoolVector, FloatVector, Int64Vector
from fabric.builders.description import FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.topology import ISL, NIC, UP, Cables

SEEDS = 20


@dataclass(frozen=True)
class Effect:
    """One row of the table.

    Attributes
    ----------
    name, source : str
    measured, modelled : (float, float)
        Least and most of the ratio.
    remark : str
        What the model leaves out or was told; empty where nothing is to be said.
    """

    name: str
    source: str
    measured: tuple[float, float]
    modelled: tuple[float, float]
    remark: str = ""

    @property
    def gap(self) -> float:
        """How far apart the two ranges are, as a factor from 1 on; 1 where they meet."""
        (least, most), (low, high) = self.measured, self.modelled
        return max(1.0, low / most, least / high)


def spread(values: Iterable[float]) -> tuple[float, float]:
    """Least and most."""
    found = list(values)
    return min(found), max(found)


def mean(values: Iterable[float]) -> float:
    """Of all."""
    return float(np.mean(list(values)))


def fabric(
    hosts: int, per_leaf: int, up: int, gpus: int = 1, wiring: str = "host", planes: int = 1, nvlink: bool = False
) -> rs.Topology:
    """Leaves of `per_leaf` NICs with `up` cables up, one to each spine, all of 400 Gb/s over all planes.

    All NICs of a host are on one leaf (of each plane), or each on the leaf of its rail.
    """
    gbps, kind = 400.0 / planes, dict[str, Any](wiring=wiring, rails=gpus if wiring == "rail" else 1)
    description = FabricDescription(
        fabric=Hosts(name="effect", hosts=hosts, gpus_per_host=gpus, gpu_gbps=400.0, planes=planes, **kind),
        scale_up=ScaleUp(hosts_per_domain=1, gpu_gbps=3600.0) if nvlink else None,
        leaf=Leaf(radix=per_leaf + up, port_gbps=gbps, down_ports=per_leaf, oversubscription=per_leaf / up),
        spine=Spine(radix=4096, port_gbps=gbps, count=up),
    )
    return rs.build(description)


def without(topology: rs.Topology, gone: BoolVector) -> rs.Topology:
    """The same with links missing, each with its other direction."""
    kept = np.flatnonzero(~(gone | gone[topology.link_reverse]) & (topology.link_reverse > np.arange(gone.size)))
    back = topology.link_reverse[kept]
    cables = Cables(
        topology.link_tail[kept],
        topology.link_head[kept],
        topology.link_tail_port[kept],
        topology.link_head_port[kept],
        topology.link_capacity_gbps[kept],
        topology.link_capacity_gbps[back],
    )
    return rs.Topology.from_cables("effect", topology.nodes, cables)


def rates(topology: rs.Topology, src: Int64Vector, dst: Int64Vector, routing: rs.Routing) -> FloatVector:
    """What part of 400 Gb/s each of flows of one size gets, over the time that it takes."""
    size = np.full(len(src), 50e9)
    times = rs.flow_times(topology, rs.Flows(src.astype(np.int32), dst.astype(np.int32), size), routing=routing)
    return np.asarray(1.0 / times.taken_s, np.float64)


def time_s(
    topology: rs.Topology,
    collective: str,
    routing: rs.Routing | None = None,
    rule: rs.PlacementRule | None = None,
    placement: rs.Placement | None = None,
    **given: Any,
) -> float:
    """Bottleneck time of 1 GiB, with the flows that NCCL opens where the routing hashes."""
    asked = rs.Collective(collective, "1GiB", **given)
    scenario = rs.Scenario.of(topology, asked, rule=rule, placement=placement, routing=routing or rs.Adaptive())
    return float(rs.analyse(scenario).time_s)


def on_hosts(hosts: Iterable[int], gpus: int) -> rs.Placement:
    """So many GPUs of hosts that have 8."""
    return rs.Placement(np.array([8 * host + gpu for host in hosts for gpu in range(gpus)], np.int32))


def hashed(queue_pairs: int | None = None) -> list[rs.Ecmp]:
    """One for each seed."""
    return [rs.Ecmp(queue_pairs=queue_pairs, seed=seed) for seed in range(SEEDS)]


def hashing() -> list[Effect]:
    """32 hosts send to 32 others over 32 spines."""
    topology, n = fabric(64, 32, 32), np.arange(32)
    shares = [rates(topology, n, n + 32, routing) for routing in hashed(1)]
    even = mean(rates(topology, n, n + 32, rs.Adaptive()))
    averaged = mean(share.mean() for share in shares)
    last = {q: mean(rates(topology, n, n + 32, one).min() for one in hashed(q)) for q in (1, 4, 16)}
    wide = fabric(80, 40, 16)
    src, dst = (ends.ravel() for ends in np.meshgrid(np.arange(40), 40 + np.arange(25)))
    placement, flows = rs.packed(wide), rs.Flows(src.astype(np.int32), dst.astype(np.int32), np.ones(src.size))
    up = np.flatnonzero((wide.link_kind == ISL) & (wide.link_direction == UP))
    loads = [rs.link_loads(wide, flows, placement, one).bytes[up] for one in hashed(1)]
    return [
        Effect("adaptive: throughput", "NVIDIA (xAI): 0.95", (0.95, 0.95), (even, even), "no protocol overhead here"),
        Effect("hashed: throughput, flows averaged", "NVIDIA: 0.60; 0.632", (0.6, 0.632), (averaged, averaged)),
        Effect(
            "hashed, 1,000 flows on 16 links: max/mean", "Meta: above 1.2", (1.2, 1.345),
            (m := mean(load.max() / load[load > 0].mean() for load in loads), m),
        ),
        Effect("16 queue pairs over 4: all-reduce", "Meta: up to 1.40", (1.0, 1.4), (r := last[16] / last[4], r)),
        Effect("4 queue pairs over 1: all-reduce", "Meta: up to 1.40", (1.0, 1.4), (r := last[4] / last[1], r),
               "the last of 32 flows, as a ring waits"),
    ]  # fmt: skip


def concurrent() -> list[Effect]:
    """All-gathers of the data-parallel groups that tensor parallelism leaves, at once on 16 hosts behind 4 leaves.

    A group of TP=8 has one GPU of each host and its NIC (57 GB/s were reached), of TP=2 four (190 GB/s).
    """
    topology = fabric(16, 32, 32, gpus=8, nvlink=True)
    found = []
    for tp, measured in ((8, 0.79), (4, 0.81), (2, 0.51)):
        given: dict[str, Any] = {"algorithm": "rings", "parallel": f"tp={tp},dp={128 // tp}", "axes": "dp"}
        parts = []
        for kind in ("packed", "scattered"):
            for number, one in enumerate(hashed()):
                rule = rs.PlacementRule(kind, seed=number)
                even = time_s(topology, "all-gather", rule=rule, **given)
                parts.append(even / time_s(topology, "all-gather", one, rule, **given))
        name = f"hashed over adaptive: all-gathers, TP={tp}"
        found.append(
            Effect(
                name,
                f"DeepSeek: {measured}",
                (measured, measured),
                spread(parts),
                "16 hosts assumed, packed to scattered",
            )
        )
    return found


def rails() -> list[Effect]:
    """8 GPUs send to random ones of another host, or each to its own rail."""
    topology, n = fabric(2, 8, 8, gpus=8), np.arange(8)
    generator = np.random.default_rng(0)
    shares = [rates(topology, n, 8 + generator.integers(0, 8, 8), rs.Adaptive()) for _ in range(500)]
    averaged = mean(share.mean() for share in shares)
    last = mean(1 / share.min() for share in shares)
    return [
        Effect("own rail over random receivers", "UCCL, p5en: 1.58", (1.58, 1.58), (1 / averaged, last),
               "flows averaged, and the last"),
        Effect("own rail over cross-rail", "UCCL, p5: 2.17-2.34", (2.17, 2.34), (1 / averaged, last),
               "pattern assumed random"),
    ]  # fmt: skip


def planes() -> list[Effect]:
    """Planes, ports and cables that fail, under adaptive routing."""
    found = []
    for n, measured, said in ((2, 0.5, "B300"), (4, 0.75, "Spectrum-X"), (8, 0.875, "MRC")):
        topology = fabric(16, 4, 4, planes=n)
        gone = topology.nodes.plane[topology.link_tail] == 0
        left = time_s(topology, "all-to-all") / time_s(without(topology, gone), "all-to-all")
        found.append(Effect(f"one of {n} planes lost", f"{said}: {measured:g}", (measured, measured), (left, left)))
    topology = fabric(64, 16, 16)
    whole, parts = time_s(topology, "all-to-all"), []
    up = np.flatnonzero((topology.link_kind == ISL) & (topology.link_direction == UP))
    for seed in range(SEEDS):
        gone = np.zeros(topology.n_links, bool)
        gone[np.random.default_rng(seed).choice(up, up.size // 10, replace=False)] = True
        parts.append(whole / time_s(without(topology, gone), "all-to-all"))
    found.append(Effect("a tenth of the cables lost", "Spectrum-X: 0.89", (0.8875, 0.8875), spread(parts), "any tenth"))
    pair = fabric(32, 128, 64, gpus=8, wiring="rail", planes=2, nvlink=True)
    nic = np.flatnonzero((pair.link_kind == NIC) & (pair.link_direction == UP))
    gone = np.zeros(pair.n_links, bool)
    gone[nic[0]] = True
    rings = time_s(pair, "all-reduce", algorithm="rings") / time_s(without(pair, gone), "all-reduce", algorithm="rings")
    found.append(
        Effect("one of a host's 16 ports lost", "HPN: 0.94", (0.9375, 0.9375), (rings, 15 / 16),
               "job; here rings, host's ports")
    )  # fmt: skip
    return found


def placement() -> list[Effect]:
    """448 and 2,304 GPUs in segments of 16 hosts, as 2,300 in 19 are, or of 128; NCCL's flows, hashed."""
    found = []
    for hosts, name, measured in (
        (56, "448 GPUs: all-reduce, 1 segment over 4", (1.0, 1.593)),
        (288, "2,304 GPUs: all-reduce, 3 segments over 18", (1.0, 1.149)),
    ):
        small = fabric(-(-hosts // 16) * 16, 128, 128, gpus=8, nvlink=True)
        large = fabric(-(-hosts // 128) * 128, 128, 120, gpus=8, wiring="rail", nvlink=True)
        rule, ratios = rs.PlacementRule(gpus=8 * hosts), []
        for routing in hashed()[:5]:
            times = [time_s(one, "all-reduce", routing, algorithm="rings", rule=rule) for one in (small, large)]
            ratios.append(times[0] / times[1])
        said = "HPN: up to 1.59" if hosts == 56 else "HPN: 1.15 of a job"
        found.append(Effect(name, said, measured, spread(ratios), "leaves of 16 hosts assumed"))
    return found


def crossing() -> list[Effect]:
    """All-to-all of two hosts behind one leaf, or behind two; with 8 GPUs of each, or one."""
    found = []
    for gpus, measured in ((8, (0.54, 0.81)), (1, (0.99, 1.01))):
        ratios = []
        for hosts_a_leaf, up in ((2, 16), (16, 64)):
            topology = fabric(2 * hosts_a_leaf, 8 * hosts_a_leaf, up, gpus=8, nvlink=True)
            near, far = on_hosts((0, 1), gpus), on_hosts((0, hosts_a_leaf), gpus)
            for pairs in (1, None):
                for one in hashed(pairs):
                    alone = time_s(topology, "all-to-all", one, placement=near)
                    ratios.append(alone / time_s(topology, "all-to-all", one, placement=far))
        name = f"across leaves, {gpus} GPU{'s' * (gpus > 1)} a host: all-to-all"
        said = "pairs: 0.76 (0.54-0.81)" if gpus == 8 else "pairs: 1.0"
        found.append(Effect(name, said, measured, spread(ratios), "leaves of 2 hosts 1:1, of 16 hosts 2:1 assumed"))
    return found


EFFECTS: tuple[Callable[[], list[Effect]], ...] = (hashing, concurrent, rails, planes, placement, crossing)


def effects() -> list[Effect]:
    """All rows."""
    return [effect for asked in EFFECTS for effect in asked()]


def lines_of(rows: Iterable[Effect]) -> list[str]:
    """The table, 90 columns."""

    def text(values: tuple[float, float]) -> str:
        low, high = (f"{value:.2f}" for value in values)
        return low if low == high else f"{low}-{high}"

    lines = [f"{'effect':44} {'published':23} {'modelled':>10}  apart"]
    for row in rows:
        apart = f"{row.gap:.2f}x" if row.gap > 1.005 else "-"
        lines.append(f"{row.name:44} {row.source:23} {text(row.modelled):>10}  {apart:>5}")
        if row.remark:
            lines.append(f"  ({row.remark})")
    return lines


if __name__ == "__main__":
    print("\n".join(lines_of(effects())))
