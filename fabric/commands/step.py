"""The commands `step` and `scale`: a training job's step on a fabric, and over numbers of GPUs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fabric.commands.grouping import OptionGroup
from fabric.commands.jobs import JobsFile, OtherJobs, job_of, jobs_of_file
from fabric.commands.options import (
    Degrade,
    Device,
    FabricOptions,
    Fail,
    FaultsFile,
    Force,
    GateOptions,
    HashOptions,
    Html,
    Json,
    Nics,
    PlacementOptions,
    RoutingOptions,
    Threads,
    Verbose,
)
from fabric.commands.resolve import (
    draws,
    faults_of,
    gates_of,
    lfts_of,
    opened,
    policy_name,
    routing_of,
    rule_of,
    usage,
)
from fabric.commands.terminal import finish, working

if TYPE_CHECKING:
    from fabric.formats.opening import OpenedFabric
    from fabric.jobs.rule import PlacementRule
    from fabric.studies.step import ComputeSource
    from traces.workload.description import Measured, WorkloadDescription

WorkloadArgument = Annotated[
    str,
    typer.Argument(metavar="WORKLOAD", help="deepseek-v3, llama-3.1-405b, llama-3.1-8b, gpt-oss-20b, or a file."),
]
_LAYOUT_KEYS = ("tp", "pp", "cp", "ep", "etp", "vp")


@dataclass(frozen=True)
class WorkloadOptions(OptionGroup):
    """What differs from the workload's description."""

    panel = "Workload"

    layout: Annotated[
        str | None, typer.Option(metavar="SIZES", help="Other sizes: tp=4,pp=8,cp=2,ep=64,etp=1,vp=4; some of them.")
    ] = None
    sequences: Annotated[int | None, typer.Option(min=1, metavar="N", help="Sequences of a step.")] = None
    micro: Annotated[int | None, typer.Option(min=1, metavar="N", help="Sequences of a microbatch.")] = None
    run: Annotated[
        str | None, typer.Option(metavar="NAME", help="Layout, batch and compute of a measured run of the description.")
    ] = None
    tflops: Annotated[
        float | None, typer.Option(min=0.001, metavar="X", help="Compute by a GPU's peak, TFLOP/s, instead of a run.")
    ] = None
    mfu: Annotated[
        float | None,
        typer.Option(min=0.001, max=1.0, metavar="X", help="Of --tflops: the share reached [default: 0.4]."),
    ] = None


@dataclass(frozen=True)
class StepOutput(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    csv: Annotated[Path | None, typer.Option("--csv", metavar="PATH", help="Write one row per operation.")] = None
    html: Html = None
    force: Force = False


@dataclass(frozen=True)
class ScaleOutput(OptionGroup):
    """Where the answer goes."""

    panel = "Output"

    json: Json = False
    verbose: Verbose = False
    figure: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Step over GPUs, stacked by cause (.png, .svg, .pdf).")
    ] = None
    html: Html = None
    force: Force = False


def workload_of(name: str, options: WorkloadOptions) -> "WorkloadDescription":
    """The workload with what the user changes of it."""
    from collectives.gate import whole
    from collectives.suggestion import hint
    from traces.workload.description import changed_layout, read_workload

    if options.mfu is not None and options.tflops is None:
        usage("--mfu goes with --tflops")
    if options.tflops is not None and options.run is not None:
        usage("--tflops: compute is that of --run; expected one of them")
    if options.run is not None and (options.layout or options.sequences or options.micro):
        usage("--run: layout and batch are that of the run; expected no --layout, --sequences and --micro")
    changes: dict[str, object] = {}
    for part in (options.layout or "").split(",") if options.layout else ():
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in _LAYOUT_KEYS:
            usage(f"--layout {part.strip()!r}: {hint(key, _LAYOUT_KEYS)}, each with a size such as pp=4")
        changes[f"layout.{key}"] = whole(value, f"--layout: {key}", 1, 1 << 30)
    if options.sequences is not None:
        changes["batch.sequences"] = options.sequences
    if options.micro is not None:
        changes["batch.micro"] = options.micro
    if options.tflops is not None:
        changes |= {"compute.tflops": options.tflops, "compute.measured": "", "compute.source": "--tflops, --mfu"}
        changes["compute.mfu"] = 0.4 if options.mfu is None else options.mfu
    given = read_workload(name)
    return changed_layout(given, changes, name) if changes else given


def run_of(
    given: "OpenedFabric",
    described: "WorkloadDescription",
    options: WorkloadOptions,
    gpus: int | None,
    rule: "PlacementRule",
    threads: int | None,
) -> "tuple[Measured | None, ComputeSource | None, int | None]":
    """The measured run that is asked for, its compute where it is known, and the GPUs of the job."""
    from fabric.studies.scale import named_run
    from fabric.studies.step import calibrated, measured_step_s

    if options.run is None:
        return None, None, gpus
    run = named_run(described, options.run)
    known = measured_step_s(described, run) is not None
    return run, calibrated(given, described, run, rule, threads) if known else None, gpus or run.gpus


