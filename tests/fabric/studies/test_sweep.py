"""Sweeps: grids and samples, what is kept on disk whatever happens, who runs the points, what explains the spread."""

import itertools
import math
import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from collectives import InputError
from fabric.studies.sweep.engine import Here, Task
from fabric.studies.sweep.grid import Axis, combination, drawn, grid_size
from fabric.studies.sweep.journal import Entry, Journal, Kept, make_folder, read_journal
from fabric.studies.sweep.outcome import PointOutcome, TierUse
from fabric.studies.sweep.point import StudyPoint, labels_of, point_id, point_name
from fabric.studies.sweep.processes import Processes
from fabric.studies.sweep.result import SweepResult
from fabric.studies.sweep.run import How, Shard, Swept, run_points, take_over
from fabric.studies.sweep.spread import influences, values_of
from tests.fabric.studies.sweep_workers import work


@given(st.lists(st.integers(1, 4), max_size=4))
def test_a_grid_is_the_product_in_its_order(sizes):
    axes = [Axis(f"a{place}", tuple(range(size))) for place, size in enumerate(sizes)]
    found = [tuple(combination(axes, number).values()) for number in range(grid_size(axes))]
    assert found == list(itertools.product(*(axis.values for axis in axes)))


@given(st.integers(0, 300), st.integers(0, 2**64))
def test_a_draw_is_every_number_once(size, seed):
    numbers = list(drawn(size, seed))
    assert sorted(numbers) == list(range(size))


def test_a_draw_is_even_and_its_own_by_the_seed():
    counts = np.zeros(40)
    for seed in range(2000):
        counts[list(itertools.islice(drawn(40, seed), 10))] += 1
    # 10 of 40, 2,000 times: 500 each, give or take 5 standard deviations.
    assert np.abs(counts - 500).max() < 5 * math.sqrt(2000 * 0.25 * 0.75)
    assert list(drawn(1000, 1))[:50] != list(drawn(1000, 2))[:50]
    # A huge grid is never written out; SplitMix64's published first numbers for the seed 1234567.
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert list(itertools.islice(drawn(2**62, 1234567), 3)) == [number % 2**62 for number in published]
    with pytest.raises(InputError, match="fewer than 2"):
        next(drawn(2**63, 1))


def entry(name, value=1.0, error="", seconds=0.5):
    tiers = (TierUse("leaf-spine", "up", 1 / 3, None), TierUse("host", "down", 1.0, 1.25))
    outcome = PointOutcome(error=error) if error else PointOutcome(time_s=value, over_bound=math.pi, tiers=tiers)
    return Entry(name, outcome, seconds, "here:1")


def written(folder, *entries):
    journal = Journal(folder)
    for one in entries:
        journal.write(one)
    journal.close()


def test_what_is_written_is_read(tmp_path):
    entries = [entry("a", 0.1), entry("b", 1e-300), entry("c", error="no path from 'ä' to \n b")]
    written(tmp_path, *entries)
    assert list(read_journal(tmp_path).entries.values()) == entries
    assert read_journal(tmp_path / "not there").entries == {}


def test_a_file_cut_anywhere_keeps_its_whole_lines(tmp_path):
    """A process that is killed at any byte: what was whole counts, what was not does not."""
    written(tmp_path, *(entry(name) for name in "abc"))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 3
    # All around the ends of lines and the hashes at their beginnings, and steps through the last one.
    near = {end + step for end in (0, *ends) for step in range(-3, 70)} | set(range(ends[1], ends[2], 5))
    for length in sorted(near & set(range(len(whole) + 1))):
        path.write_bytes(whole[:length])
        kept = read_journal(tmp_path)
        assert list(kept.entries) == list("abc")[: sum(end <= length for end in ends)]
        assert kept.torn == (length not in (0, *ends))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_byte_costs_its_own_line_at_most(tmp_path, data):
    folder = tmp_path / "j"
    for old in folder.glob("*"):
        old.unlink()
    make_folder(folder)
    written(folder, *(entry(name) for name in "abc"))
    (path,) = folder.iterdir()
    text = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(text)
    kept = read_journal(folder).entries
    # A line feed that goes joins two lines, one that comes parts one.
    assert len(kept) >= 1
    assert all(found == entry(name) for name, found in kept.items())


