"""Every document that `--json` prints fits its schema, and nothing else does."""

import contextlib
import copy
import gzip
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command
from typing_extensions import TypedDict

import railscope
from collectives.errors import InputError
from fabric.commands.app import app, run
from fabric.commands.choices import DOCUMENTS
from fabric.formats.opening import open_fabric
from fabric.reports.documents.registry import json_schema, register_document, schema_names, unregister_document
from fabric.reports.loads import routing_facts
from fabric.routing.flow_paths import FlowPaths
from fabric.routing.policies import Adaptive, DModK, Ecmp, GivenPaths, Lft, LinkWeights
from fabric.routing.registry import policy_names
from tests.fabric import counter_twins
from tests.fabric.studies.test_designs import PRICES
from tests.shared_data import TWINS
from tests.traces.test_flight_recorder import dump, entry
from tests.traces.test_kineto import comms, write
from tests.traces.test_nccl_xml import GRAPHS, HOST
from tests.traces.test_workload import TINY_MODEL

_DATA = Path(__file__).parents[2] / "data"
_IB = _DATA / "infiniband"
_FLAT = str(_IB / "naive64-updn.ibnetdiscover.gz")
_TABLES = ("--lfts", str(_IB / "naive64-updn.lfts.gz"))
_BROKEN = ("--lfts", "broken.lfts")
_RESNET = str(TWINS / "resnet_2rank_rank0.json.gz")
_HGX = "hgx-b200-64"
_TIGHT = str(Path(__file__).parents[3] / "examples" / "tight-64.toml")
_ALL_TO_ALL = ("--collective", "all-to-all")
_ALL_REDUCE = ("--collective", "all-reduce")

