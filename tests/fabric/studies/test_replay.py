"""A trace over time: closed forms, conservation, and Chrome's format."""

import json

import numpy as np
import pytest

import railscope as rs
from collectives.errors import InputError
from fabric.jobs.traffic import Traffic
from fabric.reports.chrome_trace import chrome_trace
from fabric.reports.replay import replay_document
from fabric.studies.replay import exposed_share, study_replay
from fabric.studies.verdicts.replay import replay_verdict
from tests.fabric.commands.test_cli import railscope
from tests.shared_data import TWINS
from traces.gpu_time import GpuTime
from traces.operation import Operation, Trace
from traces.traffic import trace_schedule

FABRIC = "hgx-b200-64"


def operation(ranks, start=None, kind="all-reduce", size=1e9, group="", sequence=0, measured=None):
    return Operation(kind, tuple(ranks), len(ranks), group, bytes=size, start_s=start, sequence=sequence,
                     source="made", measured_s=measured)  # fmt: skip


def replayed(*operations, n_ranks=64, **options):
    trace = Trace(("made",), tuple(operations), n_ranks)
    traffic = Traffic("made", n_ranks, lambda domain, rail: None, trace=trace)  # type: ignore[arg-type, return-value]
    return study_replay(rs.Scenario.of(FABRIC, traffic), **options)


def test_alone_an_operation_takes_its_own_time():
    result = replayed(operation(range(8), 3.0), operation(range(8), 5.0, sequence=1))
    assert [one.start_s for one in result.operations] == [0.0, 2.0]
    for one in result.operations:
        assert one.took_s == pytest.approx(one.alone_s)
    assert not result.slowed
    assert {len(link.utilization) for link in result.links} == {100}


def test_two_at_once_on_one_link_take_as_long_as_the_link_needs():
    """1 GB each over a NIC of 50 GB/s: 40 ms, which is twice the one's time but for headers and latency."""
    one, other = (operation([0, 8], 0.0, "send-recv", group=name) for name in "ab")
    result = replayed(one, other)
    for each in result.operations:
        assert each.took_s == pytest.approx(2 * 1e9 / 50e9)
        assert each.took_s == pytest.approx(2 * each.alone_s, rel=0.05)
    assert len(result.slowed) == 2


def test_what_shares_nothing_is_not_slowed():
    result = replayed(operation(range(8), 0.0), operation(range(8, 16), 0.0, group="b"))
    assert not result.slowed
    assert result.span_s == pytest.approx(result.operations[0].alone_s)


def test_the_later_one_is_alone_at_its_end():
    """Half of the second overlaps the first: it ends where both have sent all their bytes over the one link."""
    alone = replayed(operation([0, 8], 0.0, "send-recv")).operations[0].alone_s
    result = replayed(
        operation([0, 8], 0.0, "send-recv", group="a"), operation([0, 8], alone / 2, "send-recv", group="b")
    )
    first, second = result.operations
    assert first.finish_s == pytest.approx(alone / 2 + 1e9 / 50e9)
    assert second.finish_s == pytest.approx(2.0 * alone, rel=0.05)


def test_without_timestamps_members_wait_for_one_another():
    result = replayed(operation([0, 1]), operation([2, 3]), operation([1, 2]))
    a, b, c = sorted(result.operations, key=lambda one: one.operation.ranks)[0:3]
    by_ranks = {one.operation.ranks: one for one in (a, b, c)}
    assert not result.by_time
    assert by_ranks[0, 1].start_s == by_ranks[2, 3].start_s == 0.0
    assert by_ranks[1, 2].start_s == pytest.approx(max(by_ranks[0, 1].finish_s, by_ranks[2, 3].finish_s))


def test_one_group_runs_in_order_whatever_its_timestamps_say():
    result = replayed(operation(range(16), 0.0), operation(range(16), 1e-6, sequence=1))
    first, second = result.operations
    assert second.start_s == pytest.approx(first.finish_s)


def test_bytes_are_those_that_the_links_carry():
    rng = np.random.default_rng(5)
    made = [
        operation(range(first, first + 16), float(rng.random() * 1e-2), "all-to-all", 1e8, str(first % 5), place)
        for place, first in enumerate(rng.integers(0, 48, 12).tolist())
    ]
    result = replayed(*made, bins=37)
    topology = result.scenario.topology
    assert result.slowed
    for link in result.links:
        capacity = topology.link_capacity_gbps[link.link] * 1e9 / 8
        carried = float(link.utilization.sum()) * result.span_s / 37 * capacity
        assert carried == pytest.approx(link.bytes, rel=1e-6)
        assert link.utilization.max() <= 1 + 1e-6
        assert link.utilization.min() >= 0


def test_segments_give_each_operation_its_own_time():
    result = replayed(*(operation(range(16), 0.0, "all-to-all", group=str(n)) for n in range(3)))
    for place, one in enumerate(result.operations):
        worked = sum((end - begin) * speed for number, begin, end, speed in result.segments if number == place)
        assert worked == pytest.approx(one.alone_s)


