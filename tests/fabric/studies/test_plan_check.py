"""A fabric's cables beside a plan: every deviation that was made is found, and nothing else."""

import json
from random import Random

import pytest
from typer.testing import CliRunner

import railscope as rs
from collectives import InputError
from fabric.formats.ethernet.cabling import NamedCable
from fabric.formats.plan import Plan, cables_of, read_plan
from fabric.studies.plan_check import check_plan, read_ignored
from tests import ethernet_twins as twins
from tests.shared_data import ROOT, shared

CABLES = twins.job_cables()
DATA = ROOT / "tests" / "data"


def named(cables, gbps=None):
    return tuple(NamedCable(a, p, b, q, gbps, f"x:{number}") for number, (a, p, b, q) in enumerate(cables, 1))


def plan_of(cables, gbps=None):
    return Plan("plan", named(cables, gbps))


def kinds(check):
    return [(one.kind, one.text) for one in check.deviations]


def test_the_same_cables_deviate_in_nothing():
    turned = [(b, q.upper(), a.upper(), p) for a, p, b, q in reversed(CABLES)]
    check = check_plan(named(turned), plan_of(CABLES))
    assert (check.matched, check.deviations, check.findings()) == (len(CABLES), (), [])


def test_missing_extra_swapped_moved_and_slow_cables():
    there = [one for one in CABLES if one[:2] != ("gpu01", "eth1")]
    there = [
        {
            ("gpu02", "eth2"): ("gpu02", "eth2", "p1-leaf3", "swp1s1"),  # swapped with the next one
            ("gpu02", "eth3"): ("gpu02", "eth3", "p1-leaf2", "swp1s1"),
            ("gpu03", "eth1"): ("gpu03", "eth1", "p1-leaf1", "swp20"),  # another port of the same leaf
            ("gpu04", "eth4"): ("gpu04", "eth9", "p1-leaf4", "swp21"),  # other ports at both ends
        }.get(one[:2], one)
        for one in there
    ]
    there += [("gpu08", "eth12", "p2-leaf1", "swp25"), ("cpu1", "eth0", "st-leaf1", "swp1")]
    check = check_plan(named(there), plan_of(CABLES))
    assert kinds(check) == [
        ("missing cable", "gpu01 eth1 - p1-leaf1 swp1s0"),
        (
            "miswired cable",
            "planned gpu02 eth2 - p1-leaf2 swp1s1 and gpu02 eth3 - p1-leaf3 swp1s1; "
            "swapped: gpu02 eth2 - p1-leaf3 swp1s1 and gpu02 eth3 - p1-leaf2 swp1s1",
        ),
        ("miswired cable", "planned gpu03 eth1 - p1-leaf1 swp2s0; there is: gpu03 eth1 - p1-leaf1 swp20"),
        ("miswired cable", "planned gpu04 eth4 - p1-leaf4 swp2s1; there is: gpu04 eth9 - p1-leaf4 swp21"),
        ("extra cable", "gpu08 eth12 - p2-leaf1 swp25"),
    ]
    assert check.matched == len(CABLES) - 5
    assert "not compared: 1 cable of 2 devices that the plan does not name" in check.notes
    assert [(one.severity, one.kind, one.count) for one in check.findings()] == [
        ("error", "missing cable", 1),
        ("error", "miswired cable", 3),
        ("warning", "extra cable", 1),
    ]
    slow = (*named(CABLES[:1], 100.0), *named(CABLES[1:], 400.0))
    check = check_plan(slow, plan_of(CABLES, 400.0))
    assert kinds(check) == [("wrong speed", "gpu01 eth1 - p1-leaf1 swp1s0: 100 Gb/s, planned 400")]


@pytest.mark.parametrize("seed", range(20))
def test_as_many_deviations_are_found_as_were_made(seed):
    random = Random(seed)
    cables = [(*one, random.choice([200.0, 400.0])) for one in CABLES]
    random.shuffle(cables)
    n_gone, n_swapped, n_slow, n_extra = (random.randrange(9) for _ in range(4))
    gone, rest = cables[:n_gone], cables[n_gone:]
    pairs = [rest[2 * number : 2 * number + 2] for number in range(n_swapped)]
    slow, rest = rest[2 * n_swapped : 2 * n_swapped + n_slow], rest[2 * n_swapped + n_slow :]
    # Two cables of a host and of different leaves, or the other way round, change one end each.
    swapped = [end for (a, p, b, q, x), (c, r, d, s, y) in pairs for end in ((a, p, d, s, x), (c, r, b, q, y))]
    extra = [("gpu01", f"eth{20 + number}", "p1-leaf1", f"swp{60 + number}", 400.0) for number in range(n_extra)]
    there = [*rest, *swapped, *((*one[:4], 100.0) for one in slow), *extra]
    random.shuffle(there)
    check = check_plan(
        [NamedCable(*one, "x") for one in there], Plan("plan", tuple(NamedCable(*one, "y") for one in cables))
    )
    made = {"missing cable": n_gone, "miswired cable": n_swapped, "wrong speed": n_slow, "extra cable": n_extra}
    assert {one.kind: one.count for one in check.findings()} == {kind: n for kind, n in made.items() if n}
    assert check.matched == len(rest)
    assert len({one.id for one in check.deviations}) == len(check.deviations)
    assert {one.text for one in check.deviations if one.kind == "missing cable"} == {
        f"{a} {p} - {b} {q}" for a, p, b, q, _ in gone
    }


