"""Demands, schedules and sizes refuse what makes no sense, and count their bytes."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from collectives import AllToAll, Flows, Groups, InputError, Phase, Reduction, Schedule, format_bytes, parse_bytes
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
        (lambda: Schedule((), "both"), "overlap 'both': expected one of sequential, pipelined"),
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
    ],
)
def test_parses_sizes(text, value):
    assert parse_bytes(text) == value


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "1 Gb", "12Mb", "1.5", "3 furlongs", "nan", "1e999 GB", "1GiB/s", "0x10"]
)
def test_refuses_sizes(text):
    with pytest.raises(InputError, match="size "):
        parse_bytes(text)


@given(st.integers(0, 2**50))
def test_printed_sizes_mean_what_they_say(value):
    text = format_bytes(float(value))
    # Decimal units are rounded to four digits.
    assert parse_bytes(text.replace("e+", "e")) == pytest.approx(value, rel=6e-4)