def test_of_several_results_the_first_counts_and_any_is_better_than_a_failure(tmp_path):
    written(tmp_path, entry("a", error="out of memory"), entry("b", 2.0), entry("c", error="x"))
    written(tmp_path, entry("a", 1.0), entry("b", 2.0, seconds=9.0), entry("c", error="x"), entry("d"))
    written(tmp_path, entry("b", 3.0))
    kept = read_journal(tmp_path)
    assert kept.entries["a"].outcome.time_s == 1.0
    assert kept.entries["b"] == entry("b", 2.0)
    assert (kept.torn, kept.again, kept.differing) == (0, 4, ("b",))


def test_a_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"^[^ ]*file: is a file; expected a folder"):
        make_folder(tmp_path / "file")
    with pytest.raises(InputError, match=r"^[^ ]*: holds other files; expected a new folder"):
        make_folder(tmp_path)
    with pytest.raises(InputError, match="cannot be made"):
        make_folder(tmp_path / "a" / "b")
    with pytest.raises(InputError, match="holds no point of a sweep"):
        take_over([tmp_path], tmp_path / "into")


def test_an_id_is_of_the_content():
    tables: dict[str, dict[str, object]] = {"fabric": {"name": "x"}, "traffic": {"group": 8, "size": "1MiB"}}
    own = point_id(tables, {}, "1")
    assert own == point_id({"traffic": {"size": "1MiB", "group": 8}, "fabric": {"name": "x"}, "faults": {}}, {}, "1")
    others = [
        point_id({**tables, "traffic": {"group": 16, "size": "1MiB"}}, {}, "1"),
        point_id(tables, {"x": "0" * 64}, "1"),
        point_id(tables, {}, "2"),
        point_id({**tables, "routing": {"seed": 0}}, {}, "1"),
    ]
    assert len({own, *others}) == 5
    with pytest.raises(InputError, match="not finite"):
        point_id({"fabric": {"speed": math.nan}}, {}, "1")


def test_names_are_short_where_they_can_be():
    keys = ("fabric.name", "routing.routing", "routing.seed", "faults.seed", "fabric.leaf.radix", "fabric.spine.radix")
    assert list(labels_of(keys).values()) == [
        "fabric", "routing", "seed", "faults.seed", "fabric.leaf.radix", "fabric.spine.radix"
    ]  # fmt: skip
    point = StudyPoint("0", {"routing.seed": 3, "routing.routing": "ecmp", "traffic.group": None}, {})
    assert point_name(point, ("routing.routing", "traffic.group", "routing.seed")) == "routing=ecmp seed=3"


def rows_of(values):
    """Rows with settings a and b, and their time."""
    return [
        (StudyPoint(f"{place}", {"t.a": a, "t.b": b}, {}), entry(f"{place}", value))
        for place, (a, b, value) in enumerate(values)
    ]


def naive_explained(rows, key):
    """Sum of squares between groups over the whole one, of logarithms, by the book."""
    logs = [(point.settings[key], math.log(one.outcome.time_s)) for point, one in rows]
    mean = sum(value for _, value in logs) / len(logs)
    total = sum((value - mean) ** 2 for _, value in logs)
    groups: dict[object, list[float]] = {}
    for setting, value in logs:
        groups.setdefault(setting, []).append(value)
    return sum(len(own) * (sum(own) / len(own) - mean) ** 2 for own in groups.values()) / total


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.floats(0.1, 10)), min_size=3, max_size=40))
def test_what_a_parameter_explains_is_eta_squared(values):
    rows = rows_of(values)
    if np.var([math.log(value) for *_, value in values]) < 1e-6:
        return
    for one in influences(rows, ["t.a", "t.b"], "time_s"):
        assert one.explains == pytest.approx(naive_explained(rows, one.key), abs=1e-9)
        assert sum(value.n for value in one.values) == len(rows)


