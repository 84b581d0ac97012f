"""nccl-tests as people have it: old columns, launchers' prefixes, cut and interleaved lines, several tests in one log."""

import pytest

from collectives import InputError
from collectives.bandwidth import bus_factor
from fabric.timing.prediction import same_test
from traces.nccl_tests import read_nccl_tests

SIZES = [1 << 20, 1 << 24, 1 << 28]


def row(size, collective="all-reduce", n=8, root="  -1", redop="sum", time_us=None, tail="0"):
    time_us = time_us if time_us is not None else size / 1e5 + 20
    algbw = size / time_us / 1e3
    busbw = algbw * bus_factor(collective, n)
    side = f"{time_us:8.2f} {algbw:7.2f} {busbw:7.2f} {tail:>6}"
    return f"{size:12d} {size // 4:12d}     float {redop:>7} {root} {side} {side}"


HEADER = "#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong"
OLD_HEADER = (
    "#       size         count    type   redop     time   algbw   busbw  error     time   algbw   busbw  error"
)


def read(tmp_path, *lines):
    path = tmp_path / "log.txt"
    path.write_text("\n".join(lines) + "\n")
    return read_nccl_tests(path)


@pytest.mark.parametrize("header", [[OLD_HEADER], []])
@pytest.mark.parametrize("time_us", [None, 13552.0])
def test_before_2_9_there_was_no_root(tmp_path, header, time_us):
    rows = [row(size, root="", tail="1e-07", time_us=time_us) for size in SIZES]
    # A time of five digits is printed without a fraction: it is no root.
    rows = [line.replace("13552.00", "13552") for line in rows]
    found = read(tmp_path, *header, *rows)
    assert [one.size for one in found.rows] == SIZES
    assert all(one.time_s == pytest.approx((time_us or one.size / 1e5 + 20) * 1e-6, rel=1e-3) for one in found.rows)
    assert found.bus_factor == pytest.approx(1.75, rel=1e-2)
    assert found.reduces is True


@pytest.mark.parametrize(
    "prefix",
    [
        "0: ",
        "[1,0]<stdout>:",
        "   [1,0]<stdout>:",
        "node-01: ",
        "launcher-x7k2p launcher ",
        "2025-11-02T10:00:00.123Z ",
        "stdout | ",
    ],
)
def test_prefixes_of_launchers(tmp_path, prefix):
    lines = ["# nThread 1 nGpus 1", HEADER, *(row(size) for size in SIZES), "# Avg bus bandwidth    : 52.9"]
    found = read(tmp_path, *(prefix + line for line in lines))
    assert [one.size for one in found.rows] == SIZES


def test_lines_of_nccl_in_between(tmp_path):
    noise = "h1:301:402 [0] NCCL INFO Channel 00/08 : 0 1 2 3 4 5 6 7"
    lines = [
        noise,
        HEADER,
        row(SIZES[0]),
        noise,
        "h1:301:402 [0] NCCL INFO AllReduce: opCount 2 sendbuff 0x7f count 1048576 float",
        row(SIZES[1]),
    ]
    assert len(read(tmp_path, *lines).rows) == 2


@pytest.mark.parametrize(
    ("ranks", "n"),
    [(range(8), 8), ([0, 1, 15], None), ([0, 1, "...", 15], None), ([0, 1, "# ...", 2, 3], None), ([], None)],
)
def test_a_list_of_ranks_that_is_cut_says_no_number(tmp_path, ranks, n):
    lines = [
        r if isinstance(r, str) else f"#  Rank {r:2d} Group  0 Pid 1 on h1 device  {r} [0000:19:00] NVIDIA H100"
        for r in ranks
    ]
    found = read(tmp_path, "# Using devices", *lines, HEADER, *(row(size, n=16) for size in SIZES))
    assert found.n_ranks == n


@pytest.mark.parametrize(
    ("collective", "redop", "root"),
    [
        ("all-gather", "none", "  -1"),
        ("reduce-scatter", "sum", "  -1"),
        ("all-to-all", "none", "  -1"),
        ("broadcast", "none", "   0"),
        ("reduce", "sum", "   0"),
        ("all-reduce", "", "  -1"),
        ("broadcast", "", "   0"),
    ],
)
def test_a_log_of_another_collective_is_told_by_its_ratio_and_operation(tmp_path, collective, redop, root):
    found = read(tmp_path, HEADER, *(row(size, collective, 8, root, redop) for size in SIZES))
    same_test(found, "log.txt", collective, 8)
    other = "all-gather" if collective != "all-gather" else "all-reduce"
    if collective not in ("all-to-all",):
        with pytest.raises(
            InputError, match=r"^log\.txt: (busbw is [0-9.]+ times algbw; expected|results of a collective)"
        ):
            same_test(found, "log.txt", other, 8)
    if collective in ("all-reduce", "all-gather"):
        with pytest.raises(InputError, match=r"busbw is .* times algbw"):
            same_test(found, "log.txt", collective, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("busbw", "inf", "busbw 'inf': expected a number"),
        ("busbw", "nan", "busbw 'nan': expected a number"),
        ("time", "-nan", "time '-nan': expected a number"),
        ("cut", "", "row cut off; expected size, count"),
    ],
)
def test_what_is_no_measurement(tmp_path, old, new, message):
    cells = row(SIZES[1]).split()
    if old == "cut":
        cells = cells[:7]
    else:
        cells[{"time": 5, "busbw": 7}[old]] = new
    with pytest.raises(InputError, match=rf"log\.txt:2: {message}"):
        read(tmp_path, HEADER, " ".join(cells))


def test_several_tests_in_one_log(tmp_path):
    twice = read(tmp_path, HEADER, *(row(size) for size in SIZES), "# Avg", HEADER, *(row(size) for size in SIZES))
    assert len(twice.rows) == 6
    with pytest.raises(
        InputError, match=r"results of several collectives \(all-reduce in line 2 and all-gather in line 7\)"
    ):
        read(
            tmp_path,
            "# Collective test starting: all_reduce_perf",
            HEADER,
            *(row(size) for size in SIZES),
            "# Collective test starting: all_gather_perf",
            HEADER,
            *(row(size, "all-gather", redop="none") for size in SIZES),
        )