def test_identifiers_are_the_same_on_another_day_and_can_be_ignored(tmp_path):
    there = named([one for one in CABLES if one[:2] not in (("gpu01", "eth1"), ("gpu02", "eth1"))])
    first = check_plan(there, plan_of(CABLES))
    again = check_plan(named(reversed([(b, q, a, p) for a, p, b, q in CABLES[2:]])), plan_of(list(reversed(CABLES))))
    ids = {one.id for one in first.deviations}
    assert len(ids) == 2
    assert ids == {one.id for one in again.deviations if one.text.startswith(("gpu01 eth1", "gpu02 eth1"))}
    path = tmp_path / "known"
    path.write_text(f"# known\n[{sorted(ids)[0]}]  # spare part ordered\n\n0123456789\n")
    known = check_plan(there, plan_of(CABLES), read_ignored(path))
    assert (len(known.deviations), known.ignored) == (1, 1)
    assert {"ignored as asked: 1 deviation", "to ignore, but not there: 1 identifier"} < set(known.notes)
    path.write_text("leaf01\n")
    with pytest.raises(InputError, match="known:1: 'leaf01'; expected an identifier such as 3f09a1b2c4"):
        read_ignored(path)


def test_a_plan_by_other_names_is_refused():
    other = [(f"n{a}", p, f"sw-{b}", q) for a, p, b, q in CABLES]
    with pytest.raises(InputError, match=r"plan: 0 of 28 devices are in the fabric \(0%\); .* not there: ngpu01, ngpu02, "
                       r"ngpu03, \.\.\.; the fabric has gpu01, gpu02, gpu03, \.\.\."):  # fmt: skip
        check_plan(named(CABLES), plan_of(other))
    with_domain = [(f"{a}.example.com", p, b, q) for a, p, b, q in CABLES]
    assert check_plan(named(CABLES), plan_of(with_domain)).matched == len(CABLES)


def test_devices_of_the_plan_that_are_not_there_are_named():
    """A switch that is gone, or a few hosts by other names: it is said which."""
    there = [one for one in CABLES if "p2-spine2" not in one]
    gone = len(CABLES) - len(there)
    check = check_plan(named(there), plan_of(CABLES))
    assert [one.kind for one in check.deviations] == ["missing cable"] * gone
    assert "plan: 1 device of the plan is not in the fabric, or by another name: p2-spine2" in check.notes
    other = [(a.replace("gpu0", "node"), p, b, q) for a, p, b, q in CABLES]
    check = check_plan(named(CABLES), plan_of(other))
    assert (
        "plan: 8 devices of the plan are not in the fabric, or by another name: node1, node2, node3, ..." in check.notes
    )


def test_adapters_whose_ports_the_plan_does_not_name_are_swapped():
    there = named([("h1 a", "1", "s1", "2"), ("h1 b", "1", "s1", "1"), ("h1 c", "1", "s1", "3")])
    plan = plan_of([("h1", "a", "s1", "1"), ("h1", "b", "s1", "2"), ("h1", "c", "s1", "3")])
    assert kinds(check_plan(there, plan)) == [
        ("miswired cable", "planned h1 a - s1 1 and h1 b - s1 2; swapped: h1 a 1 - s1 2 and h1 b 1 - s1 1"),
    ]


def test_ports_by_number_or_not_at_all():
    there = named([("h1", "1", "s1", "21"), ("h2", "1", "s1", "22"), ("h2", "2", "s1", "23")])
    plan = plan_of([("h1", "", "S1", "Port 21"), ("h2", "", "s1", ""), ("s1", "", "h2", "")])
    assert check_plan(there, plan).matched == 3
    plan = plan_of([("h1", "", "s1", ""), ("h1", "", "s1", ""), ("h2", "", "s1", "")])
    assert [one.kind for one in check_plan(there, plan).deviations] == ["missing cable", "extra cable"]