def test_parameters_that_only_multiply_explain_all():
    rows = rows_of([(a, b, (1 + a) * 2.0**b) for a in range(3) for b in range(4)])
    found = {one.key: one.explains or 0.0 for one in influences(rows, ["t.a", "t.b"], "time_s")}
    assert sum(found.values()) == pytest.approx(1.0)
    assert list(found) == ["t.b", "t.a"]
    best = {one.key: (one.best().text, one.worst().text) for one in influences(rows, ["t.a", "t.b"], "time_s")}
    assert best == {"t.a": ("0", "2"), "t.b": ("0", "3")}


def test_time_is_over_the_fastest_of_the_same_job():
    """Each job's own fastest point is 1, however long its jobs take; what a point's bound is does not matter."""
    told = [
        ("a", "packed", 2.0),
        ("a", "spread", 6.0),
        ("b", "packed", 50.0),
        ("b", "spread", 60.0),
        ("c", "packed", 7.0),
    ]
    rows = [
        (StudyPoint(f"{n}", {"traffic.workload": job, "placement.placement": where}, {}), entry(f"{n}", value))
        for n, (job, where, value) in enumerate(told)
    ]
    assert values_of(rows, "over_fastest") == [1.0, 3.0, 1.0, 1.2, 1.0]
    found = {one.key: one for one in influences(rows, ["traffic.workload", "placement.placement"], "over_fastest")}
    assert found["placement.placement"].best().text == "packed"
    points, kept = tuple(point for point, _ in rows), Kept({one.id: one for _, one in rows})
    result = SweepResult("s", Swept.of(points, kept))
    assert result.metric == "over_fastest"
    assert [one.value for one in result.ranked] == [1.0, 1.0, 1.0, 1.2, 3.0]
    # Where no two points run the same job there is nothing to be over.
    alone = SweepResult("s", Swept.of(points[::2], kept))
    assert alone.metric == "over_bound"


def test_many_numbers_are_taken_in_ranges_and_what_has_no_effect_does_not_count():
    random.seed(1)
    rows = rows_of([(seed, "x", math.exp(random.random())) for seed in range(20)] + [(None, "y", 50.0)] * 3)
    found = {one.key: one for one in influences(rows, ["t.a", "t.b"], "time_s")}
    assert [value.text for value in found["t.a"].values] == ["0 to 3", "4 to 7", "8 to 11", "12 to 15", "16 to 19"]
    assert sum(value.n for value in found["t.a"].values) == 20
    assert (found["t.b"].explains or 0) > 0.9 > 0.1 > (found["t.a"].explains or 1)
    assert influences(rows_of([(1, 2, 3.0), (2, 2, 3.0)]), ["t.a"], "time_s")[0].explains is None


def points(n):
    return [
        StudyPoint(f"{number:016x}", {"t.n": number}, {"fabric": {"name": f"f{number % 2}"}}) for number in range(n)
    ]


def how(engine, folder, does=(), value=lambda point: point.settings["t.n"] + 1):
    def payload(point, part):
        return {"do": dict(does).get(point.settings["t.n"], "ok"), "mark": str(folder), "name": point.id,
                "value": value(point)}  # fmt: skip

    def combine(payload, parts):
        raise AssertionError

    return How(engine, work, combine, payload)


def starts(folder):
    return sorted(path.name.partition("-")[0] for path in folder.iterdir())


