"""Small jobs whose limit and cause are known, and their verdicts."""

import numpy as np

from collectives import Flows, Groups
from collectives.schedule import Phase, Schedule
from fabric.builders import build
from fabric.builders.description import Core, FabricDescription, Hosts, Leaf, ScaleUp, Spine
from fabric.jobs.placement import Placement, packed
from fabric.jobs.traffic import Traffic, collective_traffic
from fabric.scenario import Scenario
from fabric.studies.analysis import analyse
from fabric.studies.rates import flow_times
from fabric.studies.verdicts.loads import loads_verdict
from fabric.topology import Cables, Topology


def clos(hosts=16, gpus=1, hosts_per_domain=0, oversubscription=1.0, pods=1, core=None, radix=16, wiring="host"):
    """Hosts of `gpus` GPUs of 400 Gb/s behind leaves of `radix` ports, half of them down."""
    return FabricDescription(
        fabric=Hosts(name="small", hosts=hosts, gpus_per_host=gpus, gpu_gbps=400.0, wiring=wiring),
        leaf=Leaf(radix=radix, port_gbps=400.0, oversubscription=oversubscription),
        spine=Spine(radix=32, port_gbps=400.0, pods=pods),
        core=core,
        scale_up=ScaleUp(hosts_per_domain=hosts_per_domain, gpu_gbps=7200.0) if hosts_per_domain else None,
    )


def three_tiers():
    return build(
        FabricDescription(
            fabric=Hosts(name="deep", hosts=64, gpus_per_host=1, gpu_gbps=400.0, wiring="host"),
            leaf=Leaf(radix=8, port_gbps=400.0),
            spine=Spine(radix=8, port_gbps=400.0, pods=4),
            core=Core(radix=16, port_gbps=400.0),
        )
    )


def changed_cables(topology, keep=None, gbps=None):
    """The same fabric without some cables (`keep(tail, head, port)` is false) or with other speeds."""
    up = np.flatnonzero(np.arange(topology.n_links) < topology.link_reverse)
    names = topology.nodes.name
    ends = [(names[topology.link_tail[n]], names[topology.link_head[n]], int(topology.link_cable_index[n])) for n in up]
    chosen = np.array([keep is None or keep(*end) for end in ends])
    up, ends = up[chosen], [end for end, kept in zip(ends, chosen, strict=True) if kept]
    speeds = [
        float(topology.link_capacity_gbps[n]) if gbps is None else gbps(*end, float(topology.link_capacity_gbps[n]))
        for n, end in zip(up, ends, strict=True)
    ]
    ports = topology.link_tail_port[up], topology.link_head_port[up]
    cables = Cables(topology.link_tail[up], topology.link_head[up], *ports, np.array(speeds), np.array(speeds))
    return Topology.from_cables(topology.name, topology.nodes, cables)


def flows_job(topology, rows, placement=None):
    """Explicit flows (src, dst, bytes) between endpoints."""
    src, dst, size = zip(*rows, strict=True)
    schedule = Schedule((Phase(Flows(np.array(src), np.array(dst), np.array(size, np.float64))),))
    where = placement or Placement(np.arange(topology.n_endpoints, dtype=np.int32))
    return Traffic("flows", where.n_ranks, lambda domain, rail: schedule, placement=where)


def collective_job(collective, n_ranks, group=None, algorithm=None, size=2.0**30):
    return collective_traffic(collective, n_ranks, size, group, algorithm)


def routed(topology, job, routing, placement=None):
    where = placement or job.placement or packed(topology, job.n_ranks)
    return analyse(Scenario.of(topology, job, placement=where, routing=routing))


def judged(topology, job, routing, placement=None, seeds=None):
    """(verdict, analysis, bound)."""
    analysis = routed(topology, job, routing, placement)
    return loads_verdict(analysis, seeds), analysis, analysis.bound


def scattered_ranks(n, seed=0):
    return Placement(np.random.default_rng(seed).permutation(n).astype(np.int32))


def cause_of(verdict, kind):
    (cause,) = [cause for cause in verdict.causes if cause.kind == kind]
    return cause


def groups_of(n, size):
    return Groups.consecutive(n, size)


def shared_flows(topology, rows, routing, starts=None):
    """Flows (src, dst, bytes) between endpoints at max-min fair rates."""
    src, dst, size = (np.array(column) for column in zip(*rows, strict=True))
    start = None if starts is None else np.array(starts)
    return flow_times(topology, Flows(src, dst, size.astype(np.float64)), start, routing)