# Variants of every command; before the comma stands the name of the document.
COMMANDS: dict[str, tuple[str, ...]] = {
    "loads": ("loads", _HGX, *_ALL_TO_ALL),
    "loads, hash seeds": ("loads", _HGX, *_ALL_TO_ALL, "--group", "16", "--routing", "ecmp", "--seeds", "3"),
    "loads, hash seeds that load no switch": ("loads", _HGX, *_ALL_TO_ALL, "--group", "8", "--routing", "ecmp",
                                              "--seeds", "2"),
    "loads, shared seed": ("loads", _HGX, *_ALL_TO_ALL, "--routing", "ecmp", "--hash-seeds", "shared",
                           "--queue-pairs", "2", "--placement", "scattered", "--gpus", "32"),
    "loads, two bounds": ("loads", _HGX, *_ALL_TO_ALL, "--gpus", "16", "--optimum"),
    "loads, channels": ("loads", _HGX, *_ALL_REDUCE, "--algorithm", "trees", "--channels", "4"),
    "loads, layout": ("loads", _HGX, *_ALL_REDUCE, "--parallel", "tp=4,ep=4", "--axis", "dp", "--algorithm", "auto"),
    "loads, PXN": ("loads", _HGX, *_ALL_TO_ALL, "--transport", "pxn", "--routing", "dmodk"),
    "loads, placement in a file": ("loads", _HGX, *_ALL_TO_ALL, "--placement", "placement.txt"),
    "loads, trace": ("loads", _HGX, "--trace", _RESNET),
    "loads, flows": ("loads", _HGX, "--demand", "flows.csv"),
    "loads, nothing carried": ("loads", _HGX, *_ALL_TO_ALL, "--group", "1"),
    "loads, tables": ("loads", _FLAT, *_TABLES, *_ALL_TO_ALL),
    "loads, pairs left out": ("loads", _FLAT, *_BROKEN, *_ALL_TO_ALL, "--skip-unrouted"),
    "compare": ("compare", _HGX, "--figure", "compare.png"),
    "compare, nothing carried": ("compare", _HGX, "--no-figure", *_ALL_TO_ALL, "--group", "1"),
    "compare, trace": ("compare", _HGX, "--no-figure", "--trace", _RESNET),
    "compare-routing": ("compare", _FLAT, *_TABLES, *_ALL_TO_ALL, "--no-figure"),
    "compare-routing, pairs left out": ("compare", _FLAT, *_BROKEN, *_ALL_TO_ALL, "--no-figure", "--skip-unrouted"),
    "designs": ("compare", _HGX, "--no-figure", "--vary", "queue_pairs=1,4", "--vary", "routing=adaptive,ecmp",
                "--vary", "oversubscription=1,2.0", "--prices", "prices.toml"),
    "designs, a dump and no prices": ("compare", _FLAT, _HGX, "--figure", "designs.png"),
    "designs, nothing carried": ("compare", _HGX, "--no-figure", "--vary", "wiring=rail,host", "--group", "1"),
    "busbw": ("busbw", _HGX, *_ALL_REDUCE, "--sizes", "8:1MiB"),
    "busbw, algorithms": ("busbw", _HGX, *_ALL_TO_ALL, "--sizes", "1MiB", "--algorithm", "direct,pxn,two-phase"),
    "busbw, measured": ("busbw", _HGX, *_ALL_REDUCE, "--gpus", "8", "--sizes", "1MiB", "--measured", "measured.txt"),
    "busbw, one size measured": ("busbw", _HGX, *_ALL_REDUCE, "--gpus", "8", "--sizes", "1MiB", "--measured",
                                 "one.txt"),
    "busbw-trace": ("busbw", _HGX, "--trace", _RESNET),
    "rates": ("rates", _HGX, "--demand", "flows.csv", "--routing", "ecmp", "--quantum", "0.001"),
    "rates, paths given": ("rates", _HGX, "--demand", "neighbours.csv", "--paths", "paths.csv"),
    "explain": ("explain", _HGX, *_ALL_TO_ALL, "--routing", "ecmp"),
    "explain, tables": ("explain", _FLAT, *_TABLES, *_ALL_TO_ALL),
    "faults": ("faults", _HGX, *_ALL_TO_ALL, "--kind", "leaf,spine", "--count", "1,2", "--trials", "4"),
    "counters": ("counters", _FLAT, "--before", "before.csv", "--after", "after.csv", "--interval", "10s"),
    "counters, and traffic": ("counters", _FLAT, *_TABLES, *_ALL_TO_ALL, "--delta", "delta.csv", "--figure",
                              "counters.png"),
    "counters, late ranks": ("counters", _FLAT, "--delta", "delta.csv", "--trace", "fr_0", "--trace", "fr_1"),
    "advise": ("advise", _TIGHT, *_ALL_TO_ALL, "--routing", "ecmp"),
    "advise, nothing helps": ("advise", _FLAT, "--collective", "all-to-all"),
    "advise, nothing carried": ("advise", _HGX, *_ALL_TO_ALL, "--group", "1"),
    "sweep": ("sweep", "study.toml", "--figure", "sweep.png"),
    "sweep, of one point": ("sweep", "point.toml"),
    "sweep, points alone": ("sweep", "study.toml", "--dry-run"),
    "step": ("step", "gpt-oss-20b", _HGX),
    "step, a dump": ("step", "tiny-model.toml", _FLAT),
    "jobs": ("step", "llama-3.1-8b", _HGX, "--gpus", "32", "--job", "b=tiny-model.toml:32@packed"),
    "replay": ("replay", _HGX, "--trace", _RESNET, "--figure", "replay.png", "--chrome", "replay.json"),
    "place": ("place", "tiny-model.toml", _HGX, "--placement", "scattered", "--write", "json=order.json"),
    "scale": ("scale", "tiny-model.toml", "--fabric", _HGX, "--gpus", "32,64"),
    "trace": ("trace", _RESNET),
    "trace, facts missing": ("trace", "rank0.json"),
    "trace, no operations": ("trace", str(TWINS / "dlrm" / "worker0.json.gz")),
    "host": ("trace", "host.xml"),
    "host, graphs": ("trace", "graphs.xml"),
    "fabric": ("fabric", "show", _HGX),
    "fabric, a dump": ("fabric", "show", _FLAT),
    "check": ("fabric", "check", _HGX),
    "check, tables": ("fabric", "check", _FLAT, *_TABLES),
    "check, errors": ("fabric", "check", _FLAT, *_BROKEN),
    "presets": ("fabric", "list"),
}  # fmt: skip
# Keys that some documents have, and parts whose keys a policy, traffic or what was found decides.
OPTIONAL = {"channels", "technology", "wiring"}
OPEN = {
    "traffic",
    "routing",
    "settings",
    "facts",
    "ignored",
    "flow_time_s",
    "layout",
    "levers_s",
    "tier_bytes",
    "bytes_by_axis",
    "written",
    "found_by",
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What a command prints with `--json`, as a document; each runs once."""
    folder = tmp_path_factory.mktemp("schemas")
    known: dict[str, Any] = {}
    with contextlib.chdir(folder):
        _write_inputs()

    def document(command: str) -> Any:
        if command not in known:
            with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
                patch.setattr(sys, "argv", ["railscope", *COMMANDS[command], "--json"])
                with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as end:
                    run()
            assert end.value.code in (None, 0) or command in ("check, errors", "trace, no operations")
            known[command] = json.loads(out.getvalue())
        return copy.deepcopy(known[command])

    return document


def _write_inputs() -> None:
    Path("tiny-model.toml").write_text(TINY_MODEL)
    Path("flows.csv").write_text("src,dst,bytes\n0,9,1MB\n1,9,3MB\n")
    Path("neighbours.csv").write_text("src,dst,bytes\n0,8,1MB\n8,0,1MB\n")
    Path("paths.csv").write_text("flow,tail,head,cable\n")
    point = f"[fabric]\nname = '{_HGX}'\n[traffic]\ncollective = 'all-to-all'\n"
    Path("point.toml").write_text(point)
    Path("study.toml").write_text(f"{point}[vary.routing]\nrouting = ['adaptive', 'ecmp']\n[vary.fabric]\n"
                                  "fail = [[], ['spine:nobody']]\n")  # fmt: skip
    Path("prices.toml").write_text(PRICES.replace("32x400", "64x400"))
    Path("placement.txt").write_text("".join(f"{n}\n" for n in reversed(range(64))))
    text = (TWINS / "all_reduce_8gpu.txt").read_text()
    Path("measured.txt").write_text(text)
    Path("one.txt").write_text("\n".join(text.split("\n")[:17]))
    Path("host.xml").write_text(HOST)
    Path("graphs.xml").write_text(GRAPHS)
    splits = {"In split size": "[1, 2, 3, 4]"}
    write(".", 0, [comms(), comms("all_to_allv", 20, **splits), comms(**{"Process Group Ranks": ""})])
    flat = open_fabric(_FLAT)
    carried = np.full(flat.topology.n_links, 10**8)
    carried[100] //= 2
    for name, section, amount in (("before", "PM_INFO", None), ("after", "PM_INFO", carried), ("delta", "PM_DELTA",
                                                                                              carried)):  # fmt: skip
        Path(f"{name}.csv").write_text(counter_twins.db_csv(counter_twins.ports_of(flat, amount), section))
    for rank in range(2):
        created = (10**18 + 10**9 * number + 10**7 * rank for number in range(6))
        entries = [entry(sequence=number, time_created_ns=when) for number, when in enumerate(created)]
        Path(f"fr_{rank}").write_text(json.dumps(dump(*entries)))
    tables = gzip.decompress((_IB / "naive64-updn.lfts.gz").read_bytes()).decode().split("\n")
    gone = next(number for number, line in enumerate(tables) if "Channel Adapter" in line)
    Path("broken.lfts").write_text("\n".join(tables[:gone] + tables[gone + 1 :]))


def name_of(command: str) -> str:
    return command.partition(",")[0]


@dataclass(frozen=True)
class Place:
    """A value within a document, by the keys that lead to it."""

    keys: tuple[str | int, ...]
    value: Any

    def within(self, document: Any) -> Any:
        for key in self.keys:
            document = document[key]
        return document


def places(value: Any, keys: tuple[str | int, ...] = ()) -> list[Place]:
    """Every value of a document outside its open parts; of a list the first."""
    found = [Place(keys, value)]
    if isinstance(value, dict):
        for key, part in value.items():
            found += [Place((*keys, key), part)] if key in OPEN else places(part, (*keys, key))
    elif isinstance(value, list) and value:
        found += places(value[0], (*keys, 0))
    return found


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_prints_fits_its_schema(printed, command):
    document = printed(command)
    schema = json_schema(name_of(command))
    assert schema["title"] == schema["$id"] == document["schema"]
    Draft202012Validator(schema).validate(document)
    for part in ("traffic", "routing"):
        if document.get(part) is not None:
            declared = schema["$defs"][f"{part.capitalize()}Part"]["properties"]
            assert set(document[part]) <= set(declared), "an open part holds more than the schema says"


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_else_fits(printed, command):
    """A key too many, one too few, a value of another type: each is refused, wherever it is."""
    document, checked = printed(command), Draft202012Validator(json_schema(name_of(command)))
    for place in places(document):
        if isinstance(place.value, dict) and not OPEN.intersection(place.keys):
            other = copy.deepcopy(document)
            place.within(other)["surprise"] = 1
            assert not checked.is_valid(other), place.keys
            for key in set(place.value) - OPTIONAL:
                other = copy.deepcopy(document)
                del place.within(other)[key]
                assert not checked.is_valid(other), (*place.keys, key)
        if place.keys:
            other, wrong = copy.deepcopy(document), {"surprise": 1} if isinstance(place.value, list) else [[]]
            Place(place.keys[:-1], None).within(other)[place.keys[-1]] = wrong
            assert not checked.is_valid(other), place.keys


def test_the_cases_cover_what_a_document_may_hold(printed):
    assert printed("loads, channels")["channels"]
    assert printed("loads, hash seeds")["hash_seeds"]["imbalance"]["p50"] is not None
    assert printed("loads, hash seeds that load no switch")["hash_seeds"]["imbalance"]["p50"] is None
    assert len(printed("loads, two bounds")["bounds"]) == 2
    assert printed("loads, nothing carried")["bottleneck"] is None
    assert printed("loads, pairs left out")["unrouted"]["pairs"] > 0
    assert printed("compare")["figure"] == "compare.png"
    assert printed("compare, trace")["ladder"][0]["busbw_GBps"] is None
    assert printed("compare-routing, pairs left out")["routings"][0]["bound"] is None
    assert {row["class"] for row in printed("advise")["rows"]} == {"setting", "restart", "recabling", "purchase"}
    assert printed("advise")["combined"]
    assert printed("advise")["as_it_is"]["seeds"]["worst"] > 0
    assert printed("advise, nothing helps")["combined"] == []
    assert printed("designs")["designs"][0]["settings"]["queue_pairs"] is None
    assert printed("designs")["designs"][0]["cost"]["total"] > 0
    assert printed("designs, a dump and no prices")["designs"][0]["parts"]["switches_by_tier"][0]["model"] is None
    assert printed("designs, nothing carried")["designs"][0]["hottest"] is None
    assert printed("busbw, measured")["measured"]["rows"]
    assert None in printed("busbw, one size measured")["measured"]["fit"].values()
    assert printed("rates, paths given")["routing"]["policy"] == "given"
    assert printed("counters")["suspects"][0]["reasons"]
    assert printed("counters")["groups"]
    assert printed("counters, late ranks")["late_ranks"] == [
        {
            "rank": 1,
            "operations": 6,
            "last": 6,
            "waited_s": pytest.approx(0.06, rel=1e-3),
            "behind": 0,
            "straggler": True,
            "endpoint": "h0000r1",
            "cables": ["h0000r1 port 1 -> leaf0 port 2"],
            "reasons": [],
        }
    ]
    assert "rank 1 came last in 6 of 6 collectives" in printed("counters, late ranks")["verdict"]["text"].lower()
    assert printed("counters, and traffic")["summary"]["scale"] > 0
    assert any(one["missing"] for one in printed("trace, facts missing")["operations"])
    assert printed("trace, no operations")["operations"] == []
    assert {row["state"] for row in printed("sweep")["rows"]} == {"done", "failed"}
    assert printed("sweep, of one point")["influences"] == []
    assert printed("check, errors")["errors"] > 0
    assert printed("check, tables")["routes"]


def test_every_command_with_json_has_a_schema_and_every_schema_a_command():
    def with_json(command: Any, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        below = getattr(command, "commands", {})
        found = {path} if any("--json" in one.opts for one in command.params) else set()
        return found.union(*(with_json(one, (*path, name)) for name, one in below.items()))

    ran = {words[:2] if words[0] == "fabric" else words[:1] for words in COMMANDS.values()}
    assert ran == with_json(get_command(app))
    assert {name_of(command) for command in COMMANDS} == set(schema_names()) == set(DOCUMENTS)


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_one(name):
    schema = json_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    for part in (schema, *schema["$defs"].values()):
        assert part["description"]
        assert not part["description"].endswith("---")
        if part["type"] == "object":
            assert "additionalProperties" in part
            assert part.get("additionalProperties") is (part["title"] in {"TrafficPart", "RoutingPart"})


def test_parameters_of_every_policy_are_in_the_schema():
    paths = FlowPaths(np.array([0, 1]), np.array([3], dtype=np.int32))
    tables = Lft("tables", np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros((0, 1), np.int32))
    policies = (Adaptive(), Ecmp(), DModK(), tables, LinkWeights(np.array([1.0, 2.0])), GivenPaths(paths, "paths.csv"))
    assert {policy.name for policy in policies} == set(policy_names())
    parts = json_schema("rates")["$defs"]
    for policy in policies:
        facts = routing_facts(policy)
        Draft202012Validator(parts["RoutingPart"]).validate(facts)
        assert set(facts) <= set(parts["RoutingPart"]["properties"])


def test_what_the_docstring_says_of_a_field_is_in_the_schema():
    tier = json_schema("loads")["$defs"]["TierSummary"]
    assert tier["description"] == "Loads of the links of one tier and direction."
    assert tier["properties"]["mean_s"] == {
        "description": "Load over capacity of the links that carry anything, seconds; 0 where none does.",
        "type": "number",
    }
    assert tier["properties"]["imbalance"]["description"].endswith("null where nothing is carried.")
    assert json_schema("loads")["properties"]["assumptions"]["description"] == "The most important first."
    assert json_schema("fabric")["properties"]["switches"]["description"] == "By tier."


def test_the_command_prints_the_schema(monkeypatch, capsys):
    def said(*words):
        monkeypatch.setattr(sys, "argv", ["railscope", "schema", *words])
        with pytest.raises(SystemExit) as end:
            run()
        assert not end.value.code
        return capsys.readouterr().out

    assert json.loads(said("Compare-Routing")) == json_schema("compare-routing")
    rows = [line.split("\t")[:2] for line in said().strip().split("\n")[2:]]
    assert rows == [[name, json_schema(name)["title"]] for name in schema_names()]
    page = (Path(__file__).parents[3] / "docs" / "json.md").read_text()
    assert all(f"    {line}\n" in page for line in said().strip().split("\n"))


def test_a_wrong_name_is_answered_with_the_nearest(monkeypatch, capsys):
    with pytest.raises(InputError, match="document 'load' is unknown; did you mean loads"):
        json_schema("load")
    monkeypatch.setattr(sys, "argv", ["railscope", "schema", "load"])
    with pytest.raises(SystemExit) as end:
        run()
    assert end.value.code == 2
    assert "'load' is unknown; did you mean loads?" in capsys.readouterr().err


class FlowletDocument(TypedDict):
    """Flowlets of a job.

    Attributes
    ----------
    flowlets : int
        How many.
    """

    schema: Literal["mine.flowlets/3"]
    flowlets: int
    note: NotRequired[str]


@pytest.fixture
def flowlets():
    yield railscope.register_document(FlowletDocument)
    railscope.unregister_document("flowlets")
    assert "flowlets" not in schema_names()


def test_a_document_from_outside(flowlets, monkeypatch, capsys):
    assert flowlets is FlowletDocument
    assert railscope.schema_names()[-1] == "flowlets"
    schema = railscope.json_schema("flowlets")
    assert (schema["$id"], schema["required"]) == ("mine.flowlets/3", ["schema", "flowlets"])
    checked = Draft202012Validator(schema)
    assert checked.is_valid({"schema": "mine.flowlets/3", "flowlets": 2})
    assert not checked.is_valid({"schema": "mine.flowlets/2", "flowlets": 2})
    monkeypatch.setattr(sys, "argv", ["railscope", "schema", "flowlets"])
    with pytest.raises(SystemExit):
        run()
    assert json.loads(capsys.readouterr().out) == schema
    with pytest.raises(InputError, match="document 'flowlets': there is one already"):
        register_document(FlowletDocument)


def test_only_a_known_document_is_forgotten():
    with pytest.raises(InputError, match="document 'lods' is unknown; did you mean loads"):
        unregister_document("lods")


def test_a_document_that_does_not_say_its_name_is_refused():
    class Nameless(TypedDict):
        schema: str

    class Odd(TypedDict):
        schema: Literal["flowlets"]

    for kind in (Nameless, Odd, dict):
        with pytest.raises(InputError, match="key `schema` is a literal such as railscope"):
            register_document(kind)
