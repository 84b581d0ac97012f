"""Placements side by side: bytes by tier, groups that cross domains, and the order that is proposed."""

import json

import numpy as np
import pytest

import railscope as rs
from fabric.studies.placing import study_placing, unit_of
from tests.fabric.commands.test_cli import railscope
from tests.traces.test_workload import TINY_MODEL
from traces.workload.description import Workload, parse_workload, read_workload
from traces.workload.step_operations import step_operations

GPUS = 512


@pytest.fixture(scope="module")
def scattered():
    rule = rs.PlacementRule("scattered", gpus=GPUS)
    return study_placing(rs.open_fabric("gb300-2048"), read_workload("deepseek-v3"), rule)


def test_the_same_hosts_in_another_order(scattered):
    given, proposed = scattered.given, scattered.proposed
    assert sorted(given.placement.endpoint.tolist()) == sorted(proposed.placement.endpoint.tolist())
    assert proposed.time.step_s < 0.6 * given.time.step_s
    assert proposed.crossing["ep"][0] == scattered.assignment.straddling == scattered.assignment.bound == 0


def test_crossing_groups_are_counted_one_by_one(scattered):
    domain = scattered.fabric.topology.endpoint_domain
    for one in scattered.placed:
        for operation in step_operations(scattered.workload):
            crossing = sum(len(set(domain[one.placement.endpoint[group]].tolist())) > 1 for group in operation.groups)
            assert one.crossing[operation.axis] == (crossing, operation.groups.n_groups)


def test_bytes_by_axis_add_up(scattered):
    for one in scattered.placed:
        assert np.allclose(np.sum(list(one.by_axis.values()), axis=0), one.tier_bytes)
        # What goes up from the leaves went into them.
        assert one.tier_bytes[1] >= one.tier_bytes[2]


def test_schedulers_and_their_segments(scattered):
    names = [one.name for one in scattered.placed]
    assert names == [
        "as it is",
        "proposed",
        "packed",
        "segmented, --segment=16",
        "unaligned",
        "fragmented",
        "scattered",
    ]
    steps = {one.name: one.time.step_s for one in scattered.placed}
    assert steps["packed"] == pytest.approx(steps["segmented, --segment=16"])
    assert steps["packed"] == min(steps.values())


def test_hosts_that_cannot_hold_a_group_have_a_bound():
    rule = rs.PlacementRule("fragmented", gpus=2048)
    placing = study_placing(rs.open_fabric("gb300-2048"), read_workload("deepseek-v3"), rule)
    assert placing.assignment.bound > 0
    assert placing.assignment.straddling >= placing.assignment.bound
    assert placing.proposed.crossing["ep"][0] <= placing.given.crossing["ep"][0]


def test_the_unit_is_the_widest_group_of_neighbours():
    assert unit_of(step_operations(Workload.of(read_workload("deepseek-v3"), 2048)), 2048) == 64
    dense = Workload.of(read_workload("llama-3.1-405b"), 512, read_workload("llama-3.1-405b").measured[0])
    assert unit_of(step_operations(dense), 512) == 8
    tiny = Workload.of(parse_workload(TINY_MODEL, "x"), 64)
    assert unit_of(step_operations(tiny), 64) == 8


def test_the_command_writes_what_launchers_take(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY_MODEL)
    words = ("place", "tiny.toml", "hgx-b200-64", "--placement", "scattered", "--json")
    done = railscope(*words, "--write", "slurm-hostfile=hosts", "--write", "json=order.json")
    document = json.loads(done.stdout)
    hosts = (tmp_path / "hosts").read_text().split()
    assert len(hosts) == 64
    assert list(dict.fromkeys(hosts)) == document["proposal"]["hosts"]
    assert [row["host"] for row in json.loads((tmp_path / "order.json").read_text())["ranks"]] == hosts
    assert document["placements"][1]["name"] == "proposed"
    again = railscope(*words, "--write", "slurm-hostfile=hosts")
    assert again.returncode == 1
    wrong = railscope(*words, "--write", "slurm=x")
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def test_hosts_of_a_real_dump_are_reordered(tmp_path):
    """A dump of 8 hosts of 8 rails, named in an order that splits groups of 16."""
    (tmp_path / "tiny.toml").write_text(TINY_MODEL)
    dump = "tests/data/infiniband/naive64-updn.ibnetdiscover.gz"
    done = railscope("place", str(tmp_path / "tiny.toml"), dump, "--nvlink-gbps", "3600", "--hosts", "h000[7,1,3,5]",
                     "--json")  # fmt: skip
    proposal = json.loads(done.stdout)["proposal"]
    assert sorted(proposal["hosts"]) == ["h0001", "h0003", "h0005", "h0007"]
    assert proposal["straddling"] == proposal["bound"] == 0
