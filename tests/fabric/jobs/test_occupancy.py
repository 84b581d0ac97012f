"""Hosts that other jobs have, and jobs on what they leave."""

import pytest
from hypothesis import given, settings, strategies as st
from typer.testing import CliRunner

import railscope as rs
from collectives import InputError
from fabric.formats.opening import open_fabric
from fabric.formats.taken_hosts import read_taken_hosts
from fabric.jobs.occupancy import busy_cluster, free_after, free_hosts
from fabric.jobs.rule import PlacementRule
from fabric.jobs.trees import tree
from tests.fabric.commands.test_cli import answer


@pytest.fixture(scope="module")
def racks():
    return open_fabric("gb300-2048")


def hosts_of(fabric, rule, n_ranks):
    endpoint = rule.place(fabric, n_ranks).endpoint
    return list(dict.fromkeys(fabric.topology.endpoint_host[endpoint].tolist()))


@given(st.integers(1, 300), st.floats(0, 0.999), st.integers(0, 9))
def test_a_share_is_taken_and_the_rest_is_free(n_hosts, share, seed):
    free = free_after(n_hosts, share, seed)
    assert len(free) == n_hosts - int(n_hosts * share) >= 1
    assert free == sorted(set(free)) == free_after(n_hosts, share, seed)


def test_a_real_busy_cluster():
    """847 hosts below 3 pod switches on 48 leaves of 3 to 22 hosts: alibaba-lingjun-dataset-2023."""
    for seed in range(5):
        pods = busy_cluster(seed)
        assert [sum(leaves) for leaves in pods] == [179, 306, 362]
        sizes = [size for leaves in pods for size in leaves]
        assert len(sizes) == 48
        assert sum(sizes) == 847
        assert 3 <= min(sizes) < max(sizes) <= 22
    assert busy_cluster(1) == busy_cluster(1) != busy_cluster(2)
    with pytest.raises(
        InputError, match="busy cluster: 100 hosts on 4 leaves of 3 to 22 hosts each; expected 12 to 88"
    ):
        busy_cluster(pods=[100], n_leaves=4)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 5), st.sampled_from(["packed", "unaligned", "fragmented", "scattered", "tree"]))
def test_no_job_is_on_hosts_that_are_taken(seed, kind):
    fabric = open_fabric("gb300-2048")
    free = set(free_hosts(fabric, 0.4, seed))
    rule = PlacementRule(kind, 512, seed=seed, taken=0.4)
    used = hosts_of(fabric, rule, 512)
    assert len(used) == 128
    assert set(used) <= free
    assert used == hosts_of(fabric, rule, 512)
    if kind not in ("scattered", "tree"):
        assert used == sorted(free)[:128]


def test_segments_on_what_is_left(racks):
    rule = PlacementRule("segmented", 512, segment=8, taken=0.4, seed=2)
    endpoint = rule.place(racks, 512).endpoint
    domain = racks.topology.endpoint_domain[endpoint].reshape(-1, 32)
    assert (domain == domain[:, :1]).all()
    assert set(hosts_of(racks, rule, 512)) <= set(free_hosts(racks, 0.4, 2))
    room = PlacementRule("segmented", segment=8, taken=0.4, seed=2).n_ranks(racks)
    assert room % 32 == 0
    with pytest.raises(InputError, match=f"hold {room // 32} such segments"):
        PlacementRule("segmented", segment=8, taken=0.4, seed=2).place(racks, room + 32)


def test_segments_in_racks_that_nobody_else_is_in(tmp_path, racks):
    # One host of each of the first 30 racks of 18 is somebody else's.
    taken = write(tmp_path, ",".join(f"h{18 * rack:04d}" for rack in range(30)) + "\n")
    shared = PlacementRule("segmented", segment=8, taken=taken)
    alone = PlacementRule("segmented", segment=8, taken=taken, exclusive=True)
    assert hosts_of(racks, shared, 128)[0] == 1
    assert hosts_of(racks, alone, 128) == [*range(540, 556), *range(558, 574)]
    assert alone.n_ranks(racks) == 128
    assert alone.as_kind("packed") == PlacementRule(taken=taken)
    assert alone.as_kind("segmented") == alone