def test_every_form_is_a_plan(tmp_path):
    texts = {"a.dot": twins.dot, "a.csv": twins.sonic_mgmt, "b.csv": twins.ndt, "c.csv": twins.netbox_import,
             "d.csv": twins.netbox_export, "a.json": twins.netq}  # fmt: skip
    wanted = {one.ends() for one in named([*CABLES, *twins.other_cables()])}
    for name, write in texts.items():
        (tmp_path / name).write_text(write(twins.all_cables()))
        plan = read_plan(tmp_path / name)
        assert {one.ends() for one in plan.cables} == wanted
        assert all(one.gbps == (200.0 if name == "a.csv" else None) for one in plan.cables)
        assert all(one.source.startswith(str(tmp_path / name)) for one in plan.cables)
    (tmp_path / "switches.dot").write_text('graph {\n"s1":"swp1" -- "s2":"swp2"\n}')
    assert read_plan(tmp_path / "switches.dot").cables[0].source.endswith("switches.dot:2")
    with pytest.raises(InputError, match="nothing: neither a preset nor a file"):
        read_plan("nothing")


def test_a_description_is_a_plan_of_what_is_built(tmp_path):
    built = rs.open_fabric("hgx-b200-64")
    plan = read_plan("hgx-b200-64")
    assert len(plan.cables) == 64 + 256
    assert plan.cables[0].text() == "h0000g0 1 - r0-l00 1"
    # NVLink's cables are no part of it; with a cable taken out:
    graph = rs.to_networkx(built.topology)
    edge = next((a, b, k) for a, b, k, d in graph.edges(keys=True, data=True) if d["capacity_gbps"] < 1000)
    graph.remove_edge(*edge)
    graph.remove_edge(edge[1], edge[0], edge[2])
    check = check_plan(cables_of(rs.OpenedFabric("x", rs.from_networkx(graph))), plan)
    assert [one.kind for one in check.deviations] == ["missing cable"]


def test_an_infiniband_dump_beside_an_ndt(tmp_path):
    """What UFM checks: names of nodes, and ports by number."""
    dump = rs.open_fabric(DATA / "infiniband" / "ibnetdiscover.txt.gz")
    there = cables_of(dump)
    rows = [f"{one.device},Port {one.port},{one.peer},Port {one.peer_port},Data" for one in there]
    rows[0], gone = rows[0].replace("Port", "Port 9"), rows.pop()
    (tmp_path / "ndt.csv").write_text("\n".join(["#StartDevice,StartPort,EndDevice,EndPort,LinkType", *rows]))
    check = check_plan(there, read_plan(tmp_path / "ndt.csv"))
    assert check.matched == len(there) - 2
    assert [(one.kind, one.text.split(" ")[0]) for one in check.deviations] == [
        ("miswired cable", "planned"),
        ("extra cable", gone.split(",")[0].split(" ")[0]),
    ]


@pytest.mark.parametrize("port_of", ["{adapter}", "{adapter}/P1", "{adapter} port 1", "{adapter}-1"])
def test_adapters_as_ports_of_their_hosts(port_of):
    """A plan of hosts, as NetBox has it, beside a dump in which every adapter is a device."""
    there = cables_of(rs.open_fabric(DATA / "infiniband" / "ibnetdiscover.txt.gz"))

    def planned(device: str, port: str) -> tuple[str, str]:
        host, blank, adapter = device.partition(" ")
        return (host, port_of.format(adapter=adapter)) if blank else (device, f"Port {port}")

    rows = [(*planned(one.device, one.port), *planned(one.peer, one.peer_port)) for one in there]
    assert sum(" " in one.device or " " in one.peer for one in there) == 64
    assert check_plan(there, plan_of(rows)).matched == len(there)
    first = next(number for number, one in enumerate(there) if " " in one.device or " " in one.peer)
    check = check_plan([*there[:first], *there[first + 1 :]], plan_of(rows))
    assert [one.kind for one in check.deviations] == ["missing cable"]
    # What is missing has the plan's names.
    assert rows[first][0] in check.deviations[0].text


