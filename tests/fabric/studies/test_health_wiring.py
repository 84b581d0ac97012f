"""Whole fabrics damaged in one way each: exactly that is found, first, with what mends it; whole ones have no findings."""

import gzip
import json
import re
from dataclasses import replace
from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

import railscope as rs
from collectives import InputError
from collectives.sizes import counted
from fabric.builders import build, read_preset
from fabric.formats.infiniband.ibsim import ibsim_netlist
from fabric.formats.opening import open_fabric
from fabric.studies.health import check_fabric
from fabric.studies.health_findings import End
from fabric.studies.verdicts.health import health_verdict
from fabric.topology import Cables, Nodes, Topology
from tests.fabric.builders.test_clos import SMALL
from tests.fabric.commands.test_cli import railscope
from tests.fabric.studies.test_health import DATA, cables_of

FABRICS = [name.name for name in DATA.iterdir() if "netdiscover" in name.name or "iblinkinfo" in name.name
           or name.name in ("ibsim.net.gz", "opensm-subnet.lst.gz")]  # fmt: skip


def checked(given):
    return check_fabric(given.topology, oddities=given.oddities, origin=given.origin)


def found(health):
    return {finding.kind: finding for finding in health.findings}


def only(health, kind, count):
    """The one finding; what mends it stands in the verdict."""
    assert [(one.kind, one.count) for one in health.findings] == [(kind, count)]
    finding = health.findings[0]
    assert f"To do: {finding.todo}." in health_verdict(health).text
    return finding


def number(fabric, name):
    return fabric.nodes.name.index(name)


def without(fabric, *names):
    """The fabric without some nodes."""
    keep = ~np.isin(np.arange(fabric.n_nodes), [number(fabric, name) for name in names])
    place = np.cumsum(keep) - 1
    nodes = fabric.nodes
    columns = {column: getattr(nodes, column)[keep] for column in ("kind", "tier", "host", "rail", "plane", "domain")}
    cables = cables_of(fabric)
    kept = keep[cables.a] & keep[cables.b]
    columns["domain"] = np.full(keep.sum(), -1)
    return Topology.from_cables(
        fabric.name,
        Nodes(name=tuple(name for name, stays in zip(nodes.name, keep, strict=True) if stays), **columns),
        chosen(replace(cables, a=place[cables.a], b=place[cables.b]), kept),
    )


def chosen(cables, kept):
    return Cables(*(getattr(cables, column)[kept] for column in ("a", "b", "a_port", "b_port", "ab_gbps", "ba_gbps")))


def rewired(fabric, change):
    """The fabric with its cables as `change` leaves their columns."""
    cables = cables_of(fabric)
    columns = {name: getattr(cables, name).copy() for name in ("a", "b", "a_port", "b_port", "ab_gbps", "ba_gbps")}
    keep = change(columns)
    made = Cables(**columns)
    return Topology.from_cables(fabric.name, fabric.nodes, made if keep is None else chosen(made, keep))


def cables_between(fabric, columns, one, other):
    ends = {number(fabric, one), number(fabric, other)}
    return [
        n for n, pair in enumerate(zip(columns["a"].tolist(), columns["b"].tolist(), strict=True)) if set(pair) == ends
    ]


def exchanged(fabric, first, second):
    """The fabric with the switch ends of two cables, each named by its ends, exchanged."""

    def change(columns):
        (one, *_), (other, *_) = (cables_between(fabric, columns, *pair) for pair in (first, second))
        switch = [
            "b" if fabric.nodes.tier[columns["b"][n]] > fabric.nodes.tier[columns["a"][n]] else "a"
            for n in (one, other)
        ]
        for column in ("{}", "{}_port"):
            here, there = (columns[column.format(end)] for end in switch)
            here[one], there[other] = there[other], here[one]

    return rewired(fabric, change)


def dump(fabric, tmp_path, change=lambda text: text):
    """The fabric as a dump, read again."""
    path = tmp_path / f"{fabric.name}.net"
    path.write_text(change(ibsim_netlist(fabric).text))
    return open_fabric(str(path))


@pytest.mark.parametrize("name", FABRICS)
def test_whole_dumps_have_no_findings(name):
    health = checked(open_fabric(str(DATA / name)))
    if name.startswith("hurt"):
        assert only(health, "uneven wiring", 24).severity == "warning"
    else:
        assert health.findings == ()


@pytest.mark.parametrize("name", SMALL)
def test_presets_have_no_findings(name):
    kinds = {finding.kind for finding in check_fabric(open_fabric(name).topology).findings}
    # Rails that no spine joins are what these two are.
    assert kinds == ({"disconnected"} if name in ("deepseek-h800-2048", "rail-only-1024") else set())


