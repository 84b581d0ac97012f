"""Counters as tools write them, made from bytes that links carry: the truth is known."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fabric.formats.opening import OpenedFabric
from fabric.topology import NVLINK

IB = Path(__file__).parents[1] / "data" / "infiniband"
BASE_WORDS = 10**9
TIME_S = 1_750_000_000.0


@dataclass
class Port:
    """A port that counts, in words of 4 bytes."""

    node_guid: int
    port_guid: int
    lid: int
    name: str
    port: int
    switch: bool
    xmit: int
    rcv: int
    wait: int = 0
    errors: dict[str, int] = field(default_factory=dict)


def ports_of(fabric: OpenedFabric, carried, seed=0, wait=None, symbol_errors=None) -> list[Port]:
    """The port of every link, with what it counted since a reset of its own; `carried` in words, None: the start."""
    topology = fabric.topology
    assert fabric.origin is not None
    by_name = {node.name: node for node in fabric.origin.subnet.nodes.values()}
    base = np.random.default_rng(seed).integers(0, BASE_WORDS, (2, topology.n_links))
    ports = []
    for link in np.flatnonzero(topology.link_kind != NVLINK).tolist():
        name, number = topology.nodes.name[topology.link_tail[link]], int(topology.link_tail_port[link])
        node = by_name[name]
        switch = node.kind == "switch"
        back = int(topology.link_reverse[link])
        sent, got = (0, 0) if carried is None else (int(carried[link]), int(carried[back]))
        ports.append(
            Port(
                node.guid if switch else node.node_guid or node.guid,
                node.guid if switch else node.port_guid[number],
                node.lid[0 if switch else number][0],
                name,
                number,
                switch,
                int(base[0, link]) + sent,
                int(base[1, link]) + got,
                0 if wait is None or carried is None else int(wait[link]),
                {} if symbol_errors is None or carried is None else {"SymbolErrorCounter": int(symbol_errors[link])},
            )
        )
    return ports


def perfquery(ports) -> str:
    """``perfquery -x``, one behind the other."""
    return "".join(
        f"# Port extended counters: Lid {p.lid} port {p.port} (CapMask: 0x5300 CapMask2: 0x0000002)\n"
        f"PortSelect:......................{p.port}\nCounterSelect:...................0x0000\n"
        f"PortXmitData:....................{p.xmit}\nPortRcvData:.....................{p.rcv}\n"
        f"PortXmitPkts:....................{p.xmit // 512}\n"
        + "".join(f"{name}:..............{number}\n" for name, number in p.errors.items())
        + f"PortXmitWait:....................{p.wait}\n"
        for p in ports
    )


def db_csv(ports, section="PM_INFO") -> str:
    """ibdiagnet's ``db_csv``: a header that begins with a blank, counters that are not there."""
    names = {p.node_guid: p.name for p in ports}
    rows = "\n".join(
        f"0x{p.node_guid:016x},0x{p.port_guid:016x},{p.port},0,{p.errors.get('SymbolErrorCounter', 0)},-1,{p.wait},"
        f"4294967295,4294967295,{p.xmit},{p.rcv},N/A"
        for p in ports
    )
    nodes = "\n".join(f'"{name}",64,2,0x{guid:016x}' for guid, name in names.items())
    return (
        '# Running version   : "IBDIAGNET 2.9.0"\n\n'
        f"START_NODES\nNodeDesc,NumPorts,NodeType,NodeGUID\n{nodes}\nEND_NODES\n\n"
        f"START_{section}\n NodeGUID,PortGUID,PortNumber,LinkDownedCounter,SymbolErrorCounter,PortRcvErrors,PortXmitWait,"
        f"PortXmitData,PortRcvData,PortXmitDataExtended,PortRcvDataExtended,max_retransmission_rate\n{rows}\n"
        f"END_{section}\n\nSTART_SWITCHES\nNodeGUID,X\nEND_SWITCHES\n"
    )


