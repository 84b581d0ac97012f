"""GOAL schedules: messages, what waits for what, and what has no other end."""

import pytest

from collectives import InputError
from tests.shared_data import shared
from traces.order import rounds
from traces.registry import read_trace


def read(tmp_path, text):
    path = tmp_path / "x.goal"
    path.write_text(text)
    return read_trace(path)


def told(operations):
    return [(*o.ranks, o.bytes) for o in operations]


def test_a_binary_tree():
    trace = read_trace(shared("traces", "goal", "binary_tree_32.goal"))
    assert trace.n_ranks == 32
    assert trace.warnings == ()
    assert len(trace.operations) == 31
    assert {o.ranks[1] for o in trace.operations} == set(range(1, 32))
    assert all(o.bytes == 1.0 and o.complete for o in trace.operations)
    got = {0}
    for level in rounds(trace):
        assert all(o.ranks[0] in got for o in level)
        got |= {o.ranks[1] for o in level}
    assert len(got) == 32


def test_messages_wait_for_what_they_require(tmp_path):
    trace = read(
        tmp_path,
        """// a chain, told backwards
        num_ranks 3
        rank 2 { l1: recv 8b from 1 tag 7 }
        rank 1 { l3: send 8b to 2 tag 7; l2: calc 100 cpu 1; l1: recv 16b from 0 tag 1 cpu 0 nic 0
                 l2 requires l1; l3 irequires l2 }
        rank 0 { /* begins */ send 16b to 1 tag 1 }""",
    )
    assert [told(one) for one in rounds(trace)] == [[(0, 1, 16.0)], [(1, 2, 8.0)]]
    assert dict(trace.ignored) == {"calculations": 1}
    assert trace.warnings == ()


def test_ranks_that_send_to_each_other_first_do_not_contradict(tmp_path):
    ranks = "".join(
        f"rank {r} {{ a: send {r + 1}b to {1 - r} tag 0\n b: recv {2 - r}b from {1 - r} tag 0\n b requires a }}\n"
        for r in (0, 1)
    )
    trace = read(tmp_path, "num_ranks 2\n" + ranks)
    assert sorted(told(o for one in rounds(trace) for o in one)) == [(0, 1, 1.0), (1, 0, 2.0)]


def test_what_has_no_other_end_is_said(tmp_path):
    trace = read(
        tmp_path,
        "num_ranks 4\nrank 0 {\nsend 8b to 1 tag 0\nsend 4b to 1 tag 1\nsend 2b to 0\n}\n"
        "rank 1 {\nrecv 9b from 0 tag 1\nrecv 1b from 2\n}\nrank 2 { }\n",
    )
    assert [(o.ranks, o.bytes, o.missing) for o in trace.operations] == [
        ((0, 1), 8.0, ("its receive",)),
        ((0, 1), 4.0, ()),
        ((2, 1), 1.0, ("its send",)),
    ]
    assert told(o for one in rounds(trace) for o in one) == [(0, 1, 4.0)]
    for text in ("2 x send without its receive, first", "1 x recv without its send", "1 receives of other sizes"):
        assert any(text in line for line in trace.warnings)
    assert any("2 of 4 ranks do nothing" in line for line in trace.warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_ranks 0\n", r"x.goal:1: num_ranks '0': expected a whole number"),
        ("num_ranks 2\nrank 2 {\n}", r"x.goal:2: rank '2': expected a whole number from 0 to 1"),
        ("num_ranks 2\nrank 0 {\nl1: send 8b to 2 tag 0\n}", r"x.goal:3: rank '2': expected"),
        ("num_ranks 2\nrank 0 {\nl1: send 8 to 1 tag 0\n}", r"x.goal:3: 'l1: send 8 to 1 tag 0'; expected send, recv"),
        ("num_ranks 2\nrank 0 {\nl1: send 8b to 1", r"x.goal:3: the file ends in rank 0; expected }"),
        ("num_ranks 2\nsend 8b to 1", r"x.goal:2: 'send 8b to 1'; expected num_ranks or rank"),
        ("num_ranks 2\nrank 0 {\nl1 requires l2\n}", r"x.goal:3: label 'l1'; expected one that this rank has"),
        ("num_ranks 2\nrank 0 { a: calc 1\na: calc 2 }", r"x.goal:3: label 'a' a second time"),
        ("num_ranks 2\nrank 0 { }\nrank 0 { }", r"x.goal:3: rank 0 a second time"),
        ("num_ranks 2\nnum_ranks 2", r"x.goal:2: num_ranks a second time"),
        ("num_ranks 2\nrank 0 { rank 1 { } }", r"expected send, recv, calc"),
        ("num_ranks 2\nrank 0 { send 99999999999999999999b to 1 }", r"x.goal:2: bytes '9+': expected a whole number"),
        ("num_ranks 2\nrank 0 { send 8b to 1 tag \x1b[31m }", r"expected send, recv"),
    ],
)
def test_damage_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as no:
        read(tmp_path, text)
    assert "\n" not in str(no.value)


def test_two_files_are_refused(tmp_path):
    paths = [tmp_path / name for name in ("a.goal", "b.goal")]
    for path in paths:
        path.write_text("num_ranks 2\nrank 0 { send 8b to 1 }\nrank 1 { recv 8b from 0 }\n")
    with pytest.raises(InputError, match="a second GOAL schedule"):
        read_trace(paths)


def test_cut_anywhere_it_is_read_or_refused(tmp_path):
    text = "num_ranks 2\nrank 0 {\nl1: send 8b to 1 tag 0\nl2: calc 5\nl2 requires l1\n}\nrank 1 {\nrecv 8b from 0\n}\n"
    for end in range(12, len(text)):
        try:
            trace = read(tmp_path, text[:end])
        except InputError:
            continue
        assert trace.n_ranks == 2
