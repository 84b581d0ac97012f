"""`counters` as a user meets it."""

import csv
import json

import pytest

from tests.fabric.commands.test_cli import answer
from tests.fabric.commands.test_options import ran
from tests.fabric.counter_twins import IB

FLAT = IB / "naive64-updn.ibnetdiscover.gz"
PM = ("--before", IB / "naive64-updn.pm0.db_csv.gz", "--after", IB / "naive64-updn.pm1.db_csv.gz")
JOB = ("--lfts", IB / "naive64-updn.lfts.gz", "--collective", "all-to-all")


def test_the_example_of_the_guide(tmp_path):
    document = answer(
        "counters", FLAT, *PM, "--interval", "60s", *JOB, "--csv", "x.csv", "--figure", "x.svg", cwd=tmp_path
    )
    assert document["schema"] == "railscope.counters/1"
    assert [one["link"] for one in document["suspects"]] == [
        "leaf2 port 10 -> spine1 port 3",
        "leaf5 port 12 -> spine3 port 6",
    ]
    assert document["summary"]["scale"] == pytest.approx(7, rel=0.01)
    assert document["summary"]["resets"] == ["spine6 port 2"]
    assert document["summary"]["agreeing_cables"] == document["summary"]["cables_at_both_ends"] == 127
    assert document["verdict"]["cause"] == "suspect-cable"
    assert document["verdict"]["text"].startswith(
        "Suspect: leaf2 port 10 -> spine1 port 3 carried 35 % less than predicted; leaf2 port 9 -> spine0 port 3 makes up "
        "for it (35 % more)"
    )
    with open(tmp_path / "x.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    slow = next(row for row in rows if (row["tail"], row["tail_port"]) == ("leaf2", "10"))
    assert float(slow["residual"]) == pytest.approx(-0.35, abs=0.01)
    assert (slow["tail_guid"], slow["head_guid"]) == ("0x0000000000200002", "0x0000000000200009")
    assert (tmp_path / "x.svg").read_text().count("leaf2 port 10") >= 1
    assert json.dumps(document)


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        ((), 1, "counters: one snapshot; expected two (before and after) or a delta"),
        (PM[:2], 1, "--before A --after B"),
        (("--delta", PM[1]), 1, "one snapshot; expected two (before and after) or a delta"),
        ((*PM, "--delta", PM[1]), 2, "expected --before and --after, or --delta, not both"),
        ((*PM, "--gpus", "8"), 2, "--gpus: goes with traffic: --collective, --trace, --demand or --workload"),
        ((*PM, "--skip-unrouted"), 2, "--skip-unrouted: expected traffic"),
        ((*PM, "--metric", "speed=x"), 1, "metric 'speed=x': expected [COUNTER=]NAME[*BYTES]"),
        ((*PM, "--label", "who=x"), 1, "label 'who=x': expected guid, port_guid"),
        (("--before", PM[3], "--after", PM[1]), 1, "count less than in"),
    ],
)
def test_what_does_not_go_is_refused_in_one_line(monkeypatch, capsys, options, code, reason):
    status, out, errors = ran(["counters", *map(str, (FLAT, *options))], monkeypatch, capsys)
    assert status == code, errors
    assert reason in errors
    assert errors.count("\n") == 1
    assert out == ""