@pytest.fixture(scope="module")
def pod():
    """32 hosts x 8 rails in 4 units, 32 leaves, 4 spines with 2 cables to each leaf."""
    description = read_preset("hgx-b200-64")
    fabric = description.fabric.model_copy(update={"hosts": 32})
    leaf = description.leaf.model_copy(update={"down_ports": 8, "radix": 16})
    return build(description.model_copy(update={"fabric": fabric, "leaf": leaf, "scale_up": None}))


@pytest.fixture(scope="module")
def planes():
    """64 hosts x 8 rails with 2 ports each in 4 units, two planes of 32 leaves and 8 spines."""
    description = read_preset("hpn7-15360")
    fabric = description.fabric.model_copy(update={"hosts": 64})
    leaf = description.leaf.model_copy(update={"down_ports": 16, "radix": 24, "oversubscription": 1.0})
    spine = description.spine.model_copy(update={"count": 8})
    return build(description.model_copy(update={"fabric": fabric, "leaf": leaf, "spine": spine, "scale_up": None}))


@pytest.fixture(params=["fabric", "dump"])
def look(request, tmp_path):
    """Check a fabric as it is, or as a dump that is read again."""
    return check_fabric if request.param == "fabric" else lambda hurt: checked(dump(hurt, tmp_path))


def ends_of(finding, example=0):
    return [(end.device, end.port) for end in finding.ends[example]]


def between_switches(fabric):
    cables = cables_of(fabric)
    return np.flatnonzero((fabric.nodes.tier[cables.a] > 0) & (fabric.nodes.tier[cables.b] > 0))


def removed(fabric, cables):
    return rewired(fabric, lambda columns: ~np.isin(np.arange(columns["a"].size), cables))


def slowed(fabric, cables, factor):
    def change(columns):
        columns["ab_gbps"][cables] /= factor
        columns["ba_gbps"][cables] /= factor

    return rewired(fabric, change)


def moved(fabric, host, leaf_of):
    """A host with each adapter on the leaf of another unit, on a free port."""

    def change(columns):
        for rail in range(8):
            (cable,) = (n for n, pair in enumerate(zip(columns["a"], columns["b"], strict=True))
                        if number(fabric, f"{host}g{rail}") in pair)  # fmt: skip
            leaf = number(fabric, leaf_of.format(rail))
            end = "b" if fabric.nodes.tier[columns["a"][cable]] == 0 else "a"
            columns[end][cable], columns[f"{end}_port"][cable] = leaf, 20

    return rewired(fabric, change)


def test_a_spine_that_is_missing(pod, look):
    finding = only(look(without(pod, "s02")), "missing switch", 1)
    assert finding.severity == "warning"
    assert finding.todo == "look for s02: its power, its cables, the subnet manager's log"
    assert finding.examples[0] == (
        "s02: the 3 others of its kind, s00 to s03, are there; ports 13, 14 are free on 32 switches next to them"
    )
    assert finding.ends == ((End("s02"),),)


def test_leaves_that_are_missing(pod, planes, look, request):
    adapters = [name for name in pod.endpoint_names if name.endswith("g3") and 8 <= int(name[1:5]) < 16]
    health = look(without(pod, "r3-l01", *adapters))
    assert [(one.kind, one.count) for one in health.findings] == [("missing switch", 1), ("missing adapter", 8)]
    assert health.findings[0].examples[0].startswith("r3-l01: the 31 others of its kind")
    assert health.findings[1].examples[0] == "h0008: g3 is missing"
    health = look(without(pod, "r3-l01"))
    # A dump does not reach adapters without a cable.
    seen = request.node.callspec.params["look"] == "fabric"
    assert [(one.severity, one.kind, one.count) for one in health.findings] == [
        ("error" if seen else "warning", "missing switch", 1),
        ("error", "no cable", 8) if seen else ("warning", "missing adapter", 8),
    ]
    # Of two planes: the ports in the other one are there.
    health = look(without(planes, "p1-r0-l02"))
    assert [(one.kind, one.count) for one in health.findings] == [("missing switch", 1), ("missing adapter", 16)]


def renamed(fabric, new):
    names = tuple(map(new, fabric.nodes.name))
    return replace(fabric, nodes=replace(fabric.nodes, name=names))


def test_a_leaf_at_the_edge_of_its_numbering_that_is_missing(pod, look):
    """The last of 32: its numbers are those of others, no port between others is free; but its hosts lack an adapter."""
    adapters = [name for name in pod.endpoint_names if name.endswith("g7") and int(name[1:5]) >= 24]
    health = look(without(pod, "r7-l03", *adapters))
    assert [(one.kind, one.count) for one in health.findings] == [("missing switch", 1), ("missing adapter", 8)]
    assert health.findings[0].examples == (
        "r7-l03: the 31 others of its kind, r0-l00 to r7-l02, are there; all 8 hosts below r6-l03 have fewer cables than "
        "others of their kind",
    )
    assert health.findings[1].examples[0] == "h0024: g7 is missing"
    # By one number: it is the next one.
    health = look(renamed(without(pod, "r7-l03", *adapters), lambda name: re.sub(
        r"r(\d)-l(\d+)", lambda m: f"leaf{int(m[2]) * 8 + int(m[1]):02d}", name)))  # fmt: skip
    assert (
        health.findings[0].examples[0].startswith("leaf31: the 31 others of its kind, leaf00 to leaf30, are there; all")
    )


