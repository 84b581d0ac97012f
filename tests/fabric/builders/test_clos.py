"""Clos builders against published tables, and properties of what they build."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import InputError
from fabric.builders import build, fat_tree, preset_names, read_preset
from fabric.builders.clos import shape_of
from fabric.builders.description import Core, FabricDescription, Hosts, Leaf, ScaleUp, Spine, parse_description
from fabric.topology import ISL, NIC, NVLINK, SWITCH


def rail_fabric(hosts, radix, gbps, down=None, planes=1, gpus=8, pods=1, core=False, **leaf):
    return FabricDescription(
        fabric=Hosts(name="table", hosts=hosts, gpus_per_host=gpus, gpu_gbps=gbps * planes, planes=planes),
        leaf=Leaf(radix=radix, port_gbps=gbps, down_ports=down, **leaf),
        spine=Spine(radix=radix, port_gbps=gbps, pods=pods),
        core=Core(radix=radix, port_gbps=gbps) if core else None,
    )


def counts(topology):
    """Leaves, spines, cores, node-leaf and switch-switch cables of a built fabric."""
    nodes, kind = topology.nodes, topology.link_kind
    switches = tuple(int(np.sum((nodes.kind == SWITCH) & (nodes.tier == tier))) for tier in (1, 2, 3))
    isls = tuple(int(np.sum((kind == ISL) & (topology.link_tier == tier)) // 2) for tier in (2, 3))
    return switches, int(np.sum(kind == NIC) // 2), isls


@pytest.mark.parametrize(
    ("hosts", "leaves", "spines"),
    # DGX SuperPOD reference architecture, B300 with XDR: 144-port switches, 72 nodes a unit.
    # The last row's GPUs are printed as 9,216; 1,296 x 8 = 10,368 = 144^2 / 2.
    [(72, 8, 4), (144, 16, 8), (288, 32, 18), (576, 64, 36), (1296, 144, 72)],
)
def test_dgx_b300_xdr(hosts, leaves, spines):
    topology = build(rail_fabric(hosts, 144, 800.0))
    assert counts(topology) == ((leaves, spines, 0), 8 * hosts, (8 * hosts, 0))
    assert topology.n_endpoints == 8 * hosts


@pytest.mark.parametrize(("hosts", "leaves", "spines"), [(32, 8, 4), (64, 16, 8), (96, 24, 16), (128, 32, 16)])
def test_dgx_h100(hosts, leaves, spines):
    """DGX SuperPOD H100, units of 32 nodes (one slot of the last goes to the fabric manager), 64-port switches."""
    assert counts(build(rail_fabric(hosts, 64, 400.0))) == ((leaves, spines, 0), 8 * hosts, (8 * hosts, 0))


@pytest.mark.parametrize(
    ("hosts", "pods", "leaves", "spines", "cores"),
    [
        (64, 1, 16, 8, 0),
        (128, 1, 32, 16, 0),
        (256, 1, 64, 32, 0),
        (512, 4, 128, 128, 64),
        (1024, 8, 256, 256, 128),
        (2048, 16, 512, 512, 256),
    ],
)
def test_dgx_b200(hosts, pods, leaves, spines, cores):
    """DGX SuperPOD B200: two tiers up to 64^2 / 2 endpoints, then three."""
    topology = build(rail_fabric(hosts, 64, 400.0, pods=pods, core=pods > 1))
    assert counts(topology) == ((leaves, spines, cores), 8 * hosts, (8 * hosts, 8 * hosts if cores else 0))


@pytest.mark.parametrize(
    ("hosts", "leaves", "spines"), [(64, 16, 8), (128, 32, 16), (256, 64, 32), (512, 128, 64), (1024, 256, 128)]
)
def test_dgx_b300_spectrum_x(hosts, leaves, spines):
    """Twin-plane: both planes' switches; a cable of the table carries 2 x 400G, one in each plane here."""
    topology = build(rail_fabric(hosts, 128, 400.0, planes=2))
    assert counts(topology) == ((leaves, spines, 0), 2 * 8 * hosts, (2 * 8 * hosts, 0))


