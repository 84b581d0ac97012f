"""GUIDs of the nodes and ports that findings name, so that counters of others can be laid beside them."""

from collections.abc import Sequence
from dataclasses import replace

from fabric.formats.infiniband.subnet import ADAPTER, SubnetFabric
from fabric.studies.health_findings import Finding
from fabric.topology import Topology


def with_guids(findings: Sequence[Finding], topology: Topology, origin: SubnetFabric | None) -> tuple[Finding, ...]:
    """The findings, with the GUID of each switch and adapter port that they name, where the dump has it."""
    if origin is None or not any(finding.ends for finding in findings):
        return tuple(findings)
    of_node: dict[str, int] = {}
    of_port: dict[tuple[str, int | str | None], int] = {}
    for node in origin.subnet.nodes.values():
        number = origin.node_of_guid.get(node.guid, -1)
        if node.guid and number >= 0:
            name = topology.nodes.name[number]
            of_node[name] = node.guid
            if node.kind == ADAPTER:
                of_port.update({(name, port): guid for port, guid in node.port_guid.items()})

    def named(finding: Finding) -> Finding:
        ends = tuple(
            tuple(
                replace(end, guid=None if guid is None else f"0x{guid:016x}")
                for end in each
                for guid in [of_port.get((end.device, end.port), of_node.get(end.device))]
            )
            for each in finding.ends
        )
        return replace(finding, ends=ends)

    return tuple(map(named, findings))