def test_labels_of_ports_and_identifiers_that_stay(tmp_path):
    """A plan by the labels of a QM9700; which name of a port is which depends on the cables, an identifier does not."""
    numbers = range(1, 33)
    there = [(f"h{number}", "1", "leaf1", str(number)) for number in numbers]
    rows = [(f"h{number}", "1", "LEAF1", f"1/{(number + 1) // 2}/{2 - number % 2}") for number in numbers]
    check = check_plan(named(there), plan_of(rows))
    assert (check.matched, check.deviations) == (32, ())
    assert "plan: 1 device has ports with other names in it, such as leaf1: 1/1/1 is 1" in check.notes
    fewer = check_plan(named(there[1:]), plan_of(rows))
    fewest = check_plan(named(there[1:20]), plan_of(rows))
    (gone,) = fewer.deviations
    assert gone.text == "h1 1 - LEAF1 1/1/1"
    assert gone.ends == (("LEAF1", "1/1/1"), ("h1", "1"))
    assert gone.id in {one.id for one in fewest.deviations}
    assert fewer.findings()[0].ids == (gone.id,)


def test_the_command(tmp_path):
    swapped = {("gpu05", "eth3"): ("p1-leaf4", "swp3s0"), ("gpu05", "eth4"): ("p1-leaf3", "swp3s0")}
    there = [(*one[:2], *swapped.get(one[:2], one[2:])) for one in twins.all_cables()]
    (tmp_path / "there.tar").write_bytes(twins.archive(twins.lldpctl(there)))
    (tmp_path / "plan.dot").write_text(twins.dot(twins.all_cables()))
    call = ["fabric", "check", str(tmp_path / "there.tar"), "--expect", str(tmp_path / "plan.dot")]
    found = CliRunner().invoke(rs.app, [*call, "--json"])
    assert found.exit_code == 1
    document = json.loads(found.stdout)
    assert document["plan"] == {"source": str(tmp_path / "plan.dot"), "cables": 93, "matched": 91, "ignored": 0}
    worst = document["findings"][0]
    assert (worst["kind"], worst["count"]) == ("miswired cable", 1)
    (tmp_path / "known").write_text(worst["examples"][0].split()[0])
    known = CliRunner().invoke(rs.app, [*call, "--ignore", str(tmp_path / "known")])
    assert known.exit_code == 0
    assert "ignored as asked: 1 deviation" in known.output
    assert CliRunner().invoke(rs.app, [*call, "--fail-on", "never"]).exit_code == 0
    assert CliRunner().invoke(rs.app, [*call[:3], "--ignore", "known"]).exit_code == 2


def test_aggregation_nodes_of_a_plan_are_no_devices():
    there = named([("h1", "1", "s1", "1"), ("h2", "1", "s1", "2")])
    plan = plan_of(
        [("h1", "1", "s1", "1"), ("h2", "1", "s1", "2"), ("s1", "41", "Mellanox Technologies Aggregation Node", "1")]
    )
    check = check_plan(there, plan)
    assert (check.deviations, check.matched) == ((), 2)
    assert "not compared: 1 cable of SHARP's aggregation nodes, which are no devices" in check.notes


def test_what_nobody_sees_is_not_called_missing(tmp_path):
    """Files of hosts alone: cables between switches are not compared; those of hosts are."""
    cables = [one for one in twins.all_cables() if one[:2] != ("gpu05", "eth3")]
    files = {name: text for name, text in twins.lldpctl(cables).items() if "gpu" in name or "nas" in name}
    (tmp_path / "hosts.tar").write_bytes(twins.archive(files))
    (tmp_path / "plan.dot").write_text(twins.dot(twins.all_cables()))
    given = rs.open_fabric(tmp_path / "hosts.tar")
    plan = read_plan(tmp_path / "plan.dot")
    assert given.cabled is not None
    check = check_plan(cables_of(given), plan, telling=given.cabled.cabling.telling)
    assert kinds(check) == [("missing cable", "gpu05 eth3 - p1-leaf3 swp3s0")]
    (note,) = (one for one in check.notes if one.startswith("not compared") and "speeds" not in one)
    between = [one for one in plan.cables if not {one.device[:3], one.peer[:3]} & {"gpu", "nas"}]
    assert note.startswith(f"not compared: {len(between)} cables between devices whose files are not there, such as ")
    call = ["fabric", "check", str(tmp_path / "hosts.tar"), "--expect", str(tmp_path / "plan.dot"), "--json"]
    found = {one["kind"]: one["count"] for one in json.loads(CliRunner().invoke(rs.app, call).stdout)["findings"]}
    assert found["missing cable"] == 1


def test_a_plan_of_others_and_its_fabric():
    path = shared("ethernet", "lldpq_topology.dot")
    given = rs.open_fabric(path)
    assert check_plan(cables_of(given), read_plan(path)).matched == 439
    with pytest.raises(InputError, match=r"0 of 11 devices are in the fabric \(0%\)"):
        check_plan(cables_of(given), read_plan(shared("ethernet", "netq_topologyGraph.json")))
