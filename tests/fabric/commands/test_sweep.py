"""`railscope sweep`: the study file, its points beside the commands that run one, resuming, shares, parts, what failed."""

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import railscope as rs
from collectives import InputError
from fabric.commands.app import app
from fabric.commands.option_tables import TABLES, table_keys
from fabric.commands.options import FabricOptions, PlacementOptions, RoutingOptions, TrafficOptions
from fabric.commands.point_files import FILE_KEYS, digest_of, located
from fabric.commands.study_file import read_study
from fabric.commands.study_points import points_of
from fabric.commands.study_run import point_scenario, run_study
from fabric.reports.figures.sweep import sweep_figure
from fabric.reports.sweep_dataset import dataset_bytes, dataset_columns
from fabric.studies.breakable import drawn_failures
from fabric.studies.sweep.journal import read_journal
from fabric.studies.sweep.outcome import outcome_of
from fabric.studies.verdicts.sweep import sweep_verdict

ROOT = Path(__file__).parents[3]
TINY = """
[fabric]
name = "tiny"
hosts = 4
gpus_per_host = 2
gpu_gbps = 400.0
[leaf]
radix = 8
port_gbps = 400.0
down_ports = 4
[spine]
radix = 4
port_gbps = 400.0
"""
BASE = "[fabric]\nname = 'tiny.toml'\n[traffic]\ncollective = 'all-to-all'\nsize = '1MiB'\n"
STUDY = f"""
[study]
title = "What hurts"
{BASE}
[vary.fabric]
oversubscription = [1, 2]
[vary.routing]
routing = ["adaptive", "ecmp"]
seed = {{ first = 0, count = 3 }}
[vary.faults]
count = [0, 2]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def study_of(text, name="s.toml"):
    Path(name).write_text(text)
    return read_study(name)


def sweep(*words):
    done = CliRunner().invoke(app, ["sweep", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[study]\ntitel = 'x'\n", "study.titel: did you mean title?"),
        ("[study]\nmetric = 'tim_s'\n", "study.metric: 'tim_s': did you mean time_s?"),
        ("[study]\nsample = 0\n", "study.sample: 0: expected a whole number from 1 to 1,000,000"),
        ("[study]\nsplit = 1\n", "study.split: expected true or false, not 1"),
        ("[traffics]\n", "'traffics': did you mean traffic?"),
        ("[workload]\nname = 'x'\n", "workload: expected [traffic] with workload = "),
        ("case = 1\n", "case: expected tables [[case]]"),
        ("[traffic]\ncolective = 'x'\n", "traffic.colective: did you mean collective?"),
        ("[traffic]\ncollective = 'all-to-al'\n", "traffic.collective: 'all-to-al' is unknown; did you mean all-to-all?"),
        ("[fabric]\nname = 'gb300-2084'\n", "fabric.name: 'gb300-2084': neither a preset nor a file; did you mean gb300-2048?"),
        ("[fabric]\nleaf.radx = 1\n", "fabric.leaf.radx: did you mean leaf.radix?"),
        ("[fabric]\nleaf.radix = 'x'\n", "fabric.leaf.radix: 'x': expected an integer >= 1"),
        ("[fabric]\nspines = 'shard'\n", "fabric.spines: 'shard': did you mean shared?"),
        ("[vary.rooting]\n", "vary.'rooting': did you mean routing?"),
        ("[vary.routing]\nroutin = []\n", "vary.routing.routin: did you mean routing?"),
        ("[vary.routing]\nrouting = []\n", "vary.routing.routing: is empty; expected values"),
        ("[vary.routing]\nrouting = 'ecmp'\n", "vary.routing.routing: expected a list of values, or a range"),
        ("[vary.routing]\nrouting = ['adaptive', 'ecpm']\n", "vary.routing.routing[1]: 'ecpm' is unknown; did you mean ecmp?"),
        ("[vary.routing]\nrouting = ['ecmp', 'ecmp']\n", "vary.routing.routing[1]: 'ecmp' is there twice"),
        ("[vary.routing]\nseed = { first = 0 }\n", "vary.routing.seed.count: None: expected a whole number"),
        ("[vary.routing]\nseed = { first = 0, cout = 3 }\n", "vary.routing.seed.cout: did you mean count?"),
        ("[vary.routing]\nseed = { from = 4, to = 1, steps = 3 }\n", "vary.routing.seed: from 4 to 1: expected a range that rises"),
        ("[vary.routing]\nseed = { from = 0, to = 1, steps = 3, scale = 'log' }\n", "rises from more than 0"),
        ("[vary.routing]\nqueue-pairs = [1, 0]\n", "vary.routing.queue-pairs[1]: '0': expected a whole number from 1"),
        ("[vary.placement]\nexclusive = [true, 'x']\n", "vary.placement.exclusive[1]: expected true or false, not 'x'"),
        ("[vary.traffic]\nsize = ['', '1MiB']\n", "vary.traffic.size[0]: is empty; expected a value"),
        ("[vary.faults]\nkind = ['cable,spin']\n", "vary.faults.kind[0]: 'spin': did you mean spine?"),
        ("[vary.fabric]\nname = ['tiny.toml', 'gb30-2048']\n", "vary.fabric.name[1]: 'gb30-2048': neither a preset nor a file"),
        ("[[case]]\ntraffic.group = 4\n", "case[0].name: expected a text"),
        ("[[case]]\nname = 'a'\ntrafic.group = 4\n", "case[0].trafic: did you mean traffic?"),
        ("[[case]]\nname = 'a'\n[[case]]\nname = 'a'\n", "case[1].name: 'a' is there twice"),
        ("[[case]]\nname = 'a'\nrouting.seed = -1\n", "case[0].routing.seed: '-1': expected a whole number from 0"),
        (f"{BASE}[vary.traffic]\nsize = ['1MiB']\n", "traffic.size: stands in [traffic] and is varied; expected one"),
        (f"{BASE}[vary.routing]\nseed = [1]\n[[case]]\nname = 'a'\nrouting.seed = 2\n", "case a: routing.seed is varied too"),
        ("[fabric]\nname = 'tiny.toml'\n", "traffic: expected one of collective, trace, demand and workload"),
        ("[traffic]\ncollective = 'all-to-all'\n", "fabric.name: expected a preset or a file"),
        (f"{BASE}[vary.routing]\nseed = {{ count = 1001 }}\nqueue-pairs = {{ first = 1, count = 1000 }}\n", "1,001,000 combinations; expected at most 1,000,000, or study.sample"),
    ],
)  # fmt: skip
def test_what_a_study_may_not_say(here, text, said):
    with pytest.raises(InputError) as error:
        study_of(text)
    assert str(error.value).startswith("s.toml: ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[vary.routing]\nseed = [1, 2]\n", "routing.seed: has no effect in any point: nothing is hashed by ecmp or drawn"),
        ("[routing]\nqueue-pairs = 4\n", "routing.queue-pairs: has no effect in any point: only ecmp hashes"),
        ("[vary.faults]\nkind = ['cable', 'spine']\n", "faults.kind: has no effect in any point: no failure is drawn"),
        ("[traffic.x]\n", "traffic.x: "),
        ("[routing]\nrouting = 'lft'\n", "--routing lft: expected forwarding tables, --lfts FILE"),
        ("[placement]\nplacement = 'segmented'\n", "expected --placement segmented and --segment HOSTS together"),
    ],
)  # fmt: skip
def test_what_no_point_can_be(here, text, said):
    text = BASE + text
    with pytest.raises(InputError) as error:
        points_of(study_of(text))
    assert said in str(error.value)


def test_points_differ_in_what_has_an_effect(here):
    """Seeds count where something hashes or is drawn; queue pairs where something hashes."""
    study = study_of(f"{BASE}[vary.routing]\nrouting = ['adaptive', 'ecmp']\nseed = [0, 1, 2]\nqueue-pairs = [1, 4]\n"
                     "[vary.placement]\nplacement = ['packed', 'scattered']\n")  # fmt: skip
    points = points_of(study)
    assert study.n_combinations == 24
    told = [tuple(point.settings[key] for key in ("routing.routing", "placement.placement")) for point in points]
    assert {one: told.count(one) for one in told} == {
        ("adaptive", "packed"): 1,
        ("adaptive", "scattered"): 3,
        ("ecmp", "packed"): 6,
        ("ecmp", "scattered"): 6,
    }
    assert [point.settings["routing.queue-pairs"] for point in points[:2]] == [None, None]
    assert points[0].settings["routing.seed"] is None
    assert len({point.id for point in points}) == len(points) == 16


def test_ranges_cases_and_lists(here):
    study = study_of(
        f"{BASE}[vary.fabric]\nfail = [[], ['spine:s00'], 'leaf:*']\n"
        "leaf.oversubscription = { from = 1, to = 2, steps = 3 }\n"
        "[vary.traffic]\ngroup = { from = 2, to = 8, steps = 3, scale = 'log' }\n"
        "[[case]]\nname = 'small'\ntraffic.size = '1kB'\n[[case]]\nname = 'many'\nplacement.gpus = 4\n"
    )
    values = {axis.key: axis.values for axis in study.axes}
    assert values == {
        "case": ("small", "many"),
        "fabric.fail": ([], ["spine:s00"], "leaf:*"),
        "fabric.leaf.oversubscription": (1.0, 1.5, 2.0),
        "traffic.group": (2, 4, 8),
    }
    points = points_of(study)
    assert points[0].settings["fabric.fail"] == "none"
    assert points[0].tables["traffic"]["size"] == "1kB"
    assert points[-1].tables["traffic"]["size"] == "1MiB"
    assert points[-1].tables["placement"] == {"gpus": 4}


def test_a_larger_sample_holds_the_smaller_one(here):
    axes = "[vary.routing]\nrouting = ['ecmp']\nseed = { first = 0, count = 50 }\nqueue-pairs = [1, 2, 4]\n"
    whole = [point.id for point in points_of(study_of(BASE + axes))]
    small, large = (
        [point.id for point in points_of(study_of(f"[study]\nsample = {n}\n{BASE}{axes}"))] for n in (10, 30)
    )
    assert (len(small), len(set(large))) == (10, 30)
    # In the order of the grid, like all points.
    assert [one for one in large if one in set(small)] == small
    assert [one for one in whole if one in set(large)] == large
    assert len(points_of(study_of(f"[study]\nsample = 999\n{BASE}{axes}"))) == 150


def test_another_file_of_the_same_name_is_another_point(here):
    before = points_of(study_of(STUDY))
    Path("tiny.toml").write_text(TINY.replace("400.0", "200.0"))
    after = points_of(study_of(STUDY))
    assert not {point.id for point in before} & {point.id for point in after}
    Path("tiny.toml").write_text(TINY)
    assert [point.id for point in points_of(study_of(STUDY))] == [point.id for point in before]


def test_every_option_that_takes_a_file_is_known_to_be_one():
    """A file's content decides the id, and workers elsewhere get its whole path: none may be forgotten."""
    from dataclasses import fields
    from typing import get_type_hints

    tables = {
        "fabric": FabricOptions,
        "traffic": TrafficOptions,
        "routing": RoutingOptions,
        "placement": PlacementOptions,
    }
    for table, group in tables.items():
        hints = get_type_hints(group)
        for field in fields(group):
            if "Path" in str(hints[field.name]):
                assert f"{table}.{field.name.replace('_', '-')}" in FILE_KEYS, field.name
    for key in FILE_KEYS:
        table, _, own = key.partition(".")
        assert table in TABLES
        assert own in table_keys(table)