def pm(ports) -> str:
    """ibdiagnet's ``.pm``."""
    return "".join(
        "-------------------------------------------------------\n"
        f"Port={p.port} Lid=0x{p.lid:04x} GUID=0x{p.node_guid:016x} Device=54002 Port Name={p.name}/P{p.port}\n"
        "-------------------------------------------------------\nlink_down_counter=0x00\n"
        f"symbol_error_counter={p.errors.get('SymbolErrorCounter', 0)}\nport_xmit_wait=0x{p.wait:08x}\n"
        f"port_xmit_data=0xffffffff\nport_xmit_data_extended=0x{p.xmit:016x}\nport_rcv_data_extended=0x{p.rcv:016x}\n"
        for p in ports
    )


def ibqueryerrors(ports) -> str:
    """``ibqueryerrors --data --counters``."""
    lines, head = [], ""
    for p in ports:
        if (new := f'Data Counters for 0x{p.node_guid:x} "{p.name}"') != head:
            lines.append(head := new)
            if p.switch:
                lines.append(f"   GUID 0x{p.node_guid:x} port ALL: [SymbolErrorCounter == 12] [PortXmitWait == 9]")
        lines.append(
            f"   GUID 0x{p.node_guid:x} port {p.port}: [PortXmitData == {p.xmit} (1.234GB)] [PortRcvData == {p.rcv} "
            f"(  infPB)] [PortXmitPkts == 54122 (54.122K)] [PortXmitWait == {p.wait}]"
        )
        lines.append(
            '       Link info:    122   1[  ] ==( 4X          10.0 Gbps Active/  LinkUp)==>  0x0002 2 34[  ] "x" ( )'
        )
    return "\n".join([*lines, "", "## Summary: 3 nodes checked, 0 bad nodes found", ""])


def treydock(ports) -> str:
    """treydock's exporter, in bytes; without the suffix of switches for adapters."""
    lines = ["# HELP infiniband_switch_port_transmit_data_bytes_total Infiniband switch port PortXmitData"]
    for name, value in (("transmit_data_bytes", lambda p: 4 * p.xmit), ("receive_data_bytes", lambda p: 4 * p.rcv)):
        for p in ports:
            kind = "switch" if p.switch else "hca"
            lines.append(
                f'infiniband_{kind}_port_{name}_total{{guid="0x{p.node_guid:016x}",port="{p.port}"}} {value(p)}'
            )
    uplink = 'uplink="leaf1",uplink_guid="0x1",uplink_lid="1",uplink_port="2",uplink_type="SW"'
    return "\n".join([*lines, f'infiniband_switch_uplink_info{{guid="0x1",port="35",switch="s",{uplink}}} 1', ""])


def guilbaults(ports) -> str:
    """guilbaults' exporter, in words."""
    return "".join(
        f'infiniband_port{way}data_total{{local_guid="0x{p.node_guid:x}",local_name="{p.name}",local_port="{p.port}",'
        f'remote_guid="0x1",remote_name="other",remote_port="9"}} {getattr(p, way)}\n'
        for p in ports
        for way in ("xmit", "rcv")
    )


def own_metric(ports) -> str:
    """A metric of nobody else."""
    return "".join(
        f'site_fabric_{way}{{fabric="a",where="{p.name}:x",g="{p.port_guid:016x}",plug="{p.port}"}} {getattr(p, way)}\n'
        for p in ports
        for way in ("xmit", "rcv")
    )


def vector(ports, time_s=TIME_S) -> str:
    """The answer of an instant query."""
    result = [
        {"metric": {"__name__": f"infiniband_port{way}data_total", "local_guid": hex(p.node_guid), "local_port": str(p.port)},
         "value": [time_s, str(getattr(p, way))]}
        for p in ports
        for way in ("xmit", "rcv")
    ]  # fmt: skip
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


