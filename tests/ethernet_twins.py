"""One small Ethernet fabric of our own in every form that others write.

8 hosts of 4 rails x 2 planes (``eth1`` to ``eth8``); in each plane 4 leaves, one a rail, and 2 spines; a storage network
of 2 leaves, which each host is on with ``eth9``, and 2 storage servers; management ports on a switch of their own.
"""

import csv
import io
import json
import tarfile
from typing import Any

HOSTS, RAILS, PLANES, SPINES = 8, 4, 2, 2
Cable = tuple[str, str, str, str]


def job_cables() -> list[Cable]:
    """Device, port, device, port of the cables that a job uses: 64 of hosts, 16 between switches."""
    cables = []
    for plane in range(PLANES):
        for rail in range(RAILS):
            leaf = f"p{plane + 1}-leaf{rail + 1}"
            for host in range(HOSTS):
                port = f"eth{plane * RAILS + rail + 1}"
                cables.append((f"gpu{host + 1:02}", port, leaf, f"swp{host // 2 + 1}s{host % 2}"))
            for spine in range(SPINES):
                cables.append((leaf, f"swp{31 + spine}", f"p{plane + 1}-spine{spine + 1}", f"swp{rail + 1}"))
    return cables


def other_cables() -> list[Cable]:
    """Of storage."""
    cables = [(f"gpu{host + 1:02}", "eth9", f"st-leaf{host % 2 + 1}", f"swp{host + 1}") for host in range(HOSTS)]
    cables += [(f"nas{one}", f"eth{two}", f"st-leaf{two}", f"swp{20 + one}") for one in (1, 2) for two in (1, 2)]
    return [*cables, ("st-leaf1", "swp31", "st-leaf2", "swp31")]


def management_cables() -> list[Cable]:
    """Of `eth0` of switches, and of a host's controller."""
    leaves = [f"p{plane + 1}-leaf{rail + 1}" for plane in range(PLANES) for rail in range(RAILS)]
    return [*((leaf, "eth0", "oob1", f"swp{number + 1}") for number, leaf in enumerate(leaves)),
            ("gpu01", "bmc", "oob1", "swp40")]  # fmt: skip


def all_cables() -> list[Cable]:
    """All of them."""
    return [*job_cables(), *other_cables(), *management_cables()]


def dot(cables: list[Cable]) -> str:
    """``topology.dot``, with comments, attributes, and some names without quotes."""
    lines = [
        "/* our plan",
        ' * graph "no" { "x":"y" -- "z":"w" */',
        'graph "pod" {',
        "# of planes",
        'LLDP=""',
        "// and",
    ]
    lines += ['"p1-leaf1" [function="leaf" os="any"]', "gpu01 [function=host]"]
    for number, (device, port, peer, peer_port) in enumerate(cables):
        if number % 5 == 0:
            lines.append(f'{device}:{port} -- "{peer}":{peer_port} [LLDP="match_type=ifname", color=red];')
        else:
            lines.append(f'"{device}":"{port}"  --  "{peer}":"{peer_port}"')
    return "\n".join([*lines, "}", ""])


def _table(header: list[str], rows: list[list[str]], before: str = "") -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return before + text.getvalue()


def sonic_mgmt(cables: list[Cable]) -> str:
    """sonic-mgmt's links: Mb/s."""
    return _table(
        ["StartDevice", "StartPort", "EndDevice", "EndPort", "BandWidth"], [[*one, "200000"] for one in cables]
    )


def ndt(cables: list[Cable]) -> str:
    """UFM's NDT."""
    return _table(
        ["StartDevice", "StartPort", "EndDevice", "EndPort", "LinkType"], [[*one, "Data"] for one in cables], "#"
    )


def netbox_import(cables: list[Cable]) -> str:
    """What NetBox imports, and a cable of power."""
    ends = [f"side_{side}_{what}" for side in "ab" for what in ("device", "type", "name")]
    rows = [[a, "dcim.interface", p, b, "dcim.interface", q, "connected"] for a, p, b, q in cables]
    power = ["gpu01", "dcim.powerport", "psu1", "pdu1", "dcim.poweroutlet", "3", "connected"]
    return _table([*ends, "status"], [*rows, power])