def test_hosts_of_a_unit_that_are_of_another_make_lack_nothing(pod, look):
    """Half of the adapters, and none of their leaves."""
    gone = [name for name in pod.nodes.name if re.fullmatch(r"h00(1[6-9]|2\d|3\d)g[4-7]|r[4-7]-l0[23]", name)]
    assert look(without(pod, *gone)).findings == ()


def test_the_first_and_the_last_spine_that_are_missing(pod, tmp_path):
    def further_up(columns):
        for end in "ab":
            uplink = (pod.nodes.tier[columns[end]] == 1) & (columns[f"{end}_port"] > 8)
            columns[f"{end}_port"][uplink] += 24

    # Ports 9 to 32 are free besides: the first uplink is at 35.
    finding = only(check_fabric(without(rewired(pod, further_up), "s00")), "missing switch", 1)
    assert finding.examples[0].endswith("; ports 33, 34 are free on 32 switches next to them")
    counted_from_one = renamed(rewired(pod, further_up), lambda name: re.sub(
        r"^s(\d+)", lambda m: f"s{int(m[1]) + 1:02d}", name))  # fmt: skip
    assert check_fabric(counted_from_one).findings == ()
    # A dump says how many ports a switch has: the last two are free, as many as a spine takes.
    last = dump(without(pod, "s03"), tmp_path, lambda text: re.sub(r"Switch\s+\d+", "Switch\t16", text))
    finding = only(checked(last), "missing switch", 1)
    assert finding.examples[0] == (
        "s03: the 3 others of its kind, s00 to s02, are there; ports 15, 16 are free on 32 switches next to them"
    )
    more_ports = dump(without(pod, "s03"), tmp_path, lambda text: re.sub(r"Switch\s+\d+", "Switch\t64", text))
    assert checked(more_ports).findings == ()


@pytest.mark.parametrize("words", [["alpha", "beta", "gamma", "delta"], [f"0x0002c9030000{n}0aa" for n in range(4)]])
def test_a_spine_without_a_number_that_is_missing(pod, look, words):
    named = renamed(pod, lambda name: words[int(name[1:])] if re.fullmatch(r"s\d\d", name) else name)
    assert "missing switch" not in found(look(named))
    health = look(without(named, words[2]))
    assert found(health)["missing switch"].examples == (
        f"a switch above r0-l00, beside {words[0]}; ports 13, 14 are free on 32 switches next to them",
    )
    assert found(health)["missing switch"].todo == "follow the cable in r0-l00 port 13"


def test_several_leaves_that_are_missing(pod, look):
    """Two, of which no unit has both; and all of a unit with its hosts."""
    gone = [name for name in pod.endpoint_names if name[-2:] == "g2" and name < "h0008"]
    gone += [name for name in pod.endpoint_names if name[-2:] == "g5" and name >= "h0024"]
    health = look(without(pod, "r2-l00", "r5-l03", *gone))
    assert [(one.kind, one.count) for one in health.findings] == [("missing switch", 2), ("missing adapter", 16)]
    assert [one[0].device for one in health.findings[0].ends] == ["r2-l00", "r5-l03"]
    unit = [name for name in pod.nodes.name if name.endswith("-l01") or "h0008" <= name < "h0016"]
    finding = found(look(without(pod, *unit)))["missing switch"]
    assert [one[0].device for one in finding.ends] == [f"r{rail}-l01" for rail in range(8)]


def three_tiers(cores, units=2, crossed=()):
    """A netlist of 4 rails with a leaf in each unit and 4 spines; spine s of each rail has its cable to core s.

    In units that are crossed the hosts have the first two rails exchanged.
    """
    ports: dict[str, list[str]] = {}

    def cable(a, a_port, b, b_port):
        for one, port, other, other_port in ((a, a_port, b, b_port), (b, b_port, a, a_port)):
            ports.setdefault(one, []).append(f'[{port}]\t"{other}"[{other_port}]')

    for rail in range(4):
        for unit in range(units):
            own = rail ^ 1 if unit in crossed and rail < 2 else rail
            for host in range(4):
                cable(f"h{unit * 4 + host}r{own}", 1, f"leaf-r{rail}-u{unit}", host + 1)
            for spine in range(4):
                cable(f"leaf-r{rail}-u{unit}", 33 + spine, f"spine-r{rail}-{spine}", unit + 1)
        for spine in cores:
            cable(f"spine-r{rail}-{spine}", 33, f"core{spine}", rail + 1)
    kinds = ((name, "Switch\t64" if name[0] != "h" else "Hca\t1") for name in ports)
    return "\n\n".join("\n".join([f'{kind} "{name}"\t# "{name}"', *ports[name]]) for name, kind in kinds) + "\n"


