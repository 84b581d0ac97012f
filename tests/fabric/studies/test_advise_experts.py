"""Experts dealt by popularity: against the definition, and run as `step` runs the workload that says the same."""

import json
import shlex
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from hypothesis import given, settings, strategies as st

import railscope as rs
from collectives.errors import InputError
from fabric.commands.app import app
from fabric.jobs.traffic import Traffic, retraced
from fabric.studies.advice.experts import dispatch_by_node, expert_placement
from fabric.studies.advice.lever import Cost
from fabric.studies.advice.study import advise
from fabric.studies.step import step_scenario, study_step
from fabric.studies.verdicts.advise import advise_verdict
from tests.fabric.studies.verdict_cases import clos
from traces.operation import Operation, Trace
from traces.workload.description import changed_layout
from traces.workload.popularity import copies, even_blocks, packed

SIZES = {"layout.pp": 1, "layout.vp": 1, "layout.ep": 16, "batch.sequences": 256}
SKEWED = {"experts.popularity": "zipf", "experts.zipf": 0.5}


def workload(**changes):
    return changed_layout(rs.read_workload("deepseek-v3"), {**SIZES, **changes}, "deepseek-v3")


@pytest.fixture(scope="module")
def fabric():
    """Four hosts of four GPUs, NVLink in each: an expert-parallel group of 16 is in all four."""
    return SimpleNamespace(open=lambda: rs.opened_fabric(clos(hosts=4, gpus=4, hosts_per_domain=1, wiring="rail")))


def rows_of(fabric, levers=(expert_placement,), **changes):
    return {row.lever: row for row in advise(step_scenario(fabric.open(), workload(**changes), 16), levers).rows}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 100), min_size=2, max_size=5), st.integers(0, 5))
def test_copies_make_the_most_loaded_copy_as_light_as_can_be(weights, redundant):
    share = np.array(weights, np.float64)
    number = copies(share, redundant)
    assert number.sum() == share.size + redundant

    def every(left, places):
        if places == 1:
            yield (1 + left,)
            return
        for first in range(left + 1):
            yield from ((1 + first, *rest) for rest in every(left - first, places - 1))

    best = min((share / np.array(some)).max() for some in every(redundant, share.size))
    assert (share / number).max() == pytest.approx(best)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=6, max_size=6))
def test_packs_have_as_many_and_are_near_the_best(values):
    """Longest first, with as many in each: at most 4/3 of the best of all ways to halve six."""
    load = np.array(values)
    part = packed(load, 2)
    assert np.bincount(part).tolist() == [3, 3]
    most = np.bincount(part, load).max()
    best = min(max(load[list(some)].sum(), load.sum() - load[list(some)].sum()) for some in combinations(range(6), 3))
    assert best * (1 - 1e-9) <= most <= best * 4 / 3 * (1 + 1e-9)


def test_blocks_of_ranks_receive_alike():
    load = 1.0 / np.arange(1, 33)
    order = even_blocks(load)
    assert sorted(order.tolist()) == list(range(32))
    halves = load[order].reshape(2, -1).sum(axis=1)
    assert halves.max() / halves.mean() < 1.02 < np.sort(load)[::-1].reshape(2, -1).sum(axis=1).max() / halves.mean()


def test_popular_experts_are_dealt_and_doubled(fabric):
    rows = rows_of(fabric, **SKEWED)
    dealt, doubled = rows["experts dealt by popularity"], rows["16 redundant experts"]
    assert dealt.cost == doubled.cost == Cost.RESTART
    for row, keys in (
        (dealt, {"experts.placement": "balanced"}),
        (doubled, {"experts.placement": "balanced", "experts.redundant": 16}),
    ):
        again = study_step(fabric.open(), workload(**SKEWED, **keys), 16, levers=False)
        assert row.trial.time_s == pytest.approx(again.best.time.step_s, rel=1e-12)
        assert row.trial.bound.time_s == pytest.approx(again.bound_s, rel=1e-12)
    as_it_is = study_step(fabric.open(), workload(**SKEWED), 16, levers=False).best.time.step_s
    even = study_step(fabric.open(), workload(), 16, levers=False).best.time.step_s
    assert dealt.gain == pytest.approx(as_it_is / dealt.trial.time_s)
    # Dealt, ranks receive more nearly alike; with copies about as if experts were equally popular.
    assert as_it_is > 1.5 * dealt.trial.time_s
    assert even < doubled.trial.time_s < 1.01 * even
    assert "redundant = 16" in doubled.how


def test_a_token_goes_once_to_each_domain(fabric):
    row = rows_of(fabric, (dispatch_by_node,))["tokens once to each domain"]
    again = study_step(fabric.open(), workload(**{"experts.copies": "node"}), 16, levers=False)
    assert row.cost == Cost.SETTING
    assert row.gain > 1.2
    assert row.trial.time_s == pytest.approx(again.best.time.step_s, rel=1e-12)
    assert "DeepEP" in row.how


