"""Small valid inputs of every form that railscope reads, and what reads them."""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import railscope as rs
from collectives.layout import ParallelLayout
from fabric.commands.study_file import read_study
from fabric.commands.study_points import points_of
from fabric.commands.values import axes, fraction, seconds
from fabric.formats.counters.registry import counter_formats
from fabric.formats.node_labels import read_node_labels
from fabric.formats.node_link import graphml_export, node_link_text
from fabric.formats.opening import OpenedFabric, open_fabric, open_lfts
from fabric.formats.registry import readable
from fabric.formats.slurm.hostlist import expand_hostlist
from fabric.formats.slurm.topology_conf import read_slurm_topology
from fabric.formats.taken_hosts import read_taken_hosts
from fabric.jobs.placement import read_placement
from fabric.routing.match_lfts import match_lfts
from fabric.studies.prices import parse_prices
from tests import ethernet_twins
from tests.fuzz import counter_seeds, nccl_seeds, record_seeds, workload_seeds
from traces.flows_csv import read_timed_flows_csv
from traces.msccl_xml import read_msccl
from traces.nccl_tests import read_nccl_tests
from traces.nccl_wiring import read_nccl_choices
from traces.nccl_xml import read_nccl_graph, read_nccl_topology
from traces.order import rounds
from traces.paths_csv import read_paths_csv
from traces.registry import read_trace, trace_formats

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = Path(__file__).parents[2] / "examples"
# Points of a damaged study that are listed: a million take minutes.
_MOST_POINTS = 500
_STUDY = b"""
[study]
sample = 5
metric = "over_bound"
[report]
title = "x"
[fabric]
name = "hgx-b200-64"
leaf.radix = 64
[traffic]
collective = "all-to-all"
size = "1MiB"
[vary.fabric]
fail = [[], ["spine:s00", "leaf:*"], "nic:*"]
oversubscription = { from = 1, to = 2, steps = 3 }
[vary.routing]
routing = ["ecmp", "dmodk"]
seed = { first = 3, count = 4, step = 2 }
[vary.traffic]
group = { from = 2, to = 32, steps = 3, scale = "log" }
[vary.placement]
placement = ["packed", "segmented"]
[placement]
segment = 2
[faults]
kind = "cable, spine"
count = 2
[[case]]
name = "a"
routing.queue-pairs = 2
[[case]]
name = "b"
placement.gpus = 32
"""


@dataclass(frozen=True)
class Form:
    """A form of input.

    Attributes
    ----------
    name : str
    seeds : tuple of bytes
        Valid inputs.
    read : callable
        Reads a file of that name and uses what it says.
    text : bool
        Whether the input is a text that is given to `read` itself.
    """

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[str], Any]
    text: bool = False


def _plain(name: str) -> bytes:
    path = DATA / name
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


@cache
def small() -> OpenedFabric:
    """A fabric of 64 endpoints that everything else refers to."""
    return open_fabric(str(DATA / "infiniband" / "ibnetdiscover.txt.gz"))


def _fabric(path: str) -> None:
    """Open a fabric, and send something across it."""
    given = open_fabric(path)
    topology = given.topology
    assert np.isfinite(topology.link_capacity_gbps).all()
    assert given.host_names() or not topology.n_endpoints
    io.BytesIO(graphml_export(given, Path("x.graphml")))
    node_link_text(topology)
    if topology.n_endpoints > 1:
        flows = rs.Flows(np.array([0]), np.array([topology.n_endpoints - 1]), np.array([1e9]))
        rs.link_loads(topology, flows, rs.packed(topology))


def _study(path: str) -> None:
    study = read_study(path)
    if (study.sample or study.n_combinations) <= _MOST_POINTS:
        points_of(study)


def _trace(path: str) -> None:
    """Read a trace, and put its operations into an order."""
    rounds(read_trace(path))


def _tables(path: str) -> None:
    match_lfts(open_lfts(path), small().topology, small().origin)


