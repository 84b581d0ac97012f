"""The public names of `fabric`, each in the module where it lives: the one list of them."""

from .bounds.cuts import Bound as Bound, cut_bound as cut_bound, traffic_bound as traffic_bound
from .bounds.linear_program import linear_program_bound as linear_program_bound
from .bounds.throughput import ThroughputBound as ThroughputBound, throughput_bound as throughput_bound
from .builders import (
    FabricDescription as FabricDescription,
    build as build,
    fat_tree as fat_tree,
    preset_names as preset_names,
    read_description as read_description,
    read_preset as read_preset,
)
from .builders.changes import changed_description as changed_description, description_keys as description_keys
from .builders.faults import Fault as Fault
from .builders.idle import idle_parts as idle_parts
from .builders.nvlink import with_nvlink as with_nvlink
from .builders.reference import (
    description_json_schema as description_json_schema,
    schema_reference as schema_reference,
)
from .commands.app import app as app, register_command as register_command
from .commands.grouping import OptionGroup as OptionGroup
from .commands.options import (
    FabricOptions as FabricOptions,
    GateOptions as GateOptions,
    HashOptions as HashOptions,
    OutputOptions as OutputOptions,
    PlacementOptions as PlacementOptions,
    RoutingOptions as RoutingOptions,
    TrafficOptions as TrafficOptions,
)
from .commands.resolve import scenario_of as scenario_of
from .commands.study_file import Study as Study, read_study as read_study
from .commands.study_points import points_of as points_of
from .commands.study_run import point_scenario as point_scenario, run_study as run_study
from .commands.terminal import finish as finish
from .formats.counters.files import read_counter_deltas as read_counter_deltas, read_counters as read_counters
from .formats.counters.reading import CounterReading as CounterReading
from .formats.counters.registry import (
    CounterFormat as CounterFormat,
    register_counter_format as register_counter_format,
)
from .formats.counters.snapshot import CounterSample as CounterSample, Snapshot as Snapshot
from .formats.ethernet.cabling import NamedCable as NamedCable
from .formats.exporting import export_fabric as export_fabric
from .formats.faults_toml import read_faults as read_faults
from .formats.infiniband.lfts import LftDump as LftDump, read_lfts as read_lfts
from .formats.node_link import (
    from_networkx as from_networkx,
    read_node_link as read_node_link,
    to_networkx as to_networkx,
    write_node_link as write_node_link,
)
from .formats.opening import (
    OpenedFabric as OpenedFabric,
    load_fabric as load_fabric,
    open_fabric as open_fabric,
    open_lfts as open_lfts,
)
from .formats.plan import Plan as Plan, cables_of as cables_of, read_plan as read_plan
from .formats.registry import Export as Export, Format as Format, register_format as register_format
from .jobs.assignment import Assignment as Assignment, best_order as best_order
from .jobs.launchers import launcher_text as launcher_text
from .jobs.opened_flows import OpenedFlows as OpenedFlows, opened_flows as opened_flows
from .jobs.placement import (
    Placement as Placement,
    domain_of_rank as domain_of_rank,
    explicit as explicit,
    packed as packed,
    rail_of_rank as rail_of_rank,
    scattered as scattered,
)
from .jobs.requests import (
    Collective as Collective,
    DemandFile as DemandFile,
    TraceFiles as TraceFiles,
    TrainingStep as TrainingStep,
)
from .jobs.rule import PlacementRule as PlacementRule
from .jobs.span import Span as Span, span_of as span_of
from .jobs.traffic import Traffic as Traffic
from .reports.documents.registry import (
    json_schema as json_schema,
    register_document as register_document,
    schema_names as schema_names,
    unregister_document as unregister_document,
)
from .reports.emit import Report as Report, emit as emit
from .reports.figures.busbw import busbw_figure as busbw_figure
from .reports.figures.compare import Panel as Panel, compare_figure as compare_figure
from .reports.figures.rates import rates_figure as rates_figure
from .reports.figures.trace import trace_figure as trace_figure
from .reports.html.page import html_page as html_page
from .reports.links import links_csv as links_csv
from .reports.page_parts import PageParts as PageParts, Picture as Picture, TimeBar as TimeBar
from .reports.sweep_dataset import dataset_columns as dataset_columns
from .reports.tables import Table as Table
from .routing.device import on_device as on_device
from .routing.flow_paths import FlowPaths as FlowPaths, RoutedFlows as RoutedFlows
from .routing.link_loads import (
    link_loads as link_loads,
    loads_over_seeds as loads_over_seeds,
    schedule_loads as schedule_loads,
)
from .routing.loads import LinkLoads as LinkLoads, ScheduleLoads as ScheduleLoads, Unrouted as Unrouted
from .routing.match_lfts import MatchedLfts as MatchedLfts, match_lfts as match_lfts
from .routing.parts import (
    N_PARTS as N_PARTS,
    LoadsPart as LoadsPart,
    loads_of_parts as loads_of_parts,
    part_of_loads as part_of_loads,
)
from .routing.paths import route_flows as route_flows
from .routing.policies import (
    Adaptive as Adaptive,
    DModK as DModK,
    Ecmp as Ecmp,
    GivenPaths as GivenPaths,
    Lft as Lft,
    LinkWeights as LinkWeights,
    Routing as Routing,
)
from .routing.registry import (
    make_policy as make_policy,
    policy_names as policy_names,
    policy_options as policy_options,
    register_policy as register_policy,
)
from .routing.unroutable import Unroutable as Unroutable
from .scenario import Job as Job, Scenario as Scenario, opened_fabric as opened_fabric, time_model as time_model
from .studies.advice.best import what_helps as what_helps
from .studies.advice.lever import Case as Case, Change as Change, Cost as Cost, NotTried as NotTried
from .studies.advice.levers import LEVERS as LEVERS
from .studies.advice.study import Advice as Advice, Advised as Advised, advise as advise
from .studies.analysis import (
    Analysis as Analysis,
    analyse as analyse,
    optimum as optimum,
    over_hash_seeds as over_hash_seeds,
)
from .studies.busbw import Prediction as Prediction, predict_busbw as predict_busbw
from .studies.counters import CounterStudy as CounterStudy, study_counters as study_counters
from .studies.designs import (
    DesignOutcome as DesignOutcome,
    Variant as Variant,
    compare_designs as compare_designs,
    vary as vary,
    vary_keys as vary_keys,
)
from .studies.explain import Contributions as Contributions, explain as explain
from .studies.faults import Faults as Faults, study_faults as study_faults
from .studies.flow_sensitivity import FlowPoint as FlowPoint, flow_sensitivity as flow_sensitivity
from .studies.health import Health as Health, check_fabric as check_fabric
from .studies.health_findings import Finding as Finding
from .studies.hotspots import (
    Hotspot as Hotspot,
    TierSummary as TierSummary,
    bottleneck as bottleneck,
    hotspots as hotspots,
    links_in_job as links_in_job,
    schedule_bottleneck as schedule_bottleneck,
    tier_summaries as tier_summaries,
)
from .studies.ladder import Design as Design, Outcome as Outcome, Rung as Rung, ladder as ladder
from .studies.link_names import find_link as find_link
from .studies.measured import Measured as Measured, measure as measure
from .studies.opensm import reroute as reroute
from .studies.parts import CableKind as CableKind, Parts as Parts, Switches as Switches, parts_of as parts_of
from .studies.placing import Placing as Placing, study_placing as study_placing
from .studies.plan_check import (
    Deviation as Deviation,
    PlanCheck as PlanCheck,
    check_plan as check_plan,
    read_ignored as read_ignored,
)
from .studies.prices import (
    PartsCost as PartsCost,
    Prices as Prices,
    price_parts as price_parts,
    read_prices as read_prices,
)
from .studies.rates import FlowTimes as FlowTimes, flow_times as flow_times, flow_times_of_file as flow_times_of_file
from .studies.replay import Replay as Replay, study_replay as study_replay
from .studies.routings import (
    RoutingOutcome as RoutingOutcome,
    compare_routings as compare_routings,
    usual_routings as usual_routings,
)
from .studies.scale import Scale as Scale, study_scale as study_scale
from .studies.sharing import JobRequest as JobRequest, Sharing as Sharing, study_sharing as study_sharing
from .studies.step import StepResult as StepResult, step_scenario as step_scenario, study_step as study_step
from .studies.suspects import Suspect as Suspect, suspects_of as suspects_of
from .studies.sweep.outcome import PointOutcome as PointOutcome, TierUse as TierUse
from .studies.sweep.point import StudyPoint as StudyPoint
from .studies.sweep.result import SweepResult as SweepResult
from .studies.sweep.run import Shard as Shard
from .studies.verdicts.advise import advise_verdict as advise_verdict
from .studies.verdicts.busbw import (
    busbw_limit as busbw_limit,
    busbw_verdict as busbw_verdict,
    prediction_verdict as prediction_verdict,
)
from .studies.verdicts.designs import designs_verdict as designs_verdict
from .studies.verdicts.health import health_verdict as health_verdict
from .studies.verdicts.ladder import ladder_verdict as ladder_verdict
from .studies.verdicts.loads import loads_verdict as loads_verdict
from .studies.verdicts.rates import rates_verdict as rates_verdict
from .studies.verdicts.routings import routings_verdict as routings_verdict
from .studies.verdicts.trace import trace_verdict as trace_verdict
from .studies.verdicts.verdict import (
    Cause as Cause,
    CauseKind as CauseKind,
    Limit as Limit,
    Remedy as Remedy,
    Verdict as Verdict,
)
from .timing.alpha_beta import (
    AlphaBeta as AlphaBeta,
    alpha_beta_of as alpha_beta_of,
    found_s as found_s,
    predicted_s as predicted_s,
)
from .timing.generations import Generation as Generation, generation_of as generation_of
from .timing.max_min import Completions as Completions, completions as completions, max_min_rates as max_min_rates
from .timing.networks import Network as Network, Reach as Reach, reach_of as reach_of
from .timing.prediction import Row as Row, alpha_betas as alpha_betas, predict as predict
from .timing.protocols import (
    GivenTimes as GivenTimes,
    Protocol as Protocol,
    TimeModel as TimeModel,
    model_for as model_for,
)
from .topology import Cables as Cables, Nodes as Nodes, Topology as Topology

DISTRIBUTION: str