def matrix(readings, step_s=30.0) -> str:
    """The answer of a range query, of several readings."""
    result = [
        {"metric": {"__name__": f"infiniband_port{way}data_total", "local_guid": hex(p.node_guid), "local_port": str(p.port)},
         "values": [[TIME_S + step_s * n, str(getattr(reading[place], way))] for n, reading in enumerate(readings)]}
        for place, p in enumerate(readings[0])
        for way in ("xmit", "rcv")
    ]  # fmt: skip
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def ufm_csv(ports, time_s=TIME_S) -> str:
    """UFM's telemetry."""
    head = "timestamp,source_id,tag,Node_GUID,port_guid,Port_Number,PortXmitDataExtended,PortRcvDataExtended,hist0\n"
    return head + "".join(
        f"{int(time_s * 1e6)},0x{p.node_guid:016x},,0x{p.node_guid:016x},0x{p.port_guid:016x},{p.port},{p.xmit},{p.rcv},\n"
        for p in ports
    )


def ufm_json(ports, time_s=TIME_S) -> str:
    """UFM's small telemetry: bytes, whatever the name says."""
    values = [
        {"timestamp": int(time_s * 1e6), "node_guid": f"0x{p.node_guid:016x}", "port_guid": f"0x{p.port_guid:016x}",
         "port_num": p.port, "Infiniband_MBOut_u_Gb": 4 * p.xmit, "Infiniband_MBIn_u_Gb": 4 * p.rcv,
         "Infiniband_CBW_f_u_Gbps": 0.5}
        for p in ports
    ]  # fmt: skip
    return json.dumps({"timestamp": "2024-03-05 16:26:11", "type": "full", "values": values})


def otlp(ports, time_s=TIME_S) -> str:
    """NVUE's export: a switch's interfaces by name, a metric a line."""
    lines = []
    for p in ports:
        attributes = [{"key": "interface", "value": {"stringValue": f"swp{p.port}"}}]
        for way, octets in (("out", p.xmit), ("in", p.rcv)):
            point = {"attributes": attributes, "timeUnixNano": str(int(time_s * 1e9)), "asDouble": 4 * octets}
            metric = {"name": f"nvswitch_interface_if_{way}_octets", "gauge": {"dataPoints": [point]}}
            host = {"attributes": [{"key": "net.host.name", "value": {"stringValue": p.name}}]}
            lines.append(json.dumps({"resourceMetrics": [{"resource": host, "scopeMetrics": [{"metrics": [metric]}]}]}))
    return "\n".join(lines)


def sonic(ports) -> str:
    """``sonic-db-dump -n COUNTERS_DB`` of one switch."""
    database: dict[str, object] = {
        f"COUNTERS:oid:0x10000000{p.port:05x}": {
            "value": {"SAI_PORT_STAT_IF_OUT_OCTETS": str(4 * p.xmit), "SAI_PORT_STAT_IF_IN_OCTETS": str(4 * p.rcv),
                      "SAI_PORT_STAT_IF_IN_UCAST_PKTS": "7"}
        }
        for p in ports
    }  # fmt: skip
    names = {f"Ethernet{p.port}": f"oid:0x10000000{p.port:05x}" for p in ports}
    return json.dumps({"COUNTERS_PORT_NAME_MAP": {"expireat": 1.0, "type": "hash", "value": names}, **database})


def node_exporter(ports, host_of) -> str:
    """Prometheus' node_exporter on each host; `host_of` gives host and device of a port."""
    lines = []
    for p in ports:
        if not p.switch:
            host, device = host_of(p)
            labels = f'{{instance="{host}.site.example:9100",device="{device}",port="1"}}'
            lines.append(f"node_infiniband_port_data_transmitted_bytes_total{labels} {4 * p.xmit:.17g}")
            lines.append(f"node_infiniband_port_data_received_bytes_total{labels} {4 * p.rcv:.17g}")
            lines.append(f"node_infiniband_legacy_data_transmitted_bytes_total{labels} 12")
    return "\n".join(lines) + "\n"
