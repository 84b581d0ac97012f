"""Ranks that the others wait for: of records that are made, and of a job that a fault ended."""

import pytest

from tests.shared_data import shared
from tests.traces.test_kineto import comms, write
from traces.late_ranks import LateRank, by_clocks, late_ranks
from traces.operation import Operation, RankReport, Trace
from traces.registry import read_trace

RANKS = (0, 1, 2, 3)


def trace_of(*operations):
    return Trace(("x",), operations, 4, traced=RANKS)


def collective(number, times, lasted=True):
    reports = tuple(
        RankReport(rank, None if lasted else time, time if lasted else None) for rank, time in times.items()
    )
    return Operation("all-reduce", RANKS, 4, "g", 1e6, sequence=number, reports=reports)


def test_the_shortest_kernel_came_last():
    """Whatever starts: rank 2 runs for 1 ms where the others wait for it, 4 ms in the middle."""
    slow = [collective(n, {0: 5e-3, 1: 4e-3, 2: 1e-3, 3: 4e-3}) for n in range(5)]
    even = [collective(5, {rank: 1e-3 + rank * 1e-6 for rank in RANKS})]
    (late,) = late_ranks(trace_of(*slow, *even))
    assert late == LateRank(2, 6, 5, late.waited_s, 0)
    assert late.waited_s == pytest.approx(5 * 3e-3)
    assert late.straggler
    assert not by_clocks(trace_of(*slow))


def test_clocks_tell_where_kernels_do_not():
    starts = [collective(n, {0: n + 0.0, 1: n + 0.02, 2: n + 1e-5, 3: n + 0.0}, lasted=False) for n in range(5)]
    (late,) = late_ranks(trace_of(*starts))
    assert (late.rank, late.last) == (1, 5)
    assert late.waited_s == pytest.approx(0.1)
    assert by_clocks(trace_of(*starts))


def test_who_stopped_is_behind():
    went_on = [collective(n, dict.fromkeys(RANKS if n < 3 else (0, 1, 3), n + 0.0), lasted=False) for n in range(7)]
    (late,) = late_ranks(trace_of(*went_on))
    assert (late.rank, late.behind, late.last) == (2, 4, 0)
    # A record that was cut: the others ended those collectives.
    ended = [collective(n, dict.fromkeys(RANKS if n < 3 else (0, 1, 3), 1e-3)) for n in range(7)]
    assert late_ranks(trace_of(*ended)) == ()


def test_of_one_rank_nothing_is_known():
    assert late_ranks(trace_of(*(collective(n, {0: 1.0}) for n in range(5)))) == ()
    assert late_ranks(Trace(("x",), (), None)) == ()


def test_kineto_files_of_several_ranks_keep_what_each_saw(tmp_path):
    paths = [write(tmp_path, rank, [comms(), comms("all_gather", 40)], world=2) for rank in range(2)]
    operations = read_trace(paths).operations
    assert [[report.rank for report in one.reports] for one in operations] == [[0, 1], [0, 1]]


def test_a_fault_of_others():
    """Megatron-LM, 16 ranks, faults injected on ranks 12 and 14: 12 stopped before the others of its groups."""
    folder = shared("traces", "flight_recorder", "gpu_error_1st")
    late = late_ranks(read_trace(sorted(folder.glob("_dump_*"))))
    assert [one.rank for one in late if one.behind] == [12]
    assert late[0].behind == 14
