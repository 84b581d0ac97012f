"""Slow, obvious code that referees the kernels, and the list of which referees which.

`TWINS` has a row for every public kernel (a function of `fabric/_kernels` without a leading underscore): the naive
function that says what is right, and the test that compares the two.  `tests/fabric/kernels/test_twins.py` sees to it
that none is missing and that every name in it exists.
"""

from typing import NamedTuple


class Twin(NamedTuple):
    naive: str
    """Function of a module of `tests.naive`: ``module.function``."""
    test: str
    """Test that compares kernel and twin: ``path below tests::function``; it has the mark ``kernels``."""


_SWEEP = Twin("routing.naive_link_bytes", "fabric/routing/test_sweep.py::test_equals_the_slow_walk")
_PATHS = Twin("routing.naive_flow_bytes", "fabric/kernels/test_paths.py::test_paths_equal_the_slow_walk")
_TABLES = Twin("lft_walk.naive_lft_bytes", "fabric/routing/test_lft_walk.py::test_random_tables_equal_the_slow_walk")
_EVENTS = Twin("max_min.naive_rates", "fabric/timing/test_max_min.py::test_the_certificate_holds_after_every_event")
_RATES = Twin(
    "max_min.naive_rates", "fabric/timing/test_max_min.py::test_rates_have_the_certificate_and_equal_the_slow_filling"
)
_HEAP = Twin("heap.naive_pops", "fabric/kernels/test_heap.py::test_the_smallest_comes_first")
_LISTS = Twin("max_min.naive_flows_on_links", "fabric/kernels/test_lists.py::test_flows_are_counted_and_listed")
_WEIGHTS = Twin("link_weights.naive_weighted_bytes", "fabric/routing/test_link_weights.py::test_equals_the_slow_walk")
_ADAPTIVE = "fabric/kernels/test_adaptive_dag.py::"
_SEARCH = Twin("adaptive_dag.naive_bundle_bytes", _ADAPTIVE + "test_search_and_bytes_equal_the_definition")
_CLASSES = Twin("adaptive_dag.naive_next_hops", _ADAPTIVE + "test_classes_and_their_neighbours_equal_the_definition")
_ROWS = Twin("adaptive_dag.naive_ends", _ADAPTIVE + "test_ends_and_rows_equal_the_definition")
_LESS = Twin("routing.naive_link_bytes", "fabric/routing/test_one_cable_less.py::test_every_cable_is_as_if_routed_anew")
_GPU = "fabric/routing/test_cuda.py::"
_GPU_HASHED = Twin("routing.naive_link_bytes", _GPU + "test_hashed_loads_are_the_processor_s_and_the_slow_walk_s")
_GPU_ADAPTIVE = Twin(
    "routing.naive_link_bytes", _GPU + "test_adaptive_loads_are_the_slow_walk_s_in_one_batch_or_several"
)
_ENDPOINTS = "fabric/kernels/test_endpoints.py::"
_HOPS = "fabric/kernels/test_next_hops.py::"
_LFT = "fabric/kernels/test_lfts.py::"
_SUMS = "fabric/kernels/test_sums.py::"