def test_hgx_b300_enterprise():
    """32 nodes: 4 leaves a plane with two rails each (1+5, 2+6, ...), 8 + 4 switches, 32 uplinks a leaf-spine pair."""
    shape = shape_of(rail_fabric(32, 128, 400.0, planes=2, rails_per_leaf=2))
    assert (shape.total_leaves, shape.total_spines, shape.leaf_cables) == (8, 4, 32)


def test_two_and_three_tier_fat_trees():
    """DeepSeek ISCA'25 table 3, 64-port switches: 2,048 endpoints and 96 switches; 65,536, 5,120 and 131,072 links."""
    shape = shape_of(rail_fabric(2048, 64, 400.0, gpus=1))
    assert (shape.endpoints, shape.total_leaves + shape.total_spines, shape.leaf_spine_cables) == (2048, 96, 2048)
    shape = shape_of(fat_tree(64))
    assert (shape.endpoints, shape.total_leaves + shape.total_spines + shape.total_cores) == (65536, 5120)
    assert shape.leaf_spine_cables + shape.spine_core_cables == 131072


# Endpoints, leaves, spines, cores, cables to hosts, between leaves and spines, and above, of all planes; published counts
# where the design has them, and the sources say where they are assumed.
PRESETS = {
    # "96 switches" for 2,048 endpoints behind 64 ports (row 1.17): 8 networks of 8 leaves and 4 spines.
    "deepseek-h800-2048": (2048, 64, 32, 0, 2048, 2048, 0),
    # 1,440 hosts x 4 GPUs = 5,760 = 180 leaves x 32 (assumed); 9 pods of 20 leaves and 32 spines.
    "gb200-5120": (5760, 180, 288, 128, 5760, 5760, 5760),
    "gb300-2048": (2304, 128, 36, 0, 9216, 9216, 0),
    "gb300-4096": (4608, 256, 72, 0, 18432, 18432, 0),
    "gb300-8192": (9216, 512, 144, 0, 36864, 36864, 0),
    # One unit of a SuperPOD, in which 8 of 32 places are taken.
    "hgx-b200-64": (64, 8, 4, 0, 64, 256, 0),
    # 16 ToRs in each of 15 segments, 60 aggregation switches a plane, 14,400 cables between them (row 1.18).
    "hpn7-15360": (15360, 240, 120, 0, 30720, 14400, 0),
    # 8 pods of 192 racks (row 1.21).
    "meta-24576": (24576, 1536, 128, 64, 24576, 24576, 3584),
    "mi300x-64": (64, 8, 4, 0, 64, 64, 0),
    "mi355x-64": (64, 8, 4, 0, 64, 64, 0),
    # 8 planes of 512 leaves and 256 spines, R^2 / 2 endpoints of 512 ports (row 1.23).
    "mrc-131072": (131072, 8 * 512, 8 * 256, 0, 8 * 131072, 8 * 131072, 0),
    "rail-only-1024": (1024, 8, 0, 0, 1024, 0, 0),
    # The same in 4 planes (row 1.24).
    "spectrum-x-131072": (131072, 4 * 512, 4 * 256, 0, 4 * 131072, 4 * 131072, 0),
    # Row 1.2.
    "superpod-b200-2048": (2048, 64, 32, 0, 2048, 2048, 0),
    "superpod-b200-8192": (8192, 256, 256, 128, 8192, 8192, 8192),
    # Row 1.3; a cable of the table is one in each plane.
    "superpod-b300-4096": (4096, 128, 64, 0, 2 * 4096, 2 * 4096, 0),
    # Row 1.5.
    "superpod-b300-xdr-2304": (2304, 32, 18, 0, 2304, 2304, 0),
    # Row 1.7: 128 leaves x 72 up = 9,216 = 72 spines x 128 ports.
    "superpod-gb300-9216": (9216, 128, 72, 0, 9216, 9216, 0),
    # Row 1.1; 4 of the table's 1,020 node cables are the fabric manager's.
    "superpod-h100-1016": (1016, 32, 16, 0, 1016, 1024, 0),
}
# Those with a million cables are built and counted once.
SMALL = sorted(name for name, (endpoints, *_) in PRESETS.items() if endpoints < 100_000)
# Whole hosts on a leaf of one rail's network would reach no other leaf.
RAILS_APART = {"deepseek-h800-2048", "rail-only-1024"}