def test_files_are_known_by_what_they_hold(here, monkeypatch):
    Path("a/b").mkdir(parents=True)
    Path("a/b/one").write_text("1")
    Path("a/two").write_text("2")
    Path("a/.hidden").write_text("3")
    before = digest_of("a")
    Path("a/.hidden").write_text("4")
    assert digest_of("a") == before
    Path("a/b/one").rename("a/one")
    assert digest_of("a") != before != digest_of("a/*o*")
    assert digest_of("nowhere") == digest_of("no*where") == ""
    monkeypatch.setenv("RAILSCOPE_MAX_INPUT", "1B")
    with pytest.raises(InputError, match="larger than the limit of 1 bytes"):
        digest_of("a")
    tables: dict[str, dict[str, object]] = {"fabric": {"name": "gb300-2048", "faults": "f.toml"}, "placement": {"taken": "0.5", "placement": "tree"},
              "traffic": {"trace": ["a/*o*"]}}  # fmt: skip
    placed = located(tables)
    assert placed["fabric"] == {"name": "gb300-2048", "faults": str(here / "f.toml")}
    assert placed["placement"] == tables["placement"]
    assert placed["traffic"] == {"trace": [str(here / "a/*o*")]}


def test_a_file_that_changes_while_the_sweep_runs_makes_no_result(here):
    study = study_of(STUDY)
    points = points_of(study)
    Path("tiny.toml").write_text(TINY.replace("400.0", "200.0"))
    result = run_study(study, "p", points=points)
    assert len(result.swept.failures) == len(points)
    assert "is not what it was when the sweep began" in result.swept.failures[0][1].outcome.error