TWINS = {
    "adaptive.sweep_all_to_all": _SWEEP,
    "adaptive.sweep_flows": _SWEEP,
    "adaptive.split_paths": _PATHS,
    "adaptive.parts_over_bundle": Twin(
        "crossing.naive_parts", "fabric/routing/test_crossing.py::test_parts_are_those_of_every_pair"
    ),
    **{f"adaptive_dag.{name}": _SEARCH for name in ("empty_dag", "clear_dag", "grow_dag", "carry_over")},
    "adaptive_dag.find_dag": _CLASSES,
    "adaptive_dag.find_slot_fractions": _CLASSES,
    "adaptive_dag.part_ends": _ROWS,
    "adaptive_shared.find_last_hops": Twin("adaptive_dag.naive_last_hops", _CLASSES.test),
    "adaptive_shared.share_out_found": Twin(
        "routing.naive_link_bytes", _GPU + "test_what_is_shared_out_between_two_passes_equals_the_slow_walk"
    ),
    "adaptive_shared.sweep_all_to_all_shared": _SWEEP,
    "adaptive_shared.sweep_flows_shared": _SWEEP,
    "arrival_rows.add_row": _ROWS,
    "arrival_rows.found_rows": _ROWS,
    "arrival_rows.grow_with_rows": _ROWS,
    "by_destination.dmodk_all_to_all": _SWEEP,
    "by_destination.dmodk_flows": _SWEEP,
    **{f"cuda.adaptive.{name}": _GPU_ADAPTIVE for name in ("begin", "put_ends", "search", "carry", "add_to_bundles")},
    **{
        f"cuda.hashed.{name}": _GPU_HASHED
        for name in (
            "clear",
            "begin",
            "search",
            "split_over_slots",
            "walk",
            "add_choices",
            "carry_forced",
            "count_sent",
            "count_received",
        )
    },
    "cuts.cut_capacities": Twin("sums.naive_cut", _SUMS + "test_capacities_of_cuts_are_those_of_the_definition"),
    "cuts.join": Twin("sums.naive_joined", _SUMS + "test_nodes_are_joined_with_the_smallest_of_their_component"),
    "dag.carry": Twin("dag.naive_carried", "fabric/kernels/test_dag.py::test_bytes_down_a_dag"),
    "endpoints.depart": Twin("endpoints.naive_departing", _ENDPOINTS + "test_bytes_that_leave_an_endpoint"),
    "endpoints.most_slots": Twin("endpoints.naive_most_slots", _ENDPOINTS + "test_the_most_slots_of_a_class"),
    "endpoints.split_over_nearest": Twin("endpoints.naive_split", _ENDPOINTS + "test_split_over_the_nearest_slots"),
    "endpoints.note_pair": Twin("endpoints.naive_pairs", _ENDPOINTS + "test_a_noted_pair_has_bytes_to_exchange"),
    "endpoints.send_flows": _SWEEP,
    "endpoints.exchange": Twin("endpoints.naive_exchange", _ENDPOINTS + "test_who_exchanges_bytes"),
    "inside.part_flows": Twin("sums.naive_parted", _SUMS + "test_flows_inside_domains_are_summed_and_others_listed"),
    "tier_sums.sum_by_tier": Twin("sums.naive_tier_sums", _SUMS + "test_sums_of_links_by_number"),
    "hashed.hashed_all_to_all": Twin(
        "routing.naive_link_bytes",
        "fabric/kernels/test_hashed.py::test_regular_and_damaged_fabrics_equal_the_slow_walk",
    ),
    "hashed.hashed_flows": _SWEEP,
    "hashed.mix": Twin("routing.mix", "fabric/kernels/test_hashed.py::test_mix_is_the_finalizer_of_splitmix64"),
    **{f"heap.{name}": _HEAP for name in ("sift_up", "sift_down")},
    "link_weights.weighted_all_to_all": _WEIGHTS,
    "link_weights.weighted_flows": _WEIGHTS,
    "link_weights.weighted_paths": Twin(
        "link_weights.least_weights",
        "fabric/routing/test_link_weights.py::test_paths_have_the_least_weight_and_add_up_to_the_loads",
    ),
    "lft_walk.lft_all_to_all": _TABLES,
    "lft_walk.lft_flows": _TABLES,
    "lft_walk.lft_paths": Twin("lft_walk.naive_lft_flow_bytes", _LFT + "test_paths_along_tables_equal_the_slow_walk"),
    "lft_walk.mark_turns": Twin(
        "lft_walk.naive_turns", "fabric/studies/test_health.py::test_turns_and_cycles_equal_those_of_all_walks"
    ),
    "lft_walk.peel_turns": Twin("lft_walk.naive_peeled", _LFT + "test_what_remains_lies_on_or_behind_cycles"),
    "lft_walk.way_states": Twin("lft_walk.naive_way_end", _LFT + "test_ways_end_where_the_slow_walk_does"),
    "max_min.count_flows": _LISTS,
    "max_min.list_flows": _LISTS,
    **{f"max_min.{name}": _RATES for name in ("demands", "gather", "fill", "lowest_levels")},
    "next_hops.carry_forced": Twin("next_hops.naive_forced_loads", _HOPS + "test_what_waits_where_ways_are_forced"),
    "next_hops.find_hops": Twin("next_hops.naive_ways", _HOPS + "test_next_hops_of_one_class_after_another"),
    "next_hops.find_slot_fractions": Twin(
        "endpoints.naive_split", _HOPS + "test_fractions_are_those_of_the_nearest_slots"
    ),
    **{f"sharing.{name}": _EVENTS for name in ("list_flow", "start_flow", "end_flow", "fill_anew", "renew_levels")},
    "sharing.run": Twin(
        "max_min.naive_completions",
        "fabric/timing/test_max_min.py::test_completions_equal_those_solved_anew_at_every_event",
    ),
    **{f"one_cable_less.{name}": _LESS for name in ("empty_scratch", "go_towards", "lose_cables")},
    "single_path.dmodk_paths": _PATHS,
    "single_path.ecmp_paths": _PATHS,
    "single_path.path_lengths": _PATHS,
}