@pytest.mark.parametrize("gone", [None, 1, 3])
def test_a_core_that_was_all_that_its_spines_had(tmp_path, gone):
    path = tmp_path / "tiers.net"
    path.write_text(three_tiers([core for core in range(4) if core != gone]))
    health = checked(open_fabric(str(path)))
    if gone is None:
        assert health.findings == ()
        return
    assert [(one.kind, one.count) for one in health.findings] == [("missing switch", 1), ("uneven wiring", 4)]
    assert health.findings[0].examples[0].startswith(f"core{gone}: the 3 others of its kind, ")
    assert health.findings[0].examples[0].endswith("; 4 switches below have no cable up")
    assert health.findings[1].examples[0] == f"spine-r0-{gone}: no cable up, the others of its kind have 1"


def test_a_whole_unit_with_two_rails_exchanged(tmp_path):
    """Where each rail has spines of its own most units show which is which, whatever leaves are called."""
    path = tmp_path / "tiers.net"
    path.write_text(three_tiers(range(4), units=5))
    assert checked(open_fabric(str(path))).findings == ()
    path.write_text(three_tiers(range(4), units=5, crossed=[2]))
    finding = only(checked(open_fabric(str(path))), "wrong rail", 8)
    assert finding.examples == (
        "h8 and 3 more hosts: r0 is on leaf-r1-u2, below the spines that r1 has on most units",
        "h8 and 3 more hosts: r1 is on leaf-r0-u2, below the spines that r0 has on most units",
    )
    assert finding.todo == (
        "exchange the cables up of leaf-r1-u2 and leaf-r0-u2, or those of r0 and r1 of h8 and 3 more hosts"
    )
    # Two of four: nobody knows which are right.
    path.write_text(three_tiers(range(4), units=4, crossed=[0, 1]))
    assert checked(open_fabric(str(path))).findings == ()


def test_adapters_that_are_missing(pod, look):
    finding = only(look(without(pod, "h0008g3", "h0021g0", "h0021g1")), "missing adapter", 2)
    assert finding.examples == (
        "h0008: g3 is missing, on r3-l01 by its neighbours",
        "h0021: g0, g1 are missing, on r0-l02, r1-l02 by its neighbours",
    )
    assert ends_of(finding) == [("h0008", None), ("r3-l01", None)]


def test_a_host_that_is_missing(pod, look):
    finding = only(look(without(pod, *(f"h0011g{rail}" for rail in range(8)))), "missing host", 1)
    assert finding.examples == (
        "h0011: h0010 and h0012 are there; beside their ports r0-l01 port 4 is free, and so on 7 other leaves",
    )
    assert ends_of(finding)[:2] == [("h0011", None), ("r0-l01", 4)]
    # The first and the last one of a unit.
    for host, end in (("h0008", ("r0-l01", 1)), ("h0015", ("r0-l01", 8))):
        finding = only(look(without(pod, *(f"{host}g{rail}" for rail in range(8)))), "missing host", 1)
        assert ends_of(finding)[1] == end
    # A number that nobody has, and no port is free for it.
    assert look(renamed(pod, lambda name: re.sub(r"^h(\d+)", lambda m: f"h{int(m[1]) + (int(m[1]) > 10):04d}", name))
                ).findings == ()  # fmt: skip


def test_a_number_that_was_never_given_is_no_switch(pod, tmp_path):
    """Spines 0, 1, 3: but no leaf has a port free between them."""
    health = checked(dump(pod, tmp_path, lambda text: text.replace("s03", "s05").replace("s02", "s04")))
    assert health.findings == ()


def test_cables_that_are_missing(pod, look):
    isl = between_switches(pod)
    finding = only(look(removed(pod, isl[5])), "uneven wiring", 1)
    assert finding.examples == ("r0-l00 port 14 - s02 port 2: 1 of 2 cables",)
    assert finding.todo == "put the missing cable back, r0-l00 port 14 - s02 port 2"
    assert ends_of(finding) == [("r0-l00", 14), ("s02", 2)]
    finding = only(look(removed(pod, isl[[9, 10, 11]])), "uneven wiring", 3)
    assert finding.examples == (
        "r0-l01 port 10 - s00 port 4: 1 of 2 cables",
        "r0-l01 - s01: 0 of 2 cables; free are r0-l01 ports 11, 12",
    )
    assert ends_of(finding, 1) == [("r0-l01", 11), ("s01", 3), ("r0-l01", 12), ("s01", 4)]
    # All cables of a spine but those to two leaves.
    s02 = [n for n in isl if number(pod, "s02") in (cables_of(pod).a[n], cables_of(pod).b[n])]
    finding = only(look(removed(pod, s02[4:])), "uneven wiring", 60)
    assert finding.examples == ("s02: 60 of 64 cables down are missing",)