def _dumps() -> tuple[Form, ...]:
    from tests.fabric.formats.test_bad_dumps import db_csv, net_dump

    given = small()
    names = ("ibnetdiscover.txt", "ibnetdiscover-f.txt", "ibnetdiscover-g.txt", "ibnetdiscover-p.txt", "iblinkinfo.txt",
             "iblinkinfo-l.txt", "opensm-subnet.lst")  # fmt: skip
    made = {
        "net_dump": net_dump(given.topology, given.origin),
        "net_dump_ext": net_dump(given.topology, given.origin, ext=True),
        "db_csv": db_csv(given.origin),
    }
    return (
        *(Form(name, (_plain(f"infiniband/{name}.gz"),), _fabric) for name in names),
        *(Form(name, (text.encode(),), _fabric) for name, text in made.items()),
    )


def _ethernet() -> tuple[Form, ...]:
    cables = ethernet_twins.all_cables()
    tables = ("sonic_mgmt", "ndt", "netbox_import", "netbox_export")
    seeds = {
        "topology-dot": (ethernet_twins.dot(cables),),
        "cable-csv": tuple(getattr(ethernet_twins, name)(cables) for name in tables),
        "netq": (ethernet_twins.netq(cables),),
        "lldpctl": tuple(ethernet_twins.lldpctl(cables, json0)["p1-leaf1.json"] for json0 in (False, True)),
        "config-db": tuple(ethernet_twins.config_db(cables, flat)["p1-leaf1/config_db.json"] for flat in (False, True)),
    }
    job = ethernet_twins.job_cables()
    archives = tuple(
        ethernet_twins.archive(files) for files in (ethernet_twins.lldpctl(job), ethernet_twins.config_db(job))
    )
    return (
        *(Form(name, tuple(text.encode() for text in texts), _fabric) for name, texts in seeds.items()),
        Form("archive", archives, _fabric),
    )


_PRICES = (
    'currency = "EUR"\n[switch]\nleaf = 100\n"32x400" = 120.0\n[cable]\nhost = 3.0\n400 = 2.5\n[optics]\n400 = 5.0\n'
)
_TEXTS: tuple[tuple[str, tuple[str, ...], Callable[[str], Any]], ...] = (
    ("size", ("1GiB", "64M", "1048576", "1.5GB"), rs.parse_bytes),
    ("sizes", ("1MiB:16GiB", "1K,3M,5G"), rs.parse_sizes),
    ("time", ("5ms", "300us", "1.2s"), seconds),
    ("part", ("5%", "0.05"), fraction),
    ("vary", ("wiring=rail,host", "spine.count=1,2"), lambda text: axes([text])),
    ("hostlist", ("h00[00-15],gpu[1,3-5]-ib", "rack[1-2]node[01-10]"), expand_hostlist),
    ("parallel", ("tp=4,pp=2,ep=8", "tp=4,dp=16"), lambda text: ParallelLayout.parse(text, 64)),
    ("prices", (_PRICES,), lambda text: parse_prices(text, "prices.toml")),
)
_CONF = "SwitchName=leaf1 Nodes=hgx000[1-4] LinkSpeed=400\nSwitchName=leaf2 Nodes=hgx000[5-8]\nSwitchName=top Switches=leaf[1-2]\n"
_YAML = (
    "- topology: a\n  cluster_default: true\n  tree:\n    switches:\n      - switch: l1\n        nodes: hgx000[1-4]\n"
    "      - switch: top\n        children: l1\n- topology: b\n  block:\n    blocks:\n      - block: b1\n        nodes: h[1-8]\n"
)
_SHAPES = (
    "- topology: r\n  ring:\n    rings:\n      - ring: r1\n        nodes: h[1-8]\n- topology: t\n  cluster_default: true\n  torus3d:\n"
    "    toruses:\n      - name: t1\n        dims: {x: 2, y: 2, z: 2}\n        nodes: h[1-8]\n        placements:\n"
    "          - dims: [2, 2, 1]\n            anchor_spacing: [1, 1, 1]\n"
)
_GRAPH = (
    b'{"directed": false, "nodes": [{"id": "h0", "kind": "endpoint"}, {"id": "h1", "kind": "endpoint"}, {"id": "s", "kind": '
    b'"switch", "tier": 1}], "links": [{"source": "h0", "target": "s", "bandwidth": "400Gbps"}, {"source": "h1", "target": '
    b'"s", "bandwidth": "50 GB/s"}]}'
)


