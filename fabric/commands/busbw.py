"""The command `busbw`: predicted nccl-tests tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collectives.bandwidth import COLLECTIVES
from fabric.commands.choices import choice
from fabric.commands.grouping import OptionGroup
from fabric.commands.options import (
    Axis,
    Channels,
    CrossNic,
    FabricOptions,
    FillRanks,
    Force,
    FormatName,
    GateOptions,
    GroupSize,
    HashOptions,
    Html,
    Json,
    LibraryName,
    Nics,
    Order,
    Parallel,
    PlacementOptions,
    RoutingOptions,
    Threads,
    TrafficOptions,
    Verbose,
)
from fabric.commands.resolve import (
    check_channels,
    check_traffic,
    draws,
    gates_of,
    lfts_of,
    library_of,
    named_algorithm,
    opened,
    policy_name,
    refuse_given,
    request_of,
    routing_of,
    rule_of,
    usage,
    version_of,
)
from fabric.commands.terminal import finish, working

if TYPE_CHECKING:
    from fabric.timing.protocols import GivenTimes


@dataclass(frozen=True)
class TestOptions(OptionGroup):
    """What is tested."""

    panel = "Test"

    collective: Annotated[str | None, choice("Collective [default: all-reduce]", COLLECTIVES)] = None
    sizes: Annotated[
        str | None,
        typer.Option(metavar="RANGE", help="FIRST:LAST doubles, as 1M:1G; or sizes with commas [default: 1MiB:16GiB]."),
    ] = None
    trace: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Operations of a trace instead; again for each file, or a pattern."),
    ] = None
    fill_ranks: FillRanks = False
    trace_format: FormatName = None
    group: GroupSize = None
    parallel: Parallel = None
    axis: Axis = None
    order: Order = None
    algorithm: Annotated[
        str, typer.Option(metavar="A,B", help="Algorithms to list, or auto: the library's fastest for each size.")
    ] = "auto"
    library: LibraryName = None
    channels: Channels = None
    cross_nic: CrossNic = None
    measured: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Results of nccl-tests (table or JSON) to lay beside.")
    ] = None


@dataclass(frozen=True)
class TimeOptions(OptionGroup):
    """Parameters of time."""

    panel = "Time [default: the fabric's]"

    hop_latency_ns: Annotated[float | None, typer.Option(min=0.0, help="Of each link beyond two.")] = None
    message_overhead_ns: Annotated[
        float | None, typer.Option(min=0.0, help="Of each further message that a rank posts.")
    ] = None
    wire_efficiency: Annotated[
        float | None, typer.Option(min=0.001, max=1.0, help="Payload over bytes on the network.")
    ] = None
    nvlink_efficiency: Annotated[
        float | None, typer.Option(min=0.001, max=1.0, help="Payload over capacity of NVLink.")
    ] = None
    base_latency_us: Annotated[
        float | None, typer.Option(min=0.0, help="Your own base latency, instead of NCCL's protocols.")
    ] = None
    step_latency_us: Annotated[
        float | None, typer.Option(min=0.0, help="With --base-latency-us: of a step, wherever it goes.")
    ] = None
    efficiency: Annotated[
        float | None, typer.Option(min=0.001, max=1.0, help="With --base-latency-us: payload over bytes moved.")
    ] = None
    latency_factor: Annotated[
        float, typer.Option(min=0.0, help="Multiply all latency, as a fit to --measured says.")
    ] = 1.0
    bandwidth_factor: Annotated[
        float, typer.Option(min=0.001, help="Multiply all bandwidth, as a fit to --measured says.")
    ] = 1.0

    def given(self) -> "GivenTimes":
        """What the user says of time."""
        from fabric.timing.protocols import GivenTimes, Protocol

        own = None
        if self.base_latency_us is not None:
            step_s = (self.step_latency_us or 0.0) * 1e-6
            own = Protocol("own", self.base_latency_us * 1e-6, step_s, step_s, self.efficiency or 1.0)
        return GivenTimes.in_ns(
            self.hop_latency_ns, self.message_overhead_ns, self.wire_efficiency, self.nvlink_efficiency, protocol=own
        )

    def check(self) -> None:
        """Refuse what has no effect."""
        if self.base_latency_us is None and (self.step_latency_us is not None or self.efficiency is not None):
            usage("--step-latency-us and --efficiency go with --base-latency-us")


@dataclass(frozen=True)
class BusbwOutput(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    figure: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Plot busbw and time over size (.png, .svg, .pdf).")
    ] = None
    html: Html = None
    force: Force = False


def busbw(
    fabric: FabricOptions,
    test: TestOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    time: TimeOptions,
    output: BusbwOutput,
    gates: GateOptions,
    nics: Nics = None,
    threads: Threads = None,
) -> None:
    """Predicted nccl-tests table of a collective, with latency; measurements beside it.

    \b
    Examples:
      railscope busbw hgx-b200-64 --collective all-reduce --sizes 8B:16GiB
      railscope busbw my.toml --gpus 8 --measured all_reduce_perf.txt
      railscope busbw gb300-2048 --collective all-to-all --algorithm direct,pxn
      railscope busbw hgx-b200-64 --fail nic:h0003g1 --nics pooled
    """
    policy = policy_name(routed, hashing, seed_used=draws(job))
    time.check()
    if test.trace:
        of_trace = ("trace", "algorithm", "library", "fill_ranks", "trace_format")
        refuse_given(test, "goes with a collective, not with --trace", *of_trace)
    parallel = (test.parallel, test.axis, test.order)
    collective = None if test.trace else test.collective or "all-reduce"
    traffic = TrafficOptions(
        collective,
        None,
        test.group,
        *parallel,
        trace=test.trace,
        fill_ranks=test.fill_ranks,
        trace_format=test.trace_format,
    )
    check_traffic(traffic)
    rule, limits = rule_of(job, hashing.seed), gates_of(gates)
    names = tuple(name.strip() for name in test.algorithm.split(","))

    from collectives.algorithm import AUTO
    from collectives.catalog import algorithm_of
    from collectives.sizes import parse_sizes
    from fabric.jobs.requests import Collective
    from fabric.reports.busbw import busbw_report
    from fabric.reports.files import check_outputs
    from fabric.reports.trace_busbw import trace_busbw_report
    from fabric.scenario import OWN, Scenario
    from fabric.studies.busbw import USUAL_SIZES, predict_busbw
    from fabric.studies.trace_busbw import predict_trace
    from traces.nccl_tests import read_nccl_tests

    if not test.trace:
        names = tuple(named_algorithm(name, traffic.collective or "") or name for name in names)
    if AUTO in names and len(names) > 1:
        usage(f"--algorithm {test.algorithm}: expected auto alone, or names of algorithms")
    if not test.trace:
        check_channels(test.channels, test.cross_nic, None if names == (AUTO,) else names, traffic.collective)
    elif output.figure is not None:
        usage("--figure: operations of a trace are no curve over sizes; expected none with --trace")
    sizes = parse_sizes(test.sizes or USUAL_SIZES)
    results = read_nccl_tests(test.measured) if test.measured is not None else None
    check_outputs(output.figure, (output.html,), output.force)
    given = opened(fabric)
    lfts = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted=False)
    # The table chooses for each size, so that the scenario need not.
    usual = "" if traffic.collective is None else algorithm_of(traffic.collective).name
    asked = request_of(traffic)
    scenario = Scenario.of(
        given,
        asked.decided(usual) if isinstance(asked, Collective) else asked,
        rule=rule,
        nics=nics or OWN,
        routing=routing_of(policy, hashing, lfts[0] if lfts else None),
        times=time.given(),
        latency_factor=time.latency_factor,
        bandwidth_factor=time.bandwidth_factor,
        library=library_of(test),
        nccl_version=version_of(hashing),
        n_threads=threads,
    )
    with working("routing"):
        if test.trace:
            report = trace_busbw_report(predict_trace(scenario, names))
        else:
            predicted = predict_busbw(
                scenario, sizes, names, results, str(test.measured), test.channels, test.cross_nic
            )
            report = busbw_report(predicted, str(test.measured), output.figure)
    finish(report, output, limits)