def test_the_same_again():
    made = [operation(range(16), n * 1e-4, "all-to-all", group=str(n)) for n in range(4)]
    one, other = replayed(*made), replayed(*made)
    assert chrome_trace(one) == chrome_trace(other)


def test_uneven_exchanges_and_messages():
    splits = np.zeros((4, 4))
    splits[0, 3] = 4e9
    uneven = Operation("all-to-all", (0, 8, 16, 24), 4, splits=splits, bytes=1e9, start_s=0.0, source="made")
    result = replayed(uneven)
    (one,) = result.operations
    # 4 GB into a NIC of 50 GB/s.
    assert one.alone_s >= 4e9 / 50e9


def test_ranks_that_the_placement_lacks_are_refused():
    with pytest.raises(InputError, match="made: rank 70; the job has ranks 0 to 63"):
        replayed(operation([0, 70], 0.0))


def test_traffic_must_be_a_trace():
    with pytest.raises(InputError, match="expected a trace"):
        study_replay(rs.Scenario.of(FABRIC, rs.Collective("all-reduce", "1MiB")))


KEYS = {"M": {"name", "pid", "tid", "args"}, "X": {"name", "cat", "pid", "tid", "ts", "dur", "args"},
        "C": {"name", "pid", "tid", "ts", "args"}}  # fmt: skip


def test_chromes_format():
    """Trace Event Format: complete events on one track do not overlap, times are microseconds from 0 on, in order."""
    made = [operation(range(16), n * 1e-3, "all-to-all", group=str(n % 2), sequence=n, measured=1e-3) for n in range(6)]
    document = json.loads(chrome_trace(replayed(*made)))
    assert document["displayTimeUnit"] == "ms"
    for event in document["traceEvents"]:
        assert set(event) == {"ph"} | KEYS[event["ph"]]
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
    timed = [event for event in document["traceEvents"] if event["ph"] != "M"]
    assert [event["ts"] for event in timed] == sorted(event["ts"] for event in timed)
    assert timed[0]["ts"] >= 0
    slices = [event for event in timed if event["ph"] == "X"]
    assert len(slices) == 6
    ends: dict[int, float] = {}
    for event in slices:
        assert event["ts"] >= ends.get(event["tid"], 0.0) - 1e-2
        assert event["dur"] >= 0
        ends[event["tid"]] = event["ts"] + event["dur"]
    named = {event["tid"] for event in document["traceEvents"] if event["name"] == "thread_name"}
    assert named == set(ends)
    assert all(isinstance(value, float | int) for e in timed if e["ph"] == "C" for value in e["args"].values())


def test_the_command_replays_a_real_traces_twin(tmp_path, monkeypatch):
    trace = str(TWINS / "resnet_2rank_rank0.json.gz")
    monkeypatch.chdir(tmp_path)
    done = railscope("replay", FABRIC, "--trace", trace, "--json", "--csv", "x.csv", "--figure", "x.png", "--chrome",
                     "x.json")  # fmt: skip
    document = json.loads(done.stdout)
    assert document["summary"]["operations"] == len(document["operations"]) == 21
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 22
    assert json.loads((tmp_path / "x.json").read_text())["traceEvents"]


def test_exposed_communication_beside_the_predicted():
    """1 GB between two GPUs: half of what was recorded is hidden; by the model nothing is, as it ends before."""
    alone = replayed(operation([0, 8], 0.0, "send-recv")).operations[0].alone_s
    start, lasted = 7.0, 4 * alone
    known = GpuTime(8, np.array([[start + 2 * alone, start + 6 * alone]]), np.array([[start, start + lasted]]))
    only = operation([0, 8], start, "send-recv", measured=lasted)
    trace = Trace(("made",), (only,), 64, gpu_times=(known, GpuTime(3, np.zeros((0, 2)), np.array([[0.0, 1.0]]))))
    traffic = Traffic("made", 64, lambda domain, rail: trace_schedule(trace, 64)[0], trace=trace)
    result = study_replay(rs.Scenario.of(FABRIC, traffic))
    (exposed,) = result.exposed  # Of rank 3 nothing but communication is known.
    assert (exposed.rank, exposed.span_s) == (8, pytest.approx(6 * alone))
    assert exposed.measured_s == pytest.approx(2 * alone)
    assert exposed.predicted_s == pytest.approx(alone)
    assert exposed_share(result.exposed) == pytest.approx(1 / 3)
    assert "not hide is 33.3% of the time as measured, 16.7% by the model" in replay_verdict(result).text
    document = replay_document(result, None, None, ())
    assert document["summary"]["exposed"] == pytest.approx(1 / 3)
    assert [row["rank"] for row in document["exposed"]] == [8]