def loads_of(point):
    """What `railscope loads` says of a point, if it can."""
    words = ["loads", str(point.tables["fabric"]["name"]), "--json"]
    for table in ("fabric", "traffic", "routing", "placement"):
        for key, value in point.tables.get(table, {}).items():
            if key != "name" and table != "fabric":
                words += [f"--{key}", str(value)]
    if "fail" in point.tables["fabric"]:
        words += [word for one in point.tables["fabric"]["fail"] for word in ("--fail", one)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_row_is_what_loads_says_of_the_point(here, tmp_path):
    study = study_of(
        f"{BASE}[vary.fabric]\nfail = [[], ['spine:s00']]\n[vary.routing]\nrouting = ['adaptive', 'ecmp', 'dmodk']\n"
        "seed = [3]\n[vary.placement]\nplacement = ['packed', 'scattered']\n[vary.traffic]\ngroup = [2, 8]\n"
    )
    result = run_study(study, tmp_path / "p")
    rows = list(result.swept.rows)
    assert len(rows) == len(result.swept.points) == 24
    for point, entry in rows[::3]:
        outcome, said = entry.outcome, loads_of(point)
        assert outcome.time_s == said["summary"]["bottleneck_time_s"]
        assert outcome.busbw_GBps == said["summary"]["busbw_GBps"]
        assert outcome.over_bound == min((one["time_over_bound"] for one in said["bounds"]), default=None)
        assert outcome.worst_link == (said["bottleneck"] or {"name": ""})["name"]
        by_tier = {(tier["name"], tier["direction"]): tier for tier in said["tiers"]}
        assert {(one.tier, one.direction) for one in outcome.tiers} == set(by_tier)
        for one in outcome.tiers:
            tier = by_tier[one.tier, one.direction]
            assert one.imbalance == tier["imbalance"]
            assert one.max_utilization == pytest.approx(tier["max_s"] / outcome.time_s if outcome.time_s else 0.0)


def test_keys_of_the_description_are_those_of_compare(here, tmp_path):
    study = study_of(f"{BASE}[vary.fabric]\noversubscription = [1, 2]\nwiring = ['rail', 'host']\n")
    result = run_study(study, tmp_path / "p")
    done = CliRunner().invoke(app, ["compare", "tiny.toml", "--collective", "all-to-all", "--size", "1MiB", "--group", "8",
                                    "--vary", "oversubscription=1,2", "--vary", "wiring=rail,host", "--json",
                                    "--no-figure"])  # fmt: skip
    designs = json.loads(done.stdout)["designs"]
    assert [entry.outcome.time_s for _, entry in result.swept.rows] == [
        one["summary"]["bottleneck_time_s"] for one in designs
    ]


def test_drawn_failures_are_named_and_grow_with_their_number(here):
    scenario = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all"))
    few, many = (drawn_failures(scenario, ["cable", "spine"], count, 5) for count in (3, 9))
    assert {one.fault for one in few} < {one.fault for one in many}
    assert len({one.fault for one in many}) == 9
    assert {one.fault for one in drawn_failures(scenario, ["cable", "spine"], 9, 6)} != {one.fault for one in many}
    with pytest.raises(InputError, match="expected 0 to"):
        drawn_failures(scenario, ["spine"], 99, 0)
    study = study_of("[fabric]\nname = 'hgx-b200-64'\n[traffic]\ncollective = 'all-to-all'\n[faults]\nkind = 'cable,spine'\n"
                     "count = 9\nseed = 5\n")  # fmt: skip
    (point,) = points_of(study)
    by_hand = rs.Scenario.of("hgx-b200-64", rs.Collective("all-to-all"), faults=[one.fault for one in many])
    assert rs.analyse(point_scenario(point)).time_s == rs.analyse(by_hand).time_s


def test_what_fails_is_a_row_and_the_rest_is_answered(here):
    (here / "s.toml").write_text(f"{BASE}[vary.fabric]\nfail = [[], ['leaf:*'], ['spine:nobody']]\n"
                                 "[vary.placement]\ngpus = [8, 9]\n")  # fmt: skip
    done = sweep("s.toml", "--workers", "1", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert (document["points"], document["failed"], document["missing"]) == (6, 5, 0)
    rows = document["rows"]
    assert [row["state"] for row in rows] == ["done", *["failed"] * 5]
    assert "no path from" in rows[2]["error"]
    assert rows[2]["disconnected_pairs"] == 8 * 7
    assert rows[2]["ranks"] == 8
    assert "matches no cable of tiny" in rows[4]["error"]
    assert all(row["error"].isprintable() for row in rows)
    assert "5 points failed" in document["verdict"]["text"]
    strict = CliRunner().invoke(app, ["sweep", "s.toml", "--strict"])
    assert str(strict.exception).startswith("5 of 6 points failed, the first: ")
    (here / "all.toml").write_text(f"{BASE}[vary.fabric]\nfail = ['leaf:*', 'spine:*']\n")
    with pytest.raises(InputError, match="no point has a result: 2 failed, the first: no path"):
        sweep("all.toml", "--workers", "1")


def test_what_nobody_foresaw_is_a_row_too(here, monkeypatch):
    """A defect in one point costs that point only, and memory that ends is said."""
    from fabric.commands import sweep_work

    errors = iter([KeyError("a\nb"), MemoryError()])

    def fails(*_):
        raise next(errors)

    monkeypatch.setattr(sweep_work, "outcome_of", fails)
    result = run_study(study_of(f"{BASE}[vary.traffic]\ngroup = [2, 4]\n"), here / "p")
    assert [entry.outcome.error for _, entry in result.swept.failures] == [
        r"unexpected: KeyError: 'a\nb'",
        "not enough memory",
    ]


def test_dry_run_lists_and_runs_nothing(here):
    (here / "s.toml").write_text(STUDY)
    done = sweep("s.toml", "--dry-run")
    rows = [line.split("\t") for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert [row[1] for row in rows] == [point.id for point in points_of(read_study("s.toml"))]
    assert {row[-1] for row in rows} == {"to run"}
    assert "20 points: 2 oversubscription x 2 routing x 3 seed x 2 faults.count are 24 combinations" in done.stdout
    assert sorted(path.name for path in here.iterdir()) == ["s.toml", "tiny.toml"]
    sweep("s.toml", "--workers", "1", "--shard", "1/2")
    states = [row.split("\t")[-1] for row in sweep("s.toml", "--dry-run").stdout.splitlines() if row[:1].isdigit()]
    assert states == ["done", "to run"] * 10


def csv_rows(path):
    return list(csv.DictReader(io.StringIO(path.read_text())))


def test_the_dataset_is_the_same_whoever_ran_which_point(here):
    (here / "s.toml").write_text(STUDY)
    assert sweep("s.toml", "--workers", "1", "-o", "one", "--format", "csv").exit_code == 0
    for number in (3, 1, 2):
        done = sweep("s.toml", "--workers", "1", "-o", "shares", "--shard", f"{number}/3", "--format", "csv")
        assert done.exit_code == 0
        assert Path("shares/results.csv").exists() == (number == 2)
        assert ("once the others are" in done.stdout) == (number != 2)
    whole = Path("one/results.csv").read_bytes()
    # A dataset in another form, of an earlier run, is not left behind as it was.
    Path("one/results.csv").write_text("old")
    sweep("s.toml", "--workers", "1", "-o", "one", "--format", "parquet")
    assert Path("one/results.csv").read_bytes() == whole
    assert Path("shares/results.csv").read_bytes() == whole
    for number in (1, 2):
        sweep("s.toml", "--workers", "1", "-o", f"part{number}", "--shard", f"{number}/2")
    done = sweep("s.toml", "--collect", "part1", "--collect", "part2", "-o", "all", "--format", "csv")
    assert Path("all/results.csv").read_bytes() == whole
    assert done.stderr.splitlines()[0].startswith("railscope: 20 points: ")
    rows = csv_rows(Path("one/results.csv"))
    assert len(rows) == 20
    assert [row["point"] for row in rows] == [str(number) for number in range(1, 21)]
    assert {
        row["routing.seed"] for row in rows if row["routing.routing"] == "adaptive" and row["faults.count"] == "0"
    } == {""}
    assert {row["id"] for row in csv_rows(Path("one/runs.csv"))} == {row["id"] for row in rows}


def test_parquet_holds_what_csv_holds(here):
    import pyarrow.parquet as pq

    swept = run_study(study_of(STUDY), here / "p").swept
    columns = dataset_columns(swept)
    data = dataset_bytes(swept, "parquet")
    assert data == dataset_bytes(swept, "parquet")
    table = pq.read_table(io.BytesIO(data))
    assert table.to_pydict() == columns
    types = {name: str(table.schema.field(name).type) for name in ("point", "id", "time_s", "faults.count", "error")}
    assert types == {"point": "int64", "id": "string", "time_s": "double", "faults.count": "int64", "error": "string"}


def test_without_pyarrow_the_dataset_is_csv(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (here / "s.toml").write_text(BASE)
    done = sweep("s.toml", "--workers", "1")
    assert done.exit_code == 0, done.output
    assert Path("s.sweep/results.csv").exists()
    done = CliRunner().invoke(app, ["sweep", "s.toml", "--format", "parquet"])
    assert "needs pyarrow, which is not installed" in str(done.exception)
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = CliRunner().invoke(app, ["sweep", "s.toml", "-o", "x", "--scheduler", "tcp://127.0.0.1:1"])
    assert "needs dask.distributed, which is not installed" in str(done.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scheduler", "tcp://a:1", "--workers", "2"], "expected --workers or --scheduler, not both"),
        (["--dry-run", "--workers", "2"], "--workers: --dry-run runs nothing"),
        (["--dry-run", "--html", "x.html"], "--html: --dry-run lists the points"),
        (["--collect", "x", "--shard", "1/2"], "--shard: --collect runs nothing"),
        (["--shard", "0/2"], "--shard: share of 2 '0': expected a whole number from 1 to 2"),
        (["--shard", "3"], "--shard '3': expected NUMBER/SHARES such as 3/16"),
        (["--scheduler", "nowhere"], "scheduler 'nowhere': expected an address such as tcp://HOST:8786"),
        (["--collect", "nothing-there"], "nothing-there: holds no point of a sweep"),
        (["-o", "tiny.toml"], "tiny.toml: is a file; expected a folder"),
    ],
)
def test_options_that_do_not_go_together(here, words, said):
    (here / "s.toml").write_text(BASE)
    done = CliRunner().invoke(app, ["sweep", "s.toml", *words])
    assert done.exit_code != 0
    assert said in str(done.exception if isinstance(done.exception, InputError) else done.output)


def test_one_fabric_in_parts_has_the_bytes_of_one_machine(here):
    """Parts on other workers, in shares, some of them lost: the sum is the same."""
    text = BASE + "[vary.routing]\nrouting = ['adaptive', 'ecmp', 'dmodk']\nseed = [1]\n"
    whole = run_study(study_of(text), here / "whole")
    study = study_of(f"[study]\nsplit = true\n{text}")
    first = run_study(study, here / "parts", shard=rs.Shard(0, 2))
    assert first.swept.n_missing == 3
    parts = sorted((here / "parts").glob("part-*.npz"))
    assert len(parts) == 3 * 8
    # One is damaged, one is lost: they are routed again.
    parts[3].write_bytes(parts[3].read_bytes()[:-7])
    parts[5].unlink()
    left = parts[0].read_bytes()
    for number in (1, 0):
        last = run_study(study, here / "parts", shard=rs.Shard(number, 2))
    assert last.swept.n_missing == 0
    assert not list((here / "parts").glob("part-*"))
    # Killed between the row and the parts that are no longer needed.
    parts[0].write_bytes(left)
    run_study(study, here / "parts")
    assert not parts[0].exists()
    assert [entry.outcome for _, entry in last.swept.rows] == [entry.outcome for _, entry in whole.swept.rows]
    assert dataset_bytes(last.swept, "csv") == dataset_bytes(whole.swept, "csv")


def test_interrupted_it_says_how_to_go_on(here, monkeypatch, capsys):
    from fabric.commands import app as commands, sweep_work

    found = outcome_of
    calls = iter(range(9))

    def interrupts(*given):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return found(*given)

    (here / "s.toml").write_text(STUDY)
    monkeypatch.setattr(sweep_work, "outcome_of", interrupts)
    monkeypatch.setattr(sys, "argv", ["railscope", "sweep", "s.toml", "--workers", "1"])
    with pytest.raises(SystemExit) as end:
        commands.run()
    assert end.value.code == 130
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.splitlines()[1:] == [
        "railscope: stopped; what is done is kept in s.sweep, and the same command goes on"
    ]
    assert len(read_journal(Path("s.sweep")).entries) == 2


def test_the_example_is_what_the_page_shows(tmp_path, monkeypatch):
    """`examples/broken-cables.toml`, and the output of it in docs/sweep.md."""
    monkeypatch.chdir(ROOT)
    study = read_study("examples/broken-cables.toml")
    result = run_study(study, tmp_path / "p")
    page = Path("docs/sweep.md").read_text()
    said = " ".join(page.replace("\n    ", " ").split())
    for sentence in sweep_verdict(result).sentences:
        assert sentence in said
    shown = page.split("```toml\n")[1].split("```")[0]
    (tmp_path / "shown.toml").write_text(shown)
    assert [point.id for point in points_of(read_study(tmp_path / "shown.toml"))] == [
        point.id for point in result.swept.points
    ]


def test_a_picture_for_any_number_of_parameters(here):
    """Seeds alone, one parameter, two of which some fail, many; the same bytes each time."""
    ecmp = "[routing]\nrouting = 'ecmp'\n"
    seeds = "[vary.routing]\nseed = { first = 0, count = 4 }\n"
    texts = {
        "seeds": BASE + ecmp + seeds,
        "one": f"{BASE}{ecmp}{seeds}queue-pairs = [1, 2, 4]\n",
        "words": f"{BASE}[vary.placement]\nplacement = ['packed', 'scattered']\n",
        "two": f"{BASE}{ecmp}{seeds}[vary.fabric]\noversubscription = [1, 1.5, 2]\n[vary.traffic]\ngroup = [2, 8]\n",
        "many": STUDY + "[vary.traffic]\ngroup = [2, 8]\n",
    }
    for name, text in texts.items():
        result = run_study(study_of(text), here / name)
        picture = sweep_figure(result, ".svg").decode()
        assert picture == sweep_figure(result, ".svg").decode()
        assert ("<!-- failed -->" in picture) == (name == "two")
        for key in result.keys:
            if not key.endswith("seed"):
                assert key.rpartition(".")[2] in picture, (name, key)
    assert sweep_figure(run_study(study_of(texts["one"]), here / "one"), ".png")[:4] == b"\x89PNG"


def test_points_are_compared_by_what_suits_them(here):
    """Time where the job is the same; bandwidth where it is not; what is asked for."""
    sizes = BASE.replace("size = '1MiB'", "") + "[vary.traffic]\nsize = ['1MiB', '4MiB']\n"
    by_size = run_study(study_of(sizes), here / "p")
    assert by_size.metric == "busbw_GBps"
    assert by_size.factor == pytest.approx(1.0)
    assert "nothing that is varied matters" in sweep_verdict(by_size).text
    assert run_study(study_of(f"[study]\nmetric = 'time_s'\n{sizes}"), here / "p").factor == pytest.approx(4.0)
    assert run_study(study_of(f"{BASE}[vary.routing]\nrouting = ['adaptive', 'ecmp']\n"), here / "p").metric == "time_s"
    worse = run_study(study_of(f"{BASE}[vary.placement]\ngpus = [4, 8]\n"), here / "p")
    assert worse.metric == "busbw_GBps"
    assert worse.ranked[0].value >= worse.ranked[-1].value