def netbox_export(cables: list[Cable]) -> str:
    """What NetBox exports: its table's titles, in its order."""
    header = ["ID", "Label", "Device A", "Termination A", "Device B", "Termination B", "Status", "Type"]
    return _table(header, [[str(n), "", a, p, b, q, "Connected", "smf"] for n, (a, p, b, q) in enumerate(cables)])


def netq(cables: list[Cable]) -> str:
    """NetQ's topology: nodes by number, cables of a pair of nodes together."""
    names = sorted({name for one in cables for name in (one[0], one[2])})
    number = {name: f"node{n}" for n, name in enumerate(names)}
    inside = [
        {"id": number[name], "name": name, "device_type": "discovered_via_lldp" if "gpu" in name else "switch"}
        for name in names
        if not name.startswith("nas")
    ]
    inside += [{"id": number[name], "name": name, "device_type": "host"} for name in names if name.startswith("nas")]
    pairs: dict[tuple[str, str], list[Cable]] = {}
    for one in cables:
        pairs.setdefault((one[0], one[2]), []).append(one)
    links = [
        {
            "compounded_links": [
                {"interfaces": [{"interface": p, "node": number[a]}, {"interface": q, "node": number[b]}]}
                for a, p, b, q in same
            ],
            "interfaces": [{"node": number[one]}, {"node": number[other]}],
        }
        for (one, other), same in pairs.items()
    ]
    return json.dumps([{"links": links, "nodes": [{"compounded_nodes": inside, "id": "tier-1"}]}], indent=1)


def _ends(cables: list[Cable]) -> dict[str, list[tuple[str, str, str]]]:
    ends: dict[str, list[tuple[str, str, str]]] = {}
    for device, port, peer, peer_port in cables:
        ends.setdefault(device, []).append((port, peer, peer_port))
        ends.setdefault(peer, []).append((peer_port, device, port))
    return ends


def lldpctl(cables: list[Cable], json0: bool = False) -> dict[str, str]:
    """Output of each device; hosts tell a port by its MAC address and describe it, as lldpd does."""
    files = {}
    for device, rows in _ends(cables).items():
        entries: list[dict[str, Any]] = []
        for port, peer, peer_port in rows:
            host = peer.startswith(("gpu", "nas"))
            kind, value = ("mac", "02:00:00:00:00:01") if host else ("ifname", peer_port)
            about: dict[str, Any] = {
                "id": {"type": "mac", "value": "02:00:00:00:00:02"},
                "descr": "an operating system",
            }
            if json0:
                chassis: list[dict[str, Any]] = [
                    {key: [one if isinstance(one, dict) else {"value": one}] for key, one in about.items()}
                ]
                chassis[0]["name"] = [{"value": peer}]
                told = [{"id": [{"type": kind, "value": value}], "descr": [{"value": peer_port}]}]
                entries.append({"name": port, "via": "LLDP", "chassis": chassis, "port": told})
            else:
                told_one = {"id": {"type": kind, "value": value}, "descr": peer_port, "ttl": "120"}
                entries.append({port: {"via": "LLDP", "chassis": {peer: about}, "port": told_one}})
        whole = entries if json0 or len(entries) > 1 else entries[0]
        files[f"{device}.json"] = json.dumps({"lldp": [{"interface": whole}] if json0 else {"interface": whole}})
    return files


def config_db(cables: list[Cable], flat: bool = False) -> dict[str, str]:
    """``config_db.json`` of each switch, in a folder of its name; ports run at 100 Gb/s."""
    files = {}
    for device, rows in _ends(cables).items():
        if device.startswith(("gpu", "nas")):
            continue
        near = {port: {"name": peer, "port": peer_port} for port, peer, peer_port in rows}
        ports = {port: {"speed": "100000", "lanes": "1"} for port in near}
        if flat:
            tables: dict[str, object] = {f"DEVICE_NEIGHBOR|{port}": one for port, one in near.items()}
            tables |= {f"PORT|{port}": one for port, one in ports.items()}
        else:
            tables = {"DEVICE_NEIGHBOR": near, "PORT": ports}
            tables["DEVICE_METADATA"] = {"localhost": {"hostname": device, "type": "LeafRouter"}}
        files[f"{device}/config_db.json"] = json.dumps(tables)
    return files


def archive(files: dict[str, str]) -> bytes:
    """A tar archive of texts, the same for the same texts."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as made:
        for name, text in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            made.addfile(entry, io.BytesIO(text.encode()))
    return whole.getvalue()