def test_a_cable_that_every_leaf_lacks_to_another_spine(pod, look):
    """None has fewer than another, but the ports of those that are missing are free."""
    leaves = [name for name in pod.nodes.name if "-l" in name]
    lacking = [cables_between(pod, vars(cables_of(pod)), leaf, f"s{n % 4:02d}")[n % 2] for n, leaf in enumerate(leaves)]
    finding = only(look(removed(pod, lacking)), "uneven wiring", 32)
    cables = cables_of(pod)
    ends = [((cables.a[n], cables.a_port[n]), (cables.b[n], cables.b_port[n])) for n in lacking]
    names = {frozenset((pod.nodes.name[node], int(port)) for node, port in pair) for pair in ends}
    assert {frozenset(ends_of(finding, place)) for place in range(32)} == names


def test_an_odd_number_of_uplinks_dealt_to_the_spines_in_turn_is_meant_so(pod, look):
    """Seven cables of each leaf, from one port to the next: to one spine there is one."""

    def change(columns):
        a, b = columns["a"].copy(), columns["b"].copy()
        for name in (name for name in pod.nodes.name if "-l" in name):
            leaf = number(pod, name)
            own = np.flatnonzero(((a == leaf) | (b == leaf)) & (pod.nodes.tier[a] > 0) & (pod.nodes.tier[b] > 0))
            end = "a" if a[own[0]] == leaf else "b"
            for port, place in enumerate(own[np.arange(8) != leaf % 8], 9):
                columns[f"{end}_port"][place] = port
            columns[f"{end}_port"][own[leaf % 8]] = -2
        return (columns["a_port"] != -2) & (columns["b_port"] != -2)

    assert look(rewired(pod, change)).findings == ()


def test_odd_fabrics_are_judged_without_a_stumble():
    """Random switches, cables and hosts: blocks of one switch, parallel cables, no leaf."""
    judged = 0
    for seed in range(120):
        draw = np.random.default_rng(seed)
        graph: nx.MultiGraph = nx.MultiGraph(name="odd")
        n = int(draw.integers(1, 9))
        for one, other in combinations(range(n), 2):
            for _ in range(draw.choice([0, 0, 1, 2])):
                graph.add_edge(f"s{one}", f"s{other}", gbps=float(draw.choice([100, 400])))
        for host in range(int(draw.integers(1, 15))):
            for rail in range(int(draw.integers(1, 3))):
                graph.add_edge(f"h{host}r{rail}", f"s{draw.integers(n)}", gbps=400.0)
        try:
            fabric = rs.from_networkx(graph, capacity="gbps")
        except InputError:
            continue
        assert health_verdict(check_fabric(fabric)).text
        judged += 1
    assert judged > 60


def test_cables_that_are_exchanged_between_switches(pod, look):
    hurt = exchanged(pod, ("r0-l00", "s00"), ("r0-l01", "s01"))
    finding = only(look(hurt), "uneven wiring", 2)
    assert finding.todo == "move each cable that is one too many to where one is missing"
    assert finding.examples[0].endswith(": 1 of 2 cables; r0-l00 has one too many to s01")
    assert finding.examples[1].endswith(": 1 of 2 cables; r0-l01 has one too many to s00")


def test_cables_that_are_exchanged_between_pods():
    pods = build(read_preset("superpod-b200-8192").model_copy(update={"scale_up": None}))
    finding = only(
        check_fabric(exchanged(pods, ("pod0-r0-l00", "pod0-s00"), ("pod1-r0-l00", "pod1-s00"))), "stray cable", 2
    )
    assert finding.examples[0].endswith(" - pod1-s00 port 1: joins switches that no others of their kind join")
    assert finding.todo == "exchange the cables in pod1-s00 port 1 and pod0-s00 port 1"


@settings(deadline=None, max_examples=15)
@given(st.sets(st.integers(0, 255), min_size=1, max_size=30))
def test_any_few_cables_that_are_missing_are_counted(pod, chosen):
    finding = only(check_fabric(removed(pod, between_switches(pod)[sorted(chosen)])), "uneven wiring", len(chosen))
    assert finding.severity == "warning"


def test_slow_cables_are_compared_with_the_best(pod, look):
    isl = between_switches(pod)
    finding = only(look(slowed(pod, isl[7], 4)), "slow cable", 1)
    assert finding.examples[0] in (
        "r0-l00 port 16 - s03 port 2: 100 Gb/s, the best of leaf-spine have 400",
        "r0-l00 port 16 - s03 port 2: 100 Gb/s (4x EDR), the best of leaf-spine have 400 (8x HDR)",
    )
    assert ends_of(finding) == [("r0-l00", 16), ("s03", 2)]
    # Most of them slow: the best tell all the same.
    most = isl[isl % 5 > 0]
    assert only(look(slowed(pod, most, 2)), "slow cable", most.size)
    assert only(look(slowed(pod, 3, 2)), "slow cable", 1).examples[0].startswith("h0000g3 port 1 - r3-l00 port 1: 200")


