"""Runs the destination sweep over one layer of a fabric: demands in, bytes per link out."""

from collections.abc import Callable
from typing import Any

import numpy as np

from collectives.demand import AllToAll, FloatVector, Flows
from collectives.errors import InputError
from fabric._kernels.columns import FlowColumns, Int32Matrix
from fabric.cells import cells_of, starts_of, without_part
from fabric.network import Network
from fabric.placement import Placement
from fabric.routing import Adaptive, DModK, Ecmp
from fabric.shares import sum_of_shares
from fabric.topology import Topology


def load_flows(
    topology: Topology,
    network: Network,
    demand: Flows,
    placement: Placement,
    routing: Adaptive | Ecmp | DModK,
    between_domains: bool,
    n_threads: int | None,
    load: FloatVector,
) -> None:
    """Add the flows of one layer to `load` ((n_links,) float64)."""
    src, dst = placement.endpoint[demand.src], placement.endpoint[demand.dst]
    domain = topology.endpoint_domain
    same = (domain[src] >= 0) & (domain[src] == domain[dst])
    chosen = np.flatnonzero((same != between_domains) & (src != dst) & (demand.bytes > 0))
    if chosen.size == 0:
        return
    flow_class = network.endpoint_class[dst[chosen]]
    chosen = chosen[np.lexsort((src[chosen], dst[chosen], flow_class))]
    columns = FlowColumns(
        class_flow_start=starts_of(network.endpoint_class[dst[chosen]], network.n_classes),
        src=src[chosen],
        dst=dst[chosen],
        bytes=demand.bytes[chosen],
    )
    net, where = network.columns, (network.endpoint_class, network.endpoint_slot)
    unreachable = np.full((network.n_classes, 2), -1, np.int32)
    sweep: Callable[..., None]
    fixed: tuple[Any, ...]
    if isinstance(routing, Adaptive):
        from fabric._kernels.adaptive import sweep_flows as sweep

        fixed = (net, columns, *where)
    elif isinstance(routing, Ecmp):
        from fabric._kernels.single_path import ecmp_flows as sweep

        fixed = (net, columns, *where, routing.switch_seeds(network), routing.port_keys(network))
    else:
        from fabric._kernels.single_path import dmodk_flows as sweep

        fixed = (net, columns, *where, network.endpoint_index)

    def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
        sums = (np.zeros(network.n_trunks), np.zeros(network.n_slots), np.zeros(network.n_slots))
        sweep(*fixed, number, n_shares, *sums, unreachable)
        return sums

    trunk, up, down = sum_of_shares(share, network.n_classes, network.n_trunks + 2 * network.n_slots, n_threads)
    _refuse_unreachable(topology, unreachable)
    _spread(network, trunk, up, down, load)


def load_all_to_all(
    topology: Topology,
    network: Network,
    demand: AllToAll,
    placement: Placement,
    routing: Adaptive | Ecmp | DModK,
    between_domains: bool,
    n_threads: int | None,
    load: FloatVector,
) -> None:
    """Add the pairs of one layer to `load` ((n_links,) float64)."""
    members = cells_of(topology, network, demand, placement)
    cells, net, width = members.columns, network.columns, network.width
    n_cells = len(cells.cell_class)
    unreachable = np.full((network.n_classes, 2), -1, np.int32)
    own_share = np.zeros(len(net.slot_switch))
    cell_down = np.zeros((n_cells, width))
    share: Callable[[int, int], tuple[FloatVector, ...]]
    if isinstance(routing, Ecmp):
        from fabric._kernels.single_path import ecmp_all_to_all

        seeds, keys = routing.switch_seeds(network), routing.port_keys(network)

        def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
            sums = (np.zeros(network.n_trunks), np.zeros(network.n_slots), np.zeros(network.n_slots))
            ecmp_all_to_all(
                net, cells, between_domains, network.endpoint_slot, seeds, keys, number, n_shares, *sums, unreachable
            )
            return sums

        trunk, up, down = sum_of_shares(share, network.n_classes, network.n_trunks + 2 * network.n_slots, n_threads)
    elif isinstance(routing, DModK):
        from fabric._kernels.single_path import dmodk_all_to_all

        def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
            trunk, down = np.zeros(network.n_trunks), np.zeros(network.n_slots)
            cell_up = np.zeros((n_cells, width))
            dmodk_all_to_all(
                net, cells, between_domains, network.endpoint_slot, network.endpoint_index, number, n_shares,
                trunk, cell_up, down, own_share, unreachable,
            )  # fmt: skip
            return trunk, cell_up, down

        trunk, cell_up, down = sum_of_shares(
            share, network.n_classes, network.n_trunks + n_cells * width + network.n_slots, n_threads
        )
        up = members.to_slots(network, members.send, cell_up)
        own = members.own_bytes(network, own_share, between_domains)
        up, down = without_part(up, own), without_part(down, own)
    else:
        from fabric._kernels.adaptive import sweep_all_to_all

        def share(number: int, n_shares: int) -> tuple[FloatVector, ...]:
            trunk, cell_up = np.zeros(network.n_trunks), np.zeros((n_cells, width))
            sweep_all_to_all(
                net, cells, between_domains, number, n_shares, trunk, cell_up, cell_down, own_share, unreachable
            )
            return trunk, cell_up

        trunk, cell_up = sum_of_shares(share, network.n_classes, network.n_trunks + n_cells * width, n_threads)
        own = members.own_bytes(network, own_share, between_domains)
        up = without_part(members.to_slots(network, members.send, cell_up), own)
        down = without_part(members.to_slots(network, members.receive, cell_down), own)
    _refuse_unreachable(topology, unreachable)
    _spread(network, trunk, up, down, load)


def _refuse_unreachable(topology: Topology, unreachable: Int32Matrix) -> None:
    pairs = unreachable[unreachable[:, 0] >= 0]
    if pairs.size:
        src, dst = (topology.endpoint_names[endpoint] for endpoint in pairs[0])
        raise InputError(
            f"no path from {src} to {dst} in fabric {topology.name}: expected every pair with traffic joined"
        )


def _spread(network: Network, trunk: FloatVector, up: FloatVector, down: FloatVector, load: FloatVector) -> None:
    """Add trunk loads and the endpoints' loads by slot to the links."""
    load[network.trunk_link] += trunk
    load[network.up_link] += up[network.attachment_slot] * network.up_part
    load[network.down_link] += down[network.attachment_slot] * network.down_part