@pytest.fixture
def marks(tmp_path):
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def test_what_is_done_is_not_run_again(tmp_path, marks):
    own = points(6)
    seen = []
    run_points(own[:4], tmp_path / "p", how(Here(), marks), progress=lambda *told: seen.append(told))
    assert seen[0] == (0, 4, 0, None)
    assert seen[-1][:3] == (4, 4, 0)
    assert seen[-1][3] == 0.0
    kept = run_points(own, tmp_path / "p", how(Here(), marks))
    assert starts(marks) == [point.id for point in own]
    assert [kept.entries[point.id].outcome.time_s for point in own] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_shares_have_every_point_once(tmp_path, marks, n):
    own = points(5)
    for number in reversed(range(n)):
        kept = run_points(own, tmp_path / "p", how(Here(), marks), Shard(number, n))
    assert starts(marks) == [point.id for point in own]
    assert set(kept.entries) == {point.id for point in own}
    assert kept.again == 0


def test_shares_of_other_folders_are_taken_over_once(tmp_path, marks):
    own = points(5)
    for number in range(2):
        run_points(own, tmp_path / f"p{number}", how(Here(), marks), Shard(number, 2))
    take_over([tmp_path / "p0", tmp_path / "p1"], tmp_path / "all")
    take_over([tmp_path / "p0", tmp_path / "p1", tmp_path / "all"], tmp_path / "all")
    kept = read_journal(tmp_path / "all")
    assert set(kept.entries) == {point.id for point in own}
    assert kept.again == 0


def test_points_that_cannot_be_run_are_rows_and_are_tried_again_if_asked(tmp_path, marks):
    own = [*points(2), StudyPoint("bad", {"t.n": 9}, {}, {}, "--group goes with --collective")]
    kept = run_points(own, tmp_path / "p", how(Here(), marks))
    assert kept.entries["bad"].outcome.error == "--group goes with --collective"
    assert starts(marks) == [own[0].id, own[1].id]
    journal = Journal(tmp_path / "p")
    journal.write(entry("fails", error="not enough memory"))
    journal.close()
    fails = StudyPoint("fails", {"t.n": 3}, {})
    assert run_points([fails], tmp_path / "p", how(Here(), marks)).entries["fails"].outcome.failed
    again = run_points([fails], tmp_path / "p", how(Here(), marks), retry_failed=True)
    assert again.entries["fails"].outcome.time_s == 4


def test_processes_that_are_killed_are_replaced(tmp_path, marks):
    """One task kills its process once and is run again, another kills every process and is given up; no other suffers.

    Before any, one process does what makes them cheap.
    """
    own = points(12)
    warm = ({"do": "ok", "mark": str(marks), "name": "warm", "value": 0},)
    given = replace(how(Processes(2), marks, {3: "die once", 7: "die"}), warm=warm)
    kept = run_points(own, tmp_path / "p", given)
    (first,) = marks.glob("warm-*")
    assert all(first.stat().st_mtime_ns <= path.stat().st_mtime_ns for path in marks.iterdir())
    outcomes = [kept.entries[point.id].outcome for point in own]
    assert [one.time_s for one in outcomes] == [1, 2, 3, 4, 5, 6, 7, None, 9, 10, 11, 12]
    assert outcomes[7].error == "the process that ran it ended twice (SIGKILL; out of memory?)"
    counts = [starts(marks).count(point.id) for point in own]
    assert counts == [1, 1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1]
    assert kept.again == kept.torn == 0


def test_what_makes_all_vain_ends_it_and_leaves_no_process(tmp_path, marks):
    """A refusal of the worker itself, while another one sleeps."""
    began = time.monotonic()
    with pytest.raises(InputError, match="another version"):
        run_points(points(2), tmp_path / "p", how(Processes(2), marks, {0: "refuse", 1: "sleep"}))
    assert time.monotonic() - began < 45
    for path in marks.iterdir():
        assert not Path(f"/proc/{path.name.rpartition('-')[2]}").exists()


def test_nothing_to_do_starts_nobody():
    assert list(Processes(4).run(work, [], [])) == []
    task = Task("a", None, {})
    assert (task.name, Task("a", 3, {}).name) == ("a", "a-3")