def test_narrow_cables_of_a_dump(tmp_path):
    text = gzip.decompress((DATA / "iblinkinfo.txt.gz").read_bytes()).decode()
    row = next(line for line in text.splitlines() if "hgx0004 mlx5_2" in line and "==(" in line)
    path = tmp_path / "narrow.txt"
    path.write_text(text.replace(row, row.replace("4X", "1X")))
    finding = only(checked(open_fabric(str(path))), "slow cable", 1)
    assert "(1x HDR), the best of host have 200 (4x HDR)" in finding.examples[0]


@pytest.mark.parametrize("first", [1, 16, 20])
def test_hosts_that_are_slow_throughout_may_be_meant_so(pod, look, first):
    """Most of the hosts too: what the best show tells."""
    nic = [n for n, name in enumerate(pod.endpoint_names) if int(name[1:5]) >= first]
    finding = only(look(slowed(pod, nic, 2)), "mixed speeds", 32 - first)
    assert finding.examples[0].startswith(
        f"{counted(32 - first, 'host')}, h{first:04d}g0 one of their adapters: 200 Gb/s"
    )
    assert ends_of(finding)[0] == (f"h{first:04d}g0", 1)
    assert check_fabric(slowed(pod, nic[:8], 2)).findings[0].count == 8


def test_rails_that_are_slow_throughout(pod, look):
    nic = [n for n, name in enumerate(pod.endpoint_names) if name.endswith("g3")]
    finding = only(look(slowed(pod, nic, 2)), "mixed speeds", 1)
    assert finding.examples == ("rail 3: none of its cables is faster than 200 Gb/s, other rails have 400",)
    # One that is as fast as those of other rails: the others are slow cables.
    assert only(look(slowed(pod, nic[1:], 2)), "slow cable", 31)


@pytest.mark.parametrize("lid", [0, 65535])
def test_ports_without_a_lid_are_named(tmp_path, lid):
    text = gzip.decompress((DATA / "ibnetdiscover.txt.gz").read_bytes()).decode()
    text = re.sub(r'("spine0002" .*port 0 lid) \d+', rf"\1 {lid}", text)
    text = re.sub(r'(Ca\t.*"hgx0004 mlx5_2"\n\[1\].*# lid) \d+', rf"\1 {lid}", text)
    path = tmp_path / "young.ibnetdiscover"
    path.write_text(text)
    finding = only(checked(open_fabric(str(path))), "unassigned LID", 2)
    assert sorted(finding.examples) == ["hgx0004 mlx5_2 port 1", "spine0002"]


def test_adapters_that_are_exchanged(pod, look):
    hurt = exchanged(pod, ("h0003g0", "r0-l00"), ("h0003g1", "r1-l00"))
    finding = only(look(hurt), "wrong rail", 2)
    assert finding.examples == ("h0003: g0 and g1 are on each other's leaf, r1-l00 and r0-l00",)
    assert finding.todo == "exchange the cables of host h0003, g0 and g1"
    assert ends_of(finding) == [("h0003g0", 1), ("r1-l00", 4), ("h0003g1", 1), ("r0-l00", 4)]
    finding = only(look(exchanged(hurt, ("h0003g0", "r1-l00"), ("h0003g2", "r2-l00"))), "wrong rail", 3)
    assert finding.examples[0] == "h0003: g0 is on r2-l00, that of g2; its own is r0-l00"
    assert "move the cable of host h0003, g0, to r0-l00" in finding.todo
    hurt = exchanged(pod, ("h0003g0", "r0-l00"), ("h0012g0", "r0-l01"))
    finding = only(look(hurt), "wrong rail", 2)
    assert finding.examples[0] == "h0003: g0 is on r0-l01, a leaf of another unit; its own is r0-l00"


def test_hosts_of_another_make_call_the_same_leaf_otherwise(pod, tmp_path):
    """A quarter of the hosts count their adapters backwards: no cable is wrong."""
    names = {"g0": "g7", "g1": "g6", "g2": "g5", "g3": "g4", "g4": "g3", "g5": "g2", "g6": "g1", "g7": "g0"}
    other_way = dump(pod, tmp_path, lambda text: re.sub(r"(h\d\d[0-9][37])(g\d)", lambda m: m[1] + names[m[2]], text))
    assert [one.kind for one in checked(other_way).findings] == ["renamed adapters"]
    # The same make under names of its own, and adapters that are named after their model among them.
    other_make = dump(
        pod, tmp_path, lambda text: re.sub(r"h(\d\d[0-9][37])(g\d)", lambda m: f"n{m[1]}" + names[m[2]], text)
    )
    assert checked(other_make).findings == ()