def step(
    workload: WorkloadArgument,
    fabric: FabricOptions,
    options: WorkloadOptions,
    job: PlacementOptions,
    routed: RoutingOptions,
    hashing: HashOptions,
    output: StepOutput,
    gates: GateOptions,
    job_too: OtherJobs = None,
    jobs: JobsFile = None,
    no_levers: Annotated[
        bool, typer.Option("--no-levers", help="Only the step itself, not naive and each lever alone.")
    ] = False,
    nics: Nics = None,
    threads: Threads = None,
    device: Device = None,
) -> None:
    """A training job's step: bytes and time by parallel axis, what compute hides, naive to rail-aware.

    \b
    Examples:
      railscope step deepseek-v3 gb300-2048
      railscope step llama-3.1-405b gb200-5120 --run v5.1-5120 --gpus 5120
      railscope step deepseek-v3 gb300-2048 --gpus 1024 --job b=llama-3.1-405b:512@scattered
      railscope step gpt-oss-20b hgx-b200-64 --routing ecmp --queue-pairs 4
      railscope step my-model.toml subnet.txt --nvlink-gbps 7200 --layout tp=8,pp=4
    """
    asked = routed.routing is not None or routed.lfts is not None
    policy = policy_name(routed, hashing, seed_used=not asked or draws(job))
    rule, limits = rule_of(job, hashing.seed), gates_of(gates)
    described = workload_of(workload, options)

    from fabric.reports.files import check_outputs
    from fabric.reports.step import step_report
    from fabric.scenario import OWN
    from fabric.studies.step import study_step

    if (job_too or jobs) and (output.csv is not None or no_levers or options.run is not None or nics is not None):
        usage("--csv, --no-levers, --run, --nics: of one job alone; expected none with --job and --jobs")
    others = [*map(job_of, job_too or ()), *(jobs_of_file(jobs) if jobs is not None else ())]
    check_outputs(None, (output.html, output.csv), output.force)
    given = opened(fabric)
    matched = lfts_of(given, [routed.lfts] if routed.lfts else [], skip_unrouted=False)
    routing = routing_of(policy, hashing, matched[0] if matched else None) if asked else None
    if others:
        from fabric.reports.sharing import sharing_report
        from fabric.studies.sharing import JobRequest, study_sharing

        with working("jobs"):
            first = JobRequest(described.model.name, described, rule.n_ranks(given), rule)
            report = sharing_report(study_sharing(given, [first, *others], routing=routing, n_threads=threads))
        finish(report, output, limits)
        return
    with working("step"):
        run, compute, gpus = run_of(given, described, options, job.gpus, rule, threads)
        result = study_step(
            given,
            described,
            gpus,
            rule,
            run=run,
            compute=compute,
            routing=routing,
            levers=not no_levers,
            nics=nics or OWN,
            n_threads=threads,
        )
        report = step_report(result, output.csv)
    finish(report, output, limits)


def scale(
    workload: WorkloadArgument,
    options: WorkloadOptions,
    output: ScaleOutput,
    fabric: Annotated[
        str, typer.Option(metavar="FAMILY", help="A family of presets, such as gb300 for gb300-2048; or one fabric.")
    ],
    gpus: Annotated[str, typer.Option(metavar="N,N,...", help="Numbers of GPUs, smallest first.")],
    no_levers: Annotated[
        bool, typer.Option("--no-levers", help="Only rail-aware, not naive and each lever alone.")
    ] = False,
    fail: Fail = None,
    degrade: Degrade = None,
    faults: FaultsFile = None,
    threads: Threads = None,
    device: Device = None,
) -> None:
    """A workload over numbers of GPUs, beside what was published; what layout and batch change; measured runs judged.

    Faults are in the fabric of every size; one that has no such part runs without it, and it is said.

    \b
    Examples:
      railscope scale deepseek-v3 --fabric gb300 --gpus 2048,4096,8192
      railscope scale deepseek-v3 --fabric gb300 --gpus 2048,4096 --fail plane:1
      railscope scale llama-3.1-405b --fabric gb200 --gpus 512,1024,2048,5120 --figure scale.png
    """
    from collectives.gate import whole
    from fabric.reports.files import check_outputs
    from fabric.reports.scale import scale_report
    from fabric.studies.scale import named_run, study_scale

    sizes = sorted({whole(part, "--gpus", 1, 1 << 24) for part in gpus.split(",")})
    described = workload_of(workload, options)
    if options.run is not None:
        named_run(described, options.run)
    check_outputs(output.figure, (output.html,), output.force)
    broken = faults_of(FabricOptions(fabric, fail=fail, degrade=degrade, faults=faults))
    with working("steps"):
        studied = study_scale(
            described,
            fabric,
            sizes,
            levers=not no_levers,
            compute=options.run,
            faults=broken,
            n_threads=threads,
        )
        report = scale_report(studied, output.figure)
    finish(report, output)