@pytest.mark.parametrize(
    ("changes", "lever", "why_not"),
    [
        ({}, expert_placement, "experts are equally popular, as the workload says"),
        ({"layout.ep": 1}, expert_placement, "the workload has no experts on several ranks"),
        ({"experts.copies": "node"}, dispatch_by_node, "tokens are sent so already"),
        ({"layout.ep": 4}, dispatch_by_node, "each expert-parallel group is in one NVLink domain, or in none"),
    ],
)
def test_what_is_not_tried_of_a_step_says_why(fabric, changes, lever, why_not):
    assert [row.why_not for row in rows_of(fabric, (lever,), **changes).values()] == [why_not]


def test_the_whole_step_counts(fabric):
    advice = advise(step_scenario(fabric.open(), workload(**SKEWED), 16), (expert_placement,))
    verdict = advise_verdict(advice)
    assert verdict.sentences[0].startswith("16 redundant experts (a restart) makes the step ")
    assert verdict.time_s == advice.base.time_s
    nothing = advise_verdict(advise(step_scenario(fabric.open(), workload(), 16), (expert_placement,)))
    assert nothing.sentences[0].startswith("Nothing that was tried helps: the step takes ")
    assert "of what it sends, the senders' NICs are the limit" in nothing.sentences[0]


@pytest.mark.parametrize("back", [False, True])
def test_uneven_exchanges_show_what_dealing_could_give(back):
    """Of 16, one gets 5 times what the others do: evened out, its NIC takes what is due to each."""
    weights = np.ones(16)
    weights[3] = 5.0
    ends = (weights, np.full(16, 1e8)) if back else (np.full(16, 1e8), weights)
    schedule = rs.Schedule((rs.Phase(rs.AllToAll(rs.Groups.consecutive(16, 16), *ends)),))
    (row,) = advise(rs.Scenario.of(clos(), schedule), (expert_placement,)).rows
    assert (row.lever, row.cost) == ("experts dealt evenly, at best", Cost.RESTART)
    assert row.gain == pytest.approx(5.0 / (20 / 16))


def test_uneven_exchanges_of_a_trace():
    rng = np.random.default_rng(1)
    splits = np.full((8, 8), 1e6) + rng.random((8, 8))
    splits[:, 5] *= 3
    operation = Operation("all-to-all", tuple(range(8)), 8, bytes=float(splits.sum(axis=1).mean()), splits=splits)
    traffic = retraced(Traffic("exchange", 8, lambda domain, rail: rs.Schedule(())), Trace(("x",), (operation,), 8))
    (row,) = advise(rs.Scenario.of(clos(hosts=8), traffic), (expert_placement,)).rows
    inside = np.diagonal(splits)
    before = (splits.sum(axis=0) - inside).max()
    after = 7 / 8 * splits.sum() / 8
    assert row.gain == pytest.approx(before / after, rel=0.01)


@pytest.mark.parametrize(
    ("collective", "why_not"),
    [
        ("all-to-all", "every rank receives alike already"),
        ("all-reduce", "the traffic is no dispatch of tokens to experts"),
    ],
)
def test_what_is_no_dispatch_says_so(collective, why_not):
    rows = advise(rs.Scenario.of(clos(), rs.Collective(collective, algorithm=None)), (expert_placement,)).rows
    assert [row.why_not for row in rows] == [why_not]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experts.redundant": 8, "experts.placement": "balanced"}, "expected a multiple of layout.ep, 16"),
        ({"experts.redundant": 16}, 'expected experts.placement "balanced"'),
    ],
)
def test_experts_that_cannot_be_dealt_are_refused(fabric, changes, message):
    with pytest.raises(InputError, match=message):
        step_scenario(fabric.open(), workload(**changes), 16)


def test_commands_run_the_step_that_they_name(capsys):
    """Also for hashed routing, where `step` takes the median of as many seeds."""

    def printed(words):
        app([*words, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    words = ("advise", "hgx-b200-64", "--workload", "examples/skewed-experts.toml", "--layout", "ep=16", "--gpus", "16",
             "--routing", "ecmp")  # fmt: skip
    document = printed(words)
    assert document["as_it_is"]["seeds"]["seeds"] == 3
    rows = {row["lever"]: row for row in document["rows"]}
    named = [rows[lever] for lever in ("adaptive routing", "D-mod-K routing")]
    for row in named:
        command = shlex.split(row["command"])
        assert command[1:4] == ["step", "examples/skewed-experts.toml", "hgx-b200-64"]
        assert printed(command[1:])["summary"]["step_s"] == pytest.approx(row["time_s"], rel=1e-12)
    # No option of `step` says how tokens are sent, or by which way they change rails.
    assert rows["tokens once to each domain"]["command"] is None
    assert rows["without PXN"]["command"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--workload", "deepseek-v3", "--collective", "all-to-all"), "--workload says what is sent"),
        (("--collective", "all-to-all", "--layout", "ep=4"), "--layout: goes with --workload"),
        (("--workload", "deepseek-v3", "--transport", "pxn"), "expected none with --workload"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, message):
    with pytest.raises(typer.BadParameter, match=message):
        app(["advise", "hgx-b200-64", *words], standalone_mode=False)