def test_units_may_share_the_leaves_of_storage(pod):
    """Rails 6 and 7 of all units on the leaves of the first: the others have units of their own all the same."""

    def change(columns):
        for n in np.flatnonzero(pod.nodes.tier[columns["b"]] == 1):
            name = pod.nodes.name[columns["b"][n]]
            if pod.nodes.tier[columns["a"][n]] == 0 and name[1] in "67":
                columns["b"][n], columns["b_port"][n] = number(pod, f"{name[:2]}-l00"), 20 + n

    shared = rewired(pod, change)
    assert {one.kind for one in check_fabric(shared).findings} <= {"empty leaf"}
    hurt = exchanged(shared, ("h0012g0", "r0-l01"), ("h0012g1", "r1-l01"))
    assert found(check_fabric(hurt))["wrong rail"].todo == "exchange the cables of host h0012, g0 and g1"


def test_a_host_whose_devices_are_named_otherwise_has_its_cables_right(tmp_path):
    """GUIDs in the order of the leaves: the names are exchanged."""
    text = gzip.decompress((DATA / "ibnetdiscover.txt.gz").read_bytes()).decode()
    path = tmp_path / "renamed.txt"
    path.write_text(re.sub(r"(hgx0004 mlx5_)([23])", lambda match: match[1] + "32"["23".index(match[2])], text))
    finding = only(checked(open_fabric(str(path))), "renamed adapters", 1)
    assert finding.examples == ("hgx0004: mlx5_2 on leaf0003, mlx5_3 on leaf0002",)


def test_hosts_on_another_unit(pod, look):
    finding = only(look(moved(pod, "h0004", "r{}-l02")), "wrong unit", 1)
    assert finding.examples == (
        "h0004: on r0-l02 and 7 more leaves, while h0003 beside it is on r0-l00 and 7 more leaves",
    )
    assert finding.todo == "move the cables of host h0004 to the leaves of h0003, or rename it"
    assert len(finding.ends[0]) == 16
    for host, leaf, beside in (("h0000", "r{}-l03", "h0001"), ("h0031", "r{}-l00", "h0030"), ("h0008", "r{}-l00", "h0009"),
                               ("h0015", "r{}-l02", "h0014"), ("h0016", "r{}-l00", "h0017")):  # fmt: skip
        finding = only(look(moved(pod, host, leaf)), "wrong unit", 1)
        assert finding.todo == f"move the cables of host {host} to the leaves of {beside}, or rename it"
    hurt = moved(moved(pod, "h0004", "r{}-l01"), "h0013", "r{}-l00")
    assert only(look(hurt), "wrong unit", 2).todo == "exchange the cables of hosts h0004 and h0013, or their names"


@pytest.mark.parametrize("n", [1, 3, 4, 5, 7])
def test_a_host_on_two_units_is_of_that_of_its_neighbours(pod, look, n):
    """However many of its adapters are astray: one mend, not two that contradict one another."""
    hurt = pod
    for rail in range(n):
        hurt = exchanged(hurt, (f"h0004g{rail}", f"r{rail}-l00"), (f"h0031g{rail}", f"r{rail}-l03"))
    finding = only(look(hurt), "wrong rail", 2 * n)
    assert {one.split("; its own is ")[1] for one in finding.examples} == {
        f"r{rail}-l0{unit}" for rail in range(n) for unit in (0, 3)
    }


def test_hosts_that_are_dealt_to_units_in_turn_are_in_place(pod):
    names = tuple(
        f"h{(int(name[1:5]) % 8) * 4 + int(name[1:5]) // 8:04d}{name[5:]}" if name[0] == "h" else name
        for name in pod.nodes.name
    )
    assert check_fabric(replace(pod, nodes=replace(pod.nodes, name=names))).findings == ()


def test_planes_that_are_crossed(planes, look):
    assert look(planes).findings == ()
    hurt = exchanged(planes, ("p0-r0-l00", "p0-s01"), ("p1-r0-l00", "p1-s01"))
    finding = only(look(hurt), "crossed plane", 2)
    assert finding.examples[0] == "p0-r0-l00 port 18 - p1-s01 port 1: joins two planes"
    assert finding.todo == "exchange the cables in p1-s01 port 1 and p0-s01 port 1"
    hurt = exchanged(planes, ("h0003g0", "p0-r0-l00"), ("h0003g0", "p1-r0-l00"))
    finding = only(look(hurt), "crossed plane", 2)
    assert finding.todo == "exchange the cables of host h0003, g0 port 1 and g0 port 2"


