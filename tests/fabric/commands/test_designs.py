"""`compare` with several fabrics and with --vary, as a user meets it."""

import csv
import json

import pytest

from tests.fabric.commands.test_cli import HURT, TIGHT, answer, railscope
from tests.fabric.studies.test_designs import PRICES

VARY = ("--vary", "oversubscription=1,2", "--no-figure")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prices.toml").write_text(PRICES + "800 = 1.0\n")
    return tmp_path


def test_a_matrix_with_costs(here):
    varied = ("--vary", "wiring=host", "--vary", "oversubscription=1,2", "--csv", "d.csv", "--prices", "prices.toml")
    (here / "prices.toml").write_text(PRICES.replace("32x400", "64x400"))
    done = railscope("compare", TIGHT, *varied, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["schema"] == "railscope.designs/1"
    assert [design["name"] for design in document["designs"]] == ["oversubscription=1", "oversubscription=2"]
    one, two = (design["summary"]["bottleneck_time_s"] for design in document["designs"])
    assert two == pytest.approx(2 * one)  # 56 of 64 parts pass the NIC, and as many the leaf
    # 8 leaves and 4 spines; 64 host cables of copper; 64 or 32 uplinks with two transceivers.
    assert [design["cost"]["total"] for design in document["designs"]] == [
        8 * 100 + 4 * 120 + 64 * 3 + n * (2.5 + 2 * 5) for n in (64, 32)
    ]
    assert document["verdict"]["text"].startswith("The fastest of 2 designs is oversubscription=1")
    assert [line["name"] for line in document["headline"]] == ["oversubscription=1", "oversubscription=2"]
    with open("d.csv", newline="") as file:
        assert [row["oversubscription"] for row in csv.DictReader(file)] == ["1", "2"]
    assert document["figure"] == "railscope-designs-all-to-all.png"
    assert (here / document["figure"]).read_bytes()[:4] == b"\x89PNG"


def test_fabrics_of_any_origin_side_by_side(here):
    document = answer("compare", HURT[0], "hgx-b200-64", "--gpus", "64", "--vary", "routing=dmodk", "--no-figure")
    assert [design["name"] for design in document["designs"]] == ["hurt512-updn", "hgx-b200-64"]
    assert document["varied"] == ["fabric"]
    assert {design["traffic"]["group_size"] for design in document["designs"]} == {64}
    assert {design["routing"]["policy"] for design in document["designs"]} == {"dmodk"}


def test_limits_are_on_the_best(here):
    assert railscope("compare", "hgx-b200-64", *VARY, "--max-time", "1ns").returncode == 3
    done = railscope("compare", "hgx-b200-64", *VARY, "--max-over-bound", "1.01")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["hgx-b200-64", "--prices", "prices.toml"], 2, "--prices: goes with several fabrics, or with --vary"),
        (["hgx-b200-64", *VARY, "--lfts", "x"], 2, "--lfts: goes with one fabric and no --vary"),
        (["hgx-b200-64", "gb300-2048", "--skip-unrouted"], 2, "--skip-unrouted: goes with one fabric"),
        (["hgx-b200-64", *VARY, "--queue-pairs", "4"], 2, "--queue-pairs: no design hashes"),
        (["hgx-b200-64", *VARY, "--seed", "4"], 2, "--seed: no design hashes"),
        (["hgx-b200-64", "--vary", "seed=1,2", "--seed", "4"], 2, "expected --seed or --vary seed, not both"),
        (
            ["hgx-b200-64", "--vary", "placement=packed,segmented"],
            2,
            "--vary placement=segmented: expected --segment HOSTS",
        ),
        (["hgx-b200-64", "--vary", "placement=packed,tree", "--segment", "2"], 2, "expected --placement segmented and"),
        (["hgx-b200-64", "--topology-conf", "a", "--taken", "0.4"], 2, "--topology-conf: naive to rail-aware places"),
        (["hgx-b200-64", "--node-labels", "a", "--taken", "0.4"], 2, "--node-labels: naive to rail-aware places"),
        (
            ["hgx-b200-64", "--topology-conf", "a", "--node-labels", "b"],
            2,
            "--topology-conf or --node-labels, not both",
        ),
        (["hgx-b200-64", "--vary", "wiring=host", "--wiring", "rail"], 2, "expected --wiring or --vary wiring"),
        (["hgx-b200-64", "--vary", "wiring"], 2, "expected KEY=VALUE,VALUE"),
        (["hgx-b200-64", "--vary", "wiring=rail,"], 2, "expected KEY=VALUE,VALUE"),
        (["hgx-b200-64", "--vary", "pods=1", "--vary", "pods=2"], 2, "--vary pods: given twice"),
        (["hgx-b200-64", "--vary", "wirng=rail"], 1, "did you mean wiring?"),
        (["hgx-b200-64", "hgx-b200-64"], 1, "hgx-b200-64 is given twice"),
        ([HURT[0], "--vary", "wiring=rail,host"], 1, "wiring: hurt512-updn has no description"),
        (["hgx-b200-64", *VARY, "--prices", "none.toml"], 1, "none.toml"),
        (
            ["hgx-b200-64", *VARY, "--prices", "prices.toml"],
            1,
            "prices: switch.spine: missing; oversubscription=1 has 4",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(here, arguments, code, message):
    done = railscope("compare", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_segments_beside_other_placements(here):
    varied = ("--vary", "placement=packed,segmented,scattered", "--segment", "16", "--no-figure")
    document = answer("compare", "gb300-2048", "--group", "64", *varied)
    times = {one["settings"]["placement"]: one["summary"]["bottleneck_time_s"] for one in document["designs"]}
    assert times["packed"] == times["segmented"] < times["scattered"]
