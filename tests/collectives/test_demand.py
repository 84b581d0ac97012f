"""Demands, schedules and sizes refuse what makes no sense, and count their bytes."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import (
    AllToAll,
    Flows,
    Groups,
    InputError,
    Phase,
    Reduction,
    Schedule,
    format_bytes,
    parse_bytes,
    parse_sizes,
)
from tests.naive.routing import pairs_of
from tests.random_fabrics import all_to_all_demands


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Flows([0], [1], [float("nan")]), r"flows.bytes\[0\]: expected a finite number >= 0, got nan"),
        (lambda: Flows([0, 1], [1, 0], [1.0, -2.0]), r"flows.bytes\[1\]: .* got -2.0"),
        (lambda: Flows([0], [1], [float("inf")]), r"flows.bytes\[0\]"),
        (lambda: Flows([-1], [1], [1.0]), r"flows.src\[0\]: expected a rank >= 0, got -1"),
        (lambda: Flows([0.5], [1], [1.0]), "flows.src: expected integers"),
        (lambda: Flows([2**31], [1], [1.0]), "flows.src: expected integers that fit int32"),
        (lambda: Flows([0], [1, 2], [1.0]), "flows.dst: expected 1 values, got 2"),
        (lambda: Flows([[0]], [1], [1.0]), "expected a vector"),
        (lambda: Groups.of([[0, 1, 0]]), "each rank at most once in a group"),
        (lambda: Groups(np.array([0, 3]), np.array([1, 2])), "offsets that rise from 0 to 2"),
        (lambda: Groups.consecutive(10, 4), "groups of 4: expected a size >= 1 that divides the job's 10 ranks"),
        (lambda: AllToAll(Groups.of([[0, 1]]), [1.0], [1.0, 1.0]), "all_to_all.send: expected 2 values, got 1"),
        (lambda: Reduction(Groups.of([[0, 1]]), [float("nan")]), r"reduction.bytes\[0\]"),
        (lambda: Phase(Flows([0], [1], [1.0]), 0), "expected repeat >= 1, got 0"),
        (lambda: Flows.from_matrix([[0.0, 1.0]]), r"from a matrix: expected \(n, n\) values, got \(1, 2\)"),
        (lambda: Flows.from_matrix([[0.0, 1.0], [2.0]]), "from a matrix: expected numbers, as many in each row"),
        (lambda: Flows.from_matrix([["a"]]), "from a matrix: expected numbers"),
        (lambda: Flows.from_matrix([1.0]), r"got \(1,\)"),
        (lambda: Flows.from_matrix([[0, 1], [-2, 0]]), r"\[1, 0\] is -2; expected a finite number >= 0"),
        (lambda: Flows.from_matrix([[0.0, float("nan")], [0.0, 0.0]]), r"\[0, 1\] is nan"),
        (lambda: Flows.from_matrix([[0.0, float("inf")], [0.0, 0.0]]), r"\[0, 1\] is inf"),
        (
            lambda: Schedule((), "both"),  # type: ignore[arg-type]
            "overlap 'both': expected one of sequential, pipelined",
        ),
    ],
)
def test_refuses(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_arrays_are_frozen_and_the_callers_are_not():
    mine = np.array([1.0, 2.0])
    flows = Flows(np.array([0, 1]), np.array([1, 0]), mine)
    with pytest.raises(ValueError, match="read-only"):
        flows.bytes[0] = 5
    mine[0] = 7.0


@settings(deadline=None, max_examples=50)
@given(all_to_all_demands(6))
def test_total_bytes_is_the_sum_over_pairs(demand):
    assert demand.total_bytes() == pytest.approx(sum(amount for *_, amount in pairs_of(demand)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1GiB", 2**30),
        ("64 MB", 64e6),
        ("1048576", 2**20),
        ("1.5kB", 1500),
        ("2e3 B", 2000),
        ("0.5TiB", 2**39),
        ("0", 0),
        ("8", 8),
        ("1K", 2**10),
        ("128M", 2**27),
        ("1.5g", 1.5 * 2**30),
        ("2G", 2**31),
    ],
)
def test_parses_sizes(text, value):
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "1 Gb", "12Mb", "1.5", "3 furlongs", "nan", "1e999 GB", "1GiB/s", "0x10", "1T", "1Kb"]
)
def test_refuses_sizes(text):
    with pytest.raises(InputError, match="size "):
        parse_bytes(text)


@given(st.integers(0, 2**50))
def test_printed_sizes_mean_what_they_say(value):
    text = format_bytes(float(value))
    # Decimal units are rounded to four digits.
    assert parse_bytes(text.replace("e+", "e")) == pytest.approx(value, rel=6e-4)


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("8", (8,)),
        ("8:64", (8, 16, 32, 64)),
        ("1M:1G", tuple(2**power for power in range(20, 31))),
        ("1KiB:8KiB", (1024, 2048, 4096, 8192)),
        ("3:13", (3, 6, 12)),
        ("8B,1MB, 2K", (8, 1e6, 2048)),
    ],
)
def test_parses_several_sizes(text, sizes):
    assert parse_sizes(text) == sizes


@pytest.mark.parametrize("text", ["0", "8:4", "", "1M:", "1M:2M:4M", "0:8", "1M,", "1Mb"])
def test_refuses_several_sizes(text):
    with pytest.raises(InputError, match="size"):
        parse_sizes(text)


@settings(deadline=None)
@given(
    st.integers(0, 5).flatmap(
        lambda n: st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_a_matrix_becomes_its_flows(rows):
    matrix = np.array(rows).reshape(len(rows), len(rows))
    flows = Flows.from_matrix(rows if rows else matrix)
    back = np.zeros_like(matrix)
    np.add.at(back, (flows.src, flows.dst), flows.bytes)
    np.testing.assert_array_equal(back, matrix)
    assert (flows.bytes > 0).all()


def test_values_print_short():
    groups = Groups.consecutive(512, 64)
    flows = Flows(np.arange(64), np.arange(64)[::-1], np.full(64, 1.5e9 / 64))
    uniform = AllToAll(groups, np.full(512, 1.0), np.ones(512))
    printed = {
        repr(flows): "Flows(64 flows, 1.5 GB)",
        repr(Flows.from_matrix([[0, 5], [0, 0]])): "Flows(1 flow, 5 B)",
        repr(groups): "Groups(8 groups of 64 ranks)",
        repr(Groups.of([[0, 1, 2], [4]])): "Groups(2 groups of 1 to 3 ranks)",
        repr(Groups.of([])): "Groups(0 groups of 0 ranks)",
        repr(uniform): "AllToAll(8 groups of 64 ranks, 32.26 kB)",
        repr(Reduction(groups, np.full(8, 1e6))): "Reduction(8 groups of 64 ranks, 512 MB)",
        repr(Phase(flows, 3, "ring", 2)): "Phase('ring', 3 x Flows(64 flows, 1.5 GB), depth 2)",
        repr(Phase((flows, uniform))): f"Phase('', {flows!r} + {uniform!r})",
        repr(Schedule((Phase(flows, 3, "ring", 2),))): "Schedule(1 phase, 6 steps, sequential, 4.5 GB)",
    }
    assert list(printed) == list(printed.values())