@pytest.mark.parametrize("model", ["HCA-1", "MT4129 ConnectX7   Mellanox Technologies"])
def test_adapters_that_are_called_by_their_model(pod, tmp_path, model):
    def renamed(text):
        return re.sub(r"h\d{4}g\d", model, text)

    hurt = exchanged(removed(pod, between_switches(pod)[5]), ("h0003g0", "r0-l00"), ("h0003g1", "r1-l00"))
    assert [(one.kind, one.count) for one in checked(dump(pod, tmp_path, renamed)).findings] == [
        ("unnamed adapter", 256)
    ]
    assert [(one.kind, one.count) for one in checked(dump(hurt, tmp_path, renamed)).findings] == [
        ("uneven wiring", 1),
        ("unnamed adapter", 256),
    ]
    (finding,) = checked(dump(pod, tmp_path, renamed)).findings
    assert finding.ends[0][0].guid is not None
    assert finding.ends[0][0].guid in finding.examples[0]
    # Some hosts only, on the leaves of others: those are judged all the same.
    health = checked(dump(hurt, tmp_path, lambda text: re.sub(r"h00[12]\dg\d", model, text)))
    assert [(one.kind, one.count) for one in health.findings] == [
        ("wrong rail", 2),
        ("uneven wiring", 1),
        ("unnamed adapter", 160),
    ]


def test_findings_of_a_dump_name_guids(tmp_path):
    """Device, port and GUID of each end, as counters name them."""
    text = gzip.decompress((DATA / "ibnetdiscover.txt.gz").read_bytes()).decode()
    path = tmp_path / "narrow.ibnetdiscover"
    path.write_text(re.sub(r'(\[4\]\t"H-0002c90300004030".*) 4xHDR', r"\1 4xEDR", text))
    finding = only(checked(open_fabric(str(path))), "slow cable", 1)
    assert finding.examples == (
        "hgx0004 mlx5_2 port 1 - leaf0002 port 4: 100 Gb/s (4x EDR), the best of host have 200 (4x HDR)",
    )
    assert finding.ends == ((End("hgx0004 mlx5_2", 1, "0x0002c90300004031"), End("leaf0002", 4, "0x0002c90400000030")),)


def test_the_document_says_what_to_do_and_where(tmp_path):
    path = tmp_path / "hurt.net"
    fabric = open_fabric(str(DATA / "rail64-ftree.ibnetdiscover.gz")).topology
    path.write_text(ibsim_netlist(removed(fabric, between_switches(fabric)[[3]])).text)
    output = railscope("fabric", "check", path, "--json", cwd=tmp_path)
    document = json.loads(output.stdout)
    Draft202012Validator(rs.json_schema("check")).validate(document)
    (finding,) = document["findings"]
    assert finding["todo"].startswith("put the missing cable back, leaf0 port ")
    assert [end["device"] for end in finding["ends"][0]] == ["leaf0", finding["examples"][0].split(" ")[4]]
    assert all(isinstance(end["port"], int) and end["guid"].startswith("0x") for end in finding["ends"][0])
    assert railscope("fabric", "check", path, "--fail-on", "warning", cwd=tmp_path).returncode == 1


def without_line(text, start):
    return "\n".join(line for line in text.split("\n") if not line.startswith(start))


def test_a_cable_that_one_end_does_not_list(tmp_path):
    text = gzip.decompress((DATA / "ibnetdiscover.txt.gz").read_bytes()).decode()
    path = tmp_path / "one.ibnetdiscover"
    path.write_text(without_line(text, '[4]\t"H-0002c90300004030"'))
    given = open_fabric(str(path))
    finding = only(checked(given), "one-sided cable", 1)
    assert finding.examples[0].endswith(": hgx0004 mlx5_2 port 1 to leaf0002 port 4, which does not list it")
    assert ends_of(finding) == [("hgx0004 mlx5_2", 1), ("leaf0002", 4)]
    assert given.topology.n_links == open_fabric(str(DATA / "ibnetdiscover.txt.gz")).topology.n_links
    # The end of a dump that is cut between two lines is no such cable.
    path.write_text(text[: text.rindex("\n[")])
    with pytest.raises(InputError, match=r"does not list it; is the dump whole\?|no cable|is not described"):
        open_fabric(str(path))
    # Nor are many of them.
    path.write_text(without_line(text, '[4]\t"H-'))
    with pytest.raises(InputError, match="does not list it"):
        open_fabric(str(path))


def test_switches_without_a_name_of_their_own(tmp_path):
    text = gzip.decompress((DATA / "ibnetdiscover.txt.gz").read_bytes()).decode()
    path = tmp_path / "unnamed.ibnetdiscover"
    path.write_text(re.sub("spine000[0-3]", "Quantum Mellanox Technologies", text))
    finding = only(checked(open_fabric(str(path))), "unnamed switch", 4)
    assert finding.examples[0].startswith("Quantum Mellanox Technologies (0x0002c90500000")
    assert finding.ends[0][0].guid in finding.examples[0]
