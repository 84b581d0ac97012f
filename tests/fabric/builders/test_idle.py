"""Switches that no shortest path uses."""

import numpy as np
import pytest
from hypothesis import given, settings

from fabric.builders import build, fat_tree, read_preset
from fabric.builders.clos import shape_of
from fabric.builders.description import Core, Spine
from fabric.builders.idle import idle_parts, idle_switches
from fabric.formats.opening import open_fabric
from tests.fabric.builders.test_clos import SMALL, descriptions
from tests.naive.idle import idle_switches as naive
from tests.random_fabrics import fabrics


@settings(deadline=None, max_examples=150)
@given(fabrics(max_switches=8, max_endpoints=4))
def test_as_defined_on_random_fabrics(topology):
    assert np.flatnonzero(idle_switches(topology)).tolist() == naive(topology)


@settings(deadline=None, max_examples=40)
@given(descriptions())
def test_as_defined_on_described_fabrics(description):
    topology = build(description)
    idle = np.flatnonzero(idle_switches(topology)).tolist()
    assert idle == naive(topology)
    shape = shape_of(description)
    if description.fabric.wiring == "rail" and shape.leaves_per_set > 1:
        # Every set of spines joins its leaves, and cores are used if they have several sets to join.
        assert len(idle) == (shape.total_cores if shape.sets == 1 else 0)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("wiring", ["rail", "host"])
def test_presets_have_none(name, wiring):
    assert idle_parts(build(read_preset(name).with_wiring(wiring))) == ()
    assert not any("warning" in note for note in open_fabric(name, wiring).notes)


def test_cores_over_one_set_of_spines_are_idle(tmp_path):
    tree = fat_tree(4)
    assert idle_parts(build(tree)) == ()
    one_pod = tree.model_copy(
        update={"spine": Spine(radix=16, port_gbps=400.0), "core": Core(radix=16, port_gbps=400.0)}
    )
    cores = shape_of(one_pod).total_cores
    assert idle_parts(build(one_pod)) == (f"{cores} of {cores} cores (c00, ...)",)
    path = tmp_path / "x.toml"
    path.write_text(
        """
        [fabric]
        name = "x"
        hosts = 4
        gpus_per_host = 4
        gpu_gbps = 400.0
        rails = 1
        [leaf]
        radix = 8
        port_gbps = 400.0
        [spine]
        radix = 16
        port_gbps = 400.0
        [core]
        radix = 16
        port_gbps = 400.0
        """.replace("        ", "")
    )
    given = open_fabric(str(path))
    (note,) = given.notes
    assert note.startswith("warning: no shortest path uses ")
    assert " cores (c00, ...)" in note
    assert note in given.assumptions


def test_a_leaf_alone_leaves_its_spines_idle():
    lone = fat_tree(4).model_copy(
        update={
            "fabric": fat_tree(4).fabric.model_copy(update={"hosts": 2}),
            "spine": Spine(radix=4, port_gbps=400.0),
            "core": None,
        }
    )
    assert idle_parts(build(lone)) == ("1 of 1 spines (s00)",)
