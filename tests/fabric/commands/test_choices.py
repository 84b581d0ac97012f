"""What the command line knows without loading anything equals what the library knows."""

from typing import get_args

from fabric.builders.description import Wiring
from fabric.commands import choices
from fabric.commands.loads import LoadsOutput
from fabric.routing.registry import ready_policy_names
from fabric.studies.hotspots import DEFAULT_THRESHOLD
from fabric.studies.opensm import ENGINES
from traces.registry import trace_formats


def test_choices_are_the_library_s_own():
    assert set(choices.POLICIES) == {*ready_policy_names(), "lft"}
    assert get_args(Wiring) == choices.WIRINGS
    assert choices.ENGINES == ENGINES
    # The one that asks for one of two is found, but nobody names it.
    assert {*choices.TRACE_FORMATS, "simai-or-astra-sim"} == {one.name for one in trace_formats()}


def test_the_default_of_threshold_is_the_library_s():
    assert LoadsOutput().threshold == DEFAULT_THRESHOLD