def test_a_tree_takes_the_fewest_leaf_sets():
    fabric = rs.open_fabric("gb300-4096")
    from fabric.jobs.host_parts import host_parts, leaves_of_hosts

    parts = host_parts(fabric.topology)
    sets = dict(zip((part.host for part in parts), leaves_of_hosts(fabric.topology, parts), strict=True))
    names = list(dict.fromkeys(sets.values()))
    of = {each: [host for host in sets if sets[host] == each] for each in names}
    if len(names) < 2:
        pytest.skip("the preset has one set of leaves")
    # One host of the first set is free, all of the second.
    free = [of[names[0]][0], *of[names[1]]]
    placement = tree(fabric.topology, 8, None, free)
    used = set(fabric.topology.endpoint_host[placement.endpoint].tolist())
    assert {sets[host] for host in used} == {names[1]}
    with pytest.raises(InputError, match="on 2 hosts that are free"):
        tree(fabric.topology, 9, None, free[:2])


def write(tmp_path, text):
    path = tmp_path / "taken.txt"
    path.write_text(text)
    return path


def test_files_of_hosts(tmp_path, racks):
    path = write(tmp_path, "# a comment\nh00[00-17]\nh0020,h0022 taken # rack 1\nh0030 free\n")
    said = read_taken_hosts(path)
    assert len(said.taken) == 20
    assert said.free == ("h0030",)
    free = free_hosts(racks, path)
    assert free[:4] == [18, 19, 21, 23]
    assert len(free) == 576 - 20
    assert hosts_of(racks, PlacementRule(taken=path), 16) == [18, 19, 21, 23]
    only = write(tmp_path, "h00[40-43]\tfree\n")
    assert free_hosts(racks, only) == [40, 41, 42, 43]
    assert hosts_of(racks, PlacementRule("fragmented", hosts="h00[42-50]", taken=only), 8) == [42, 43]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no host; expected HOSTLIST"),
        ("h0001 busy\n", ":1: 'h0001 busy'; expected HOSTLIST, HOSTLIST taken or HOSTLIST free"),
        ("h0001 free now\n", ":1: 'h0001 free now'; expected"),
        ("h0001\nh00[00-01] free\n", ":2: host 'h0001' is taken and free"),
        ("h00[00\n", ":1: hosts 'h00[00'"),
        ("h9999\n", "'h9999' is no host of gb300-2048"),
        ("h[0000-0575]\n", "all 576 hosts of gb300-2048 are taken"),
    ],
)
def test_files_that_are_refused(tmp_path, racks, text, message):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as refused:
        free_hosts(racks, path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "segmented"}, "placement segmented: expected the hosts of a segment"),
        ({"segment": 4}, "placement segmented: expected the hosts of a segment"),
        ({"exclusive": True}, "placement packed: whole blocks go with segmented"),
        ({"kind": "file.txt", "taken": 0.5}, "placement file.txt: hosts that are taken go with packed"),
        ({"topology_conf": "a", "node_labels": "b"}, "a topology.conf or labels of nodes, not both"),
    ],
)
def test_rules_that_contradict_themselves(options, message):
    with pytest.raises(InputError) as refused:
        PlacementRule(**options)
    assert message in str(refused.value)


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_shares_that_are_none(share):
    with pytest.raises(InputError, match="expected from 0 to less than 1"):
        free_after(10, share)


def test_the_command_line_takes_them(tmp_path):
    asked = ("loads", "hgx-b200-64", "--collective", "all-to-all", "--group", "16", "--gpus", "32")
    whole = answer(*asked, "--placement", "segmented", "--segment", "1", cwd=tmp_path)
    assert whole["placement"] == {"kind": "segmented", "ranks": 32}
    alone = answer(*asked, "--placement", "segmented", "--segment", "1", "--exclusive", "--taken", "0.2", cwd=tmp_path)
    assert alone["placement"] == whole["placement"]
    first = answer(*asked, "--taken", "40%", "--seed", "1", cwd=tmp_path)
    assert any("40% of the hosts" in text for text in first["assumptions"])
    for options, message in (
        (("--placement", "segmented"), "--placement segmented and --segment HOSTS together"),
        (("--segment", "4"), "--placement segmented and --segment HOSTS together"),
        (("--exclusive",), "--exclusive: goes with --placement segmented"),
        (("--placement", "segmented", "--segment", "1", "--exclusive"), "expected it with --taken or --hosts"),
        (("--topology-conf", "a", "--node-labels", "b"), "expected --topology-conf or --node-labels, not both"),
        (("--taken", "100%"), "expected less than 100%"),
        (("--taken", "missing.txt"), "missing.txt: cannot be read"),
    ):
        result = CliRunner().invoke(rs.app, [*asked, *options])
        assert result.exit_code in (1, 2)
        assert message in " ".join((result.output + str(result.exception)).replace("│", " ").split())