def test_presets_have_their_published_counts():
    assert set(PRESETS) == set(preset_names())
    for name, expected in PRESETS.items():
        topology = build(read_preset(name))
        switches, host_cables, isls = counts(topology)
        assert (topology.n_endpoints, *switches, host_cables, *isls) == expected, name


@pytest.mark.parametrize("name", preset_names())
def test_presets_say_what_they_are(name):
    description = read_preset(name)
    gpus = int(name.split("-")[-1])
    assert description.job.gpus == gpus
    assert description.scale_up is not None
    domains = description.fabric.hosts // description.scale_up.hosts_per_domain
    per_domain = description.job.gpus_per_domain or gpus // domains
    assert domains * per_domain == gpus
    assert description.fabric.assumptions
    assert len(description.fabric.description) <= 70


def test_what_a_network_architect_asks_of_the_racks():
    """128 racks in two tiers need 256 ports of 200 Gb/s, leaves use 56 % of theirs, spines are shared: said with each."""
    shape = shape_of(read_preset("gb300-8192"))
    assert (shape.down_ports + shape.uplinks) / 256 == pytest.approx(0.5625)
    assert shape.spine_down == 256
    notes = " ".join(read_preset("gb300-8192").fabric.assumptions)
    for said in ("256 ports of 200 Gb/s", "(56 %)", "spines serve all rails", "superpod-gb300-9216"):
        assert said in notes


def test_hosts_without_spines_fit_on_one_leaf_of_each_rail():
    description = read_preset("rail-only-1024")
    topology = build(description)
    assert not (topology.link_kind == ISL).any()
    more = description.model_copy(update={"fabric": description.fabric.model_copy(update={"hosts": 129})})
    with pytest.raises(InputError, match=r"spine.count: no spines join 2 groups of leaves"):
        build(more)


