"""When flows end that share the fabric at max-min fair rates."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from collectives.demand import FloatVector, Flows
from collectives.errors import InputError
from fabric.formats.opening import OpenedFabric
from fabric.routing.flow_paths import RoutedFlows
from fabric.routing.given_paths import given_paths
from fabric.routing.paths import route_flows
from fabric.routing.policies import Adaptive, Routing
from fabric.scenario import FabricLike, opened_fabric
from fabric.timing.max_min import Completions, completions
from traces.flows_csv import read_timed_flows_csv
from traces.paths_csv import read_paths_csv


@dataclass(frozen=True, eq=False)
class FlowTimes:
    """Flows between endpoints, with their starts and ends.

    Attributes
    ----------
    fabric : OpenedFabric
    flows : Flows
        In endpoint numbers.
    start_s, finish_s : (F,) float64
    routing : Routing or None
        None where the paths were given.
    paths_source : str or None
        The file of the paths, where they were given.
    routed : RoutedFlows
        The parts of the flows, with their paths.
    parts : Completions
        When the parts end.
    """

    fabric: OpenedFabric
    flows: Flows
    start_s: FloatVector
    finish_s: FloatVector
    routing: Routing | None
    paths_source: str | None
    routed: RoutedFlows
    parts: Completions

    @cached_property
    def taken_s(self) -> FloatVector:
        """How long each flow takes, (F,) float64."""
        return self.finish_s - self.start_s

    @property
    def makespan_s(self) -> float:
        """When the last flow ends."""
        return float(self.finish_s.max(initial=0.0))

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the answer rests on, in words."""
        lines = [
            "rates are max-min fair at every moment; no latency, no protocol overhead",
            "single flows' times are not predictions: packet simulators differ by 7-19 % at the median",
        ]
        if self.parts.quantum_s:
            short = self.parts.largest_shortfall
            lines.append(f"quantum {self.parts.quantum_s:g} s: exact for sizes smaller by at most {short:.2%}")
        return (*self.fabric.assumptions, *lines)


def flow_times(
    fabric: FabricLike,
    flows: Flows,
    start_s: FloatVector | None = None,
    routing: Routing | None = None,
    paths: str | Path | None = None,
    quantum_s: float = 0.0,
) -> FlowTimes:
    """Share the fabric among flows.

    Parameters
    ----------
    fabric : OpenedFabric, FabricDescription, Topology or str
    flows : Flows
        Between endpoints.
    start_s : (F,) float64, optional
        Default 0.
    routing : Routing, optional
        Default `Adaptive`.
    paths : path, optional
        A CSV file of the flows' paths instead: ``flow,tail,head,cable``.
    quantum_s : float
        See `fabric.timing.max_min.completions`.

    Raises
    ------
    InputError
        If both `routing` and `paths` are given, a flow has no way, or a size, start or quantum is refused.
    """
    opened = opened_fabric(fabric)
    topology = opened.topology
    if paths is not None and routing is not None:
        raise InputError(f"{paths}: says the paths itself; expected no routing")
    begin = np.zeros(len(flows.src)) if start_s is None else np.asarray(start_s, np.float64)
    if begin.shape != flows.bytes.shape:
        raise InputError(f"start_s: expected {len(flows.src)} values, got {begin.size}")
    if paths is not None:
        routed = given_paths(topology, flows.src, flows.dst, read_paths_csv(paths), str(paths))
    else:
        routing = routing or Adaptive()
        routed = route_flows(topology, flows.src, flows.dst, routing)
    capacity = topology.link_capacity_gbps * (1e9 / 8)
    parts = completions(capacity, routed.paths, flows.bytes[routed.flow] * routed.part, begin[routed.flow], quantum_s)
    finish = begin.copy()
    np.maximum.at(finish, routed.flow, parts.finish_s)
    source = None if paths is None else str(paths)
    return FlowTimes(opened, flows, begin, finish, routing, source, routed, parts)


def flow_times_of_file(
    fabric: FabricLike,
    demand: str | Path,
    routing: Routing | None = None,
    paths: str | Path | None = None,
    quantum_s: float = 0.0,
) -> FlowTimes:
    """`flow_times` of a CSV file: ``src,dst,bytes`` and perhaps ``start_s``.

    Raises
    ------
    InputError
        As `flow_times`; names file, line and column.
    """
    opened = opened_fabric(fabric)
    flows, start = read_timed_flows_csv(demand, opened.topology.endpoint_names)
    return flow_times(opened, flows, start, routing, paths, quantum_s)