@cache
def forms() -> tuple[Form, ...]:
    """Every form; a format that is registered and has none here fails a test."""
    given = small()
    names = given.topology.endpoint_names
    flows = "# flows\nsrc,dst,bytes,start_s\n0,9,1GB,0\n1,9,1000000,0.5\n" + f"{names[2]},{names[3]},64MiB,1e-3\n"
    return (
        *_dumps(),
        Form("toml", tuple(path.read_bytes() for path in sorted(EXAMPLES.glob("*64*.toml"))), _fabric),
        Form("study.toml", ((EXAMPLES / "broken-cables.toml").read_bytes(), _STUDY), _study),
        Form("node-link", (_GRAPH, node_link_text(given.topology).encode()), _fabric),
        Form("simai", (_plain("topologies/Rail_Opti_SingleToR_64g_8gps_400Gbps_H100"),), _fabric),
        *_ethernet(),
        *(
            Form(f"tables {name}", (_plain(f"infiniband/{name}.gz"),), _tables)
            for name in ("opensm-lfts.dump", "dump_fts.txt", "opensm.fdbs", "ibroute_lid2.txt")
        ),
        Form("kineto", (_plain("twins/resnet_2rank_rank0.json.gz"),), read_trace),
        Form("nccl-log", nccl_seeds.LOGS, _trace),
        Form("nccl-choices", nccl_seeds.CHOICES, read_nccl_choices),
        Form("goal", nccl_seeds.GOAL, _trace),
        Form("msccl", nccl_seeds.MSCCL, read_msccl),
        Form("nccl-topology", nccl_seeds.TOPOLOGY, read_nccl_topology),
        Form("nccl-graph", nccl_seeds.GRAPH, read_nccl_graph),
        Form("nccl-tests", (_plain("twins/all_reduce_8gpu.txt"),), read_nccl_tests),
        Form("flows", (flows.encode(),), lambda path: read_timed_flows_csv(path, names)),
        Form("paths", (b"flow,tail,head,cable\n1,leaf0000,spine0000,0\n1,spine0000,leaf0001,1\n",), read_paths_csv),
        Form("placement", ("\n".join(names[:16]).encode() + b"\n17\n18 # comment\n",),
             lambda path: read_placement(path, given.topology)),
        Form("chakra", workload_seeds.CHAKRA, workload_seeds.ordered),
        Form("chakra-json", workload_seeds.CHAKRA_JSON, workload_seeds.ordered),
        Form("simai-workload", workload_seeds.SIMAI, workload_seeds.ordered),
        Form("aicb", workload_seeds.AICB, workload_seeds.ordered),
        Form("astra-sim", workload_seeds.ASTRA_SIM, workload_seeds.ordered),
        Form("simai-or-astra-sim", workload_seeds.UNNAMED, workload_seeds.ordered_simai),
        Form("flight-recorder", record_seeds.FLIGHT_RECORDER, workload_seeds.ordered),
        Form("nccl-inspector", record_seeds.INSPECTOR, workload_seeds.ordered),
        Form("pytorch-et", record_seeds.PYTORCH_ET, workload_seeds.ordered),
        *(
            Form(f"counters {name}", (seed,), lambda path: counter_seeds.suspected(given, path))
            for name, seed in counter_seeds.counter_seeds(given).items()
        ),
        Form("topology.conf", (_CONF.encode(),), read_slurm_topology),
        Form("topology.yaml", (_YAML.encode(), _SHAPES.encode()), read_slurm_topology),
        Form("labels.csv", (b"host,rack,pod\nhgx0001,r1,p1\nhgx0002,r2,p1\n",), read_node_labels),
        Form("taken.txt", (b"hgx000[1-4]\nhgx0005 taken # mine\nhgx0006 free\n",), read_taken_hosts),
        *(Form(name, tuple(seed.encode() for seed in seeds), read, text=True) for name, seeds, read in _TEXTS),
    )  # fmt: skip


def registered() -> set[str]:
    """Formats that railscope says it reads."""
    counters = {f"counters {one.name}" for one in counter_formats()}
    tables = {one.name for one in (*readable(), *readable("forwarding tables"))}
    return counters | tables | {one.name for one in trace_formats()}