@pytest.mark.parametrize("name", sorted(set(SMALL) - RAILS_APART))
def test_naive_and_rail_aware_have_the_same_parts(name):
    description = read_preset(name)
    rail, host = (build(description.with_wiring(wiring)) for wiring in ("rail", "host"))
    assert counts(rail) == counts(host)
    # 127 hosts leave a place free, on one leaf of each rail or on one leaf of whole hosts.
    if description.fabric.hosts % (description.leaf.n_down // description.leaf.rails_per_leaf) == 0:
        assert sorted(np.diff(rail.out_start)) == sorted(np.diff(host.out_start))
    for topology, by_rail in ((rail, True), (host, False)):
        up = (topology.link_kind == NIC) & (topology.nodes.tier[topology.link_head] == 1)
        leaf, endpoint = topology.link_head[up], topology.link_tail[up]
        rails = topology.nodes.rail[endpoint]
        hosts = topology.nodes.host[endpoint]
        for switch in np.unique(leaf):
            n_rails = np.unique(rails[leaf == switch]).size
            if by_rail:
                assert n_rails == description.leaf.rails_per_leaf
            else:
                ports = np.unique(hosts[leaf == switch], return_counts=True)[1]
                assert set(ports) == {description.fabric.gpus_per_host}


@st.composite
def descriptions(draw):
    rails = draw(st.sampled_from([1, 2, 4]))
    per_leaf = draw(st.sampled_from([n for n in (1, 2) if rails % n == 0]))
    gpus = rails * draw(st.integers(1, 2))
    down = gpus * draw(st.integers(1, 3))
    pods = draw(st.integers(1, 3))
    planes = draw(st.integers(1, 2))
    on_leaf = gpus // (rails // per_leaf)
    groups = pods * draw(st.integers(1, 2))
    hosts = groups * (down // on_leaf) - draw(st.integers(0, down // on_leaf - 1))
    return FabricDescription(
        fabric=Hosts(
            name="drawn",
            hosts=hosts,
            gpus_per_host=gpus,
            rails=rails,
            planes=planes,
            gpu_gbps=100.0 * planes,
            wiring=draw(st.sampled_from(["rail", "host"])),
            spines=draw(st.sampled_from(["shared", "per-rail"])),
        ),
        leaf=Leaf(radix=512, port_gbps=100.0, down_ports=down, rails_per_leaf=per_leaf),
        spine=Spine(radix=draw(st.sampled_from([64, 512])), port_gbps=100.0, pods=pods),
        core=Core(radix=512, port_gbps=100.0) if pods > 1 else None,
        scale_up=ScaleUp(hosts_per_domain=draw(st.integers(1, 3)), gpu_gbps=900.0) if draw(st.booleans()) else None,
    )


@settings(deadline=None, max_examples=80)
@given(descriptions())
def test_whatever_is_built_respects_ports(description):
    topology, shape = build(description), shape_of(description)
    twin = build(description.with_wiring("host" if description.fabric.wiring == "rail" else "rail"))
    assert counts(topology) == counts(twin)
    degree, tier = np.diff(topology.out_start), topology.nodes.tier
    switch = topology.nodes.kind == SWITCH
    for level, table in ((1, description.leaf), (2, description.spine), (3, description.core)):
        if table is not None and np.any(switch & (tier == level)):
            assert degree[switch & (tier == level)].max() <= table.radix
    up = topology.link_kind == ISL
    leaf_up = np.bincount(topology.link_tail[up & (topology.link_tier == 2)], minlength=topology.n_nodes)
    assert set(leaf_up[switch & (tier == 1)]) == {shape.uplinks}
    # Port numbers are used once at each node.
    ports = np.stack([topology.link_tail, topology.link_tail_port])
    assert np.unique(ports, axis=1).shape[1] == topology.n_links
    assert topology.link_tail_port.min() == 1
    endpoint = degree[topology.endpoints]
    assert set(endpoint) == {shape.planes + (description.scale_up is not None)}
    assert len(set(topology.nodes.name)) == topology.n_nodes


TOML = """
[fabric]
name = "t"
hosts = 8
gpus_per_host = 4
gpu_gbps = 400.0
[leaf]
radix = 16
port_gbps = 400.0
[spine]
radix = 16
port_gbps = 400.0
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("hosts = 8", "hosts = 0"), "x.toml: fabric.hosts: expected an integer >= 1, got 0"),
        (("hosts = 8", 'hosts = "8"'), "x.toml: fabric.hosts: expected an integer >= 1, got '8'"),
        (("hosts = 8", ""), "x.toml: fabric.hosts: missing; expected an integer >= 1"),
        (("hosts = 8", "hots = 8"), "x.toml: fabric.hots: unknown key; did you mean hosts"),
        (("gpu_gbps = 400.0", "gpu_gbps = nan"), "x.toml: fabric.gpu_gbps: expected a finite number > 0, got nan"),
        (("gpu_gbps = 400.0", "gpu_gbps = -1.0"), "x.toml: fabric.gpu_gbps: expected a finite number > 0, got -1.0"),
        (("[leaf]", '[leaf]\nwiring = "rail"'), "x.toml: leaf.wiring: unknown key"),
        (
            ("gpus_per_host = 4", 'gpus_per_host = 4\nwiring = "top"'),
            "fabric.wiring: 'top' is not known; expected one of rail, host",
        ),
        (("hosts = 8", 'hosts = 8\nwiring = "Rails"'), "fabric.wiring: 'Rails' is not known; did you mean rail?"),
        (
            ("hosts = 8", 'hosts = 8\ntechnology = "InfinBand"'),
            "x.toml: fabric.technology: 'InfinBand' is not known; did you mean infiniband?",
        ),
        (
            ("hosts = 8", 'hosts = 8\ntechnology = "token ring"'),
            "fabric.technology: 'token ring' is not known; expected one of infiniband, spectrum-x",
        ),
        (("hosts = 8", "hosts = 8\nwiring = 1"), "fabric.wiring: expected one of rail, host, got 1"),
        (
            ("hosts = 8", 'hosts = 8\nassumptions = ["a", 3]'),
            r"fabric.assumptions\[1\]: expected a text in quotes, got 3",
        ),
        (("hosts = 8", "hosts = 8\nassumptions = 3"), "fabric.assumptions: expected a list, each element a text in"),
        (('name = "t"', 'name = ""'), "fabric.name: expected a text in quotes that is not empty, got ''"),
        (
            ("[leaf]", "[time]\nwire_efficiency = 1.5\n[leaf]"),
            "time.wire_efficiency: expected a number > 0 and <= 1, got 1.5",
        ),
        (("[leaf]", "core = 3\n[leaf]"), "fabric.core: unknown key; expected one of name, "),
        (('[fabric]\nname = "t"', 'core = 3\n[fabric]\nname = "t"'), "x.toml: core: expected a table, got 3"),
        (("[leaf]\nradix = 16\nport_gbps = 400.0\n", ""), "x.toml: leaf: missing; expected a table"),
        (("[fabric]", "[fabric"), "x.toml: not TOML: .*line 2"),
        (("[spine]", "[spines]"), "x.toml: spines: unknown key; did you mean spine"),
        (
            ("gpus_per_host = 4", "gpus_per_host = 4\nrails = 3"),
            "t: fabric.rails: 3 rails do not divide 4 GPUs per host",
        ),
        (("radix = 16", "radix = 16\ndown_ports = 12"), "t: leaf.radix: 12 ports down . 12 up = 24, the switch has 16"),
        (("radix = 16", "radix = 16\noversubscription = 3.0"), "8 ports x 400 Gb/s / .3 x 400 Gb/s. = 2.66667"),
        (("gpu_gbps = 400.0", "gpu_gbps = 800.0"), "t: leaf.port_gbps: 800 Gb/s per GPU / 1 planes = 800 Gb/s"),
        (("hosts = 8", "hosts = 800"), "t: spine.radix: 400 leaves x 1 cables = 400 ports down, the switch has 16"),
        (("[spine]\n", "[spine]\npods = 2\n"), "t: spine.pods: 2 pods do not divide 1 groups of leaves"),
        (("[spine]\n", "[spine]\ncount = 3\n"), "t: spine.count: 3 spines do not divide 8 uplinks"),
    ],
)
def test_refuses_in_one_line(change, message):
    before, after = change
    with pytest.raises(InputError, match=message) as refusal:
        build(parse_description(TOML.replace(before, after, 1), "x.toml"))
    assert "\n" not in str(refusal.value)


def test_unknown_preset_is_told_the_nearest():
    with pytest.raises(InputError, match="gb300-8129: neither a preset nor a file; did you mean gb300-8192"):
        read_preset("gb300-8129")


def test_nvlink_domains_join_whole_hosts():
    topology = build(read_preset("gb300-2048"))
    domain, host = topology.endpoint_domain, topology.endpoint_host
    np.testing.assert_array_equal(domain, host // 18)
    assert set(topology.link_capacity_gbps[topology.link_kind == NVLINK]) == {7200.0}
    assert topology.link_name(0).startswith("h0000g0 port 1 -> p0-r0-l00 port 1")


def test_choices_may_be_written_in_any_case():
    shouted = TOML.replace("hosts = 8", 'hosts = 8\ntechnology = "InfiniBand"\nwiring = "HOST"\nspines = "Per-Rail"')
    fabric = parse_description(shouted, "x.toml").fabric
    assert (fabric.technology, fabric.wiring, fabric.spines) == ("infiniband", "host", "per-rail")
