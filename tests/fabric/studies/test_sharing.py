"""Several jobs at once: shares, fair parts against slow sums, and published orderings."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

import railscope as rs
from collectives.errors import InputError
from fabric.commands.jobs import job_of
from fabric.studies.sharing import JobRequest, fair_speeds, placed_apart, study_sharing
from fabric.studies.verdicts.sharing import sharing_verdict
from tests.fabric.commands.test_cli import railscope
from traces.workload.description import changed_layout, read_workload


def slow_parts(needs):
    """Max-min fair parts of one link of capacity 1, poured in drops."""
    parts = [0.0] * len(needs)
    drop = 1e-3
    left = 1.0
    while left > 1e-9:
        thirsty = [place for place, need in enumerate(needs) if parts[place] < need - 1e-12]
        if not thirsty:
            break
        each = min(drop, left / len(thirsty))
        for place in thirsty:
            poured = min(each, needs[place] - parts[place])
            parts[place] += poured
            left -= poured
    return parts


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=st.floats(0, 1, width=16)))
def test_speeds_are_those_of_poured_links(demand):
    expected = np.ones(demand.shape[0])
    for link in range(demand.shape[1]):
        parts = slow_parts(demand[:, link].tolist())
        for job, need in enumerate(demand[:, link]):
            if need > 0:
                expected[job] = min(expected[job], parts[job] / need)
    assert np.allclose(fair_speeds(demand), expected, atol=5e-3)


def requests(kind, gpus=(1024, 512)):
    small = changed_layout(read_workload("llama-3.1-405b"), {"batch.sequences": 160}, "405b")
    rule = rs.PlacementRule(kind)
    return [
        JobRequest("deepseek", read_workload("deepseek-v3"), gpus[0], rule),
        JobRequest("llama", small, gpus[1], rule),
    ]


@pytest.fixture(scope="module")
def scattered():
    return study_sharing(rs.open_fabric("gb300-2048"), requests("scattered"))


def test_jobs_are_on_hosts_of_their_own(scattered):
    host = scattered.fabric.topology.endpoint_host
    first, second = (set(host[one.endpoint].tolist()) for one in scattered.placements)
    assert not first & second
    assert [one.n_ranks for one in scattered.placements] == [1024, 512]


def test_shares_add_up_and_nobody_gains(scattered):
    for one in scattered.routings:
        for link in one.links:
            assert sum(link.shares) == pytest.approx(1)
        for job in one.jobs:
            assert job.alone_s <= job.usual_s * (1 + 1e-12) <= job.worst_s * (1 + 1e-9)
        assert 0 < one.fairness <= 1 + 1e-12


def test_adaptive_isolates_and_hashing_does_not(scattered):
    """Published (arXiv 2605.21187): a DeepSeek-V3 proxy 667 -> 668 ms with adaptive routing, 735 -> 1180 with hashing."""
    adaptive, hashed = scattered.routings
    assert (adaptive.routing, hashed.routing) == ("adaptive", "ecmp")
    assert adaptive.victim.slowdown < 1.01
    assert hashed.victim.slowdown > 1.05
    assert hashed.victim.alone_s > adaptive.victim.alone_s


def test_a_routing_that_is_asked_for_is_the_only_one(scattered):
    asked = study_sharing(scattered.fabric, requests("scattered"), routing=rs.Ecmp())
    assert [asdict(one) for one in asked.routings] == [asdict(scattered.routings[1])]
    assert sharing_verdict(asked).text.startswith("Under static hashing ")


def test_a_second_job_that_does_not_fit_says_who_is_there():
    with pytest.raises(InputError, match=r"job llama: .*hosts are taken by deepseek"):
        placed_apart(rs.open_fabric("gb300-2048"), requests("packed", (2048, 2048)))


def test_a_host_of_another_job_is_refused():
    fabric = rs.open_fabric("hgx-b200-64")
    hosts = list(fabric.host_names())
    name = dict.fromkeys(hosts)
    first = next(iter(name))
    small = read_workload("llama-3.1-8b")
    jobs = [JobRequest(one, small, 8, rs.PlacementRule(hosts=first)) for one in "ab"]
    with pytest.raises(InputError, match=f"job b: host {first} is taken by a"):
        placed_apart(fabric, jobs)


@pytest.mark.parametrize("text", ["b", "b=llama-3.1-8b", "=llama-3.1-8b:8", "b=llama-3.1-8b:x@packed", "b=nobody:8"])
def test_odd_jobs_are_refused(text):
    with pytest.raises(InputError):
        job_of(text)


def test_jobs_of_a_file(tmp_path):
    file = tmp_path / "jobs.toml"
    file.write_text('[[job]]\nname = "b"\nworkload = "llama-3.1-8b"\ngpus = 32\nplacement = "scattered"\n')
    done = railscope("step", "llama-3.1-8b", "hgx-b200-64", "--gpus", "32", "--jobs", str(file), "--json")
    document = json.loads(done.stdout)
    assert document["schema"] == "railscope.jobs/1"
    assert [job["name"] for job in document["routings"][0]["jobs"]] == ["llama-3.1-8b", "b"]
    file.write_text('[[job]]\nname = "b"\nworkload = "llama-3.1-8b"\ngpu = 32\n')
    done = railscope("step", "llama-3.1-8b", "hgx-b200-64", "--gpus", "32", "--jobs", str(file))
    assert done.returncode == 1
    assert "job[0].gpu: unknown key" in done.stderr
