"""The reference of the TOML schema says what the models check."""

import tomllib

import pytest

from collectives import InputError
from fabric.builders import build
from fabric.builders.description import FabricDescription, checked_description, parse_description
from fabric.builders.idle import idle_parts
from fabric.builders.reference import description_json_schema, schema_reference
from traces.schema import annotations_of, model_of

PAGE = schema_reference()
ROWS = {}
EXAMPLES = {}
for part in PAGE.split("\n## `[")[1:]:
    table = part.split("]")[0]
    for line in part.split("\n"):
        if line.startswith("| `"):
            key, value, unit, default, example, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            ROWS[table, key.strip("`")] = (value, unit, default, meaning)
            EXAMPLES[table, key.strip("`")] = example.strip("`")


def test_every_key_has_a_row_with_its_meaning():
    keys = {
        (table, key)
        for table, annotation in annotations_of(FabricDescription).items()
        if (model := model_of(annotation)) is not None
        for key in model.model_fields
    }
    assert set(ROWS) == keys
    for (_, key), (value, unit, default, meaning) in ROWS.items():
        assert value
        assert default
        assert meaning.endswith(".")
        assert unit == ("Gbit/s" if key.endswith("_gbps") else "ns" if key.endswith("_ns") else "")


def test_the_example_is_a_description():
    example = PAGE.split("```toml\n")[1].split("```")[0]
    assert parse_description(example, "page").fabric.name == "hgx-b200-64"


def test_the_examples_of_all_keys_together_build_a_fabric():
    tables = dict.fromkeys(table for table, _ in EXAMPLES)
    lines = [
        f"[{table}]\n" + "\n".join(f"{key} = {text}" for (of, key), text in EXAMPLES.items() if of == table)
        for table in tables
    ]
    description = parse_description("\n".join(lines), "examples")
    topology = build(description)
    assert topology.n_endpoints == description.fabric.hosts * description.fabric.gpus_per_host
    assert not idle_parts(topology)
    assert description.model_fields_set == set(FabricDescription.model_fields)


@pytest.mark.parametrize(("table", "key"), EXAMPLES)
def test_each_example_is_a_value_of_its_key(table, key):
    """Alone on a small fabric, the example is taken as it is, and stands in the JSON Schema."""
    tables = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])
    value = tomllib.loads(f"value = {EXAMPLES[table, key]}")["value"]
    tables.setdefault(table, {"radix": 64, "port_gbps": 400.0})[key] = value
    assert getattr(getattr(checked_description(tables, "x.toml"), table), key) == value
    model = model_of(annotations_of(FabricDescription)[table])
    assert model is not None
    assert value in description_json_schema()["$defs"][model.__name__]["properties"][key]["examples"]


@pytest.mark.parametrize(("table", "key"), [place for place in ROWS if ROWS[place][0] != "a text in quotes"])
def test_what_the_page_expects_is_what_an_error_expects(table, key):
    """Each value refused: the message says what the page says."""
    tables = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])
    core = "[core]\nradix = 64\nport_gbps = 400.0\n"
    bad = '""' if ROWS[table, key][0].startswith("a text") else "{}"
    lines = []
    for name in dict.fromkeys([*tables, table]):
        values = dict(tables.get(name, {})) if name != "core" else tomllib.loads(core)["core"]
        if name == table:
            values.pop(key, None)
            values["BAD"] = None
        lines.append(f"[{name}]")
        lines += [f"{key} = {bad}" if name == "BAD" else f"{name} = {_toml(value)}" for name, value in values.items()]
    with pytest.raises(InputError) as refused:
        parse_description("\n".join(lines), "x.toml")
    given = "''" if bad == '""' else "{}"
    assert str(refused.value) == f"x.toml: {table}.{key}: expected {ROWS[table, key][0]}, got {given}"


def _toml(value):
    return repr(value).replace("'", '"') if not isinstance(value, list) else "[]"


def test_the_json_schema_has_limits_units_and_choices():
    schema = description_json_schema()
    tables = {
        name: schema["$defs"][model.__name__]["properties"]
        for name, a in annotations_of(FabricDescription).items()
        if (model := model_of(a)) is not None
    }
    assert tables["fabric"]["hosts"]["minimum"] == 1
    assert tables["fabric"]["gpu_gbps"]["unit"] == "Gbit/s"
    assert tables["fabric"]["technology"]["enum"] == ["infiniband", "spectrum-x", "roce", "efa", "slingshot", ""]
    assert tables["leaf"]["radix"]["description"] == ROWS["leaf", "radix"][3]
    assert schema["required"] == ["fabric", "leaf", "spine"]
